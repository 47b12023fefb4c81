"""What worker processes do in instances' own databases during a move. Picklable; errors come back as values.

Each job is one short transaction in each registry, and may be run again after a crash: it looks before it changes.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.errors import Refused, RegistryChanged, RegistryError
from portal.lamindb.registry import artifacts, fence
from portal.lamindb.registry.opening import BULK, Limits
from portal.lamindb.registry.repointing import repoint_conflicts, spaces_of_artifacts
from portal.lamindb.registry.rows import RegistryStorage, find_storage, list_storages
from portal.lamindb.registry.uploads import uploads_under_way
from portal.planning.manifest import Manifest, Wanted, merged
from portal.services.migrations.doors import RegistryDoor
from portal.services.reach import Door
from portal.services.registries import ways
from portal.values import StorageType

#: Raising a fence waits for open writers no longer than this; then it is tried again.
_FENCE_LIMITS = Limits(connect_seconds=10.0, lock_seconds=3.0, statement_seconds=30.0)

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Uploads:
    """Artifacts whose upload has not ended, over all registries."""

    count: int
    examples: tuple[str, ...]


@contextmanager
def open_wanted(doors: Iterable[RegistryDoor]) -> Iterator[Iterator[Wanted]]:
    """Give what all registries refer to below the location's root, in order."""
    with ExitStack() as stack:
        streams = []
        for door in doors:
            connection = stack.enter_context(ways.opened(door.entry, limits=BULK))
            streams.append(artifacts.stream_wanted(connection, door.row_id))
        yield merged(streams)


@contextmanager
def open_manifest(doors: tuple[RegistryDoor, ...]) -> Iterator[Manifest | None]:
    """Give the same as a cursor; None where no registry is attached."""
    with open_wanted(doors) as wanted:
        yield Manifest(wanted) if doors else None


def look(doors: tuple[RegistryDoor, ...], root: str, target: Door, strategy_is_repoint: bool) -> tuple[str, ...]:
    """Return what people should know before a move, as sentences.

    Raises:
        RegistryChanged: a row is gone or names another root than the portal's record.
        Refused: the strategy does not fit; the sentence says which one does.
        RegistryError: a registry cannot be reached.
    """
    warnings: list[str] = []
    for door in doors:
        with ways.opened(door.entry, limits=BULK) as connection:
            row = _row(find_storage(connection, door.row_id), door)
            if row.root != root:
                raise RegistryChanged(
                    f"{door.slug} names the root {row.root}, the portal {root}.",
                    hint="Compare the instance with the portal first, then check again.",
                )
            if strategy_is_repoint:
                _refuse_repointing(connection, door)
            else:
                _refuse_rewriting(list_storages(connection), door, target)
            count, examples = uploads_under_way(connection, door.row_id)
        if count:
            named = ", ".join(upload.key or upload.uid for upload in examples[:_MOST_NAMED])
            warnings.append(f"Uploads of {door.slug} have not ended, such as {named}. They hold up the cut-over.")
        warnings.extend(_warnings(door, root, strategy_is_repoint))
    return tuple(warnings)


def _row(row: RegistryStorage | None, door: RegistryDoor) -> RegistryStorage:
    if row is None:
        raise RegistryChanged(
            f"{door.slug} has no row {door.row_id} for this location any more.",
            hint="Compare the instance with the portal first, then check again.",
        )
    return row


def _refuse_rewriting(rows: tuple[RegistryStorage, ...], door: RegistryDoor, target: Door) -> None:
    taken = next((row for row in rows if row.root == target.root.text and row.row_id != door.row_id), None)
    if taken is not None:
        raise Refused(
            f"{target.root.text} is registered in {door.slug} already, as {taken.uid}.",
            hint="Rewriting the root needs one that is not registered. Re-point the artifacts to it instead.",
        )


def _refuse_repointing(connection: Any, door: RegistryDoor) -> None:
    if door.target_row_id is None:
        raise Refused(
            f"{door.slug} has no row for the target, so its artifacts cannot be re-pointed to it.",
            hint="Re-pointing stays within one instance. Rewrite the root instead.",
        )
    count, examples = repoint_conflicts(connection, door.row_id, door.target_row_id)
    if count:
        named = ", ".join(conflict.key or conflict.uid for conflict in examples[:_MOST_NAMED])
        raise Refused(
            f"{count:,} artifacts have a twin with the same key and content in the target: {named}.",
            hint="LaminDB takes each once in a location. Delete one of each pair, or rewrite the root instead.",
        )
    target = find_storage(connection, door.target_row_id)
    others = {space for space in spaces_of_artifacts(connection, door.row_id) if target and space != target.space_id}
    if others:
        raise Refused(
            "Artifacts are in another space than the target.",
            hint="LaminDB wants both in one space: move the artifacts or the target into it first.",
        )


