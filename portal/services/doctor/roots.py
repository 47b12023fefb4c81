"""Roots that can be reached from here: whose marker lies there."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.errors import Conflict, ContentMismatch, PortalError
from portal.lamindb.marker import Marker, read_marker
from portal.models import Migration, Storage
from portal.planning.states import SWITCHED, MigrationState
from portal.services.doctor.findings import Case, Finding, error, warning
from portal.services.reach import Door, door_of, opened, within
from portal.services.work import Work
from portal.values import Mode

#: For one root, and for all together.
_ROOT_SECONDS, _ALL_SECONDS = 5.0, 30.0

#: The marker lies at both roots, or at the other one, while a move is in these.
_BETWEEN = frozenset({MigrationState.FENCED, *SWITCHED} - {MigrationState.RELEASED})


def look_at_roots(case: Case) -> Iterator[Finding]:
    """Yield what lies at a root and should not, or the other way round."""
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
