"""During soak: look for what sessions that had not noticed the switch wrote to the old root, and bring it over."""

from collections.abc import Mapping
from typing import Any

from portal.planning.actions import Act
from portal.planning.keys import Reason
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import make_plan
from portal.runner.planning import plan_job
from portal.runner.shards import Pass, is_open, run_pass
from portal.runner.written import written_since
from portal.services.events import Change, record
from portal.services.migrations import ledger
from portal.services.migrations.ledger import FORWARD, Plan
from portal.services.migrations.quiet import SWEEP
from portal.transfer.summary import Tally


def sweep(drive: Drive, facts: Facts) -> None:
    """List the old root once, bring over what is new there, and set the time of the next look.

    A trouble is noted and the next look tried in time: nothing at the new root depends on it.
    """
    began_at = drive.tools.clock()
    # What a look that was broken off has found comes first.
    if error := _bring_over(drive, facts, facts.pass_number):
        return _note_error(drive, error)
    answer = drive.run(make_plan, plan_job(drive, facts, "sweep", facts.pass_number + 1))
    if answer.error:
        return _note_error(drive, answer.error)
    plan: Plan = answer.value
    # Before anything is brought over, which would count as written there.
    written = written_since(drive, facts)
    number = _begin(drive, plan)
    if error := _bring_over(drive, facts, number):
        return _note_error(drive, error)
    return _note(drive, plan, number, {"written": written, "seconds": (drive.tools.clock() - began_at).total_seconds()})


def _bring_over(drive: Drive, facts: Facts, number: int) -> str:
    """Copy and verify what is open of a pass; return what stopped it, empty for nothing."""
    for is_copy in (True, False):
        if is_open(drive, FORWARD, number, is_copy=is_copy):
            fault = run_pass(drive, Pass(facts.ends, FORWARD, number, is_copy, facts.takes_rot, facts.proof))
            if fault is not None:
                return fault.error
    return ""


def _begin(drive: Drive, plan: Plan) -> int:
    """Write down what was found before it is brought over, so that the location is not released meanwhile.

    What the look before could not bring over is tried again in the same pass. Returns the pass that holds it.
    """
    with drive.writing() as held:
        session, row, now = held.work.session, held.migration, held.work.now
        if not plan.shards:
            ledger.forget_exceptions(session, row.id, FORWARD)
            return row.pass_number
        found = [shard.plan_digest for shard in plan.shards]
        if found == ledger.plan_digests(session, row.id, FORWARD, row.pass_number):
            ledger.open_anew(session, row.id, FORWARD, row.pass_number, now)
        else:
            row.pass_number += 1
            ledger.replace_plan(session, row, FORWARD, row.pass_number, plan, now)
        held.note(sweep={**_before(row.plan), "is_open": True})
        return row.pass_number


def _note(drive: Drive, plan: Plan, number: int, told: Mapping[str, Any]) -> None:
    """Note what a look that worked has found, and what became of it."""
    with drive.writing() as held:
        session, row, now = held.work.session, held.migration, held.work.now
        before = _before(row.plan)
        brought = sum(ledger.copied_by_pass(session, row.id, after=int((row.plan or {}).get("pass", 0))).values())
        shards = ledger.shards_of(session, row.id, FORWARD, number) if plan.shards else ()
        unfit = plan.summary.excluded.get(Reason.NAME, Tally())
        left = sum(ledger.bad_count(shard.counts) for shard in shards) + unfit.count
        is_news = brought > int(before.get("brought", 0)) or left > int(before.get("left", 0))
        found = {
            **before,
            **told,
            "at": now.isoformat(),
            "error": "",
            "failing_since": None,
            "is_open": False,
            "is_clean": not plan.shards,
            "brought": brought,
            "left": left,
            "unfit": list(unfit.examples),
            "changed": list(plan.summary.act(Act.CONFLICT).examples),
            "deleted": list(plan.summary.act(Act.REMOVE).examples),
        }
        if is_news:
            found |= {"last_found_at": now.isoformat(), "examples": list(plan.summary.act(Act.COPY).examples)}
        held.note(sweep=found)
        if is_news or before.get("error"):
            news = {"objects": brought - int(before.get("brought", 0)), "left": left, "message": ""}
            record(held.work, "migration.swept", row, Change(after=news))
        row.sweep_at = now + SWEEP


def _note_error(drive: Drive, error: str) -> None:
    with drive.writing() as held:
        row, now = held.migration, held.work.now
        before = _before(row.plan)
        since = before.get("failing_since") or now.isoformat()
        held.note(sweep={**before, "error": error, "failing_since": since})
        if error != before.get("error", ""):
            record(held.work, "migration.swept", row, Change(after={"objects": 0, "message": error}))
        row.sweep_at = now + SWEEP


def _before(plan: dict[str, Any] | None) -> dict[str, Any]:
    return dict((plan or {}).get("sweep") or {})
