"""What follows a decision in the registries: the database that moved along is opened, the others name the new root."""

from portal.lamindb.registry.changes import RootChange
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import Answer
from portal.runner.ways import Way, door_in, insist, latest_steps
from portal.services.migrations import intents, switch_jobs
from portal.services.migrations.doors import RegistryDoor
from portal.services.migrations.intents import FOLLOW, OPEN, Step
from portal.services.migrations.switch import note_registry
from portal.services.migrations.switch_jobs import Switch


def follow(drive: Drive, facts: Facts, way: Way) -> None:
    """Open the database that moved along, and let every other registry name the new root.

    Raises:
        Later: one does not yet.
    """
    insist(drive, lambda: Answer(error=" ".join(_laggards(drive, facts, way))))


def _laggards(drive: Drive, facts: Facts, way: Way) -> list[str]:
    """Change what is not changed yet; return what is wrong where that does not work. None keeps another waiting."""
    found = []
    for row in latest_steps(drive, way):
        if row.step.part not in {OPEN, FOLLOW} or row.is_done:
            continue
        door = door_in(way.doors, row.step.instance_id)
        if door is not None and (problem := _follow_one(drive, facts, door, row.step)):
            found.append(problem)
            continue
        with drive.writing() as held:
            note_registry(held.work, row.step, facts.storage_uid)
            intents.tick_off(held.work.session, [row.id], held.work.now)
    return found


def _follow_one(drive: Drive, facts: Facts, door: RegistryDoor, step: Step) -> str:
    """Do what follows in one registry; return what does not work, in words."""
    change = switch_of(drive, facts, door, step)
    if step.part == OPEN:
        answer = drive.run(switch_jobs.open_database, door, change, is_short=True)
        return f"The database at the new root takes no writes yet: {answer.error}" if answer.error else ""
    answer = drive.run(switch_jobs.change_row, door, change, False, is_short=True)
    return f"{door.slug} does not name the new root yet: {answer.error}" if answer.error else ""


def switch_of(drive: Drive, facts: Facts, door: RegistryDoor, step: Step) -> Switch:
    """Return what is to be changed in one registry."""
    before, after = step.before, step.after
    change = RootChange(door.row_id, door.uid, before["root"], after["root"], after["type"], after["region"])
    return Switch(change, switch_jobs.seal_sentence(after["root"]), facts.uid, str(drive.stop_path))
