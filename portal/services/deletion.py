"""Delete a location for good: refused while LaminDB's own objects are in it. User files always stay.

LaminDB's rule (facts: lamindb docs, Storage.delete): only what lies below `.lamindb/` blocks, less the marker; a
location whose marker is another instance's, or none, is just a row. Row and marker go together or stay together.
"""

from dataclasses import dataclass
from itertools import islice

import structlog
from sqlalchemy import select

from portal.backends.base import INTERACTIVE, TEMPORARY_FOLDER, Backend
from portal.errors import Conflict, InputError, PortalError, StorageError
from portal.lamindb.marker import LEGACY_KEY, Marker, write_marker
from portal.models import Check, Storage
from portal.permissions import Action
from portal.services.connections import drop_if_unused
from portal.services.events import Change, record
from portal.services.marking import facts, remove_marker
from portal.services.reach import Door, door_of, opened, root_of, within
from portal.services.storages.edit import is_moving
from portal.services.storages.find import find_storage
from portal.services.units import Units
from portal.services.work import Work
from portal.values import MANAGED_FOLDER, MARKER_KEY, Mode

#: Blockers a page lists.
MOST_BLOCKERS = 20

#: Objects counted at most; a fuller root holds "10,000 or more".
MOST_COUNTED = 10_000

#: How long looking may take, seconds.
LOOK_SECONDS = 15.0

#: What the portal itself leaves for a moment: temporaries and probes.
_PORTALS_OWN = (f"{TEMPORARY_FOLDER}/", f"{MANAGED_FOLDER}/_probe/")

log = structlog.get_logger("portal.services")


