from dataclasses import replace

import pytest

from portal.planning.actions import decide, decide_delta, decide_rollback
from portal.planning.keys import FolderClashes, KeyRules
from portal.planning.outcomes import Level, ObjectResult, Outcome, needs_look
from tests.unit.planning.entries import LATER, NOON, Thing

LOCAL = KeyRules(nested=("inner/",), max_key_bytes=40, max_part_bytes=20, holds_folder_keys=False, needs_utf8=False)
S3 = KeyRules(max_key_bytes=1024)
A = Thing("a")


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (A, None, "copy a"),
        (A, Thing("a", modified_at=LATER), "prove a"),
        (A, Thing("a", size_bytes=4), "conflict a"),
        (None, A, "leave a"),
        (None, Thing(".lamindb/storage_uid.txt"), "None"),
        (None, Thing(".lamindb/_portal/x"), "None"),
        (Thing(".lamindb/uid.h5ad"), None, "copy .lamindb/uid.h5ad"),
        (Thing(".lamindb/lamin.db"), None, "exclude .lamindb/lamin.db: LaminDB's database"),
        (Thing(".lamindb/lamin.db-wal"), A, "exclude .lamindb/lamin.db-wal: LaminDB's database"),
        (Thing("x/.lamindb/lamin.db"), None, "copy x/.lamindb/lamin.db"),
        (Thing(".lamindb/_exclusion/0/p"), None, "exclude .lamindb/_exclusion/0/p: LaminDB's lock"),
        (Thing(".lamindb/storage_uid.txt"), None, "exclude .lamindb/storage_uid.txt: marker, copied at cut-over"),
        (Thing(".lamindb/_portal/tag/1"), None, "exclude .lamindb/_portal/tag/1: the portal's own"),
        (Thing("inner/x"), None, "exclude inner/x: belongs to a root inside this one"),
        (Thing("inner2/x"), None, "copy inner2/x"),
        (Thing("trail/", 0), None, "exclude trail/: empty folder key"),
        (Thing("trail/", 3), None, "exclude trail/: name the target cannot hold"),
        (Thing("a//b"), None, "exclude a//b: name the target cannot hold"),
        (Thing("/a"), None, "exclude /a: name the target cannot hold"),
        (Thing("a/../b"), None, "exclude a/../b: name the target cannot hold"),
        (Thing("é" * 10), None, f"copy {'é' * 10}"),
        (Thing("é" * 10 + "x"), None, f"exclude {'é' * 10}x: name the target cannot hold"),
        (Thing("0123456789/" * 4), None, "exclude " + "0123456789/" * 4 + ": empty folder key"),
    ],
)
def test_the_first_pass_decides_each_key(source: Thing | None, target: Thing | None, expected: str) -> None:
    if source is not None and source.key.endswith("/") and len(source.key) > 40:
        source = replace(source, size_bytes=0)
    assert str(decide(source, target, LOCAL)) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a//b", "copy a//b"),
        ("trail/", "copy trail/"),
        ("x" * 1025, f"exclude {'x' * 1025}: name the target cannot hold"),
        ("bad\udc80", "exclude bad\udc80: name the target cannot hold"),
    ],
)
def test_a_bucket_holds_other_names_than_a_directory(key: str, expected: str) -> None:
    assert str(decide(Thing(key), None, S3)) == expected


def test_it_says_what_is_wrong_with_a_name() -> None:
    found = decide(Thing("x" * 1025), None, S3)
    assert found is not None
    assert getattr(found, "detail") == "it is 1025 bytes long"  # noqa: B009 - the union's other half has none


