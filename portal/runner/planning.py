"""Look at both sides and plan passes: the steps in which nothing is copied."""

from dataclasses import asdict, replace
from typing import Any

from portal import database
from portal.backends.local import remove_made
from portal.planning.actions import Act
from portal.planning.keys import Reason
from portal.planning.states import Event
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import Aims, Inspection, PlanJob, inspect, make_plan, missing_at
from portal.runner.passes import begin_pass
from portal.services.migrations import ledger
from portal.services.migrations.ledger import BACK, FORWARD, Plan
from portal.transfer.summary import PlanSummary, Tally


def check(drive: Drive, facts: Facts) -> bool:
    """Try every right on both sides; False when the migration was stopped over what was found."""
    made = _note_folders(drive, facts)
    if made is None:
        return False
    answer = drive.run(inspect, facts.ends, Aims(facts.storage_uid, facts.target_uid, facts.doors))
    if answer.error:
        _forget_folders(drive, made)
        drive.trouble_of(answer, may_end=True)
        return False
    found: Inspection = answer.value
    with drive.writing() as held:
        held.note(warnings=[*facts.plan.get("place_warnings", []), *found.warnings], proof=asdict(found.proof))
    return True


def _note_folders(drive: Drive, facts: Facts) -> list[str] | None:
    """Note which directories the look will make, before it does: whoever is killed then, a cancel takes them away.

    What an earlier look has made is there by now, and stays noted. None when the migration was stopped over it.
    """
    answer = drive.run(missing_at, facts.ends.target, is_short=True)
    if answer.error:
        drive.trouble_of(answer, may_end=True)
        return None
    noted: list[str] = facts.plan.get("made", [])
    made = [*(path for path in noted if path not in answer.value), *answer.value]
    if made != noted:
        with drive.writing() as held:
            held.note(made=made)
    return made


def _forget_folders(drive: Drive, made: list[str]) -> None:
    """Take away what the look has made, also where its worker died; who makes them from now on may keep them."""
    if made:
        drive.run(remove_made, made, is_short=True)
        with drive.writing() as held:
            held.note(made=[])


def plan_first(drive: Drive, facts: Facts) -> None:
    """Make the plan of the first pass."""
    answer = drive.run(make_plan, plan_job(drive, facts, "first", facts.pass_number))
    if answer.error:
        drive.trouble_of(answer)
        return
    plan: Plan = answer.value
    summary = plan.summary
    if refusal := _refusal(summary, facts):
        drive.trouble(*refusal)
        return
    with drive.writing() as held:
        row = held.migration
        ledger.replace_plan(held.work.session, row, FORWARD, row.pass_number, plan, held.work.now)
        row.planned_count, row.planned_bytes = summary.object_count, summary.total_bytes
        warnings = [*(row.plan or {}).get("warnings", []), *_warnings(summary)]
        held.note(**{"pass": row.pass_number}, summary=summary.as_dict(), warnings=warnings, deltas=0)
        begin_pass(held, plan, "first")
        held.move(Event.PLAN_MADE, facts={"objects": summary.object_count, "bytes": summary.total_bytes})


def plan_delta(drive: Drive, facts: Facts) -> None:
    """Plan what changed at the source since the passes so far."""
    answer = drive.run(make_plan, plan_job(drive, facts, "delta", facts.pass_number))
    if answer.error:
        drive.trouble_of(answer)
        return
    plan: Plan = answer.value
    if refusal := _refusal(plan.summary, facts):
        drive.trouble(*refusal)
        return
    with drive.writing() as held:
        row = held.migration
        ledger.replace_plan(held.work.session, row, FORWARD, row.pass_number, plan, held.work.now)
        held.note(**{"pass": row.pass_number}, is_clean=not plan.shards)
        if plan.shards:
            held.note(folders_checked=None)  # it was said of other files
        begin_pass(held, plan, "changes")


def plan_back(drive: Drive, facts: Facts, number: int) -> None:
    """Plan what was written at the new root since the cut-over; once that is back, plan what was written since then."""
    looks_again = facts.plan.get("planned_back") == number
    number = number + 1 if looks_again else number
    answer = drive.run(make_plan, replace(plan_job(drive, facts, "back", number), looks_again=looks_again))
    if answer.error:
        drive.trouble_of(answer)
        return
    plan: Plan = answer.value
    if not plan.summary.has_room:
        drive.trouble(_room(plan.summary), "Make room at the old root, then roll back again.")
        return
    with drive.writing() as held:
        if looks_again and not plan.shards:
            held.note(clean_back=number - 1, back_summary=_back_summary(plan, facts, Act.LEAVE))
            return
        ledger.replace_plan(held.work.session, held.migration, BACK, number, plan, held.work.now)
        rounds = int(facts.plan.get("back_rounds", 0)) + looks_again
        summary = _back_summary(plan, facts, Act.COPY)
        held.note(back=number, planned_back=number, back_rounds=rounds, back_summary=summary)


