from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import ContentMismatch
from portal.planning.actions import Act, PlannedObject
from portal.planning.outcomes import Level, ObjectResult, Outcome
from portal.transfer.journal import Journal
from portal.transfer.segments import (
    decode_planned,
    decode_result,
    digest_of,
    encode,
    latest_results,
    read_plan,
    read_results,
    write_segment,
)

TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
KEYS = st.text(min_size=1) | st.just("bad\udc80") | st.just("line\nbreak")
PLANNED = st.builds(
    PlannedObject,
    key=KEYS,
    size_bytes=st.integers(0),
    modified_at=TIMES,
    etag=st.none() | st.text(min_size=1),
    act=st.sampled_from(Act),
    ours_digest=st.none() | st.just("ab"),
    target_key=st.none() | KEYS,
)
RESULTS = st.builds(
    ObjectResult,
    key=KEYS,
    size_bytes=st.integers(0),
    outcome=st.sampled_from(Outcome),
    modified_at=TIMES,
    etag=st.none() | st.text(min_size=1),
    sha256=st.none() | st.just("ab"),
    md5=st.none() | st.just("cd"),
    target_modified_at=TIMES,
    target_etag=st.none() | st.just("ef"),
    level=st.sampled_from(Level),
    reason=st.text(),
    is_ours=st.booleans(),
    target_key=st.none() | KEYS,
)


@given(PLANNED)
def test_a_planned_object_survives_its_line(item: PlannedObject) -> None:
    assert decode_planned(encode(item)) == item


@given(RESULTS)
def test_a_result_survives_its_line(result: ObjectResult) -> None:
    assert encode(result).count(b"\n") == 1
    assert decode_result(encode(result)) == result


def test_a_segment_says_the_same_digest_wherever_it_is_written(tmp_path: Path) -> None:
    items = [PlannedObject("a", 1, datetime(2026, 1, 1, tzinfo=UTC)), PlannedObject("b", 0)]
    one, two = (write_segment(str(tmp_path / name / "plan.gz"), items) for name in "xy")
    assert (one.digest, one.count) == (two.digest, 2)
    assert digest_of(one.path) == one.digest
    assert Path(one.path).read_bytes() == Path(two.path).read_bytes()
    assert list(read_plan(one.path)) == items


def test_a_failed_write_leaves_neither_segment_nor_temporary(tmp_path: Path) -> None:
    def failing() -> Iterator[PlannedObject]:
        yield PlannedObject("a", 1)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        write_segment(str(tmp_path / "plan.gz"), failing())
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_segment_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "plan.gz"
    write_segment(str(path), [PlannedObject(f"key-{number}", number) for number in range(1000)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ContentMismatch, match="damaged"):
        list(read_plan(str(path)))


@pytest.mark.parametrize("kind", [PlannedObject, ObjectResult])
def test_a_segment_that_is_damaged_anywhere_is_told_in_words(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "segment.gz"
    if kind is PlannedObject:
        write_segment(str(path), [PlannedObject(sha256(b"%d" % number).hexdigest(), number) for number in range(100)])
        read: Callable[[str], Iterator[object]] = read_plan
    else:
        results = [ObjectResult(sha256(b"%d" % number).hexdigest(), number, Outcome.COPIED) for number in range(100)]
        write_segment(str(path), results)
        read = read_results
    whole = path.read_bytes()
    # What comes before says when and by which system it was packed.
    for at in range(10, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(ContentMismatch, match="damaged"):
            list(read(str(path)))
    path.write_bytes(b"")
    with pytest.raises(ContentMismatch, match="damaged"):
        list(read(str(path)))


def test_the_latest_pass_decides_and_keys_stay_in_order(tmp_path: Path) -> None:
    def segment(name: str, **found: Outcome) -> str:
        return write_segment(str(tmp_path / name), [ObjectResult(key, 1, out) for key, out in found.items()]).path

    first = [segment("1a", a=Outcome.COPIED, b=Outcome.CHANGED), segment("1b", d=Outcome.COPIED)]
    second = [segment("2a", b=Outcome.COPIED, c=Outcome.COPIED)]
    third = [segment("3a", d=Outcome.REMOVED)]
    found = [(result.key, result.outcome) for result in latest_results([first, second, third])]
    assert found == [("a", "copied"), ("b", "copied"), ("c", "copied"), ("d", "removed")]


def test_there_are_no_results_without_segments() -> None:
    assert list(latest_results([])) == list(latest_results([[], []])) == []


def test_a_journal_forgets_only_the_line_that_was_torn(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    done = ObjectResult("a", 1, Outcome.COPIED, sha256="ab", is_ours=True)
    with Journal(path) as journal:
        journal.stream("a", "00")
        journal.finish(done)
        journal.stream("b", "00")
        journal.stream("x", "00")
        journal.disown("x")
    with Path(path).open("ab") as file:
        file.write(b'\n{"finish":"{\\"key\\":\\"c')
    with Journal(path) as journal:
        assert journal.finished == {"a": done}
        assert [journal.was_tried(key) for key in "abxc"] == [True, True, False, False]
        journal.stream("d", "00")
    with Journal(path) as journal:
        assert journal.was_tried("d")


def test_results_can_be_read_as_they_were_written(tmp_path: Path) -> None:
    found = [ObjectResult("a", 1, Outcome.COPIED, level=Level.READ_BACK), ObjectResult("b", 0, Outcome.CONFLICT)]
    assert list(read_results(write_segment(str(tmp_path / "r.gz"), found).path)) == found
