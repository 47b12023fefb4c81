"""What is read back comes from the disk: what the system still holds of a file is dropped before."""

import os
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from portal.backends import open_backend
from portal.backends.base import Backend, ObjectInfo, Readable, S3Access, Timeouts
from portal.errors import Unreachable
from portal.planning.outcomes import Level, ObjectResult, Outcome
from portal.transfer import verify
from portal.values import Root
from tests.unit.transfer.test_copy import Meddler
from tests.unit.transfer.worlds import Move, fill, local

DROP, AHEAD = os.POSIX_FADV_DONTNEED, os.POSIX_FADV_WILLNEED


@pytest.fixture
def advices(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, int]]:
    """What the system was told of each file, by its name."""
    told: Counter[tuple[str, int]] = Counter()
    advise = os.posix_fadvise

    def noted(descriptor: int, offset: int, length: int, advice: int) -> None:
        told[Path(f"/proc/self/fd/{descriptor}").readlink().name, advice] += 1
        advise(descriptor, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", noted)
    return told


@pytest.fixture
def move(tmp_path: Path) -> Move:
    """Small files in folders and a large one, copied and not verified yet."""
    fill(tmp_path / "source", {"a": b"1", "in/b": b"2", "in/empty": b"", "large": bytes(1024 * 1024 + 1)})
    move = Move(local(tmp_path / "source"), local(tmp_path / "target"), tmp_path / "ledger")
    move.plan()
    move.copy()
    return move


def test_each_file_comes_from_the_disk_once_and_small_ones_ahead(move: Move, advices: Counter[tuple[str, int]]) -> None:
    assert {result.level for result in move.verify()} == {Level.READ_BACK}
    small = {(name, advice): 1 for name in ("a", "b", "empty") for advice in (DROP, AHEAD)}
    assert advices == {**small, ("large", DROP): 1}


def test_a_second_try_drops_it_once_more(move: Move, advices: Counter[tuple[str, int]]) -> None:
    left = [Unreachable("away", retryable=True)]

    class Stumbling(Meddler):
        def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> AbstractContextManager[Readable]:
            if key == "a" and left:
                raise left.pop()
            return super().open_read(key, seen=seen)

    def opener(root: Root, access: S3Access | None = None, *, timeouts: Timeouts, tag: str) -> Backend:
        return Stumbling(open_backend(root, access, timeouts=timeouts, tag=tag))

    move.opener = opener
    assert {result.level for result in move.verify()} == {Level.READ_BACK}
    assert advices["a", DROP] == 2
    assert advices["b", DROP] == 1


def test_no_more_is_read_ahead_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_AHEAD_BYTES", 10)
    copied = [ObjectResult(key, 4, Outcome.COPIED) for key in "abc"]
    assert list(verify._small_ones(copied)) == ["a", "b"]
    proven = ObjectResult("p", 4, Outcome.COPIED, level=Level.SERVER)
    moved = ObjectResult("m", 4, Outcome.COPIED, target_key="there")
    assert list(verify._small_ones([proven, moved])) == ["there"]
