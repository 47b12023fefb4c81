"""A storage location as a frozen value: every field of its record, for pages and the command line."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from portal.models import Reference, Registry, Storage
from portal.permissions import Action, OwnerTarget, allows
from portal.services.access import storage_target
from portal.services.claims import live_move
from portal.services.connections import ConnectionRow, as_row
from portal.services.work import Work
from portal.values import Branch, CheckStatus, Mode, ModeReason, Root, StorageType


@dataclass(frozen=True, slots=True)
class Rights:
    """What the actor may do here, for buttons."""

    describe: bool
    check: bool
    manage: bool
    move: bool
    delete: bool
    connection: bool = False


@dataclass(frozen=True, slots=True)
class StorageView:
    """One location. `connection` None: local. `is_here` False: a local root of another host.

    `instance` is the instance whose collaborators reach it, `instance_page` its uid here; `written_by` is the one that
    may write, known here or not, and `instance_uid` its uid in LaminDB. `is_referred_to`: an attached instance has a
    row for it. `migration` is the uid of the move under way, `migration_state` where it stands; None: it does not move.
    """

    id: int
    uid: str
    uuid: str
    root: str
    name: str
    description: str
    type: StorageType
    region: str | None
    host: str | None
    is_here: bool
    space: str
    space_uid: str
    space_id: int
    owner: str
    instance: str | None
    instance_id: int | None
    instance_page: str | None
    instance_uid: str | None
    written_by: str | None
    branch: str
    created_on: str
    run: str | None
    created_by: str
    mode: Mode
    mode_reason: ModeReason
    is_default: bool
    is_locked: bool
    last_check_at: datetime | None
    last_check_status: CheckStatus | None
    created_at: datetime
    updated_at: datetime
    version: int
    connection: ConnectionRow | None
    rights: Rights
    is_referred_to: bool
    migration: str | None
    migration_state: str | None

    @property
    def is_foreign(self) -> bool:
        """Tell whether another instance's marker keeps it read-only."""
        return self.mode_reason is ModeReason.FOREIGN

    @property
    def written_by_label(self) -> str | None:
        """Return the writing instance in words; None where there is none."""
        if self.instance_uid == "__unknown__":
            return self.written_by or "an instance its marker does not name"
        return self.written_by or self.instance_uid


def view_of(work: Work, storage: Storage) -> StorageView:
    """Return a location as a value. The caller has found it, so it may be read."""
    host = storage.host.name if storage.host else None
    migration, migration_state = live_move(work, storage)
    root = Root(storage.type, storage.root, path=storage.root.split("?")[0].partition("://")[2] or storage.root)
    return StorageView(
        id=storage.id,
        uid=storage.uid,
        uuid=storage.uuid,
        root=storage.root,
        name=root.name,
        description=storage.description,
        type=storage.type,
        region=storage.region,
        host=host,
        is_here=host in {None, work.settings.host},
        space=f"{storage.space.owner.handle}/{storage.space.name}" if storage.space.owner else storage.space.name,
        space_uid=storage.space.uid,
        space_id=storage.space_id,
        owner=storage.owner.handle,
        instance=storage.instance.slug if storage.instance else None,
        instance_id=storage.instance_id,
        instance_page=storage.instance.uid if storage.instance else None,
        instance_uid=storage.instance_uid,
        written_by=storage.instance_slug,
        branch=Branch(storage.branch_id).label,
        created_on=Branch(storage.created_on_id).label,
        run=storage.run,
        created_by=storage.created_by.handle,
        mode=storage.mode,
        mode_reason=storage.mode_reason,
        is_default=storage.is_default,
        is_locked=storage.is_locked,
        last_check_at=storage.last_check_at,
        last_check_status=storage.last_check_status,
        created_at=storage.created_at,
        updated_at=storage.updated_at,
        version=storage.version,
        connection=as_row(storage.connection) if storage.connection else None,
        rights=_rights(work, storage),
        is_referred_to=is_referred_to(work, storage),
        migration=migration,
        migration_state=migration_state,
    )


def _rights(work: Work, storage: Storage) -> Rights:
    target = storage_target(storage)
    return Rights(
        describe=allows(work.actor, Action.STORAGE_DESCRIBE, target),
        check=allows(work.actor, Action.STORAGE_CHECK, target),
        manage=allows(work.actor, Action.STORAGE_MANAGE, target),
        move=allows(work.actor, Action.STORAGE_MOVE, target),
        delete=allows(work.actor, Action.STORAGE_DELETE, target),
        connection=storage.connection is not None
        and allows(work.actor, Action.CONNECTION_MANAGE, OwnerTarget(storage.connection.owner_id)),
    )


def is_referred_to(work: Work, storage: Storage) -> bool:
    """Tell whether an attached instance has a row for the location, whoever may read it there."""
    query = select(Reference.id).join(Registry, Registry.instance_id == Reference.instance_id)
    return work.session.scalar(query.where(Reference.storage_id == storage.id).limit(1)) is not None