def _back_summary(plan: Plan, facts: Facts, act: Act) -> dict[str, Any]:
    """Return what goes back, or has gone back, in numbers; `beside` over all passes of all tries."""
    before = (facts.plan.get("back_summary") or {}).get("beside") or {"count": 0, "examples": []}
    tally = plan.summary.act(act)
    beside = {"count": before["count"] + plan.beside_count, "examples": [*before["examples"], *plan.beside][:20]}
    return {"count": tally.count, "bytes": tally.total_bytes, "beside": beside}


def plan_job(drive: Drive, facts: Facts, kind: str, number: int) -> PlanJob:
    """Return the job that plans a pass of a kind: first, delta, back or sweep."""
    folder, is_late = str(drive.tools.settings.ledger_dir), kind in {"back", "sweep"}
    with database.read() as session:
        known = ledger.known_paths(session, drive.lease.migration_id, folder)
        back = ledger.known_paths(session, drive.lease.migration_id, folder, direction=BACK) if is_late else ()
    # A sweep asks what belongs to the location only where not everything was brought.
    asks = not is_late or (kind == "sweep" and facts.leaves_unreferenced)
    return PlanJob(
        kind=kind,  # type: ignore[arg-type]  # one of four literals, all in this package
        ends=facts.ends.turned() if kind == "back" else facts.ends,
        ledger=folder,
        folder=drive.folder,
        pass_number=number,
        known=() if kind == "first" else known,
        back=back,
        doors=facts.doors if asks else (),
        leaves_unreferenced=facts.leaves_unreferenced,
        nested=tuple(facts.plan.get("nested", ())),
        keeps_to_known=kind == "back" and facts.is_repoint,
        tag=f"{facts.uid}-{number}",
        stop_path=str(drive.stop_path),
    )


def _refusal(summary: PlanSummary, facts: Facts) -> tuple[str, str] | None:
    """Return why nothing may be copied by this plan, and what to do; None where it may."""
    for reason, tally in summary.lost.items():
        if reason == Reason.DATABASE and facts.doors:
            continue  # it moves in the cut-over, or stays where artifacts are re-pointed
        if reason == Reason.NESTED:
            continue  # another location's, and said before
        return (
            f"{objects(tally.count)} would be left behind ({reason}): {', '.join(tally.examples[:3])}.",
            "Rename or remove them at the source, then check again. Nothing was overwritten.",
        )
    if not summary.has_room:
        return _room(summary), "Make room there, then check again."
    return None


def _room(summary: PlanSummary) -> str:
    return f"The target has {summary.free_bytes or 0:,} bytes left; {summary.needed_bytes:,} are needed."


def _warnings(summary: PlanSummary) -> list[str]:
    found = []
    if (differing := summary.act(Act.CONFLICT)).count:
        verb = "differs" if differing.count == 1 else "differ"
        found.append(
            f"{objects(differing.count)} {verb} at the target: {', '.join(differing.examples[:3])}"
            f"{', …' if differing.count > 3 else '.'} The move will stop there: remove"
            f" {'it' if differing.count == 1 else 'them'} at the target, or choose an empty folder."
        )
    for act, words in (
        (Act.PROVE, "At the target with the same size already; both sides are hashed before that counts as equal"),
        (Act.LEAVE, "The target's own; left alone, and part of the location after the cut-over"),
    ):
        tally: Tally = summary.act(act)
        if tally.count:
            found.append(f"{words}: {objects(tally.count)}, such as {', '.join(tally.examples[:3])}.")
    if summary.missing.count:
        found.append(
            f"Registered and not there, so they will be missing at the new root too: {summary.missing.count:,}"
            f" such as {', '.join(summary.missing.examples[:3])}."
        )
    if summary.unreferenced.count:
        found.append(
            f"No artifact refers to them; they are copied all the same: {objects(summary.unreferenced.count)},"
            f" such as {', '.join(summary.unreferenced.examples[:3])}."
        )
    left = summary.excluded.get(Reason.UNREFERENCED)
    if left is not None:
        found.append(
            f"No artifact refers to them, so they stay behind: {objects(left.count)},"
            f" such as {', '.join(left.examples[:3])}."
        )
    if summary.skipped.count:
        found.append(f"Not objects, so left behind: {', '.join(summary.skipped.examples[:3])}.")
    return found


def objects(count: int) -> str:
    """Return a number of objects in words."""
    return "1 object" if count == 1 else f"{count:,} objects"
