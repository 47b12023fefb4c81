"""Save what was tried: the marker at the root, the row in the attached instance and the row here, all or none.

No network runs inside a transaction, so the order is: ask for the rights again, write the marker (create-only, its uid
fixed before), insert the rows there and here, and take back what was written if that fails. Killed in between, the
marker names the chosen instance, and the next try adopts it with its uid, and the instance's row where it has one.
"""

import secrets
import time
from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import select

from portal.backends.base import INTERACTIVE, Backend
from portal.errors import Conflict, ContentMismatch, ObjectExists, StorageError
from portal.lamindb.marker import UNKNOWN_INSTANCE, Marker, read_marker, render, write_marker
from portal.models import Host, Storage
from portal.permissions import Action, allows
from portal.planning.retries import RetryPolicy, next_wait_seconds
from portal.services.access import storage_target
from portal.services.attachments import ensure_attached
from portal.services.checks import keep_checks
from portal.services.events import Change, record
from portal.services.placing import Settled, check_overlaps, lock_registrations, place_of
from portal.services.reach import Door, opened, within
from portal.services.registries import new_rows
from portal.services.trials import TRY_SECONDS, Attempt, Trial
from portal.services.units import Units
from portal.services.work import Work
from portal.values import MARKER_KEY, Mode

_T = TypeVar("_T")

log = structlog.get_logger("portal.services")

#: Asks for every right again and gives the ids for the row's connection and host.
Recheck = Callable[[Work], None]
Links = Callable[[Work], tuple[int | None, int | None]]

#: Within the time of a try: four looks in about a second and a half.
_PATIENCE: Final = RetryPolicy(attempts=4, first_seconds=0.2, max_seconds=1.0)


def save_tried(units: Units, attempt: Attempt, trial: Trial, recheck: Recheck, links: Links) -> str:
    """Save a tried root and return the location's uid. `links` gives connection and host of the row.

    Raises:
        Conflict: somebody else registered or marked the root meanwhile.
        RegistryError: the attached instance's own database could not be written; nothing was saved.
        StorageError: the marker could not be written; nothing was saved.
    """
    with units.reading() as work:
        recheck(work)
        check_free(work, trial)
    there = new_rows.prepare_row(units, attempt, trial)
    # A marker that was there before carries the same uid: only a new one may be taken back.
    is_marking, row_id = trial.mode is Mode.WRITABLE, None
    try:
        if is_marking:
            marker = marker_of(trial.uid, attempt.settled)
            _at(trial.door, lambda backend: put_marker(backend, marker))
        row_id = new_rows.add_row(there) if there else None
        with units.writing() as work:
            lock_registrations(work)
            recheck(work)
            check_free(work, trial)
            storage = insert_storage(work, attempt, trial, links(work))
            if there and row_id is not None:
                new_rows.refer_to(work, storage, there.slug, row_id)
    except BaseException:
        if there and row_id is not None:
            new_rows.remove_row(there, row_id)
        if is_marking and trial.marker is None:
            _take_back(units, trial)
        raise
    return trial.uid


def _at(door: Door, do: Callable[[Backend], _T]) -> _T:
    """Do one thing at a root within the time of a try."""

    def run() -> _T:
        with opened(door, timeouts=INTERACTIVE, tag="marker") as backend:
            return do(backend)

    return within(TRY_SECONDS, run, f"{door.root} did not answer within {TRY_SECONDS:.0f} s.")


def check_free(work: Work, trial: Trial) -> None:
    """Refuse a root or a uid that is taken.

    Raises:
        Conflict: saying which; another's location is not named.
    """
    door = trial.door
    check_overlaps(work, place_of(door.root, door.host, is_writable=trial.mode is Mode.WRITABLE))
    taken = work.session.scalar(select(Storage).where(Storage.uid == trial.uid))
    if taken is None:
        return
    visible = allows(work.actor, Action.STORAGE_READ, storage_target(taken))
    raise Conflict(
        f"The marker here carries the uid {trial.uid}, which belongs to "
        f"{taken.root if visible else 'another location of this portal'}.",
        hint="A copied folder keeps the marker of its original: delete .lamindb/storage_uid.txt in the copy.",
        field="root",
    )


def marker_of(uid: str, settled: Settled) -> Marker:
    """Return the marker of a location that the chosen instance writes to."""
    identity = UUID(settled.instance_uuid or "")
    return Marker(uid, settled.instance_slug or "", identity.hex, settled.instance_uid or "")


def put_marker(backend: Backend, marker: Marker) -> None:
    """Write a marker where there is none. What lies there afterwards decides, not what the server answered.

    Two who mark one root in the same instant can both get an error or an answer that is no longer true, so each looks
    again, and writes again where nothing is to be found.

    Raises:
        Conflict: somebody else marked the root since it was tried.
        ContentMismatch: what was written is not to be found.
        StorageError: it could not be written.
    """
    attempt = 1
    while True:
        try:
            return _write_once(backend, marker)
        except StorageError as error:
            wait = next_wait_seconds(error, attempt, secrets.randbelow(1000) / 1000, _PATIENCE)
            if wait is None:
                raise
        time.sleep(wait)
        attempt += 1


