"""What a runner does in each state. Every step may be killed at any moment and run again."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from portal import database
from portal.planning.certificates import evidence_words, rot_words
from portal.planning.states import MOVES, Event, MigrationState
from portal.runner.choosing import plan_chosen
from portal.runner.controls import forgive, waits
from portal.runner.drive import Drive, Facts, Held
from portal.runner.endings import clean_up, roll_back
from portal.runner.fencing import hold, let_go
from portal.runner.following import follow
from portal.runner.manifests import has_manifest
from portal.runner.passes import end_pass
from portal.runner.planning import check, plan_delta, plan_first
from portal.runner.proving import is_proven, look_at_folders
from portal.runner.shards import Pass, is_open, run_pass
from portal.runner.stragglers import sweep
from portal.runner.switching import resume, switch
from portal.runner.ways import way_of
from portal.services.migrations import ledger
from portal.services.migrations.ledger import BACK, FORWARD, PASSING

#: Deltas made without asking after a person pressed Start or Retry: so three passes in all.
MOST_DELTAS = 2

#: Listings in a fence until nothing has changed any more.
MOST_FENCE_ROUNDS = 3

_S, _E = MigrationState, Event


def step(drive: Drive) -> bool:
    """Do the next step of a migration; False when the next one is a person's.

    Raises:
        Interrupted, LeaseLost: as `Drive.run`.
    """
    drive.let_workers_work()
    facts = drive.facts()
    # Before anything waits or begins: what an earlier try has left holds nobody off, and is not taken for a fence.
    if let_go(drive, facts):
        return True
    if waits(drive, facts):
        return False
    # Whatever else is wished: a decision that was made before a crash is carried through first.
    if facts.state is _S.FENCED and resume(drive, facts, way_of(facts, FORWARD)):
        return True
    if facts.wish and _fulfil(drive, facts):
        return True
    act = _STEPS.get(facts.state)
    if act is None or (facts.state is _S.SOAKING and not facts.is_sweep_due):
        return False
    act(drive, facts)
    return True


def _fulfil(drive: Drive, facts: Facts) -> bool:
    """Make the move a person wishes for; forget a wish that the state does not know."""
    event = Event(facts.wish)
    if event is _E.RETRY and not facts.is_started:
        event = _E.CHECK  # the checks failed, so they are what is tried again
    if event is _E.START and facts.state in {_S.DRAFT, _S.PREFLIGHT}:
        return False
    with drive.writing() as held:
        if held.migration.wish != facts.wish:
            return True  # a cancel has replaced it since
        held.migration.wish = ""
        if event not in MOVES[facts.state]:
            return True
        kind = _kind_of_retry(held) if event is _E.RETRY else ""
        held.move(event, facts={"kind": kind} if kind else None)
        _prepare(held, event, kind)
    return True


def _kind_of_retry(held: Held) -> str:
    """Return what a retry takes: the `rest` of a pass that stopped, `chosen` objects, what `changes`, or `all` open."""
    if _has_open_shards(held):
        return "rest"
    if ledger.has_chosen(held.work.session, held.migration.id):
        return "chosen"
    return "changes" if held.migration.state == _S.READY else "all"


def _prepare(held: Held, event: Event, kind: str) -> None:
    """Set what the state after a person's move works on; `kind` of a retry."""
    row = held.migration
    plan = row.plan or {}
    if event is _E.START:
        row.started_at = held.work.now
    elif event is _E.RETRY:
        held.note(deltas=0)
        if kind == "rest":
            forgive(held, FORWARD, row.pass_number)
        else:
            row.pass_number += 1
            held.note(chosen_pass=row.pass_number if kind == "chosen" else None)
    elif event is _E.CUT_OVER:
        held.note(fence_rounds=0)
        if _has_open_shards(held):
            forgive(held, FORWARD, row.pass_number)
        else:
            row.pass_number += 1
    elif event is _E.ROLL_BACK:
        last = int(plan.get("back", 0))
        # One that stopped in the middle goes on; else what went back before is proven anew.
        number = last if last and _are_open(held, BACK, last) else last + 1
        held.note(back=number, back_rounds=0, clean_back=0)
        forgive(held, BACK, number)


def _has_open_shards(held: Held) -> bool:
    """Tell whether the present pass is not done: it is gone on with, so that its temporaries are not left behind."""
    return _are_open(held, FORWARD, held.migration.pass_number)


def _are_open(held: Held, direction: str, number: int) -> bool:
    rows = ledger.shards_of(held.work.session, held.migration.id, direction, number)
    return any(row.state != ledger.VERIFIED for row in rows)


def _begin(drive: Drive, _facts: Facts) -> None:
    with drive.writing() as held:
        held.move(_E.CHECK)


def _preflight(drive: Drive, facts: Facts) -> None:
    if check(drive, facts):
        plan_first(drive, facts)


def _copy(drive: Drive, facts: Facts) -> None:
    if _is_unplanned(facts):
        (plan_chosen if _is_chosen(facts) else plan_delta)(drive, facts)
    elif not _work_on(drive, facts, is_copy=True):
        with drive.writing() as held:
            held.move(_E.COPY_DONE, facts=end_pass(held, "copied_at"))


def _verify(drive: Drive, facts: Facts) -> None:
    if _work_on(drive, facts, is_copy=False) or not look_at_folders(drive, facts):
        return
    with drive.writing() as held:
        bad = ledger.bad_kinds(held.work.session, held.migration.id, FORWARD)
        deltas = int(facts.plan.get("deltas", 0))
        if PASSING & set(bad) and deltas < MOST_DELTAS and not _is_chosen(facts):
            held.note(deltas=deltas + 1)
            held.migration.pass_number += 1
            held.move(_E.CHANGES_FOUND, "Objects changed at the source while it was copied; they are copied again.")
        elif bad:
            held.move(_E.TROUBLE, _words(bad), "Look at them below, then retry. Nothing at the target was overwritten.")
    if not bad and is_proven(drive, facts) and has_manifest(drive, facts):
        with drive.writing() as held:
            _make_ready(held)


