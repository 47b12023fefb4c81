"""What is moved: files of random content that is the same in every run, laid out in folders."""

import random
from dataclasses import dataclass
from pathlib import Path

KIBIBYTE, MEBIBYTE = 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class Workload:
    """So many files of one size in so many folders; `is_listed` ones are only listed, not moved."""

    name: str
    count: int
    size_bytes: int
    folder_count: int
    is_listed: bool = False

    @property
    def total_bytes(self) -> int:
        """Return the size of all files together."""
        return self.count * self.size_bytes

    def scaled(self, scale: float) -> "Workload":
        """Return the same with fewer files, two at least; `scale` 1 changes nothing."""
        count = max(2, round(self.count * scale))
        return Workload(self.name, count, self.size_bytes, min(self.folder_count, count), self.is_listed)

    def __str__(self) -> str:
        size = f"{self.size_bytes // MEBIBYTE} MiB" if self.size_bytes >= MEBIBYTE else f"{self.size_bytes:,} B"
        if KIBIBYTE <= self.size_bytes < MEBIBYTE:
            size = f"{self.size_bytes // KIBIBYTE} KiB"
        return f"{self.name}: {self.count:,} × {size}"


WORKLOADS = {
    load.name: load
    for load in (
        Workload("W1", 10_000, 4 * KIBIBYTE, 100),
        Workload("W2", 2_000, 256 * KIBIBYTE, 20),
        Workload("W3", 8, 256 * MEBIBYTE, 2),
        Workload("list", 100_000, 16, 100, is_listed=True),
    )
}


def filled(folder: Path, load: Workload) -> Path:
    """Return a folder with the files of a workload, made where they are not there from an earlier run."""
    made = folder / f"source-{load.name.lower()}-{load.count}"
    done = folder.parent / f".{made.name}.done"
    if not done.exists():
        for number in range(load.count):
            path = made / f"run-{number % load.folder_count:03}" / f"well-{number:06}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, random.Random(f"{load.name}-{number}"), load.size_bytes)
        done.touch()
    return made


def warmed(folder: Path) -> None:
    """Read all files once, so that each tool finds them in memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(MEBIBYTE):
                    pass


def _write(path: Path, chance: random.Random, size_bytes: int) -> None:
    with path.open("wb") as file:
        for start in range(0, size_bytes, MEBIBYTE):
            file.write(chance.randbytes(min(MEBIBYTE, size_bytes - start)))
