"""Which registries a move concerns: every attached instance that has a row of its own for the location."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.lamindb.registry.ways import SqliteWay
from portal.models import Migration, Reference, Registry, Storage
from portal.services.registries.ways import Entry, entry_of
from portal.services.work import Work

REWRITE, REPOINT = "rewrite", "repoint"


@dataclass(frozen=True, slots=True)
class RegistryDoor:
    """One registry, and its row for the location that moves. Picklable; holds a secret, so it is never shown.

    Attributes:
        slug: the instance's name.
        row_id: of the location there; `uid` is its uid there.
        target_row_id: of the location that artifacts are re-pointed to; None for the other strategy, or where the
            instance has none.
        is_writer: whether this is the instance that writes to the location; its switch decides.
        can_write: whether the portal may change anything there; `why_read_only` says why not.
    """

    instance_id: int
    slug: str
    entry: Entry
    row_id: int
    uid: str
    target_row_id: int | None
    is_writer: bool
    can_write: bool
    why_read_only: str

    def lies_in(self, root_text: str) -> bool:
        """Tell whether the database itself lies in a root, as that of a SQLite instance does in its default one."""
        return isinstance(self.entry.way, SqliteWay) and self.entry.way.default_root == root_text


def doors_of(work: Work, migration: Migration) -> tuple[RegistryDoor, ...]:
    """Return the registries a migration concerns, the writing instance's first.

    Raises:
        Conflict: a URL was encrypted with another key file.
    """
    storage = migration.storage
    if storage is None:
        return ()
    doors = [
        _door(work, registry, reference, storage, migration) for reference, registry in references_of(work, storage.id)
    ]
    return tuple(sorted(doors, key=lambda door: (not door.is_writer, door.slug)))


def references_of(work: Work, storage_id: int) -> list[tuple[Reference, Registry]]:
    """Return every attached instance's row for a location, with how the instance is attached."""
    query = (
        select(Reference, Registry)
        .join(Registry, Registry.instance_id == Reference.instance_id)
        .where(Reference.storage_id == storage_id)
        .options(joinedload(Registry.instance), joinedload(Registry.host))
    )
    return [(reference, registry) for reference, registry in work.session.execute(query)]


def _door(work: Work, registry: Registry, reference: Reference, storage: Storage, migration: Migration) -> RegistryDoor:
    return RegistryDoor(
        instance_id=registry.instance_id,
        slug=registry.instance.slug,
        entry=entry_of(work, registry),
        row_id=reference.row_id,
        uid=reference.uid,
        target_row_id=_target_row_id(work, registry, migration),
        is_writer=storage.instance_uid is not None and registry.instance_uid == storage.instance_uid,
        can_write=registry.can_write,
        why_read_only="It is attached read-only." if registry.is_read_only else registry.why_read_only,
    )


def _target_row_id(work: Work, registry: Registry, migration: Migration) -> int | None:
    if migration.target_storage_uid is None:
        return None
    query = (
        select(Reference.row_id)
        .join(Storage, Storage.id == Reference.storage_id)
        .where(Reference.instance_id == registry.instance_id, Storage.uid == migration.target_storage_uid)
    )
    return work.session.scalar(query)


def needs_hand(work: Work, migration: Migration) -> bool:
    """Tell whether a registry names the location that the portal cannot change: a person must, at the cut-over."""
    storage = migration.storage
    if storage is None or migration.strategy == REPOINT:
        return False
    found = [
        (registry.instance_uid == storage.instance_uid, registry.can_write)
        for _, registry in references_of(work, storage.id)
    ]
    if not all(can_write for _, can_write in found):
        return True
    return bool(storage.instance_uid) and not any(is_writer for is_writer, _ in found)
