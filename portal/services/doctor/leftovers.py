"""What killed work left below roots: temporaries, unfinished uploads and probes, told apart by their names.

Removed is what this portal surely made and nobody needs any more: of migrations of this database that are over, of
locations that do not move, and of checks that must have ended long ago.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.backends.base import TEMPORARY_FOLDER
from portal.backends.leftovers import PROBE_FOLDER, Leftover
from portal.errors import Conflict, PortalError
from portal.models import Migration, Storage
from portal.planning.roots import parse_root
from portal.planning.states import FINAL
from portal.services.doctor.findings import Case, Finding, warning
from portal.services.reach import Door, access_of, door_of, make_door, opened, within
from portal.values import StorageType

#: For one root, and for all together.
_ROOT_SECONDS, _ALL_SECONDS = 5.0, 60.0

#: No check of a location lasts so long.
_CHECKED = timedelta(hours=1)

#: Tags and names of probes as checks of locations and the short jobs of moves give them (`services/trials.py`,
#: `services/marking.py`, `runner/jobs.py`; `untagged`: the latter, before they had a tag).
_OF_CHECK = {
    "temporaries": re.compile(r"marker|untagged|probe-[0-9a-f]{8}|move-[0-9A-Za-z]+"),
    "probe": re.compile(r"[0-9a-f]{32}"),
}

#: Tags as runners give them (`runner/shards.py`); probes as `runner/jobs.py` and `Backend.prove`.
_OF_MOVE = {
    "temporaries": re.compile(r"(?P<uid>[0-9A-Za-z]+)-[fb]\d+-\d+"),
    "probe": re.compile(r"(?P<uid>[0-9A-Za-z]+)(-checksums)?"),
}


@dataclass(frozen=True, slots=True)
class _Owners:
    """Whose leftovers nobody needs: uids of migrations that are over, of locations that do not move now."""

    ended: frozenset[str]
    idle: frozenset[str]


def look_at_leftovers(case: Case) -> Iterator[Finding]:
    """Yield what lies below roots and is nobody's any more. A root that does not answer is passed over."""
    until, unseen = case.clock() + _ALL_SECONDS, 0
    for door in _doors(case):
        if case.clock() > until:
            unseen += 1
            continue
        late = f"{door.root} did not answer within {_ROOT_SECONDS:.0f} s."
        try:
            found = within(_ROOT_SECONDS, lambda door=door: _look(door), late)  # type: ignore[misc]  # bound now
        except PortalError:
            continue  # on another host, gone, or away: where that matters, the markers tell
        yield from _findings(case, door, found)
    if unseen:
        what = f"{unseen} roots were not looked through for leftovers: there was no time left."
        yield warning("time", what, "Look again when the roots answer faster.")


def _doors(case: Case) -> Iterator[Door]:
    """Yield the way into each root once: of moves that are over first, then of every location."""
    seen: set[tuple[str, str | None]] = set()
    query = select(Storage).options(joinedload(Storage.connection), joinedload(Storage.host)).order_by(Storage.id)
    storages = {(row.root, row.host.name if row.host else None): row for row in case.session.scalars(query).unique()}
    ended = select(Migration).where(Migration.state.in_(sorted(FINAL))).order_by(Migration.id.desc())
    for migration in case.session.scalars(ended).all():
        for side in ("target", "source"):
            host = getattr(migration, f"{side}_host")
            place = (str(getattr(migration, f"{side}_root")), host.name if host else None)
            if place not in seen and place not in storages:
                seen.add(place)
                with suppress(Conflict):
                    yield _way(case, migration, side)
    for storage in storages.values():
        if storage.type in {StorageType.LOCAL, StorageType.S3}:
            with suppress(Conflict):
                yield _way_to(case, storage)


def _way(case: Case, migration: Migration, side: str) -> Door:
    """Return the way into a root that a move left, or never came to."""
    work, host = case.work(), getattr(migration, f"{side}_host")
    connection = getattr(migration, f"{side}_connection")
    access = access_of(work, connection, getattr(migration, f"{side}_region")) if work and connection else None
    root = parse_root(getattr(migration, f"{side}_root"), home="/", cwd="/")
    return make_door(case.settings, root, access, host.name if host else None)


def _way_to(case: Case, storage: Storage) -> Door:
    """Return the way into a location. Without a key only directories can be opened."""
    work = case.work()
    if work is not None:
        return door_of(work, storage)
    root = parse_root(storage.root, home="/", cwd="/")
    return make_door(case.settings, root, None, storage.host.name if storage.host else None)


def _look(door: Door) -> list[Leftover]:
    with opened(door) as backend:
        return list(backend.list_leftovers())


def _findings(case: Case, door: Door, found: list[Leftover]) -> Iterator[Finding]:
    owners = _owners(case, found)
    by_owner: dict[tuple[str, str], list[Leftover]] = {}
    for each in found:
        if (owner := _owner(case, each, owners)) is not None:
            by_owner.setdefault((each.kind, owner), []).append(each)
    for (kind, owner), left in by_owner.items():
        folder = TEMPORARY_FOLDER if kind == "temporaries" else PROBE_FOLDER
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        what = f"{door.root} holds {folder}/{left[0].name}{more}, left by {owner}."
        yield _removed(case, door, left, what)


def _owners(case: Case, found: list[Leftover]) -> _Owners:
    """Return whose nobody needs, of those that what was found is named after. Asked anew for each root."""
    uids = {match["uid"] for each in found if (match := _OF_MOVE[each.kind].fullmatch(each.name))}
    over = select(Migration.uid).where(Migration.uid.in_(uids), Migration.state.in_(sorted(FINAL)))
    moving = select(Migration.storage_id).where(
        Migration.state.not_in(sorted(FINAL)), Migration.storage_id.is_not(None)
    )
    idle = select(Storage.uid).where(Storage.uid.in_(uids), Storage.id.not_in(moving))
    return _Owners(frozenset(case.session.scalars(over)), frozenset(case.session.scalars(idle)))


def _owner(case: Case, left: Leftover, owners: _Owners) -> str | None:
    """Return in words whose a leftover is; None where it may be needed, or is not ours."""
    match = _OF_MOVE[left.kind].fullmatch(left.name)
    uid = match["uid"] if match else ""
    if left.kind == "temporaries" and uid in owners.ended:
        return f"migration {uid}, which is over"
    if left.kind == "probe" and uid in owners.idle:
        return f"a check before a move of {uid}, which does not move now"
    is_old = left.modified_at is not None and case.now - left.modified_at > _CHECKED
    if is_old and _OF_CHECK[left.kind].fullmatch(left.name):
        return "checks that were killed"
    return None


def _removed(case: Case, door: Door, left: list[Leftover], what: str) -> Finding:
    """Return the finding, having removed what it tells of where that is wanted."""
    code, todo = ("temporary" if left[0].kind == "temporaries" else "probe"), "portal doctor --fix"
    if not case.fix:
        return warning(code, what, todo)
    try:
        within(4 * _ROOT_SECONDS, lambda: _remove(door, left), f"{door.root} took too long.")
    except PortalError as trouble:
        return warning(code, f"{what} It could not be removed: {trouble.message}", "Remove it there by hand.")
    return warning(code, what, todo, "Removed.")


def _remove(door: Door, left: list[Leftover]) -> None:
    with opened(door) as backend:
        for each in left:
            if each.kind == "temporaries":
                backend.remove_temporaries(each.name)
            else:
                backend.remove_probe(each.name)
