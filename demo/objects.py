"""Objects laid out as LaminDB lays them out: managed ones below `.lamindb/`, real keys beside, folders of chunks."""

import random
from collections.abc import Iterator
from pathlib import Path

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIXES = (".parquet", ".h5ad", ".csv", ".fastq.gz", ".tiff", ".json")
_SAMPLES = ("PBMC", "liver", "lung", "cortex", "kidney", "plasma")


def fill(folder: Path, *, seed: int, managed_count: int, real_count: int, array_chunks: int) -> int:
    """Write objects below `folder` and return how many there are; the same seed writes the same bytes.

    Does nothing where the folder holds something already, so that a second demo finds the first one's work.
    """
    if folder.is_dir() and any(folder.iterdir()):
        return sum(1 for path in folder.rglob("*") if path.is_file())
    dice = random.Random(seed)
    keys = [*_managed(dice, managed_count), *_real(dice, real_count), *_array(dice, array_chunks)]
    for key, size_bytes in keys:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(size_bytes))
    return len(keys)


def _uid(dice: random.Random, length: int) -> str:
    return "".join(dice.choice(_BASE62) for _ in range(length))


def _managed(dice: random.Random, count: int) -> Iterator[tuple[str, int]]:
    """Yield artifacts with virtual keys: `.lamindb/` and 20 characters of uid."""
    for _ in range(count):
        yield f".lamindb/{_uid(dice, 16)}0000{dice.choice(_SUFFIXES)}", dice.randrange(2_000, 300_000)


def _real(dice: random.Random, count: int) -> Iterator[tuple[str, int]]:
    """Yield files people put there themselves, with a few names that break careless tools."""
    yield "README.md", 1_200
    yield "notes/batch 7 + controls #2 (50%).txt", 900
    yield "empty.marker", 0
    for number in range(count):
        sample = dice.choice(_SAMPLES)
        month = dice.randrange(1, 12)
        yield f"runs/2026-{month:02d}/{sample}-{number:03d}{dice.choice(_SUFFIXES)}", dice.randrange(1_000, 500_000)


def _array(dice: random.Random, count: int) -> Iterator[tuple[str, int]]:
    """Yield one folder artifact: a chunked array below 16 characters of uid."""
    folder = f".lamindb/{_uid(dice, 16)}.zarr"
    yield f"{folder}/zarr.json", 400
    for number in range(count):
        yield f"{folder}/X/c/{number // 8}/{number % 8}", dice.randrange(8_000, 60_000)
