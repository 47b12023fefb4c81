"""Take chosen differences over into the portal's own records, within one transaction."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import select

from portal.errors import Refused
from portal.lamindb.registry.ways import SqliteWay
from portal.models import Account, Host, Instance, Reference, Registry, Space, Storage
from portal.permissions import Action, InstanceTarget, OwnerTarget, allows, require
from portal.planning.overlaps import Place
from portal.planning.reconcile import Difference, Kind, Theirs, host_of
from portal.services.attachments import ensure_attached
from portal.services.connections import check_serves
from portal.services.events import Change, record
from portal.services.hosts import ensure_host
from portal.services.marking import facts
from portal.services.placing import check_overlaps
from portal.services.registries.compare import Sides
from portal.services.registries.sides import SpaceMeant
from portal.services.server_grants import is_open
from portal.services.spaces import NewSpace, create_space
from portal.services.work import Work
from portal.values import Branch, ConnectionKind, Mode, ModeReason, Role, Root, StorageType


class Taking:
    """One taking over: knows the transaction, the instance, and what was made on the way."""

    def __init__(self, work: Work, registry: Registry, sides: Sides) -> None:
        self.work, self.registry, self.sides = work, registry, sides
        self.instance: Instance = registry.instance
        self.made: dict[str, int] = {}
        self.new_uids: list[str] = []
        self.unconnected: list[str] = []
        self.warnings: list[str] = []

    def take(self, chosen: Collection[Difference]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Take over, references that lost their row first: their row ids may be another location's now."""
        for difference in sorted(chosen, key=lambda each: each.kind is not Kind.GONE):
            if difference.kind is Kind.GONE:
                self._drop(difference)
                continue
            row = self.sides.rows[difference.row_id]
            storage = self._make(row) if difference.kind is Kind.NEW else self._storage(difference)
            if difference.kind is Kind.CHANGED:
                self._change(storage, row, difference)
            self._refer(storage, row)
        return tuple(self.new_uids), tuple(self.unconnected), tuple(self.warnings)

    def _storage(self, difference: Difference) -> Storage:
        return self.work.session.get_one(Storage, difference.storage_id)

    def _drop(self, difference: Difference) -> None:
        reference = self._reference(difference.storage_id)
        if reference is not None:
            self.work.session.delete(reference)
            self.work.session.flush()

    def _reference(self, storage_id: int | None) -> Reference | None:
        return self.work.session.scalar(
            select(Reference).where(Reference.instance_id == self.instance.id, Reference.storage_id == storage_id)
        )

    def _refer(self, storage: Storage, row: Theirs) -> None:
        """Keep the reference of a row, in place of an older one to the same location."""
        reference = self._reference(storage.id)
        if reference is None:
            reference = Reference(instance_id=self.instance.id, storage_id=storage.id, seen_at=self.work.now)
            self.work.session.add(reference)
        reference.row_id, reference.uid, reference.root = row.row_id, row.uid, row.root
        self.work.session.flush()

    def _make(self, row: Theirs) -> Storage:
        """Add a location the portal did not know, as connecting would: managed here, elsewhere or not at all."""
        assert row.normal is not None  # noqa: S101 - one without a meaning cannot be chosen
        work, host = self.work, host_of(row, self.sides.comparing)
        self.warnings += check_overlaps(work, Place(row.normal, host=host, is_writable=False))
        owner_id = self._owner_id()
        require(work.actor, Action.STORAGE_CREATE, OwnerTarget(owner_id, "owner account"))
        mode, reason = mode_of(row)
        storage = Storage(
            uid=row.uid,
            root=row.normal.text,
            type=row.normal.type,
            region=row.region if row.normal.type is StorageType.S3 else None,
            host_id=self._host_id(host),
            description=row.description,
            owner_id=owner_id,
            space_id=self._space_id(row),
            instance_id=self.instance.id if row.is_own else None,
            instance_uid=row.instance_uid,
            instance_slug=self.instance.slug if row.is_own else None,
            mode=mode,
            mode_reason=reason,
            is_default=row.is_own and self._is_default(row.normal),
            is_locked=row.is_locked,
            branch_id=int(Branch[row.known_branch.upper()]),
            created_by_id=work.actor.account_id,
            created_at=work.now,
            updated_at=work.now,
        )
        work.session.add(storage)
        work.session.flush()
        record(work, "storage.taken-over", storage, Change(after={**facts(storage), "instance": self.instance.slug}))
        self.new_uids.append(storage.uid)
        if storage.type is not StorageType.LOCAL:
            self.unconnected.append(storage.root)
        return storage

    def _is_default(self, root: Root) -> bool:
        """Tell whether a SQLite instance's database lies below this root, and no default is known yet."""
        if self.registry.path is None or SqliteWay(self.registry.path).default_root != root.text:
            return False
        present = select(Storage.id).where(Storage.instance_id == self.instance.id, Storage.is_default)
        return self.work.session.scalar(present) is None

    def _owner_id(self) -> int:
        """Return the instance's owner where the actor acts for it, else the actor."""
        if allows(self.work.actor, Action.STORAGE_CREATE, OwnerTarget(self.instance.owner_id)):
            return self.instance.owner_id
        return self.work.actor.account_id or 0

    def _host_id(self, host: str | None) -> int | None:
        return None if host is None else ensure_host(self.work, host).id

    def _space_id(self, row: Theirs) -> int:
        """Return the row's space, made and attached where it is new."""
        meant = self.sides.spaces[row.space_key]
        space_id = meant.space_id or self.made.get(meant.key) or self._make_space(meant)
        if row.is_own:
            ensure_attached(self.work, self.instance.id, space_id)
        return space_id

    def _make_space(self, meant: SpaceMeant) -> int:
        owner = self.work.session.get_one(Account, self.instance.owner_id).handle
        uid = meant.key.removeprefix("new ")
        space = create_space(self.work, NewSpace(meant.name, owner=owner, uid=uid))
        # The actor's roles were read before the space was there.
        self.work = _with_space(self.work, space)
        self.made[meant.key] = space.id
        return space.id

    def _change(self, storage: Storage, row: Theirs, difference: Difference) -> None:
        """Give the location what the instance says, field by field."""
        names = {each.name for each in difference.fields}
        if {"root", "type", "host"} & names:
            self._put_elsewhere(storage, row)
        if "region" in names:
            storage.region = row.region
        if "description" in names:
            storage.description = row.description
        if "space" in names:
            storage.space_id = self._space_id(row)
        if "branch" in names:
            storage.branch_id = int(Branch[row.known_branch.upper()])
        if "locked" in names:
            storage.is_locked = row.is_locked
        if "instance" in names:
            self._claim(storage, row)
        storage.updated_at = self.work.now
        seen = {each.name: each.ours for each in difference.fields}
        set_to = {each.name: each.theirs for each in difference.fields}
        record(self.work, "storage.changed", storage, Change(seen, set_to, f"taken over from {self.instance.slug}"))

    def _put_elsewhere(self, storage: Storage, row: Theirs) -> None:
        assert row.normal is not None  # noqa: S101 - one without a meaning cannot be chosen
        host = host_of(row, self.sides.comparing) if row.host or row.normal.type != storage.type else None
        if host is None and row.normal.type is StorageType.LOCAL:
            host = self.work.session.get_one(Host, storage.host_id).name if storage.host_id else None
        place = Place(row.normal, host=host, is_writable=False)
        self.warnings += check_overlaps(self.work, place, but=storage.id)
        if row.normal.type is StorageType.LOCAL or not _serves(self.work, storage, row.normal):
            storage.connection_id = None
        storage.root, storage.type = row.normal.text, row.normal.type
        storage.host_id = self._host_id(host)
        storage.region = row.region if row.normal.type is StorageType.S3 else None

    def _claim(self, storage: Storage, row: Theirs) -> None:
        """Let this instance be the one that writes to it."""
        require(self.work.actor, Action.INSTANCE_WRITE_STORAGE, InstanceTarget(self.instance.id))
        storage.instance_id, storage.instance_uid = self.instance.id, row.instance_uid
        storage.instance_slug, storage.is_default = self.instance.slug, False
        storage.mode, storage.mode_reason = mode_of(row)
        ensure_attached(self.work, self.instance.id, storage.space_id)


def mode_of(row: Theirs) -> tuple[Mode, ModeReason]:
    """Return what a location becomes whose rights nobody has tried yet: LaminDB's rule is the uid in its row."""
    if row.is_own:
        return Mode.WRITABLE, ModeReason.NONE
    if row.is_unmanaged:
        return Mode.UNMANAGED, ModeReason.NONE
    return Mode.READ_ONLY, ModeReason.FOREIGN


def _serves(work: Work, storage: Storage, root: Root) -> bool:
    """Tell whether the location keeps its connection at another root: the actor must be free to use it there."""
    connection = storage.connection
    if connection is None or not allows(work.actor, Action.CONNECTION_USE, OwnerTarget(connection.owner_id)):
        return False
    try:
        check_serves(connection, root)
    except Refused:
        return False
    return connection.kind is not ConnectionKind.AMBIENT or is_open(work, root)


def _with_space(work: Work, space: Space) -> Work:
    """Return the same work with the role admin in a space that was just made."""
    return replace(work, actor=replace(work.actor, spaces={**work.actor.spaces, space.id: Role.ADMIN}))