def _warnings(door: RegistryDoor, root: str, is_repoint: bool) -> Iterator[str]:
    if not door.can_write:
        yield f"{door.slug}: {door.why_read_only} Its row is changed by hand at cut-over, and nothing holds it off."
    elif not door.is_writer:
        yield f"{door.slug} refers to this location too; its row is changed right after the cut-over."
    if door.lies_in(root) and not is_repoint:
        yield (
            f"This is the default location of {door.slug}, and its database lies in it: the database moves too."
            " Every user's settings file must be changed afterwards. Re-pointing the artifacts would leave it in place."
        )


def refuse_database_move(doors: tuple[RegistryDoor, ...], root: str, target: StorageType, *, is_repoint: bool) -> None:
    """Refuse to move a root with an instance's database to where LaminDB cannot write it in place.

    Raises:
        Refused: as said, with the other strategy.
    """
    inside = [door for door in doors if door.lies_in(root)]
    if not inside or is_repoint:
        return
    if target is not StorageType.LOCAL:
        raise Refused(
            f"The database of {inside[0].slug} lies in this root, and a bucket cannot hold it in use.",
            hint="Re-point the artifacts to a location in the bucket; the database stays where it is.",
        )
    if not inside[0].can_write or not inside[0].is_writer:
        why = inside[0].why_read_only or "It is not the one that writes here."
        raise Refused(
            f"The database of {inside[0].slug} lies in this root. {why}",
            hint="Attach the instance so that the portal may write there.",
        )


def read_rows(doors: tuple[RegistryDoor, ...]) -> dict[int, dict[str, str | None]]:
    """Return root, type and region of each registry's row, by instance id.

    Raises:
        RegistryChanged: a row is gone.
    """
    rows = {}
    for door in doors:
        with ways.opened(door.entry) as connection:
            row = _row(find_storage(connection, door.row_id), door)
        rows[door.instance_id] = {"root": row.root, "type": row.type, "region": row.region}
    return rows


def raise_fences(doors: tuple[RegistryDoor, ...], until: datetime, reason: str) -> tuple[str, ...]:
    """Raise or extend the fence in every registry the portal may write to; return why it is soft in the others.

    Raises:
        RegistryBusy: a writer holds its lock; none or some fences are up, so try again.
        RegistryChanged: by a database's own clock the fence is over already.
    """
    soft = []
    for door in doors:
        if not door.can_write:
            soft.append(f"{door.slug}: {door.why_read_only}")
            continue
        with ways.opened(door.entry, writes=True, limits=_FENCE_LIMITS) as connection:
            fence.raise_fence(connection, door.row_id, until=until, reason=reason)
            if not fence.is_fence_alive(connection, door.row_id, margin=fence.MARGIN):
                raise RegistryChanged(
                    f"By the clock of {door.slug}'s database the fence is over already.",
                    hint="Set its clock and the portal's right, then try again.",
                )
    return tuple(soft)


def find_unfenced(doors: tuple[RegistryDoor, ...]) -> frozenset[int]:
    """Return the instances the portal may write to whose fence is not up, or lifts itself in a moment."""
    found = set()
    for door in doors:
        if not door.can_write:
            continue
        with ways.opened(door.entry, limits=BULK) as connection:
            if not fence.is_fence_alive(connection, door.row_id, margin=fence.MARGIN):
                found.add(door.instance_id)
    return frozenset(found)


def lift_fences(doors: tuple[RegistryDoor, ...]) -> tuple[str, ...]:
    """Lift every fence; return what could not be lifted. Those lift themselves."""
    problems = []
    for door in doors:
        if not door.can_write:
            continue
        try:
            with ways.opened(door.entry, writes=True, limits=_FENCE_LIMITS) as connection:
                fence.lift_fence(connection, door.row_id)
        except RegistryError as error:
            problems.append(f"{door.slug}: {error.message}")
    return tuple(problems)


def find_uploads(doors: tuple[RegistryDoor, ...]) -> Uploads:
    """Return the uploads that have not ended."""
    total = 0
    named: list[str] = []
    for door in doors:
        with ways.opened(door.entry, limits=BULK) as connection:
            count, examples = uploads_under_way(connection, door.row_id)
        total += count
        named.extend(f"{upload.key or upload.uid} ({door.slug})" for upload in examples)
    return Uploads(total, tuple(named[:_MOST_NAMED]))
