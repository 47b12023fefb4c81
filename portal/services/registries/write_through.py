"""Edit a location's record here and in the attached instance that it is a location of: both, or neither.

The order: try the portal's half and take it back, change the instance's row if it still says what the portal says,
then the portal's half for good; if that fails after all, the instance's row is put back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, select

from portal.errors import PortalError, RegistryChanged
from portal.lamindb.registry.changes import update_storage
from portal.lamindb.registry.opening import PAGE
from portal.lamindb.registry.repointing import move_artifacts_to_space, spaces_of_artifacts
from portal.lamindb.registry.rows import RegistryStorage
from portal.lamindb.registry.rows import find_storage as find_row
from portal.models import Reference, Registry, Storage
from portal.permissions import Action, InstanceTarget, allows
from portal.services.registries.spaces_there import space_id_of
from portal.services.registries.ways import Entry, entry_of, opened
from portal.services.storages.edit import StorageEdit, edit_storage
from portal.services.storages.find import find_storage
from portal.services.storages.new_host import try_host
from portal.services.units import Units
from portal.services.work import Work
from portal.values import Branch

log = structlog.get_logger("portal.services")


@dataclass(frozen=True, slots=True)
class Edited:
    """What came of an edit.

    Attributes:
        uid: of the location.
        written: instances whose row was changed too, as `owner/name`.
        notes: what people should know: instances that keep their own values.
    """

    uid: str
    written: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """What both sides keep of a location and people edit."""

    description: str
    branch_id: int
    space_uid: str
    space: str
    host: str | None


@dataclass(frozen=True, slots=True)
class _There:
    """A row of an attached instance that is written too; one that `is_its` own says all, another one only the host."""

    entry: Entry
    slug: str
    row_id: int
    uid: str
    is_its: bool


@dataclass
class _Done:
    there: _There
    old: dict[str, Any]
    new: dict[str, Any]
    space_id: int | None = field(default=None)


class _TakenBack(Exception):
    """Ends the trial of the portal's half."""


def edit_through(units: Units, reference: str, edit: StorageEdit, *, with_artifacts: bool = False) -> Edited:
    """Change a location's record, and its row in the instance that writes to it.

    `with_artifacts`: a new space is given to the location's artifacts there too, which LaminDB itself does not do.

    Raises:
        Conflict: it is locked, somebody changed it, or the instance has no such space; nothing was changed.
        InputError, Refused, StorageError: see `edit_storage` and `try_host`.
        NotFound, PermissionDenied: the actor lacks a right.
        RegistryError: the instance's row says something else, or could not be changed; nothing was changed.
    """
    about_host = () if edit.host is None else try_host(units, reference, edit.host)
    with units.reading() as work:
        storage = find_storage(work, reference, Action.STORAGE_DESCRIBE)
        targets, notes = _targets(work, storage, with_others=_is_new(storage, edit.host))
        now = work.now
    notes = (*about_host, *notes)
    if not targets:
        return Edited(_edit(units, reference, edit), notes=notes)
    before, after = _try(units, reference, edit)
    if before == after:
        return Edited(_edit(units, reference, edit), notes=notes)
    done: list[_Done] = []
    try:
        for there in targets:
            done.append(_write(there, before, after, now))
        uid = _edit(units, reference, edit)
    except BaseException:
        _put_back(done, now)
        raise
    moved = _take_artifacts(done) if with_artifacts else ()
    return Edited(uid, tuple(each.there.slug for each in done), (*notes, *moved))


def _edit(units: Units, reference: str, edit: StorageEdit) -> str:
    with units.writing() as work:
        return edit_storage(work, reference, edit).uid


def _is_new(storage: Storage, host: str | None) -> bool:
    return host is not None and storage.host is not None and storage.host.name != host.strip()


def _targets(work: Work, storage: Storage, *, with_others: bool = False) -> tuple[list[_There], tuple[str, ...]]:
    """Return the rows to write, and what to say about those that are not.

    A managed location's row counts in the instance that writes to it; an unmanaged one's in each the actor manages.
    `with_others`: where a managed one lies is told to the other instances too that the actor manages.
    """
    targets, notes = [], []
    for reference, registry in references_of(work, storage):
        is_its = storage.instance_id == registry.instance_id
        may = allows(work.actor, Action.INSTANCE_WRITE_STORAGE, InstanceTarget(registry.instance_id))
        if not is_its and not (may and (with_others or storage.instance_uid is None)):
            continue
        if not registry.can_write:
            notes.append(f"{registry.instance.slug} is attached read-only: it keeps its own values.")
            continue
        says_all = is_its or storage.instance_uid is None
        slug = registry.instance.slug
        targets.append(_There(entry_of(work, registry), slug, reference.row_id, reference.uid, says_all))
    return targets, tuple(notes)


