"""Compare an attached instance with the portal: read its database, then lay both sides next to each other.

`compare` changes nothing anywhere; `apply.py` takes differences over, into the portal only.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from portal.lamindb.registry.opening import Limits
from portal.lamindb.registry.rows import RegistryContent, read_content
from portal.models import Reference, Registry, Storage
from portal.permissions import Action
from portal.planning.reconcile import Comparing, Difference, Theirs, reconcile
from portal.services.access import visible_storages
from portal.services.registries.attach import require_registry
from portal.services.registries.sides import Meant, SpaceMeant, comparing_of, meanings, ours_of, theirs_of
from portal.services.registries.ways import entry_of, opened
from portal.services.units import Units
from portal.services.work import Work

LIMITS: Final = Limits(connect_seconds=5.0, lock_seconds=3.0, statement_seconds=60.0)


@dataclass(frozen=True, slots=True)
class Found:
    """What an instance's database held at one moment, and what its roots mean on this machine."""

    content: RegistryContent
    meant: dict[int, Meant]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides at one moment.

    Attributes:
        instance_uid, slug: of the instance, in the portal.
        differences: in the order of the instance's rows.
        same_count: rows that are here with their reference and say the same.
        notes: what is known on one side only and is not taken over.
        at: when.
    """

    instance_uid: str
    slug: str
    differences: tuple[Difference, ...]
    same_count: int
    notes: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Sides:
    """A comparison with what taking it over needs."""

    comparison: Comparison
    comparing: Comparing
    rows: dict[int, Theirs]
    spaces: dict[str, SpaceMeant]


def compare(units: Units, reference: str) -> Comparison:
    """Return the differences between an attached instance and the portal; nothing is changed.

    Raises:
        Conflict: it is not attached.
        NotFound, PermissionDenied: the actor is no admin of the instance; a portal admin needs the role too.
        RegistryError: its database cannot be read.
    """
    found = look(units, reference)
    with units.reading() as work:
        registry = require_registry(work, reference, Action.INSTANCE_WRITE_STORAGE)
        return lay_out(work, registry, found).comparison


def look(units: Units, reference: str) -> Found:
    """Read an attached instance's database.

    Raises:
        Conflict, NotFound, PermissionDenied, RegistryError: see `compare`.
    """
    with units.reading() as work:
        entry = entry_of(work, require_registry(work, reference, Action.INSTANCE_WRITE_STORAGE))
    with opened(entry, limits=LIMITS) as connection:
        content = read_content(connection)
    return Found(content, meanings(work.settings, content))


def lay_out(work: Work, registry: Registry, found: Found) -> Sides:
    """Lay what was read next to the portal's records. The caller has asked for the right."""
    rows, spaces = theirs_of(work, registry, found.content, found.meant)
    ours, comparing = ours_of(work, registry, rows), comparing_of(work, registry)
    differences = reconcile(rows, ours, comparing)
    different = {difference.row_id for difference in differences}
    comparison = Comparison(
        instance_uid=registry.instance.uid,
        slug=registry.instance.slug,
        differences=differences,
        same_count=sum(row.row_id not in different for row in rows),
        notes=_notes(work, registry, found.content, spaces),
        at=work.now,
    )
    return Sides(comparison, comparing, {row.row_id: row for row in rows}, spaces)


def _notes(work: Work, registry: Registry, content: RegistryContent, spaces: dict[str, SpaceMeant]) -> tuple[str, ...]:
    notes = [
        f"The space {space.name} is not in the portal; it is made when a location in it is taken over."
        for space in spaces.values()
        if space.space_id is None and not space.problem
    ]
    uids = {row.uid for row in content.storages}
    only_here = work.session.execute(
        select(Storage.root, Storage.uid)
        .outerjoin(Reference, (Reference.storage_id == Storage.id) & (Reference.instance_id == registry.instance_id))
        .where(Storage.instance_id == registry.instance_id, visible_storages(work.actor), Reference.id.is_(None))
        .order_by(Storage.root)
    )
    notes += [
        f"{root} is a location of this instance here, and the instance has no row for it."
        for root, uid in only_here
        if uid not in uids
    ]
    return tuple(notes)