def _make_ready(held: Held) -> None:
    row = held.migration
    row.ready_at = held.work.now
    verified = end_pass(held, "verified_at")
    words = f"{evidence_words(row.plan['manifest']['counts'] if row.plan else {})}."
    tried = (row.plan or {}).get("rehearsal")
    if tried and tried["count"]:
        artifacts = "1 artifact" if tried["count"] == 1 else f"{tried['count']} artifacts"
        words += f" A sample of {artifacts} was opened through the new root."
    held.move(_E.VERIFY_DONE, words, _rot_words(held), facts=verified)


def _rot_words(held: Held) -> str:
    row = held.migration
    return rot_words(takes_rot=row.takes_rot, taken=(row.plan or {}).get("rot_taken"))


def _fence(drive: Drive, facts: Facts) -> None:
    """Hold writers off, bring over what is new until a listing finds nothing, then switch."""
    if not hold(drive, facts, facts.doors):
        return
    if _is_unplanned(facts):
        plan_delta(drive, facts)
    elif _work_on(drive, facts, is_copy=True) or _work_on(drive, facts, is_copy=False):
        return
    elif bad := _bad(drive, FORWARD):
        drive.trouble(f"{_words(bad)} The location was not switched.", "Retry, then cut over again.")
    elif facts.plan.get("is_clean"):
        if has_manifest(drive, facts):
            switch(drive, facts, way_of(facts, FORWARD))
    elif int(facts.plan.get("fence_rounds", 0)) >= MOST_FENCE_ROUNDS:
        drive.trouble(
            "Objects at the source keep changing, so the location was not switched.",
            "Stop everything that writes to the old root, then cut over again.",
        )
    else:
        with drive.writing() as held:
            held.note(fence_rounds=int(facts.plan.get("fence_rounds", 0)) + 1)
            held.migration.pass_number += 1


def _bad(drive: Drive, direction: str) -> dict[str, int]:
    with database.read() as session:
        return ledger.bad_kinds(session, drive.lease.migration_id, direction)


def _settle(drive: Drive, facts: Facts) -> None:
    follow(drive, facts, way_of(facts, FORWARD))
    target = facts.ends.target.root
    words = f"Moved, every object verified. The old root is kept: {facts.ends.source.root}."
    if facts.is_repoint:
        words = f"Every artifact is in {target} now, every object verified. {facts.ends.source.root} is kept."
    with drive.writing() as held:
        held.move(_E.SOAK, words, _rot_words(held))


def _roll_back(drive: Drive, facts: Facts) -> None:
    number = int(facts.plan.get("back", 1))
    if facts.plan.get("switched_back") != number:
        way = way_of(facts, BACK)
        if resume(drive, facts, way) or not hold(drive, facts, way.doors, extends=True):
            return None
    if facts.plan.get("planned_back") == number and facts.plan.get("switched_back") != number:
        for is_copy in (True, False):
            if is_open(drive, BACK, number, is_copy=is_copy):
                return _run(drive, Pass(facts.ends.turned(), BACK, number, is_copy))
        # What changes at the new root meanwhile is found by the next look there.
        if bad := {kind: count for kind, count in _bad(drive, BACK).items() if kind not in PASSING}:
            return drive.trouble(
                f"{_words(bad)} The location was not switched back.",
                "Stop everything that writes to the new root, then roll back again.",
            )
    return roll_back(drive, facts, number)


def _work_on(drive: Drive, facts: Facts, *, is_copy: bool) -> bool:
    """Run what is open of the present pass; False when nothing is."""
    if not is_open(drive, FORWARD, facts.pass_number, is_copy=is_copy):
        return False
    _run(drive, Pass(facts.ends, FORWARD, facts.pass_number, is_copy, facts.takes_rot, facts.proof))
    return True


def _run(drive: Drive, which: Pass) -> None:
    fault = run_pass(drive, which)
    if fault is not None:
        drive.trouble(fault.error, fault.hint)


def _is_chosen(facts: Facts) -> bool:
    """Tell whether the present pass holds single objects that a person chose."""
    return bool(facts.plan.get("chosen_pass") == facts.pass_number)


def _is_unplanned(facts: Facts) -> bool:
    return int(facts.plan.get("pass", 0)) < facts.pass_number


def _words(bad: dict[str, int]) -> str:
    names = {
        "conflict": "different at the target",
        "failed": "not copied",
        "changed": "changing at the source",
        "missing": "gone from the source",
        "mismatch": "read back differently",
        "rotten": "not as LaminDB recorded them",
        "access_refused": "refused for lack of a right",
        "object_archived": "archived",
        "name_refused": "of a name that was refused",
        "object_not_found": "not found",
        "object_exists": "taken meanwhile",
        "content_mismatch": "changed on the way",
        "unreachable": "without an answer",
    }
    parts = [f"{names.get(kind, kind)}: {count:,}" for kind, count in sorted(bad.items())]
    return f"Objects {', '.join(parts)}."


_STEPS: Mapping[MigrationState, Callable[[Drive, Facts], None]] = MappingProxyType(
    {
        _S.DRAFT: _begin,
        _S.PREFLIGHT: _preflight,
        _S.COPYING: _copy,
        _S.VERIFYING: _verify,
        _S.FENCED: _fence,
        _S.CUT_OVER: _settle,
        _S.SOAKING: sweep,
        _S.ROLLING_BACK: _roll_back,
        _S.CANCELLING: clean_up,
    }
)