def references_of(work: Work, storage: Storage) -> list[tuple[Reference, Registry]]:
    """Return the rows that attached instances have for a location."""
    query = (
        select(Reference, Registry)
        .join(Registry, Registry.instance_id == Reference.instance_id)
        .where(Reference.storage_id == storage.id)
        .order_by(Reference.id)
    )
    return [(reference, registry) for reference, registry in work.session.execute(query)]


def _try(units: Units, reference: str, edit: StorageEdit) -> tuple[_Said, _Said]:
    """Return what the portal says before and after the edit, having taken it back again."""
    found: list[_Said] = []
    try:
        with units.writing() as work:
            found.append(_said(find_storage(work, reference)))
            found.append(_said(edit_storage(work, reference, edit)))
            raise _TakenBack
    except _TakenBack:
        pass
    return found[0], found[1]


def _said(storage: Storage) -> _Said:
    host = storage.host.name if storage.host else None
    return _Said(storage.description, storage.branch_id, storage.space.uid, storage.space.name, host)


def _write(there: _There, before: _Said, after: _Said, now: datetime) -> _Done:
    with opened(there.entry, writes=True, limits=PAGE) as connection:
        row = find_row(connection, there.row_id)
        if row is None or row.uid != there.uid:
            raise RegistryChanged(
                f"{there.slug} has no row of this location any more.", hint="Compare the instance, then edit again."
            )
        old, new = _values(connection, there, row, before, after)
        if not new:
            return _Done(there, old, new)
        update_storage(connection, there.row_id, expected=old, values=new, now=now)
    return _Done(there, old, new, new.get("space_id"))


def _values(
    connection: Connection, there: _There, row: RegistryStorage, before: _Said, after: _Said
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns as they are and as they become: only those that change, and only if both sides agree now."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    if after.host != before.host:
        # LaminDB keeps the host of a local root in `region`; a row that names none gets one.
        _require_same(there, "host", row.host or before.host, before.host)
        old["region"], new["region"] = row.region, after.host
    if not there.is_its:
        return old, new
    if after.description != before.description:
        _require_same(there, "description", row.description or "", before.description)
        old["description"], new["description"] = row.description, after.description or None
    if after.branch_id != before.branch_id:
        known = row.branch_id if row.branch_id in set(Branch) else int(Branch.MAIN)
        _require_same(there, "branch", known, before.branch_id)
        old["branch_id"], new["branch_id"] = row.branch_id, after.branch_id
    if after.space_uid != before.space_uid:
        if row.space_uid != before.space_uid and row.space_name.lower() != before.space.lower():
            raise _differs(there, "space", row.space_name, before.space)
        old["space_id"] = row.space_id
        new["space_id"] = space_id_of(connection, there.slug, after.space_uid, after.space)
    return old, new


def _require_same(there: _There, name: str, theirs: object, ours: object) -> None:
    if theirs != ours:
        raise _differs(there, name, theirs, ours)


def _differs(there: _There, name: str, theirs: object, ours: object) -> RegistryChanged:
    return RegistryChanged(
        f"The {name} in {there.slug} is {theirs or 'empty'}, not {ours or 'empty'} as here. Nothing was changed.",
        hint="Compare the instance and take over what it says, then edit again.",
    )


def _put_back(done: list[_Done], now: datetime) -> None:
    """Give every row its old values again, as long as it has those that were just written."""
    for each in reversed(done):
        try:
            with opened(each.there.entry, writes=True, limits=PAGE) as connection:
                update_storage(connection, each.there.row_id, expected=each.new, values=each.old, now=now)
        except PortalError as error:
            slug = each.there.slug
            log.warning("an instance's row could not be put back", instance=slug, error=error.message)


def _take_artifacts(done: list[_Done]) -> tuple[str, ...]:
    """Give the artifacts of each location its new space; what keeps them from it is told, the location has moved."""
    notes = []
    for each in done:
        if each.space_id is None:
            continue
        try:
            with opened(each.there.entry, writes=True) as connection:
                count = move_artifacts_to_space(connection, each.there.row_id, each.space_id)
            notes.append(f"{count:,} artifacts in {each.there.slug} went along.")
        except PortalError as error:
            notes.append(f"The artifacts in {each.there.slug} stay in their old space: {error}")
    return tuple(notes)


def count_artifacts(units: Units, reference: str) -> dict[str, int]:
    """Return how many artifacts a location holds in each attached instance that would be written, by `owner/name`.

    Raises:
        NotFound, PermissionDenied: the actor may not describe the location.
        RegistryError: a database cannot be read.
    """
    with units.reading() as work:
        targets, _ = _targets(work, find_storage(work, reference, Action.STORAGE_DESCRIBE))
    found = {}
    for there in targets:
        with opened(there.entry, limits=PAGE) as connection:
            found[there.slug] = sum(spaces_of_artifacts(connection, there.row_id).values())
    return found
