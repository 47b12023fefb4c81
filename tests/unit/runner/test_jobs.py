"""Errors of workers travel as values, and the marker is copied once however often it is asked for."""

import errno
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from portal.backends.local.writing import temporary_parts
from portal.errors import Refused, WrongRegion
from portal.planning.outcomes import ObjectResult, Outcome
from portal.planning.roots import local_root
from portal.runner.jobs import (
    Aims,
    Ends,
    PlanJob,
    copy_marker,
    guarded,
    inspect,
    make_plan,
    own_tag,
    remove_marker,
    remove_temporaries,
)
from portal.services.reach import Door
from portal.transfer.segments import write_segment
from portal.values import MARKER_KEY
from tests.small_s3 import ACCESS, SmallS3


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    """Two local roots, the source with one object."""
    doors = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        doors.append(Door(local_root(str(tmp_path / name)), None, "here", "here", (tmp_path,)))
    (tmp_path / "old" / "a.txt").write_text("a")
    return Ends(*doors)


def mark(tmp_path: Path, root: str, uid: str) -> Path:
    """Write a marker and return its path."""
    path = tmp_path / root / MARKER_KEY
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{uid}\ncreation info:\n")
    return path


def fail(error: Exception) -> None:
    """Raise what was given."""
    raise error


def test_an_error_comes_back_as_words_and_tells_whether_it_is_final() -> None:
    answer = guarded(fail, Refused("No.", hint="Never."))
    assert (answer.error, answer.hint, answer.is_refused) == ("No.", "Never.", True)
    assert guarded(fail, WrongRegion("Elsewhere.", region=None)).is_refused is False


def test_a_full_disk_under_the_ledger_is_said_in_words() -> None:
    answer = guarded(fail, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert answer.error == "The portal's ledger cannot be read or written: No space left on device."
    assert (answer.hint[:9], answer.is_refused) == ("Make room", False)


def test_a_marker_is_copied_as_it_is_and_a_second_time_changes_nothing(tmp_path: Path, ends: Ends) -> None:
    written = mark(tmp_path, "old", "abcdefghijkl").read_bytes()
    assert copy_marker(ends, "abcdefghijkl") is True
    assert copy_marker(ends, "abcdefghijkl") is True
    assert (tmp_path / "new" / MARKER_KEY).read_bytes() == written


def test_what_a_move_writes_beside_its_shards_is_found_again_after_a_kill(
    tmp_path: Path, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(tmp_path, "old", "abcdefghijkl")
    tags: list[str] = []

    def noted(tag: str) -> list[str]:
        tags.append(tag)
        return temporary_parts(tag)

    monkeypatch.setattr("portal.backends.local.writing.temporary_parts", noted)
    inspect(ends, Aims("abcdefghijkl"))
    copy_marker(ends, "abcdefghijkl")
    assert set(tags) == {own_tag("abcdefghijkl")}
    left = tmp_path / "new" / ".lamindb/_portal" / own_tag("abcdefghijkl") / "0123"
    for tidy in (
        lambda: inspect(ends, Aims("abcdefghijkl")),
        lambda: copy_marker(ends, "abcdefghijkl"),
        lambda: remove_temporaries(ends.target, (), "abcdefghijkl"),
    ):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"left by a kill")
        tidy()
        assert not left.exists()


def test_without_a_marker_there_is_none_to_copy(tmp_path: Path, ends: Ends) -> None:
    assert copy_marker(ends, "abcdefghijkl") is False
    assert not (tmp_path / "new" / MARKER_KEY).exists()


def test_anothers_marker_is_neither_overwritten_nor_removed(tmp_path: Path, ends: Ends) -> None:
    mark(tmp_path, "old", "abcdefghijkl")
    theirs = mark(tmp_path, "new", "SomebodyElse")
    before = theirs.read_bytes()
    with pytest.raises(Refused, match="SomebodyElse"):
        copy_marker(ends, "abcdefghijkl")
    remove_marker(ends.target, "abcdefghijkl")
    assert theirs.read_bytes() == before


def test_an_inspection_leaves_nothing_at_the_target(tmp_path: Path, ends: Ends) -> None:
    assert inspect(ends, Aims("abcdefghijkl")).warnings == ()
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []


def test_what_was_rewritten_is_counted_and_only_the_first_of_it_named(tmp_path: Path, ends: Ends) -> None:
    """A rollback may put millions of objects beside the old ones; a plan names them for people."""
    keys = [f"{number:04}.txt" for number in range(1_500)]
    for key in keys:
        (tmp_path / "new" / key).write_text("rewritten")
    path = str(tmp_path / "results.jsonl.gz")
    write_segment(path, [ObjectResult(key, 1, Outcome.COPIED) for key in keys[:-1]])
    job = PlanJob("back", ends.turned(), str(tmp_path / "ledger"), "move", 2, known=((path,),), tag="abc-2")
    plan = make_plan(job)
    assert plan.beside == tuple(f"{key}.rewritten-abc-2" for key in keys[:20])
    assert plan.beside_count == 1_499
    assert sum(shard.object_count for shard in plan.shards) == 1_500


@pytest.mark.parametrize("path", ["data", "data/inner"])
def test_one_bucket_under_two_names_is_no_move(path: str) -> None:
    with SmallS3() as server:
        server.put("data/a.txt", b"a")
        doors = []
        for root in (server.root(), server.root(path, "localhost")):
            host = urlsplit(str(root.endpoint_url)).netloc
            doors.append(Door(root, ACCESS, None, "here", allowed_endpoints=(host, host.partition(":")[0])))
        with pytest.raises(Refused, match="lies in"):
            inspect(Ends(*doors), Aims("abcdefghijkl"))
        assert list(server.objects) == ["data/a.txt"]


def test_a_bucket_beside_the_source_is_another_place() -> None:
    with SmallS3() as server:
        server.put("data/a.txt", b"a")
        server.put("data/.lamindb/_probe/abcdefghijkl", b"left by a killed check of the way here")
        host = urlsplit(str(server.root().endpoint_url)).netloc
        doors = [Door(server.root(path), ACCESS, None, "here", allowed_endpoints=(host,)) for path in ("data", "data2")]
        assert inspect(Ends(*doors), Aims("abcdefghijkl")).warnings == ()
