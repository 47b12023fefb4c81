"""Add a location that is made in the portal to the attached instance that will write to it: both rows, or neither."""

from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import select

from portal.errors import Conflict, InputError, PortalError
from portal.lamindb.registry.changes import NewStorage, delete_storage, ensure_user, insert_storage
from portal.lamindb.registry.opening import PAGE
from portal.lamindb.registry.rows import list_storages
from portal.models import Account, Reference, Registry, Space, Storage
from portal.services.placing import Settled
from portal.services.registries.default_rules import database_root_of
from portal.services.registries.spaces_there import space_id_of
from portal.services.registries.ways import Entry, entry_of, opened
from portal.services.trials import Attempt, Trial
from portal.services.units import Units
from portal.services.work import Work
from portal.values import Branch, Mode

log = structlog.get_logger("portal.services")


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to add to an instance.

    Attributes:
        host: of a local root, which LaminDB keeps in `region`.
        space_uid, space: the portal's; the instance must have one of this uid or name.
        creator: uid, handle and name of who makes it.
        row_id: of a row the instance has already, which is taken as it is; None to add one.
    """

    entry: Entry
    slug: str
    uid: str
    root: str
    type: str
    region: str | None
    host: str | None
    description: str
    instance_uid: str
    space_uid: str
    space: str
    creator: tuple[str, str, str]
    at: datetime
    row_id: int | None = None


def warnings_of(work: Work, settled: Settled) -> tuple[str, ...]:
    """Return what to say about the chosen instance before anything is saved."""
    registry = _registry(work, settled.instance_id)
    if registry is None or registry.can_write:
        return ()
    return (f"{settled.instance_slug} is attached read-only: the location is not added to its database.",)


def _registry(work: Work, instance_id: int | None) -> Registry | None:
    if instance_id is None:
        return None
    return work.session.scalar(select(Registry).where(Registry.instance_id == instance_id))


def prepare_row(units: Units, attempt: Attempt, trial: Trial) -> NewRow | None:
    """Return the row a tried root needs in the chosen instance, having looked whether it can be added; None for none.

    Raises:
        Conflict: the instance has the root already, under another uid or on another host, or lacks the space.
        RegistryError: its database cannot be read.
    """
    if trial.mode is not Mode.WRITABLE:
        return None
    with units.reading() as work:
        new = _plan(work, attempt.settled, trial)
    if new is None:
        return None
    with opened(new.entry, limits=PAGE) as connection:
        space_id_of(connection, new.slug, new.space_uid, new.space)
        same = [row for row in list_storages(connection) if new.root == row.root or new.uid == row.uid]
    if not same:
        return new
    [row] = same[:1]
    if (row.root, row.uid) != (new.root, new.uid) or row.instance_uid != new.instance_uid:
        raise _taken(new, row.root, row.uid, row.host)
    return replace(new, row_id=row.row_id)


def _taken(new: NewRow, root: str, uid: str, host: str | None) -> Conflict:
    if root == new.root and host is not None and host != new.host:
        return Conflict(
            f"{new.slug} has the root {root} already, on the host {host}. LaminDB takes each root once, whatever the "
            "host; the portal takes it once on each.",
            hint="Choose another folder, or another instance.",
            field="root",
        )
    return Conflict(
        f"{new.slug} has {root} already, with the uid {uid}.",
        hint="Compare the instance and take it over.",
        field="root",
    )


def _plan(work: Work, settled: Settled, trial: Trial) -> NewRow | None:
    registry = _registry(work, settled.instance_id)
    if settled.is_default and database_root_of(registry) not in {None, trial.root.text}:
        raise InputError(
            f"The default of a SQLite instance is the root its database lies in, {database_root_of(registry)}.",
            hint="Add this one without making it the default.",
            field="is_default",
        )
    if registry is None or not registry.can_write:
        return None
    who = work.session.get_one(Account, work.actor.account_id)
    space = work.session.get_one(Space, settled.space_id)
    return NewRow(
        entry=entry_of(work, registry),
        slug=registry.instance.slug,
        uid=trial.uid,
        root=trial.root.text,
        type=trial.root.type.value,
        region=trial.region,
        host=trial.door.host,
        description=settled.description,
        instance_uid=registry.instance_uid,
        space_uid=space.uid,
        space=space.name,
        creator=(who.uid, who.handle, who.name),
        at=work.now,
    )


def add_row(new: NewRow) -> int:
    """Add the row, and its creator where the instance does not know them, and return its id.

    Raises:
        RegistryError: somebody added the root meanwhile, a right is missing; nothing was added.
    """
    if new.row_id is not None:
        return new.row_id
    with opened(new.entry, writes=True, limits=PAGE) as connection:
        space_id = space_id_of(connection, new.slug, new.space_uid, new.space)
        uid, handle, name = new.creator
        row = NewStorage(
            uid=new.uid,
            root=new.root,
            type=new.type,
            region=new.host or new.region,
            description=new.description or None,
            instance_uid=new.instance_uid,
            space_id=space_id,
            branch_id=int(Branch.MAIN),
            created_by_id=ensure_user(connection, uid, handle, name or None),
        )
        return insert_storage(connection, row, now=new.at)


def remove_row(new: NewRow, row_id: int) -> None:
    """Remove a row that was added in vain; one that was there before stays. What fails is logged, not raised."""
    if new.row_id is not None:
        return
    try:
        with opened(new.entry, writes=True, limits=PAGE) as connection:
            delete_storage(connection, row_id, new.uid)
    except PortalError as error:
        log.warning("a row could not be removed again", instance=new.slug, root=new.root, error=error.message)


def refer_to(work: Work, storage: Storage, registry_slug: str, row_id: int) -> None:
    """Keep the reference of a location to its row in the instance that writes to it."""
    registry = _registry(work, storage.instance_id)
    if registry is None:
        raise Conflict(f"{registry_slug} was detached meanwhile. Nothing was saved.", hint="Try again.")
    work.session.add(
        Reference(
            instance_id=registry.instance_id,
            storage_id=storage.id,
            row_id=row_id,
            uid=storage.uid,
            root=storage.root,
            seen_at=work.now,
        )
    )
    work.session.flush()
