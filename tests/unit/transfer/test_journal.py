"""What a shard's journal still knows after its worker was killed."""

import errno
import os
from pathlib import Path

import pytest

from portal.planning.outcomes import ObjectResult, Outcome
from portal.transfer.journal import Journal

MEBIBYTE = 1024 * 1024


def copied(key: str, size_bytes: int) -> ObjectResult:
    return ObjectResult(key, size_bytes, Outcome.COPIED)


def test_the_end_of_a_large_object_is_noted_at_once_and_those_of_small_ones_together(tmp_path: Path) -> None:
    path = str(tmp_path / "1.journal")
    killed = Journal(path)
    killed.finish(copied("small", 4096))
    killed.finish(copied("large", 2 * MEBIBYTE))
    assert set(Journal(path).finished) == {"large"}
    for number in range(200):
        killed.finish(copied(f"small/{number}", 4096))
    assert len(Journal(path).finished) >= 1 + 128
    killed.close()
    assert len(Journal(path).finished) == 202


def test_what_is_about_to_be_published_is_noted_before(tmp_path: Path) -> None:
    path = str(tmp_path / "1.journal")
    killed = Journal(path)
    killed.stream("a", "0" * 64)
    killed.stream("b", "1" * 64)
    killed.disown("b")
    assert (Journal(path).streamed("a"), Journal(path).streamed("b")) == ("0" * 64, None)


def test_a_journal_that_finds_no_room_at_its_end_is_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(str(tmp_path / "1.journal"))
    journal.finish(copied("small", 4096))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(journal._file)
