"""What attached instances have of a location that is to be deleted: their rows, and artifacts that are in the way."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from portal.errors import PortalError
from portal.lamindb.registry.opening import PAGE
from portal.lamindb.registry.removal import Blocking, find_blocking, keep_row
from portal.lamindb.registry.rows import list_storages
from portal.models import Reference, Registry, Storage
from portal.permissions import Action, InstanceTarget, allows
from portal.services.registries.ways import Entry, entry_of, opened
from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class AskedThere:
    """An attached instance to ask.

    Attributes:
        row_id: of its row, as far as the portal knows; None: looked up by the uid.
        why_fixed: what keeps the portal from deleting the row; empty where nothing does.
    """

    instance_id: int
    instance_uid: str
    slug: str
    is_visible: bool
    is_writing: bool
    uid: str
    root: str
    own_uid: str
    row_id: int | None
    why_fixed: str
    entry: Entry = field(repr=False)


@dataclass(frozen=True, slots=True)
class RowThere:
    """What an instance has of the location.

    Attributes:
        slug, instance_uid: of the instance; None: out of the actor's reach.
        is_writing: whether this instance writes to the location, so that its row goes with the location.
        row: the whole row; None: it has none any more, or it could not be read.
        artifact_count: of every branch; None: not known.
        names: of some of them; none where the instance is out of reach.
        problem: why the instance cannot tell; empty where it can.
        why_fixed: why its row stays if the location goes; empty where it may go.
    """

    instance_id: int
    slug: str | None
    instance_uid: str | None
    is_writing: bool
    row: dict[str, Any] | None = field(repr=False)
    artifact_count: int | None
    names: tuple[str, ...]
    problem: str
    why_fixed: str

    @property
    def label(self) -> str:
        """Return whose row it is, in words."""
        return self.slug or "an instance you have no role on"

    @property
    def may_go(self) -> bool:
        """Tell whether the portal can delete the row."""
        return self.row is not None and not self.why_fixed

    @property
    def refusal(self) -> str:
        """Return what speaks against deleting the location as long as this row has artifacts; empty for nothing."""
        if self.problem:
            return f"It cannot be shown to have no artifacts in {self.label}: {self.problem}"
        if not self.artifact_count:
            return ""
        noun = "1 artifact" if self.artifact_count == 1 else f"{self.artifact_count:,} artifacts"
        return (
            f"{self.label[:1].upper() + self.label[1:] if self.slug is None else self.slug} has {noun} here, those in "
            "trash and archive counted. Delete them for good or move them to another location first."
        )


def list_asked(work: Work, storage: Storage) -> list[AskedThere]:
    """Return the attached instances that have a row for a location, the writing one first."""
    query = (
        select(Registry, Reference)
        .outerjoin(Reference, (Reference.instance_id == Registry.instance_id) & (Reference.storage_id == storage.id))
        .where((Reference.id.is_not(None)) | (Registry.instance_id == storage.instance_id))
    )
    found = [_asked(work, storage, registry, reference) for registry, reference in work.session.execute(query)]
    return sorted(found, key=lambda each: (not each.is_writing, each.slug))


def _asked(work: Work, storage: Storage, registry: Registry, reference: Reference | None) -> AskedThere:
    target = InstanceTarget(registry.instance_id)
    is_writing = storage.instance_id == registry.instance_id and storage.instance_uid is not None
    why = ""
    if not registry.can_write:
        why = f"{registry.instance.slug} is attached read-only: {registry.why_read_only or 'by choice.'}"
    elif not is_writing and not allows(work.actor, Action.INSTANCE_WRITE_STORAGE, target):
        why = "You are not admin of it."
    return AskedThere(
        instance_id=registry.instance_id,
        instance_uid=registry.instance.uid,
        slug=registry.instance.slug,
        is_visible=allows(work.actor, Action.INSTANCE_READ, target),
        is_writing=is_writing,
        uid=reference.uid if reference else storage.uid,
        root=reference.root if reference else storage.root,
        own_uid=registry.instance_uid,
        row_id=reference.row_id if reference else None,
        why_fixed=why,
        entry=entry_of(work, registry),
    )


def ask(there: AskedThere) -> RowThere:
    """Ask one instance; what keeps it from answering is told in the result."""
    try:
        with opened(there.entry, limits=PAGE) as connection:
            row = _row(connection, there)
            found = find_blocking(connection, row["id"]) if row else Blocking(0, ())
    except PortalError as error:
        return _there(there, None, None, str(error))
    return _there(there, row, found, _difference(there, row))


def _row(connection: Connection, there: AskedThere) -> dict[str, Any] | None:
    """Return the row; None where it is gone or was never there."""
    if there.row_id is not None:
        return keep_row(connection, there.row_id)
    same = [each.row_id for each in list_storages(connection) if each.uid == there.uid]
    return keep_row(connection, same[0]) if same else None


def _difference(there: AskedThere, row: dict[str, Any] | None) -> str:
    """Return why the row cannot be trusted to be this location's; empty where it can."""
    if row is None:
        return ""
    if (row["uid"], row["root"]) != (there.uid, there.root):
        return f"its row says {row['root']}, uid {row['uid']}. Compare the instance first."
    if there.is_writing and row["instance_uid"] != there.own_uid:
        return (
            f"its row names {row['instance_uid'] or 'no instance'} as the one that writes. Compare the instance first."
        )
    return ""


def _there(there: AskedThere, row: dict[str, Any] | None, found: Blocking | None, problem: str) -> RowThere:
    visible = there.is_visible
    return RowThere(
        instance_id=there.instance_id,
        slug=there.slug if visible else None,
        instance_uid=there.instance_uid if visible else None,
        is_writing=there.is_writing,
        row=row,
        artifact_count=found.count if found else None,
        names=found.names if found and visible else (),
        problem=problem if visible or not problem else "it does not answer.",
        why_fixed=there.why_fixed if visible else "You have no role on it.",
    )
