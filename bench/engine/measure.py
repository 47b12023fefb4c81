"""Run a program and say what it took: its whole tree of processes, from outside, so that all tools are measured alike.

CPU seconds come from the kernel's accounting of the finished processes. Memory is sampled: the proportional set size of
the tree (PSS, from /proc), in which what processes share counts once.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

#: Soon at first, for programs that end soon; then five times a second, which costs a hundredth of a core.
_FIRST_SECONDS, _SAMPLE_SECONDS = 0.01, 0.2


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `environment` is added to ours: secrets are there, never among the words."""

    words: Sequence[str]
    environment: Mapping[str, str]
    folder: Path


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run took; `peak_bytes` is 0 for a program that was over before anybody looked."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


class Failed(Exception):
    """A program ended badly; the message holds the end of what it wrote."""


def run_measured(program: Program, scratch: Path) -> Usage:
    """Run a program to its end; what it prints is in `scratch/out` and `scratch/err`.

    Raises:
        Failed: it did not end with 0.
    """
    before = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_", "PORTAL_"))}
    with (scratch / "out").open("wb") as out, (scratch / "err").open("wb") as err:
        started = time.monotonic()
        process = subprocess.Popen(
            program.words, env={**before, **program.environment}, cwd=program.folder, stdout=out, stderr=err
        )
        sampler = _Sampler(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        peak_bytes = sampler.stop()
    if process.returncode:
        told = (scratch / "err").read_text(errors="replace")[-2000:]
        raise Failed(f"{Path(program.words[0]).name} ended with {process.returncode}:\n{told}")
    return Usage(wall_seconds, used.ru_utime + used.ru_stime, peak_bytes)


class _Sampler:
    """Looks at a tree of processes again and again."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak_bytes, self._ended = pid, 0, Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End, and return the most bytes seen."""
        self._ended.set()
        self._thread.join()
        return self._peak_bytes

    def _watch(self) -> None:
        pause_seconds = _FIRST_SECONDS
        while not self._ended.wait(pause_seconds):
            pause_seconds = min(2 * pause_seconds, _SAMPLE_SECONDS)
            self._peak_bytes = max(self._peak_bytes, sum(map(_held_bytes, _tree(self._pid))))


def _tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    below: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            below.setdefault(_parent(entry.name), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += below.get(each, [])
    return found


def _parent(pid: str) -> int:
    try:
        return int(Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _held_bytes(pid: int) -> int:
    try:
        lines = Path("/proc", str(pid), "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