def _write_once(backend: Backend, marker: Marker) -> None:
    found = read_marker(backend)
    if found is not None and found.storage_uid == marker.storage_uid:
        return
    if found is None:
        data = render(marker).encode()
        try:
            backend.write(MARKER_KEY, [data], size_bytes=len(data))
        except ObjectExists:
            if read_marker(backend) is None:  # an empty file, which LaminDB takes for no marker
                write_marker(backend, marker)
        found = read_marker(backend)
    if found is not None and found.storage_uid != marker.storage_uid:
        raise Conflict(
            f"{backend.root} was marked by {found.owner_name} meanwhile. Nothing was saved.",
            hint="Try again to see whose it is.",
            field="root",
        )
    if found != marker:
        raise ContentMismatch(
            "The marker reads back differently.",
            hint="Somebody else may be marking here: look at it, then retry.",
            retryable=found is None,
        )


def remove_marker(backend: Backend, uid: str) -> Marker | None:
    """Remove the marker if its first line is `uid`; return what was removed, None for nothing."""
    found = read_marker(backend)
    if found is None or found.storage_uid != uid:
        return None
    backend.delete(MARKER_KEY)
    return found


def _take_back(units: Units, trial: Trial) -> None:
    """Remove the marker we wrote; where somebody registered the root meanwhile, leave theirs."""
    try:
        theirs = _marker_of_row(units, trial.door)
        if theirs is None:
            _at(trial.door, lambda backend: remove_marker(backend, trial.uid))
        elif theirs.storage_uid != trial.uid:
            _at(trial.door, lambda backend: write_marker(backend, theirs))
    except StorageError:
        log.warning("a marker could not be taken back", root=trial.root.text, uid=trial.uid)


def _marker_of_row(units: Units, door: Door) -> Marker | None:
    query = select(Storage).where(Storage.root == door.root.text, Storage.mode == Mode.WRITABLE)
    if door.host is not None:
        query = query.join(Host, Storage.host_id == Host.id).where(Host.name == door.host)
    with units.reading() as work:
        storage = work.session.scalar(query)
        if storage is None or storage.instance is None:
            return None
        instance = storage.instance
        return Marker(storage.uid, instance.slug, UUID(instance.uuid).hex, instance.uid)


def insert_storage(work: Work, attempt: Attempt, trial: Trial, links: tuple[int | None, int | None]) -> Storage:
    """Add the row with its checks and event. `links`: row ids of connection and host."""
    settled = attempt.settled
    is_default = settled.is_default and trial.mode is Mode.WRITABLE
    if is_default:
        unset_default(work, settled.instance_id)
    if settled.instance_id is not None and not trial.is_foreign:
        ensure_attached(work, settled.instance_id, settled.space_id)
    connection_id, host_id = links
    uid, slug = _written_by(settled, trial)
    storage = Storage(
        uid=trial.uid,
        root=trial.root.text,
        type=trial.root.type,
        region=trial.region,
        host_id=host_id,
        description=settled.description,
        owner_id=settled.owner_id,
        space_id=settled.space_id,
        instance_id=None if trial.is_foreign else settled.instance_id,
        instance_uid=uid,
        instance_slug=slug,
        connection_id=connection_id,
        mode=trial.mode,
        mode_reason=trial.mode_reason,
        is_default=is_default,
        created_by_id=work.actor.account_id,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(storage)
    work.session.flush()
    keep_checks(work, storage, trial.checks)
    record(work, "storage.connected" if connection_id else "storage.registered", storage, Change(after=facts(storage)))
    return storage


def _written_by(settled: Settled, trial: Trial) -> tuple[str | None, str | None]:
    """Return uid and slug of the instance that may write, as LaminDB records them."""
    if trial.is_foreign and trial.marker:
        return trial.marker.instance_uid or UNKNOWN_INSTANCE, trial.marker.instance_slug[:140] or None
    if trial.mode is Mode.WRITABLE:
        return settled.instance_uid, settled.instance_slug
    return None, None


def unset_default(work: Work, instance_id: int | None) -> None:
    """Take the default from the instance's present one, so that another location can get it."""
    present = select(Storage).where(Storage.instance_id == instance_id, Storage.is_default)
    for storage in work.session.scalars(present):
        storage.is_default, storage.updated_at = False, work.now
        record(work, "storage.changed", storage, Change({"is_default": True}, {"is_default": False}))
    work.session.flush()


def facts(storage: Storage) -> dict[str, object]:
    """Return a location as events show it."""
    return {
        "root": storage.root,
        "description": storage.description,
        "space_id": storage.space_id,
        "instance_uid": storage.instance_uid,
        "mode": str(storage.mode),
        "mode_reason": str(storage.mode_reason),
        "is_default": storage.is_default,
    }
