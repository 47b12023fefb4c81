"""Look at the directory of a location whose host becomes this machine, before its record says so."""

from portal.errors import Conflict, InputError
from portal.lamindb.marker import Marker, read_marker
from portal.permissions import Action
from portal.services.reach import Door, make_door, opened, root_of, within
from portal.services.register import LOOK_SECONDS, require_directory, resolve
from portal.services.storages.find import find_storage
from portal.services.storages.hosting import change_host, host_name
from portal.services.units import Units
from portal.values import Root


class _TakenBack(Exception):
    """Ends the trial of the change."""


def try_host(units: Units, reference: str, name: str) -> tuple[str, ...]:
    """Try to give a location this host, change nothing, and return what people should know.

    Every right is asked for before the disk is: only those the directory is open to learn what exists.

    Raises:
        Conflict: as `change_host`; or the directory here is another location's, or a link that leads elsewhere.
        InputError: there is no such directory here; also as `change_host`.
        NotFound, PermissionDenied, Refused: as `change_host`; or the root lies outside of the base directories.
        StorageError: the directory cannot be read.
    """
    host = host_name(name)
    found: list[tuple[Door, str, bool, tuple[str, ...]]] = []
    try:
        with units.writing() as work:
            storage = find_storage(work, reference, Action.STORAGE_DESCRIBE)
            is_new = storage.host is None or storage.host.name != host
            warnings = change_host(work, storage, name)
            settings = work.settings
            door = make_door(settings, root_of(storage), None, host)
            found.append((door, storage.uid, is_new, warnings))
            raise _TakenBack
    except _TakenBack:
        pass
    [(door, uid, is_new, warnings)] = found
    if not is_new:
        return ()
    if not door.is_here:
        only = f"It is reachable from {host} alone now. Start a runner there: portal runner --host {host}"
        return (*warnings, only)
    _require_own(door, uid, resolve(settings, door.root.text, host))
    return warnings


def _require_own(door: Door, uid: str, resolved: Root) -> None:
    """Refuse a directory that is not this location's, as far as its path and its marker tell."""
    if resolved != door.root:
        raise Conflict(
            f"{door.root} leads to {resolved} on this host.", hint="Move the root there instead.", field="host"
        )
    try:
        require_directory(door.root)
    except InputError as error:
        raise InputError(error.message, hint="Choose the host that has it.", field="host") from error
    marker = within(LOOK_SECONDS, lambda: _marker(door), f"{door.root} does not answer.")
    if marker is not None and marker.storage_uid != uid:
        raise Conflict(
            f"{door.root} on this host is marked as {marker.storage_uid}, which is another location than {uid}.",
            hint="Look whose directory it is; a restored copy needs its own marker.",
            field="host",
        )


def _marker(door: Door) -> Marker | None:
    with opened(door) as backend:
        return read_marker(backend)