def known(outcome: Outcome, **more: object) -> ObjectResult:
    result = ObjectResult(
        "a", 3, outcome, NOON, sha256="5a", target_modified_at=NOON, is_ours=outcome == Outcome.COPIED
    )
    return replace(result, **more)  # type: ignore[arg-type]  # fields of the table below


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (known(Outcome.COPIED), A, "None"),
        (known(Outcome.ALREADY_EQUAL), A, "None"),
        (None, A, "copy a"),
        (known(Outcome.COPIED), Thing("a", modified_at=LATER), "copy a over ours"),
        (known(Outcome.COPIED), Thing("a", size_bytes=4), "copy a over ours"),
        (known(Outcome.ALREADY_EQUAL), Thing("a", modified_at=LATER), "copy a"),
        (known(Outcome.COPIED), None, "remove a"),
        (known(Outcome.ALREADY_EQUAL), None, "None"),
        (known(Outcome.LEFT), None, "None"),
        (known(Outcome.LEFT), A, "copy a"),
        (known(Outcome.FAILED), A, "copy a"),
        (known(Outcome.CHANGED), A, "copy a"),
        (known(Outcome.CONFLICT), A, "copy a"),
        (known(Outcome.MISSING), None, "None"),
        (known(Outcome.REMOVED), A, "copy a"),
        (known(Outcome.COPIED, etag="e1"), Thing("a", etag="e1", modified_at=LATER), "None"),
        (known(Outcome.COPIED, etag="e1"), Thing("a", etag="e2"), "copy a over ours"),
        (None, Thing(".lamindb/storage_uid.txt"), "exclude .lamindb/storage_uid.txt: marker, copied at cut-over"),
    ],
)
def test_the_delta_takes_what_changed_since(before: ObjectResult | None, now: Thing | None, expected: str) -> None:
    assert str(decide_delta(before, now, LOCAL)) == expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (known(Outcome.COPIED), A, "None"),
        (known(Outcome.COPIED), None, "None"),
        (known(Outcome.COPIED), Thing("a", modified_at=LATER), "copy a as a.rewritten-r1"),
        (known(Outcome.COPIED), Thing("a", size_bytes=9), "copy a as a.rewritten-r1"),
        (known(Outcome.ALREADY_EQUAL), Thing("a", modified_at=LATER), "copy a as a.rewritten-r1"),
        (known(Outcome.LEFT), A, "None"),
        (known(Outcome.CONFLICT), A, "None"),
        (known(Outcome.FAILED, target_modified_at=None), A, "copy a"),
        (known(Outcome.REMOVED, target_modified_at=None), A, "copy a"),
        (None, A, "copy a"),
        (None, Thing(".lamindb/storage_uid.txt"), "exclude .lamindb/storage_uid.txt: marker, copied at cut-over"),
    ],
)
def test_a_rollback_brings_back_what_is_new_and_puts_rewritten_objects_beside(
    before: ObjectResult | None, now: Thing | None, expected: str
) -> None:
    assert str(decide_rollback(before, now, None, LOCAL, "r1")) == expected


BESIDE = "a.rewritten-r1"


@pytest.mark.parametrize(
    ("before", "now", "back", "expected"),
    [
        (None, A, known(Outcome.COPIED), "prove a over ours"),
        (None, A, known(Outcome.ALREADY_EQUAL, is_ours=False), "prove a"),
        (None, Thing("a", modified_at=LATER), known(Outcome.COPIED), "copy a over ours"),
        (None, Thing("a", modified_at=LATER), known(Outcome.ALREADY_EQUAL, is_ours=False), "copy a"),
        (None, None, known(Outcome.COPIED), "remove a"),
        (None, None, known(Outcome.ALREADY_EQUAL, is_ours=False), "None"),
        (None, A, known(Outcome.FAILED, is_ours=False), "copy a"),
        (
            known(Outcome.COPIED),
            Thing("a", modified_at=LATER),
            known(Outcome.COPIED, target_key=BESIDE),
            f"copy a as {BESIDE} over ours",
        ),
        (known(Outcome.COPIED), None, known(Outcome.COPIED, target_key=BESIDE), f"remove a as {BESIDE}"),
    ],
)
def test_a_rollback_goes_on_from_one_that_stopped(
    before: ObjectResult | None, now: Thing | None, back: ObjectResult | None, expected: str
) -> None:
    assert str(decide_rollback(before, now, back, LOCAL, "r2")) == expected


def test_it_notices_a_key_that_is_object_and_folder_at_once() -> None:
    clashes = FolderClashes()
    found = {
        key: clashes.folder_that_is_object(key) for key in ["a", "a-b", "a-b/c", "a.b", "a/b", "a/b/c", "ab", "b/c"]
    }
    assert {key: clash for key, clash in found.items() if clash} == {"a-b/c": "a-b", "a/b": "a", "a/b/c": "a"}


@pytest.mark.parametrize(
    ("outcome", "level", "expected"),
    [
        (Outcome.COPIED, Level.READ_BACK, False),
        (Outcome.COPIED, Level.NONE, True),
        (Outcome.ALREADY_EQUAL, Level.READ_BACK, False),
        (Outcome.LEFT, Level.NONE, False),
        (Outcome.REMOVED, Level.NONE, False),
        (Outcome.CONFLICT, Level.NONE, True),
        (Outcome.MISMATCH, Level.READ_BACK, True),
    ],
)
def test_only_what_was_read_back_needs_no_look(outcome: Outcome, level: Level, expected: bool) -> None:
    assert needs_look(known(outcome, level=level)) is expected
