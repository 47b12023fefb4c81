"""Look at what a run left, on the disk itself: the same files, the same sizes, and the same bytes in a sample."""

import hashlib
import random
from pathlib import Path

#: How many files are hashed, and how many bytes at most (beyond the first file).
_SAMPLE_COUNT, _SAMPLE_BYTES = 50, 64 * 1024 * 1024


def difference(source: Path, target: Path, seed: int) -> str:
    """Return what is wrong with a target, in words; empty for nothing."""
    wanted, found = sizes(source), sizes(target)
    if wanted != found:
        missing, strange = sorted(set(wanted) - set(found))[:3], sorted(set(found) - set(wanted))[:3]
        return f"{len(found)} files instead of {len(wanted)}; missing {missing}, not wanted {strange}"
    hashed_bytes = 0
    for name in random.Random(seed).sample(sorted(wanted), min(_SAMPLE_COUNT, len(wanted))):
        if hashed_bytes > _SAMPLE_BYTES:
            break
        hashed_bytes += wanted[name]
        if _digest(source / name) != _digest(target / name):
            return f"{name} has other bytes"
    return ""


def sizes(folder: Path) -> dict[str, int]:
    """Return the size of every file below a folder."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
