"""The decision and what follows from it, there and back.

One write decides: the transaction of the writing instance where it is attached, else that of the portal's own row.
What is to be changed is written down before (`services.migrations.intents`), so that whoever comes after a crash sees
whether it was decided. Before the decision everything only goes back, after it everything only rolls forward.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from portal import database
from portal.errors import Conflict
from portal.planning.states import Event
from portal.runner.drive import Drive, Facts, Held
from portal.runner.fencing import is_held_off, refuse_late, turned
from portal.runner.following import switch_of
from portal.runner.jobs import Answer, copy_marker
from portal.runner.ways import REST_SECONDS, UNTIL_IT_WORKS, Way, door_in, insist, latest_steps
from portal.services.migrations import intents, switch_jobs
from portal.services.migrations.doors import RegistryDoor, doors_of
from portal.services.migrations.intents import DECIDE, FOLLOW, OPEN, PORTAL, IntentRow, Step
from portal.services.migrations.ledger import BACK, FORWARD
from portal.services.migrations.registry_jobs import read_rows
from portal.services.migrations.switch import note_registry, point_to, require_target
from portal.services.migrations.witness import witness_of


def resume(drive: Drive, facts: Facts, way: Way) -> bool:
    """Go on with a switch that was decided before a crash; False where none was."""
    rows = latest_steps(drive, way)
    undecided = next((row for row in rows if row.step.part == DECIDE and not row.is_done), None)
    door = door_in(way.doors, undecided.step.instance_id) if undecided else None
    if undecided is None or door is None:
        return False
    if not _is_decided(drive, facts, door, undecided.step):
        return False
    _complete(drive, facts, way, rows)
    return True


def switch(drive: Drive, facts: Facts, way: Way) -> None:
    """Copy the marker, write down what is to be changed, and decide."""
    if not facts.is_repoint and not _has_copied_marker(drive, facts, way):
        return
    rows = _write_intents(drive, facts, way)
    if rows is None or not is_held_off(drive, way.doors):
        return
    door = way.decider
    if door is not None:
        decide = next(row.step for row in rows if row.step.part == DECIDE)
        answer = _decide(drive, facts, door, decide)
        if answer.error and not _is_decided(drive, facts, door, decide):
            drive.trouble(f"{answer.error} The location was not {way.verb}.", answer.hint or way.again)
            return
    _complete(drive, facts, way, rows)


def _has_copied_marker(drive: Drive, facts: Facts, way: Way) -> bool:
    ends = facts.ends if way.direction == FORWARD else facts.ends.turned()
    answer = drive.run(copy_marker, ends, facts.storage_uid, is_short=True)
    if answer.error:
        drive.trouble(f"{answer.error} The location was not {way.verb}.", answer.hint)
    return not answer.error


def _write_intents(drive: Drive, facts: Facts, way: Way) -> list[IntentRow] | None:
    """Write the attempt down; None where it may not begin now: it has been said why, or the next step sees to it."""
    ends = facts.ends if way.direction == FORWARD else facts.ends.turned()
    rows = _rows_naming(drive, way, way.doors, ends.source.root.text)
    if rows is None:
        return None
    # Artifacts that are re-pointed follow the other location's row, not the objects that were copied.
    others = turned(tuple(door for door in way.doors if door.target_row_id is not None)) if facts.is_repoint else ()
    if others and _rows_naming(drive, way, others, ends.target.root.text) is None:
        return None
    try:
        with drive.writing() as held:
            row = held.migration
            if row.wish == Event.CANCEL and way.direction == FORWARD:
                return None  # asked for in time: the next step fulfils it
            if _names(doors_of(held.work, row)) != _names(facts.doors):
                return None  # attached meanwhile: the next step holds it off too
            if way.direction == FORWARD:
                require_target(held.work, row)
            steps = _steps(held, way, rows, facts)
            intents.write(held.work.session, row, way.direction, steps, held.work.now)
            return intents.latest(held.work.session, row.id, way.direction)
    except Conflict as error:
        drive.trouble(f"{error.message} The location was not {way.verb}.", error.hint or way.again)
        return None


def _rows_naming(
    drive: Drive, way: Way, doors: tuple[RegistryDoor, ...], root: str
) -> dict[int, dict[str, Any]] | None:
    """Return the rows of the registries that the portal changes; None where one names another root, which was said."""
    answer = drive.run(read_rows, tuple(door for door in doors if door.can_write), is_short=True)
    if answer.error:
        drive.trouble(f"{answer.error} The location was not {way.verb}.", answer.hint)
        return None
    rows: dict[int, dict[str, Any]] = answer.value
    for door in doors:
        found = rows.get(door.instance_id, {"root": root})["root"]
        if found != root:
            drive.trouble(
                f"{door.slug} names the root {found} now, not {root}. The location was not {way.verb}.",
                f"Somebody changed it there: compare the instance with the portal. {way.again}",
            )
            return None
    return rows


def _names(doors: tuple[RegistryDoor, ...]) -> set[tuple[int, int, bool]]:
    return {(door.instance_id, door.row_id, door.can_write) for door in doors}


def _steps(held: Held, way: Way, rows: dict[int, dict[str, Any]], facts: Facts) -> list[Step]:
    row, side = held.migration, "target" if way.direction == FORWARD else "source"
    after = {
        "root": getattr(row, f"{side}_root"),
        "type": str(getattr(row, f"{side}_type")),
        "region": _region(row, side),
    }
    first = {entry.step.instance_id: entry.step.before for entry in _first(held, way)}
    steps = []
    for door in way.doors:
        if not door.can_write:
            continue
        part = DECIDE if door is way.decider else FOLLOW
        # On the way back a row becomes exactly what it was, its region included.
        there = first.get(door.instance_id, after) if way.direction == BACK else after
        before = {**rows[door.instance_id], "is_back": way.direction == BACK}
        steps.append(Step(part, door.instance_id, door.row_id, before, there))
        if part == DECIDE and not facts.is_repoint and door.lies_in(before["root"]):
            steps.append(Step(OPEN, door.instance_id, door.row_id, before, there))
    if not facts.is_repoint:
        steps.append(Step(PORTAL, None, None, {"root": row.storage.root if row.storage else ""}, after))
    return steps


def _first(held: Held, way: Way) -> list[IntentRow]:
    return intents.latest(held.work.session, held.migration.id, FORWARD) if way.direction == BACK else []


def _region(row: Any, side: str) -> str | None:
    """Return what LaminDB keeps in `region`: the host of a local root, else the region."""
    host = getattr(row, f"{side}_host")
    region: str | None = host.name if host is not None else getattr(row, f"{side}_region")
    return region


def _calls(
    drive: Drive, facts: Facts, door: RegistryDoor, step: Step
) -> tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...]:
    """Return the job that decides and the one that tells whether it was decided, with their arguments."""
    ids, stop = f"{drive.tools.settings.ledger_dir}/{drive.folder}/repointed.txt", str(drive.stop_path)
    if facts.is_repoint and step.before.get("is_back"):
        return (switch_jobs.repoint_back, (door, ids, stop)), (switch_jobs.is_repointed_back, (door, ids))
    if facts.is_repoint:
        return (switch_jobs.repoint, (door, ids, stop)), (switch_jobs.is_repointed, (door, ids))
    change = switch_of(drive, facts, door, step)
    if door.lies_in(step.before["root"]):
        return (switch_jobs.move_database, (door, change)), (switch_jobs.is_moved, (door, change))
    return (switch_jobs.change_row, (door, change, True)), (switch_jobs.is_changed, (door, change))


def _decide(drive: Drive, facts: Facts, door: RegistryDoor, step: Step) -> Answer:
    call, arguments = _calls(drive, facts, door, step)[0]
    return drive.run(call, *arguments, is_short=True)


def _is_decided(drive: Drive, facts: Facts, door: RegistryDoor, step: Step) -> bool:
    """Tell whether a decision was made that ended in a crash or an error: the answer to a commit may be lost.

    Nothing happens before there is an answer: going back after a decision would leave two truths.
    """
    call, arguments = _calls(drive, facts, door, step)[1]
    ask = partial(drive.run, call, *arguments, is_short=True)
    return bool(insist(drive, ask, "Whether the switch was decided is not known yet: ").value)


def _complete(drive: Drive, facts: Facts, way: Way, rows: list[IntentRow]) -> None:
    """Let the portal follow a decision, or decide; others follow in the next steps."""
    is_decided = any(row.step.part == DECIDE for row in rows)
    try:
        with drive.writing() as held:
            if not is_decided:
                refuse_late(held, way.doors)
            if way.direction == FORWARD:
                _complete_there(held, facts)
            else:
                _complete_back(held, facts)
            for row in rows:
                if row.step.part == DECIDE:
                    note_registry(held.work, row.step, facts.storage_uid)
            done = [row.id for row in rows if row.step.part in {DECIDE, PORTAL}]
            intents.tick_off(held.work.session, done, held.work.now)
    except Conflict as error:
        if not is_decided:
            drive.trouble(f"{error.message} The location was not {way.verb}.", way.again)
        else:
            words = f"{error.message} The instance names the new root; the portal's record must follow."
            drive.put_off(words, UNTIL_IT_WORKS, REST_SECONDS)


def _complete_there(held: Held, facts: Facts) -> None:
    row = held.migration
    held.note(run_before=row.storage.run if row.storage else None)
    if not facts.is_repoint:
        point_to(held.work, row, "target", run=row.uid)
    held.note(witness=witness_of(held.work, row))
    row.cut_over_at = held.work.now
    row.soak_until = held.work.now + timedelta(days=held.work.settings.soak_days)
    row.sweep_at = None if facts.is_repoint else held.work.now
    held.move(Event.SWITCHED)


def _complete_back(held: Held, facts: Facts) -> None:
    if not facts.is_repoint:
        point_to(held.work, held.migration, "source", run=facts.plan.get("run_before"))
    held.note(switched_back=int(facts.plan.get("back", 1)))


def has_open_decision(migration_id: int) -> bool:
    """Tell whether a cut-over was written down and it is not known yet whether it was decided."""
    with database.read() as session:
        rows = intents.latest(session, migration_id, FORWARD)
    return any(row.step.part == DECIDE and not row.is_done for row in rows)
