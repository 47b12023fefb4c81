"""Name another host for a local location: machines get renamed. What lies at its root stays as it is."""

from portal.errors import Conflict, InputError, PortalError, Refused
from portal.models import Host, Storage
from portal.permissions import Action, PortalTarget, allows, require
from portal.planning.names import check_host_name
from portal.planning.overlaps import Place
from portal.services.access import storage_target
from portal.services.claims import is_moving
from portal.services.hosts import ensure_host, find_host
from portal.services.placing import check_overlaps, lock_registrations
from portal.services.reach import root_of
from portal.services.server_grants import is_open
from portal.services.work import Work
from portal.values import Mode, ModeReason, StorageType


def change_host(work: Work, storage: Storage, name: str) -> tuple[str, ...]:
    """Give a location another host and return warnings about roots it shares objects with; the same one is fine.

    What the last checks said was said on the old host, so they count no more.

    Raises:
        Conflict: the path is registered there already, would be written to twice, or a migration needs the location.
        InputError: no local root, or no name for a host.
        NotFound: nobody registered the host, and the actor may not.
        PermissionDenied: the actor is no admin of the location.
        Refused: the directory is not open to the actor.
    """
    host = host_name(name)
    if storage.host is not None and storage.host.name == host:
        return ()
    require(work.actor, Action.STORAGE_MANAGE, storage_target(storage))
    _refuse_kind(storage)
    if is_moving(work, storage):
        raise Conflict(f"{storage.root} is being moved.", hint="Finish or cancel the migration first.", field="host")
    _refuse_closed(work, storage)
    lock_registrations(work)
    warnings = _check_place(work, storage, host)
    storage.host = _host(work, host)
    storage.last_check_at = storage.last_check_status = None
    return warnings


def host_name(text: str) -> str:
    """Return what was typed as the name of a host.

    Raises:
        InputError: it can be none; the field is `host`.
    """
    try:
        return check_host_name(text)
    except InputError as error:
        raise InputError(error.message, hint=error.hint, field="host") from error


def _refuse_kind(storage: Storage) -> None:
    if storage.type is not StorageType.LOCAL:
        raise InputError(f"Only a local root has a host; {storage.root} has none.", field="host")


def _refuse_closed(work: Work, storage: Storage) -> None:
    """Refuse a directory that the actor could not register there either."""
    if not is_open(work, root_of(storage)):
        raise Refused(
            f"The directory {storage.root} is not open to you.",
            hint="Ask a portal admin to open it, or one around it, to your account.",
            field="host",
        )


def _check_place(work: Work, storage: Storage, host: str) -> tuple[str, ...]:
    is_writable = storage.mode is Mode.WRITABLE or storage.mode_reason is ModeReason.FOREIGN
    place = Place(root_of(storage), host=host, is_writable=is_writable)
    try:
        return check_overlaps(work, place, but=storage.id)
    except PortalError as error:
        raise Conflict(error.message, hint=error.hint, field="host") from error


def _host(work: Work, name: str) -> Host:
    may_add = name == work.settings.host or allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    return ensure_host(work, name) if may_add else find_host(work, name)
