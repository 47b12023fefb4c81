"""Hold writers off while the last changes are brought over and the registry is switched, and let them on again.

Where an instance is attached, the fence is in its own database and lifts itself (`lamindb.registry.fence`). Where none
is, or the portal may not write there, it is soft: the page says so.

The plan's `fence_until` is what was asked for; whether writers are held off is asked of the databases. `fenced` lists
the instances whose fence may be up: noted before one is raised, and forgotten after all are lifted.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from portal.errors import Conflict
from portal.lamindb.registry.fence import MARGIN as LAST_MOMENT
from portal.planning.states import MigrationState
from portal.runner.drive import FENCE_MARGIN as MARGIN
from portal.runner.drive import Drive, Facts, Held
from portal.runner.jobs import Answer
from portal.services.events import Change, record
from portal.services.migrations.doors import RegistryDoor
from portal.services.migrations.registry_jobs import (
    Uploads,
    find_unfenced,
    find_uploads,
    lift_fences,
    raise_fences,
)

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
    longest = timedelta(minutes=drive.tools.settings.fence_minutes)
    latest = drive.tools.clock() + longest
    until = _until(facts)
    if until is None:
        _raise(drive, facts, doors, latest)
        return False
    unfenced = _unfenced(drive, doors)
    uploads = None if unfenced is None else _uploads(drive, doors)
    if uploads is None:
        return False
    left = until - drive.tools.clock()
    if left <= MARGIN and not extends:
        _give_up(drive, uploads)
    elif unfenced or not _fenced(doors) <= set(facts.plan.get("fenced") or ()):
        _raise(drive, facts, doors, latest if extends else until)
    elif extends and left < longest / 2:
        _raise(drive, facts, doors, latest, is_gapless=True)
    elif uploads.count:
        _wait(drive, f"Waiting for uploads to end: {', '.join(uploads.examples)}.")
    else:
        return True
    return False


def is_held_off(drive: Drive, doors: tuple[RegistryDoor, ...]) -> bool:
    """Tell whether every fence is up in the last moment; where one is not, the next step raises it."""
    return _unfenced(drive, doors) == frozenset()


def refuse_late(held: Held, doors: tuple[RegistryDoor, ...]) -> None:
    """Refuse a decision of the portal's own row that no fence outlasts.

    Raises:
        Conflict: the fence lifts itself in a moment, or did. The caller ends the transaction.
    """
    until = (held.migration.plan or {}).get("fence_until")
    if _are_any_held(doors) and (until is None or datetime.fromisoformat(until) - held.work.now <= LAST_MOMENT):
        raise Conflict("The fence has lifted itself: artifacts may have been written since.")


def _until(facts: Facts) -> datetime | None:
    until = facts.plan.get("fence_until")
    return datetime.fromisoformat(until) if until else None


def _fenced(doors: tuple[RegistryDoor, ...]) -> set[int]:
    return {door.instance_id for door in doors if door.can_write}


def _are_any_held(doors: tuple[RegistryDoor, ...]) -> bool:
    """Tell whether an instance's own database holds writers off; else the fence is soft, and ends in time too."""
    return any(door.can_write for door in doors)


def _raise(
    drive: Drive, facts: Facts, doors: tuple[RegistryDoor, ...], until: datetime, *, is_gapless: bool = False
) -> None:
    """Raise every fence, or prolong it. Unless it is `is_gapless`, what was listed before does not count any more."""
    with drive.writing() as held:
        held.note(fenced=sorted(_fenced(doors)) or None)
        if not is_gapless:
            held.note(is_clean=False, clean_back=0)
    reason = f"The storage location {facts.storage_uid} is moving from {facts.ends.source.root.text}"
    reason += f" to {facts.ends.target.root.text} (migration {facts.uid})."
    answer = drive.run(raise_fences, doors, until, reason, is_short=True) if _are_any_held(doors) else Answer(())
    if answer.error:
        drive.trouble(f"{answer.error} The fence could not be raised, so nothing was switched.", answer.hint)
        return
    with drive.writing() as held:
        held.note(fence_until=until.isoformat(), fence_soft=list(answer.value))
        if not is_gapless:
            said = {"until": until.isoformat(), "is_soft": not _are_any_held(doors)}
            record(held.work, "migration.fence-raised", held.migration, Change(after=said))


def _unfenced(drive: Drive, doors: tuple[RegistryDoor, ...]) -> frozenset[int] | None:
    """Return the instances that are not held off though the portal could; None: it cannot be told, which was said."""
    if not _are_any_held(doors):
        return frozenset()
    answer = drive.run(find_unfenced, doors, is_short=True)
    if answer.error:
        drive.trouble(f"{answer.error} Nothing was switched.", answer.hint)
        return None
    found: frozenset[int] = answer.value
    return found


def _uploads(drive: Drive, doors: tuple[RegistryDoor, ...]) -> Uploads | None:
    if not _are_any_held(doors):
        return Uploads(0, ())
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
    """Lift a fence that no step needs any more; False when there is none.

    It is not relied on from before it is lifted, and `fenced` stays until after: killed in between, it is lifted again.
    """
    if facts.state in _FENCING or not (facts.plan.get("fence_until") or facts.plan.get("fenced")):
        return False
    with drive.writing() as held:
        held.note(fence_until=None, fenced=sorted(_fenced(facts.doors)) or None)
    both = {(door.instance_id, door.row_id): door for door in (*facts.doors, *turned(facts.doors))}
    if _are_any_held(facts.doors):
        drive.run(lift_fences, tuple(both.values()), is_short=True)  # what cannot be lifted lifts itself
    with drive.writing() as held:
        held.note(fenced=None)
    return True
