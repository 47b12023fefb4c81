"""What a deletion takes away, written down before, so that a broken-off one is ended: everything is put back.

A location is marked at its root, has a row in each instance's database and a record here: three stores without one
common transaction. So an event with the marker's exact text and the whole rows comes first; then marker, rows and
record go, in this order. Whatever fails puts back what the event names; putting back what is still there changes
nothing. Killed in between, the event stays the location's latest of its kind: deleting again takes the rest away, and
running the checks puts everything back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import select

from portal.backends.base import INTERACTIVE, Backend
from portal.errors import Conflict, ObjectExists, PortalError
from portal.lamindb.marker import read_marker_file
from portal.lamindb.registry.opening import PAGE
from portal.lamindb.registry.removal import delete_kept, put_row_back
from portal.models import Event, Registry, Storage
from portal.permissions import Action, require
from portal.services.access import storage_target
from portal.services.events import Change, record
from portal.services.reach import Door, door_of, opened, within
from portal.services.registries.ways import Entry, entry_of
from portal.services.registries.ways import opened as opened_registry
from portal.services.storages.find import find_storage
from portal.services.units import Units
from portal.services.work import Work
from portal.values import CheckResult, CheckStatus

_T = TypeVar("_T")

BEGUN, UNDONE, DELETED = "storage.deletion-begun", "storage.deletion-undone", "storage.deleted"

#: How long looking at a root, or changing its marker, may take, seconds.
LOOK_SECONDS = 15.0

#: After this a deletion that has not ended is taken for broken off.
BROKEN_AFTER = timedelta(minutes=2)

log = structlog.get_logger("portal.services")


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes.

    Attributes:
        marker: key and exact text; None: there is none, or it stays.
        rows: the portal's row id of each instance with its whole row there.
    """

    marker: tuple[str, str] | None
    rows: tuple[tuple[int, dict[str, Any]], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as an event keeps it."""
        return {"marker": self.marker, "rows": [{"instance_id": number, "row": row} for number, row in self.rows]}

    def with_rest_of(self, earlier: "Removal | None") -> "Removal":
        """Return it with what an earlier, broken-off deletion has taken away already."""
        if earlier is None:
            return self
        known = {number for number, _ in self.rows}
        more = tuple(each for each in earlier.rows if each[0] not in known)
        return Removal(self.marker or earlier.marker, (*self.rows, *more))


def begin(work: Work, storage: Storage, removal: Removal) -> int:
    """Write down what will go and return the event's id.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of the location.
    """
    require(work.actor, Action.STORAGE_DELETE, storage_target(storage))
    event = record(work, BEGUN, storage, Change(after=removal.as_json()))
    work.session.flush()
    return event.id


def find_pending(work: Work, storage: Storage) -> tuple[Event, Removal] | None:
    """Return the deletion that was begun and not ended; None where there is none."""
    query = (
        select(Event)
        .where(Event.storage_id == storage.id, Event.target_uid == storage.uid)
        .where(Event.action.in_((BEGUN, UNDONE, DELETED)))
        .order_by(Event.id.desc())
        .limit(1)
    )
    event = work.session.scalar(query)
    if event is None or event.action != BEGUN:
        return None
    kept = event.after or {}
    key_and_text = kept.get("marker")
    marker = (key_and_text[0], key_and_text[1]) if key_and_text else None
    return event, Removal(marker, tuple((each["instance_id"], each["row"]) for each in kept.get("rows", ())))


def require_pending(work: Work, storage: Storage, event_id: int) -> None:
    """Refuse to end a deletion that somebody has put back meanwhile.

    Raises:
        Conflict: it is not the latest any more.
    """
    pending = find_pending(work, storage)
    if pending is None or pending[0].id != event_id:
        raise Conflict("Checks put back what the deletion had removed.", hint="Delete it again.")


def read_kept_marker(door: Door, uid: str) -> tuple[str, str] | None:
    """Return key and text of the location's own marker; None where there is none of its uid.

    Raises:
        Conflict, Refused, StorageError: the root cannot be read.
    """

    def ask(backend: Backend) -> tuple[str, str] | None:
        found = read_marker_file(backend)
        return (found.key, found.text) if found is not None and found.marker.storage_uid == uid else None

    return _at(door, ask)


def remove_marker(door: Door, uid: str) -> None:
    """Remove the location's marker; gone already is fine, and another's stays.

    Raises:
        Conflict, Refused, StorageError: it cannot be removed.
    """

    def remove(backend: Backend) -> None:
        found = read_marker_file(backend)
        if found is not None and found.marker.storage_uid == uid:
            backend.delete(found.key)

    _at(door, remove)


def remove_rows(units: Units, removal: Removal) -> None:
    """Delete the rows that go, instance by instance; those gone already are fine.

    Raises:
        Conflict: an instance was detached meanwhile.
        RegistryError: a row is another one now, has artifacts, or cannot be deleted.
    """
    for entry, row in _entries(units, removal):
        with opened_registry(entry, writes=True, limits=PAGE) as connection:
            delete_kept(connection, row)


def put_back(units: Units, uid: str, removal: Removal) -> tuple[str, ...]:
    """Put back whatever is gone of it, and say so in an event; return what could not be. Twice changes nothing more."""
    with units.reading() as work:
        storage = work.session.scalar(select(Storage).where(Storage.uid == uid))
        if storage is None:  # somebody else's deletion went through
            return ()
        door = door_of(work, storage)
    problems = []
    try:
        _put_marker_back(door, removal)
    except PortalError as error:
        problems.append(f"The marker is not back: {error}")
    try:
        for entry, row in _entries(units, removal):
            with opened_registry(entry, writes=True, limits=PAGE) as connection:
                put_row_back(connection, row)
    except PortalError as error:
        problems.append(f"A row is not back: {error}")
    if not problems:
        with units.writing() as work:
            storage = work.session.scalars(select(Storage).where(Storage.uid == uid)).one()
            record(work, UNDONE, storage)
    for problem in problems:
        log.warning("a deletion could not be put back", uid=uid, problem=problem)
    return tuple(problems)


def _put_marker_back(door: Door, removal: Removal) -> None:
    if removal.marker is None:
        return
    key, text = removal.marker

    def write(backend: Backend) -> None:
        data = text.encode()
        try:
            backend.write(key, [data], size_bytes=len(data))
        except ObjectExists:
            found = read_marker_file(backend)
            if found is None or found.text != text:
                raise Conflict(f"{key} holds something else by now.", hint="Look at it.") from None

    _at(door, write)


def _entries(units: Units, removal: Removal) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Give the way into each instance with its row; no unit of work is open meanwhile."""
    for instance_id, row in removal.rows:
        with units.reading() as work:
            registry = work.session.scalar(select(Registry).where(Registry.instance_id == instance_id))
            if registry is None:
                raise Conflict("An instance was detached meanwhile.", hint="Attach it again, then run the checks.")
            entry = entry_of(work, registry)
        yield entry, row


def _at(door: Door, do: Callable[[Backend], _T]) -> _T:
    def run() -> _T:
        with opened(door, timeouts=INTERACTIVE, tag="marker") as backend:
            return do(backend)

    return within(LOOK_SECONDS, run, f"{door.root} did not answer within {LOOK_SECONDS:.0f} s.")


def end_broken(units: Units, reference: str) -> CheckResult | None:
    """Put back what a broken-off deletion removed, and return a check that says so; None where there is none.

    Raises:
        NotFound, PermissionDenied: the actor has not the role write.
    """
    with units.reading() as work:
        storage = find_storage(work, reference, Action.STORAGE_CHECK)
        pending = find_pending(work, storage)
        if pending is None:
            return None
        event, removal = pending
        uid, who, is_old = storage.uid, event.actor_handle, work.now - event.at >= BROKEN_AFTER
    if not is_old:
        return _told(CheckStatus.SKIPPED, f"{who} is deleting it just now.", "Run the checks again in 2 min.")
    problems = put_back(units, uid, removal)
    if problems:
        return _told(CheckStatus.FAILED, f"A deletion by {who} was broken off. {' '.join(problems)}", "Check again.")
    return _told(CheckStatus.WARNING, f"A deletion by {who} was broken off; what it had removed was put back.", None)


def _told(status: CheckStatus, reason: str, fix: str | None) -> CheckResult:
    return CheckResult("deletion", "Deletion", status, None, reason, fix)
