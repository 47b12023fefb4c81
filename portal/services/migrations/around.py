"""The attached instances around a move as people see them: what is changed in each, and which one decides."""

from dataclasses import dataclass
from uuid import UUID

from portal.lamindb.registry.ways import DATABASE_KEY
from portal.models import Migration, Reference, Registry
from portal.permissions import Action, InstanceTarget, allows
from portal.services.migrations.doors import REPOINT, references_of
from portal.services.work import Work

#: How an instance is called to who has no role on it.
HIDDEN = "an instance you have no role on"


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One attached instance that has a row for the location that moves.

    Attributes:
        name: its name; `HIDDEN` for who has no role on it.
        page: uid of its page; None for who may not see it.
        uid: of the location there.
        artifact_count: artifacts it has there, as last counted.
        writes: it is the instance that writes to the location.
        decides: its transaction is the one write that decides the cut-over.
        can_write: whether the portal changes its row; `why_not` says why not.
        holds_database: its own SQLite file lies in the root.
        is_default: the location is its default one.
        id_hex: LaminDB's id of the instance; None where only its uid is known, or for who may not see it.
    """

    name: str
    page: str | None
    uid: str
    artifact_count: int
    writes: bool
    decides: bool
    can_write: bool
    why_not: str
    holds_database: bool
    is_default: bool
    id_hex: str | None


def list_instances(work: Work, migration: Migration) -> tuple[InstanceRow, ...]:
    """Return the attached instances a move concerns, the one that decides first. Opens none of them."""
    storage = migration.storage
    if storage is None:
        return ()
    rows = [_row(work, migration, reference, registry) for reference, registry in references_of(work, storage.id)]
    return tuple(sorted(rows, key=lambda row: (not row.decides, row.name)))


def _row(work: Work, migration: Migration, reference: Reference, registry: Registry) -> InstanceRow:
    storage, instance = migration.storage, registry.instance
    is_seen = allows(work.actor, Action.INSTANCE_READ, InstanceTarget(instance.id))
    writes = storage is not None and bool(storage.instance_uid) and registry.instance_uid == storage.instance_uid
    # After the cut-over its file is known at the new root.
    roots = {migration.source_root} if migration.strategy == REPOINT else {migration.source_root, migration.target_root}
    holds_database = registry.path in {f"{root}/{DATABASE_KEY}" for root in roots}
    why = "It is attached read-only." if registry.is_read_only else registry.why_read_only
    return InstanceRow(
        name=instance.slug if is_seen else HIDDEN,
        page=instance.uid if is_seen else None,
        uid=reference.uid,
        artifact_count=reference.artifact_count,
        writes=writes,
        decides=writes and registry.can_write,
        can_write=registry.can_write,
        why_not="" if registry.can_write else why,
        holds_database=holds_database,
        is_default=holds_database or (writes and storage is not None and storage.is_default),
        id_hex=UUID(registry.instance_uuid).hex if is_seen and registry.instance_uuid else None,
    )
