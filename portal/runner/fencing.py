"""Hold writers off while the last changes are brought over and the registry is switched, and let them on again.

Where an instance is attached, the fence is in its own database and lifts itself (`lamindb.registry.fence`). Where none
is, or the portal may not write there, it is soft: the page says so.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from portal.planning.states import MigrationState
from portal.runner.drive import FENCE_MARGIN as MARGIN
from portal.runner.drive import Drive, Facts
from portal.runner.jobs import Answer
from portal.services.events import Change, record
from portal.services.migrations.doors import RegistryDoor
from portal.services.migrations.registry_jobs import Uploads, find_uploads, lift_fences, raise_fences

#: Between two looks at uploads that have not ended.
_LOOK_SECONDS = 1.0

_FENCING = frozenset({MigrationState.FENCED, MigrationState.CUT_OVER, MigrationState.ROLLING_BACK})


def turned(doors: tuple[RegistryDoor, ...]) -> tuple[RegistryDoor, ...]:
    """Return the registries for the way back of re-pointed artifacts: they lie in the other location now."""
    return tuple(
        door if door.target_row_id is None else replace(door, row_id=door.target_row_id, target_row_id=door.row_id)
        for door in doors
    )


def hold(drive: Drive, facts: Facts, doors: tuple[RegistryDoor, ...], *, extends: bool = False) -> bool:
    """Tell whether writers are held off now; else do what comes next to get there.

    With `extends` a fence that is half over is prolonged; otherwise its end gives the switch up, also of a soft one.
    """
    until = facts.plan.get("fence_until")
    left = datetime.fromisoformat(until) - drive.tools.clock() if until else None
    longest = timedelta(minutes=drive.tools.settings.fence_minutes)
    if left is None or (extends and left < longest / 2):
        _raise(drive, facts, doors, drive.tools.clock() + longest)
        return False
    uploads = _uploads(drive, doors) if _are_any_held(doors) else Uploads(0, ())
    if uploads is None:
        return False
    if left <= MARGIN:
        _give_up(drive, uploads)
        return False
    if uploads.count:
        _wait(drive, f"Waiting for uploads to end: {', '.join(uploads.examples)}.")
        return False
    return True


def _are_any_held(doors: tuple[RegistryDoor, ...]) -> bool:
    """Tell whether an instance's own database holds writers off; else the fence is soft, and ends in time too."""
    return any(door.can_write for door in doors)


def _raise(drive: Drive, facts: Facts, doors: tuple[RegistryDoor, ...], until: datetime) -> None:
    reason = f"The storage location {facts.storage_uid} is moving from {facts.ends.source.root.text}"
    reason += f" to {facts.ends.target.root.text} (migration {facts.uid})."
    answer = drive.run(raise_fences, doors, until, reason, is_short=True) if _are_any_held(doors) else Answer(())
    if answer.error:
        drive.trouble(f"{answer.error} The fence could not be raised, so nothing was switched.", answer.hint)
        return
    with drive.writing() as held:
        is_new = (held.migration.plan or {}).get("fence_until") is None
        held.note(fence_until=until.isoformat(), fence_soft=list(answer.value))
        if is_new:
            said = {"until": until.isoformat(), "is_soft": not _are_any_held(doors)}
            record(held.work, "migration.fence-raised", held.migration, Change(after=said))


def _uploads(drive: Drive, doors: tuple[RegistryDoor, ...]) -> Uploads | None:
    answer = drive.run(find_uploads, doors, is_short=True)
    if answer.error:
        drive.trouble(f"{answer.error} Nothing was switched.", answer.hint)
        return None
    uploads: Uploads = answer.value
    return uploads


def _give_up(drive: Drive, uploads: Uploads) -> None:
    if uploads.count:
        drive.trouble(
            f"Uploads did not end while writers were held off: {', '.join(uploads.examples)}. Nothing was switched.",
            "Let them end; delete in LaminDB what an upload that was broken off has left. Then cut over again.",
        )
    else:
        drive.trouble(
            "The fence reached its longest time before everything new was brought over. Nothing was switched.",
            "Cut over again: what was brought over since need not be copied again.",
        )


def _wait(drive: Drive, message: str) -> None:
    """Say what is waited for, and wait a moment without losing the lease."""
    with drive.writing() as held:
        held.migration.message = message
    drive.tools.stopping.wait(_LOOK_SECONDS)
    drive.tick()


def let_go(drive: Drive, facts: Facts) -> bool:
    """Lift a fence that no step needs any more; False when there is none."""
    if facts.state in _FENCING or not facts.plan.get("fence_until"):
        return False
    both = {(door.instance_id, door.row_id): door for door in (*facts.doors, *turned(facts.doors))}
    if _are_any_held(facts.doors):
        drive.run(lift_fences, tuple(both.values()), is_short=True)  # what cannot be lifted lifts itself
    with drive.writing() as held:
        held.note(fence_until=None)
    return True
