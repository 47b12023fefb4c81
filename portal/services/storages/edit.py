"""Change a location's record: description, space, default, branch, host, lock.

Two people at once: the second one is told.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm.exc import StaleDataError

from portal.errors import Conflict, InputError
from portal.models import Event, Registry, Space, Storage
from portal.permissions import Action, SpaceTarget, require
from portal.services.access import storage_target
from portal.services.attachments import ensure_attached
from portal.services.claims import is_moving
from portal.services.events import Change, record
from portal.services.marking import unset_default
from portal.services.registries.default_rules import database_root_of, why_not_default
from portal.services.spaces import find_space
from portal.services.storages.find import find_storage
from portal.services.storages.hosting import change_host
from portal.services.work import Work
from portal.values import Branch, Mode

#: The events that say who changed a record.
_CHANGES = ("storage.changed", "storage.locked", "storage.moved", "storage.unlocked")


@dataclass(frozen=True, slots=True)
class StorageEdit:
    """A change of a location's record; None leaves a field as it is.

    Attributes:
        description: needs the role write.
        space: uid, `owner/name` or name of the target space; needs admin on location and space.
        is_default: of its writing instance; needs admin.
        branch: main, archive or trash; needs admin.
        host: name of the machine that sees a local root; see `change_host` and, for this machine, `try_host`.
        version: of the record the person saw; None: whatever it is now.
    """

    description: str | None = None
    space: str | None = None
    is_default: bool | None = None
    branch: Branch | None = None
    host: str | None = None
    version: int | None = None


def edit_storage(work: Work, reference: str, edit: StorageEdit) -> Storage:
    """Change a location's record and say in an event what was changed; nothing to change is fine.

    Raises:
        Conflict: it is locked, or somebody changed it since the version that was seen.
        InputError: a default that nothing can be written to, a space that is not attached, no such host.
        NotFound, PermissionDenied, Refused: the actor lacks a right.
    """
    storage = find_storage(work, reference, Action.STORAGE_DESCRIBE)
    _refuse_locked(storage)
    if edit.version is not None and edit.version != storage.version:
        raise _changed_meanwhile(work, storage)
    before = _fields(storage)
    if edit.description is not None:
        storage.description = edit.description.strip()
    if edit.space is not None:
        _move_to_space(work, storage, edit.space)
    if edit.is_default is not None and edit.is_default != storage.is_default:
        _set_default(work, storage, edit.is_default)
    if edit.branch is not None and edit.branch != storage.branch_id:
        _change_branch(work, storage, edit.branch)
    if edit.host is not None:
        change_host(work, storage, edit.host)
    return _keep(work, storage, before, "storage.changed")


def _keep(work: Work, storage: Storage, before: dict[str, object], action: str) -> Storage:
    after = _fields(storage)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return storage
    storage.updated_at = work.now
    try:
        seen, set_to = ({name: side[name] for name in changed} for side in (before, after))
        record(work, action, storage, Change(seen, set_to))
    except StaleDataError as error:
        raise _conflict("Somebody changed this a moment ago.") from error
    return storage


def _fields(storage: Storage) -> dict[str, object]:
    return {
        "description": storage.description,
        "space_id": storage.space_id,
        "is_default": storage.is_default,
        "branch": Branch(storage.branch_id).label,
        "is_locked": storage.is_locked,
        **({"host": storage.host.name} if storage.host else {}),
    }


def _refuse_locked(storage: Storage) -> None:
    if storage.is_locked:
        raise Conflict(f"{storage.root} is locked. Nothing was saved.", hint="An admin of it can unlock it.")


def _changed_meanwhile(work: Work, storage: Storage) -> Conflict:
    """Name who changed the record last; other events about the location, such as a move's, did not change it."""
    query = select(Event).where(Event.storage_id == storage.id, Event.action.in_(_CHANGES)).order_by(Event.id.desc())
    last = work.session.scalar(query.limit(1))
    if last is None or last.at < storage.updated_at:
        return _conflict(f"This was changed {_ago(work.now - storage.updated_at)}.")
    return _conflict(f"{last.actor_handle} changed this {_ago(work.now - last.at)}.")


def _conflict(sentence: str) -> Conflict:
    return Conflict(f"{sentence} Nothing was saved; your text is below.", hint="Save again to put yours in its place.")


def _ago(age: timedelta) -> str:
    """Return an age in the words of UI.md, message 8."""
    minutes = int(age.total_seconds() // 60)
    if minutes < 1:
        return "a moment ago"
    return f"{minutes} min ago" if minutes < 60 else f"{minutes // 60} h ago"


def _move_to_space(work: Work, storage: Storage, reference: str) -> None:
    space = find_space(work, reference, Action.SPACE_READ)
    if space.id == storage.space_id:
        return
    require(work.actor, Action.STORAGE_MANAGE, storage_target(storage))
    require(work.actor, Action.SPACE_PLACE_STORAGE, SpaceTarget(space.id))
    if storage.instance_id is not None:
        ensure_attached(work, storage.instance_id, space.id)
    storage.space_id = space.id
    storage.space = work.session.get_one(Space, space.id)


def _set_default(work: Work, storage: Storage, is_default: bool) -> None:
    require(work.actor, Action.STORAGE_MANAGE, storage_target(storage))
    if is_default and (storage.mode is not Mode.WRITABLE or storage.instance_id is None):
        raise InputError("Only a location that its instance may write to can be the default.", field="is_default")
    if is_default and storage.branch_id != Branch.MAIN:
        raise InputError("An archived or trashed location cannot be the default.", field="is_default")
    if is_default and storage.instance is not None and (why := why_not_default(work, storage, storage.instance)):
        raise InputError(why, field="is_default")
    if not is_default and _holds_database(work, storage):
        raise InputError("The database of its SQLite instance lies here: it stays the default.", field="is_default")
    if is_default:
        unset_default(work, storage.instance_id)
    storage.is_default = is_default


def _holds_database(work: Work, storage: Storage) -> bool:
    registry = work.session.scalar(select(Registry).where(Registry.instance_id == storage.instance_id))
    return database_root_of(registry) == storage.root


def _change_branch(work: Work, storage: Storage, branch: Branch) -> None:
    require(work.actor, Action.STORAGE_MANAGE, storage_target(storage))
    if branch is not Branch.MAIN and storage.is_default:
        raise Conflict(
            f"{storage.root} is the default location of its instance.", hint="Make another one the default first."
        )
    if branch is not Branch.MAIN and is_moving(work, storage):
        raise Conflict(f"{storage.root} is being moved.", hint="Finish or cancel the migration first.")
    storage.branch_id = int(branch)


def set_lock(work: Work, reference: str, is_locked: bool) -> Storage:
    """Lock a location's record against changes, or unlock it.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of it.
    """
    storage = find_storage(work, reference, Action.STORAGE_MANAGE)
    before = _fields(storage)
    storage.is_locked = is_locked
    return _keep(work, storage, before, "storage.locked" if is_locked else "storage.unlocked")
