"""How far a move is said to be: of its pass, or of all of it once single objects are tried alone."""

from dataclasses import replace
from typing import Any

import pytest

from portal.planning.states import MigrationState as State
from portal.services.migrations import MigrationPage
from portal.web import migration_pace, migration_progress
from tests.unit.web.test_migration_protocol import errors, page

FIRST = {"number": 1, "kind": "first", "object_count": 196, "total_bytes": 30_000_000}
ALONE = {"number": 2, "kind": "chosen", "object_count": 1, "total_bytes": 500_000}


def alone(open_count: int, *, open_bytes: int = 0, **given: Any) -> MigrationPage:
    """Return the page of 196 objects of which one was tried again alone, with so many open."""
    values: dict[str, Any] = {"pass_number": 2, "planned_count": 196, "planned_bytes": 30_000_000, "percent": 100.0}
    values |= {"pass_count": 1, "pass_bytes": 500_000, "state": State.NEEDS_ATTENTION}
    values |= {"copied_count": 1, "copied_bytes": 500_000, "verified_count": 1, "verified_bytes": 500_000}
    plan = {"pass": 2, "chosen_pass": 2, "passes": [FIRST, ALONE]}
    values |= {"progress": {"error_count": 0}, "plan": plan, **given}
    return replace(page(**values), errors=replace(errors(conflict=open_count), total_bytes=open_bytes))


def test_after_one_object_was_tried_alone_the_numbers_are_of_the_whole_move() -> None:
    found = migration_progress.progress(alone(58, open_bytes=12_000_000))
    assert (found.objects.done, found.objects.total, found.objects.attention) == (138, 196, 58)
    assert (found.objects.percent, found.bytes.done, found.bytes.percent) == (70.4, 18_000_000, 60.0)
    assert found.note == "60.0 % of the whole move; pass 2 tried 1 object alone"
    assert migration_pace.document_title(alone(58, open_bytes=12_000_000)) == "60.0 % · Needs attention"


def test_while_one_object_is_tried_alone_it_is_neither_open_nor_done() -> None:
    given: dict[str, Any] = {
        "copied_count": 0,
        "copied_bytes": 0,
        "verified_count": 0,
        "verified_bytes": 0,
        "state": State.COPYING,
    }
    found = migration_progress.progress(alone(58, open_bytes=12_000_000, **given))
    assert (found.objects.verified, found.objects.copied, found.objects.attention) == (137, 0, 58)
    assert found.bytes.verified == 17_500_000
    assert found.note.endswith("pass 2 tries 1 object alone")
    given |= {"copied_count": 1, "copied_bytes": 500_000, "state": State.VERIFYING}
    found = migration_progress.progress(alone(58, open_bytes=12_000_000, **given))
    assert (found.objects.verified, found.objects.copied, found.objects.done) == (137, 1, 138)


def test_nothing_is_called_whole_while_something_is_open() -> None:
    assert migration_progress.progress(alone(1)).percent == 99.9, "the open object is empty"
    assert migration_progress.percent_of(999_999, 1_000_000) == 99.9
    assert migration_progress.percent_of(0, 0) == 100.0
    assert migration_progress.progress(alone(0)).percent == 100.0


def test_a_pass_that_goes_on_is_told_alone_and_named() -> None:
    changes = {"number": 2, "kind": "changes", "object_count": 1, "total_bytes": 500_000}
    plan = {"pass": 2, "passes": [FIRST, changes]}
    given: dict[str, Any] = {
        "plan": plan,
        "state": State.COPYING,
        "verified_count": 0,
        "verified_bytes": 0,
        "percent": 50.0,
    }
    found = migration_progress.progress(alone(0, **given))
    assert (found.objects.done, found.objects.total) == (1, 1)
    assert found.note == "pass 2, what changed since, 50.0 % of copying and verifying"
    given |= {"state": State.NEEDS_ATTENTION, "verified_count": 0, "attention_count": 1, "copied_count": 0}
    found = migration_progress.progress(alone(1, open_bytes=500_000, **given))
    assert (found.objects.done, found.objects.total) == (195, 196), "it ended: all the others are verified"
    assert found.note == "98.3 % of the whole move, after pass 2"


def test_what_is_equal_already_is_not_counted_twice_while_it_is_verified() -> None:
    shown = page(
        state=State.VERIFYING, pass_number=1, pass_count=196, pass_bytes=10, copied_count=196, copied_bytes=10,
        verified_count=10, equal_count=136, percent=50.0,
    )  # fmt: skip
    found = migration_progress.progress(shown).objects
    assert (found.verified, found.equal, found.copied, found.done) == (0, 136, 60, 196)


@pytest.mark.parametrize(
    ("counts", "told", "state", "spent"),
    [
        ({"conflict": 58}, 0, State.NEEDS_ATTENTION, 58),
        ({"conflict": 58}, 0, State.COPYING, 58),
        ({"changed": 3}, 0, State.NEEDS_ATTENTION, 0),
        ({"conflict": 10_000}, 12_000, State.NEEDS_ATTENTION, 12_000),
    ],
)
def test_the_error_budget_says_no_less_than_the_list(
    counts: dict[str, int], told: int, state: State, spent: int
) -> None:
    shown = replace(alone(0, progress={"error_count": told}, state=state), errors=errors(**counts))
    assert migration_progress.failing_count(shown) == spent


def test_what_was_verified_is_counted_by_the_manifest() -> None:
    counts = {"outcome copied": [61, 5_000], "outcome already_equal": [136, 7], "level server": [197, 5_007]}
    assert migration_progress.moved(page(plan={"manifest": {"counts": counts}})) == (197, 5_007)
    assert migration_progress.moved(page()) == (0, 0)
