"""During soak: look for what sessions that had not noticed the switch wrote to the old root, and bring it over."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from portal import database
from portal.planning.actions import Act
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import Answer, PlanJob, make_plan
from portal.runner.shards import Pass, is_open, run_pass
from portal.runner.written import written_since
from portal.services.events import Change, record
from portal.services.migrations import ledger
from portal.services.migrations.ledger import FORWARD, Plan

#: Between two looks at the old root.
SWEEP = timedelta(minutes=10)


def sweep(drive: Drive, facts: Facts) -> None:
    """List the old root once, bring over what is new there, and set the time of the next look.

    A trouble is noted and the next look tried in time: nothing at the new root depends on it.
    """
    answer = _plan(drive, facts)
    if answer.error:
        return _note(drive, error=answer.error)
    plan: Plan = answer.value
    # Before anything is brought over, which would count as written there.
    written = written_since(drive, facts)
    with drive.writing() as held:
        row = held.migration
        row.pass_number = facts.pass_number + 1
        if plan.shards:
            ledger.replace_plan(held.work.session, row, FORWARD, row.pass_number, plan, held.work.now)
    number = facts.pass_number + 1
    for is_copy in (True, False):
        if is_open(drive, FORWARD, number, is_copy=is_copy):
            fault = run_pass(drive, Pass(facts.ends, FORWARD, number, is_copy, facts.takes_rot, facts.proof))
            if fault is not None:
                return _note(drive, error=fault.error)
    return _note(drive, plan=plan, written=written)


def _plan(drive: Drive, facts: Facts) -> Answer:
    folder = str(drive.tools.settings.ledger_dir)
    with database.read() as session:
        known = ledger.known_paths(session, drive.lease.migration_id, folder)
    job = PlanJob(
        kind="sweep",
        ends=facts.ends,
        ledger=folder,
        folder=drive.folder,
        pass_number=facts.pass_number + 1,
        known=known,
        stop_path=str(drive.stop_path),
    )
    return drive.run(make_plan, job)


def _note(drive: Drive, *, plan: Plan | None = None, written: Mapping[str, Any] | None = None, error: str = "") -> None:
    with drive.writing() as held:
        row, now = held.migration, held.work.now
        before: dict[str, Any] = (row.plan or {}).get("sweep") or {}
        found = {**before, "at": now.isoformat(), "error": error, "written": written or before.get("written")}
        if plan is not None:
            brought = plan.summary.act(Act.COPY)
            found |= {
                "is_clean": not brought.count,
                "brought": int(before.get("brought", 0)) + brought.count,
                "changed": list(plan.summary.act(Act.CONFLICT).examples),
                "deleted": list(plan.summary.act(Act.REMOVE).examples),
            }
            if brought.count:
                found |= {"last_found_at": now.isoformat(), "examples": list(brought.examples)}
        held.note(sweep=found)
        if error != before.get("error", "") or (plan is not None and plan.summary.act(Act.COPY).count):
            brought_now = plan.summary.act(Act.COPY).count if plan is not None else 0
            record(held.work, "migration.swept", row, Change(after={"objects": brought_now, "message": error}))
        row.sweep_at = now + SWEEP