@dataclass(frozen=True, slots=True)
class Emptiness:
    """One of the three kinds of empty.

    Attributes:
        title: what is counted.
        count: how many there are; None: not known.
        is_more: whether counting stopped at `count`.
        blocks: whether it keeps the location from being deleted.
        examples: the first of them.
        text: what that means, one sentence.
    """

    title: str
    count: int | None
    is_more: bool
    blocks: bool
    examples: tuple[str, ...]
    text: str

    @property
    def count_label(self) -> str:
        """Return the count in words: where counting stopped it says so."""
        if self.count is None:
            return "not known"
        return f"{self.count:,} or more" if self.is_more else f"{self.count:,}"


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What deleting would do. `refusals` empty: it may go.

    Attributes:
        uid, root: of the location.
        confirm_with: what the person types.
        kinds: records, managed objects, any object.
        refusals: every reason against it, each with what to do.
        removes_marker: whether the marker goes with the row.
    """

    uid: str
    root: str
    confirm_with: str
    kinds: tuple[Emptiness, ...]
    refusals: tuple[str, ...]
    removes_marker: bool

    @property
    def may_go(self) -> bool:
        """Tell whether nothing speaks against it."""
        return not self.refusals


@dataclass(frozen=True, slots=True)
class _Seen:
    managed: tuple[str, ...]
    managed_more: bool
    others: int
    others_more: bool
    examples: tuple[str, ...]


def plan_deletion(units: Units, reference: str) -> DeletionPlan:
    """Look what keeps a location from being deleted; changes nothing.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of it.
    """
    with units.reading() as work:
        storage = find_storage(work, reference, Action.STORAGE_DELETE)
        refusals = _standing_refusals(work, storage)
        door, is_ours = door_of(work, storage), storage.mode is Mode.WRITABLE
        uid, confirm_with = storage.uid, root_of(storage).name
    seen: _Seen | None = None
    try:
        seen = within(LOOK_SECONDS, lambda: _look(door), f"{door.root} did not answer within {LOOK_SECONDS:.0f} s.")
    except PortalError as error:
        if is_ours:
            refusals.append(f"It cannot be shown to be empty: {error}")
    kinds = (_records(), _managed(seen, is_ours), _objects(seen))
    if kinds[1].blocks:
        objects = "1 object" if kinds[1].count == 1 else f"{kinds[1].count_label} objects"
        refusals.append(f"Not empty: {objects} in {MANAGED_FOLDER}/. Move them first.")
    return DeletionPlan(uid, door.root.text, confirm_with, kinds, tuple(refusals), is_ours)


def _standing_refusals(work: Work, storage: Storage) -> list[str]:
    """Return what speaks against it in the record itself."""
    found = []
    if storage.is_default:
        found.append("It is the default location of its instance. Make another one the default first.")
    if storage.is_locked:
        found.append("Its record is locked. Unlock it first.")
    if is_moving(work, storage):
        found.append("It is being moved. Finish or cancel the migration first.")
    return found


def _look(door: Door) -> _Seen:
    with opened(door, timeouts=INTERACTIVE) as backend:
        own = {MARKER_KEY, LEGACY_KEY}
        managed = _keys(backend, f"{MANAGED_FOLDER}/", own)
        everything = _keys(backend, "", own)
    others = [key for key in everything if not key.startswith(f"{MANAGED_FOLDER}/")]
    return _Seen(
        managed=tuple(managed),
        managed_more=len(managed) >= MOST_COUNTED,
        others=len(others),
        others_more=len(everything) >= MOST_COUNTED,
        examples=tuple(others[:MOST_BLOCKERS]),
    )


def _keys(backend: Backend, prefix: str, but: set[str]) -> list[str]:
    found = (
        entry.key
        for entry in backend.list_objects(prefix)
        if entry.key not in but and not entry.key.startswith(_PORTALS_OWN)
    )
    return list(islice(found, MOST_COUNTED))


def _records() -> Emptiness:
    text = "No registry is attached, so the portal does not know its records. Look in LaminDB before you go on."
    return Emptiness("Records that refer to it", None, False, False, (), text)


def _managed(seen: _Seen | None, is_ours: bool) -> Emptiness:
    title = f"Managed objects under {MANAGED_FOLDER}/"
    if seen is None:
        return Emptiness(title, None, False, False, (), "The root could not be looked into.")
    count = len(seen.managed)
    blocks = is_ours and count > 0
    text = "These belong to artifacts of LaminDB." if count else "None, beside the marker."
    if count and not is_ours:
        text = "They belong to another instance, or to none: they stay, only the record here goes."
    return Emptiness(title, count, seen.managed_more, blocks, seen.managed[:MOST_BLOCKERS], text)


def _objects(seen: _Seen | None) -> Emptiness:
    if seen is None:
        return Emptiness("Any other object", None, False, False, (), "The root could not be looked into.")
    text = "User files stay where they are." if seen.others else "None."
    return Emptiness("Any other object", seen.others, seen.others_more, False, seen.examples, text)


def delete_storage(units: Units, reference: str, confirm: str) -> str:
    """Delete a location for good and return its root. `confirm`: the root's name, as typed.

    Raises:
        Conflict: something speaks against it.
        InputError: the confirmation is another text.
        NotFound, PermissionDenied: the actor is no admin of it.
        StorageError: the marker could not be removed; nothing was deleted.
    """
    plan = plan_deletion(units, reference)
    if confirm.strip() != plan.confirm_with:
        raise InputError(f"Type {plan.confirm_with} to confirm.", hint="Nothing was deleted.", field="confirm")
    _refuse(plan.refusals)
    with units.reading() as work:
        storage = find_storage(work, plan.uid, Action.STORAGE_DELETE)
        door = door_of(work, storage)
    removed = _remove_marker(door, plan.uid) if plan.removes_marker else None
    try:
        with units.writing() as work:
            _delete_row(work, plan.uid)
    except BaseException:
        if removed is not None:
            _put_back(door, removed)
        raise
    return plan.root


def _refuse(refusals: tuple[str, ...] | list[str]) -> None:
    if refusals:
        raise Conflict(" ".join(refusals) + " Nothing was deleted.")


def _remove_marker(door: Door, uid: str) -> Marker | None:
    def run() -> Marker | None:
        with opened(door, timeouts=INTERACTIVE, tag="marker") as backend:
            return remove_marker(backend, uid)

    return within(LOOK_SECONDS, run, f"{door.root} did not answer within {LOOK_SECONDS:.0f} s.")


def _put_back(door: Door, marker: Marker) -> None:
    """Write the marker again after the row could not be deleted."""

    def run() -> None:
        with opened(door, timeouts=INTERACTIVE, tag="marker") as backend:
            write_marker(backend, marker)

    try:
        within(LOOK_SECONDS, run, "late")
    except StorageError:
        log.warning("a marker could not be put back", root=door.root.text, uid=marker.storage_uid)


def _delete_row(work: Work, uid: str) -> None:
    """Delete the row, its checks by cascade, and its connection where nothing else needs it."""
    storage = find_storage(work, uid, Action.STORAGE_DELETE)
    _refuse(_standing_refusals(work, storage))
    connection = storage.connection
    record(work, "storage.deleted", storage, Change(before=facts(storage)))
    for check in work.session.scalars(select(Check).where(Check.storage_id == storage.id)):
        work.session.delete(check)
    work.session.delete(storage)
    work.session.flush()
    if connection is not None:
        drop_if_unused(work, connection)
