"""Roots that can be reached from here: whose marker lies there, and what ended moves left below `.lamindb/_portal`."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.backends.base import TEMPORARY_FOLDER
from portal.errors import Conflict, ContentMismatch, PortalError
from portal.lamindb.marker import Marker, read_marker
from portal.models import Migration, Storage
from portal.planning.states import FINAL, SWITCHED, MigrationState
from portal.services.doctor.findings import Case, Finding, error, warning
from portal.services.reach import Door, check_directory, door_of, opened, within
from portal.services.work import Work
from portal.values import Mode, StorageType

#: For one root, and for all together.
_ROOT_SECONDS, _ALL_SECONDS = 5.0, 30.0

#: The marker lies at both roots, or at the other one, while a move is in these.
_BETWEEN = frozenset({MigrationState.FENCED, *SWITCHED} - {MigrationState.RELEASED})


def look_at_roots(case: Case) -> Iterator[Finding]:
    """Yield what lies at a root and should not, or the other way round."""
    yield from _left_over(case)
    work = case.work()
    if work is not None:
        yield from _markers(case, work)


def _markers(case: Case, work: Work) -> Iterator[Finding]:
    """Yield managed locations whose root is not marked as theirs. A root that does not answer is passed over."""
    until, unseen = case.clock() + _ALL_SECONDS, 0
    moving = select(Migration.storage_id).where(
        Migration.state.in_(sorted(_BETWEEN)), Migration.storage_id.is_not(None)
    )
    query = (
        select(Storage)
        .where(Storage.mode == Mode.WRITABLE, Storage.id.not_in(moving))
        .options(joinedload(Storage.connection), joinedload(Storage.host))
        .order_by(Storage.id)
    )
    for storage in case.session.scalars(query).unique().all():
        if case.clock() > until:
            unseen += 1
            continue
        try:
            door = door_of(work, storage)
            late = f"{storage.root} did not answer within {_ROOT_SECONDS:.0f} s."
            found = within(_ROOT_SECONDS, lambda door=door: _marker_at(door), late)  # type: ignore[misc]  # bound now
        except Conflict:
            continue  # on another host, or its secret cannot be opened, which was said
        except ContentMismatch as trouble:
            yield error("marker", f"{storage.root}: {trouble.message}", _look(storage))
        except PortalError as trouble:
            yield warning("unreachable", f"{storage.root} cannot be looked at: {trouble.message}", _look(storage))
        else:
            yield from _compare(storage, found)
    if unseen:
        what = f"{unseen} locations were not looked at: there was no time left."
        yield warning("time", what, "Look again when the roots answer faster.")


def _marker_at(door: Door) -> Marker | None:
    with opened(door) as backend:
        return read_marker(backend)


def _compare(storage: Storage, found: Marker | None) -> Iterator[Finding]:
    if found is None:
        what = f"{storage.root} has no marker, though {storage.instance_slug or 'an instance'} writes to it."
        yield error("marker", what, _look(storage))
    elif found.storage_uid != storage.uid:
        what = f"The marker at {storage.root} names {found.storage_uid} of {found.owner_name}, not {storage.uid}."
        yield error("marker", what, _look(storage))


def _look(storage: Storage) -> str:
    return f"portal storage check {storage.uid}"


def _left_over(case: Case) -> Iterator[Finding]:
    """Yield temporaries of moves that are over, at local roots of this host. Nobody else writes under their tags."""
    query = select(Migration).where(Migration.state.in_(sorted(FINAL))).order_by(Migration.id)
    for migration in case.session.scalars(query).all():
        for side in ("source", "target"):
            host = getattr(migration, f"{side}_host")
            is_here = host is not None and host.name == case.settings.host
            if getattr(migration, f"{side}_type") is not StorageType.LOCAL or not is_here:
                continue
            folder = Path(getattr(migration, f"{side}_root")) / TEMPORARY_FOLDER
            for path in _of_migration(folder, migration.uid):
                yield _remove(case, path, migration.uid)


def _of_migration(folder: Path, uid: str) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name.startswith(f"{uid}-") and not path.is_symlink())
    except OSError:
        return []


def _remove(case: Case, path: Path, uid: str) -> Finding:
    what = f"{path} was left by migration {uid}, which is over."
    if not case.fix:
        return warning("temporary", what, "portal doctor --fix")
    try:
        check_directory(str(path), case.settings.local_bases)
        for entry in path.iterdir():
            entry.unlink()
        path.rmdir()
    except (OSError, PortalError) as trouble:
        return warning("temporary", f"{what} It could not be removed: {trouble}", f"rm -r {path}")
    return warning("temporary", what, "portal doctor --fix", "It was removed.")
