"""What a migration's page says of strategy, references, fence, rehearsal and sweeps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.planning.states import MigrationState as State
from portal.services.migrations import MigrationPage, MigrationView
from portal.services.migrations.around import InstanceRow
from portal.services.migrations.exceptions import ExceptionList
from portal.services.migrations.quiet import Noise
from portal.values import StorageType
from portal.web import migration_protocol

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

WRITER = InstanceRow("lab/real", "i1", "uid1", 26, True, True, True, "", False, False, None)
READ_ONLY = InstanceRow(
    "lab/other", "i2", "uid2", 3, False, False, False, "It is attached read-only.", False, False, None
)

TALLY = {"count": 2, "total_bytes": 10, "examples": ["a", "b"]}


def view(state: State = State.PLANNED, plan: dict[str, Any] | None = None, **changed: Any) -> MigrationView:
    """Return a move of `/data/a` to `/data/b`."""
    numbers = dict.fromkeys(
        (
            "pass_number", "planned_count", "planned_bytes", "pass_count", "pass_bytes", "copied_count", "copied_bytes",
            "verified_count", "verified_bytes", "equal_count", "attention_count",
        ),
        0,
    )  # fmt: skip
    none = dict.fromkeys(
        (
            "source_region", "source_host", "target_region", "target_host", "percent", "progress", "manifest_digest",
            "started_at", "ready_at", "cut_over_at", "soak_until", "sweep_at", "finished_at", "target_storage_uid",
            "bandwidth_bytes_per_second", "concurrency", "worker_count", "max_errors", "start_at", "hours", "zone",
            "waits_until",
        )
    )  # fmt: skip
    values = {
        "id": "m1", "storage_uid": "s1", "strategy": "rewrite", "leaves_unreferenced": False, "takes_rot": False,
        "state": state, "wish": "", "message": "", "hint": "", "source_root": "/data/a", "target_root": "/data/b",
        "source_type": StorageType.LOCAL, "target_type": StorageType.LOCAL, "created_by": "ada", "created_at": NOON,
        "updated_at": NOON, "plan": plan,
    }  # fmt: skip
    return MigrationView(**{**numbers, **none, **values, **changed})


def errors(**counts: int) -> ExceptionList:
    """Return a list of which only the counts are known."""
    return ExceptionList((), counts, {}, 0, None, None)


def page(*instances: InstanceRow, noise: Noise | None = None, **given: Any) -> MigrationPage:
    """Return the page of such a move."""
    return MigrationPage(
        view=view(**given), errors=errors(), error_budget=1000, chart=None, story=(), may_move=True, confirm_with="a",
        is_default=False, instances=instances, by_hand=(), settings=(), tasks=(), noise=noise, needed_host=None,
        runner_seen_at=None, is_waiting_for_runner=False, now=NOON,
    )  # fmt: skip


def test_references_are_told_only_where_an_instance_is_known() -> None:
    nothing = {"count": 0, "total_bytes": 0, "examples": []}
    summary = {"referenced": nothing, "unreferenced": nothing, "missing": nothing, "excluded": {}}
    assert migration_protocol.tallies(page(plan={"summary": summary})) == []
    assert migration_protocol.tallies(page(plan=None)) == []
    one = {**TALLY, "count": 1}
    summary = {
        "referenced": TALLY,
        "unreferenced": nothing,
        "missing": one,
        "excluded": {"no artifact refers to it": one},
    }
    found = migration_protocol.tallies(page(WRITER, plan={"summary": summary}))
    assert [(label, remark) for label, _, remark in found] == [
        ("objects that artifacts refer to", "copied and verified"),
        ("object that no artifact refers to", "left behind, as was asked for"),
        ("object registered, but not there", "missing at the new root too"),
    ]


@pytest.mark.parametrize(
    ("instances", "decider", "soft"),
    [
        ((WRITER,), "one transaction in lab/real", []),
        ((WRITER, READ_ONLY), "one transaction in lab/real", ["lab/other: It is attached read-only."]),
        ((READ_ONLY,), "one transaction in the portal", ["lab/other: It is attached read-only."]),
        ((), "one transaction in the portal", ["no instance is attached"]),
    ],
)
def test_the_page_says_which_write_decides_and_whom_nothing_holds_off(
    instances: tuple[InstanceRow, ...], decider: str, soft: list[str]
) -> None:
    shown = page(*instances)
    assert migration_protocol.decider(shown) == decider
    assert migration_protocol.soft(shown) == soft


def test_a_fence_names_its_end_and_says_where_it_is_soft() -> None:
    plan = {"fence_until": (NOON + timedelta(minutes=30)).isoformat()}
    assert migration_protocol.fence(page(WRITER, plan=plan)) is None, "nothing is held off before the cut-over"
    kind, title, text = migration_protocol.fence(page(WRITER, state=State.FENCED, plan=plan)) or ("", "", "")
    assert (kind, title) == ("info", "Writers are held off until 12:30 UTC.")
    assert "even if the portal stops" in text
    kind, title, text = migration_protocol.fence(page(WRITER, READ_ONLY, state=State.FENCED, plan=plan)) or ("", "", "")
    assert (kind, title) == ("warn", "Writers are held off until 12:30 UTC.")
    assert "It is soft elsewhere (lab/other: It is attached read-only.)" in text
    kind, title, text = migration_protocol.fence(page(state=State.FENCED)) or ("", "", "")
    assert (kind, title) == ("warn", "The fence is soft.")


@pytest.mark.parametrize(
    ("row", "strategy", "words"),
    [
        (WRITER, "rewrite", "Its row names the new root."),
        (READ_ONLY, "rewrite", "Nothing by the portal. It is attached read-only."),
        (replace(WRITER, holds_database=True), "rewrite", "the old one is sealed"),
        (replace(WRITER, holds_database=True), "repoint", "Its database stays in this root."),
        (WRITER, "repoint", "Its artifacts name the other location."),
    ],
)
def test_what_is_changed_in_an_instance_is_said(row: InstanceRow, strategy: str, words: str) -> None:
    assert words in migration_protocol.change(page(row, strategy=strategy), row)


def test_sweeps_are_told_while_it_soaks_and_the_old_root_is_left() -> None:
    assert migration_protocol.sweep(page(state=State.RELEASED)) == []
    assert migration_protocol.sweep(page(state=State.SOAKING, strategy="repoint")) == []
    noise = Noise("", "", None, "after the first look at the old root")
    shown = dict(migration_protocol.sweep(page(state=State.SOAKING, noise=noise)))
    assert (shown["Last looked at"], shown["Can be released"]) == ("not yet", "after the first look at the old root")
    due = page(state=State.SOAKING, noise=noise, sweep_at=NOON - timedelta(seconds=1))
    assert dict(migration_protocol.sweep(due))["Looked at next"] == "now, as soon as a runner is free"
    found = {
        "at": NOON.isoformat(),
        "brought": 1,
        "last_found_at": NOON.isoformat(),
        "examples": ["late"],
        "deleted": ["x"],
    }
    noise = Noise("", "", NOON + timedelta(days=1))
    noisy = page(state=State.SOAKING, plan={"sweep": found}, noise=noise)
    shown = dict(migration_protocol.sweep(noisy))
    assert shown["Brought over since the cut-over"] == "1 object"
    assert "23 Nov" in str(shown["Can be released"]).replace("\u00a0", " ")
    assert [examples for _, examples in migration_protocol.sweep_lists(noisy)] == [["late"], ["x"]]


def test_a_rehearsal_of_nothing_is_not_told() -> None:
    assert migration_protocol.rehearsal(page(plan={"rehearsal": {"count": 0, "kinds": []}})) == ""
    told = migration_protocol.rehearsal(page(plan={"rehearsal": {"count": 2, "kinds": [".txt", "folder"]}}))
    assert told == "A sample of 2 artifacts was opened through the new root: .txt, folder"


def test_what_is_rotten_is_offered_to_be_taken_once() -> None:
    shown = replace(page(state=State.NEEDS_ATTENTION), errors=errors(rotten=1))
    assert migration_protocol.can_take_as_is(shown)
    assert not migration_protocol.can_take_as_is(replace(shown, view=replace(shown.view, takes_rot=True)))
    assert not migration_protocol.can_take_as_is(replace(shown, errors=errors(conflict=1)))


def test_what_was_taken_though_recorded_otherwise_stays_told() -> None:
    assert migration_protocol.rot(page()) == ""
    assert migration_protocol.rot(page(takes_rot=True)).startswith("What is not as LaminDB recorded it is copied")
    one = {"count": 1, "examples": ["raw/a"]}
    assert migration_protocol.rot(page(takes_rot=True, plan={"rot_taken": one})).startswith(
        "1 object was copied though it is not as LaminDB recorded it: raw/a."
    )
    all_named = {"count": 2, "examples": ["a", "b"]}
    assert "recorded them: a, b." in migration_protocol.rot(page(takes_rot=True, plan={"rot_taken": all_named}))
    many = {"count": 1200, "examples": ["a", "b", "c"]}
    assert migration_protocol.rot(page(takes_rot=True, plan={"rot_taken": many})).startswith(
        "1,200 objects were copied though they are not as LaminDB recorded them, such as a, b, c."
    )


def test_a_rollback_says_how_much_it_copies_back_as_last_counted() -> None:
    def said(written: dict[str, Any] | None) -> str:
        return migration_protocol.written(page(state=State.SOAKING, plan={"sweep": {"written": written}}))

    at = NOON.isoformat()
    assert said(None) == "How much that is, is counted when it begins; the page then shows objects and bytes."
    assert said({"count": 0, "bytes": 0, "at": at}).startswith("At 12:00 UTC that was nothing.")
    some = said({"count": 12, "bytes": 1_800_000_000, "at": at})
    assert some.startswith("At 12:00 UTC that was 12 objects (1.80\N{NO-BREAK SPACE}GB); it takes ")
    earlier = {"count": 1, "bytes": 3, "at": (NOON - timedelta(days=2)).isoformat()}
    assert said(earlier).startswith("On 20 Nov at 12:00 UTC that was 1 object (3\N{NO-BREAK SPACE}bytes)")


def test_the_soak_tells_what_was_written_at_the_new_root() -> None:
    sweep = {"at": NOON.isoformat(), "written": {"count": 2, "bytes": 5, "at": NOON.isoformat()}}
    pairs = dict(migration_protocol.sweep(page(state=State.SOAKING, plan={"sweep": sweep})))
    assert pairs["Written at the new root since"] == "2 objects (5\N{NO-BREAK SPACE}bytes)"
    without = dict(migration_protocol.sweep(page(state=State.SOAKING, plan={"sweep": {"at": NOON.isoformat()}})))
    assert "Written at the new root since" not in without
