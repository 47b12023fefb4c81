"""The artifacts of a storage location, as an attached instance that refers to it tells them.

The instance's database and the root are asked outside of the portal's transactions, each within a time limit.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, select

from portal.errors import InputError, NotFound
from portal.lamindb.registry.artifact_orders import Position
from portal.lamindb.registry.artifact_pages import ArtifactPage, read_page
from portal.lamindb.registry.artifact_queries import ArtifactQuery
from portal.lamindb.registry.artifact_rows import ArtifactRow, list_branches, read_rows
from portal.lamindb.registry.opening import PAGE
from portal.lamindb.registry.tables import SPACE, STORAGE
from portal.models import Instance, Reference, Registry, Space, Storage
from portal.permissions import Action
from portal.services.object_checks import Existence, find_objects
from portal.services.reach import door_of, within
from portal.services.registries.ways import Entry, entry_of, opened
from portal.services.storages.find import find_storage
from portal.services.units import Units
from portal.services.work import Work
from portal.values import ALL_SPACE_ID

#: How long a page may take, seconds: a person waits for it.
PAGE_SECONDS: Final = 10.0

MOST_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Source:
    """An attached instance that has a row for the location, and whose collaborator the actor is.

    Attributes:
        uid, slug: of the instance, in the portal.
        row_id: its row for the location.
        artifact_count: of every branch, as counted when the instance was last compared.
        is_writing: whether it is the one that may write here.
    """

    uid: str
    slug: str
    row_id: int
    artifact_count: int
    is_writing: bool


@dataclass(frozen=True, slots=True)
class Artifacts:
    """One page, with the branches there are: (row id, name)."""

    source: Source
    page: ArtifactPage
    branches: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """What reading needs, taken out of the portal's transaction. Spaces by uid and by lower-case name."""

    source: Source
    entry: Entry
    spaces: frozenset[str]


def list_sources(work: Work, storage: Storage) -> list[Source]:
    """Return whose artifacts the actor may see here, the writing instance first. The caller has found the location.

    A role on the instance is asked for besides read on the location: keys and descriptions are the instance's.
    """
    query = (
        select(Reference, Instance)
        .join(Instance, Instance.id == Reference.instance_id)
        .join(Registry, Registry.instance_id == Instance.id)
        .where(Reference.storage_id == storage.id, Instance.id.in_(work.actor.instances))
    )
    found = [
        Source(
            instance.uid, instance.slug, reference.row_id, reference.artifact_count,
            storage.instance_id == instance.id,
        )
        for reference, instance in work.session.execute(query)
    ]  # fmt: skip
    return sorted(found, key=lambda source: (not source.is_writing, source.slug))


def list_artifacts(units: Units, reference: str, query: ArtifactQuery, *, instance_uid: str = "") -> Artifacts:
    """Return one page of a location's artifacts; `query.storage_row_id` does not matter. Instance empty: the first.

    Raises:
        InputError: the position belongs to another list.
        NotFound: no role on the location, or no such instance refers to it.
        RegistryError: the instance's database could not be read; see `opened`.
    """
    way = _way(units, reference, instance_uid)
    query = replace(query, storage_row_id=way.source.row_id, limit=min(query.limit, MOST_ROWS))

    def read() -> Artifacts:
        with opened(way.entry, limits=PAGE) as connection:
            _require_row(connection, way)
            spaces = _seen_spaces(connection, way)
            return Artifacts(
                way.source, read_page(connection, replace(query, space_ids=spaces)), list_branches(connection)
            )

    return within(PAGE_SECONDS, read, f"{way.source.slug} did not answer within {PAGE_SECONDS:.0f} s.")


def check_objects(units: Units, reference: str, uids: Sequence[str], *, instance_uid: str = "") -> dict[str, Existence]:
    """Return of some artifacts whether their objects are there, by uid; unknown ones are left out.

    Raises:
        NotFound: as `list_artifacts`.
        RegistryError: likewise.
    """
    way = _way(units, reference, instance_uid)
    with units.reading() as work:
        door = door_of(work, find_storage(work, reference, Action.STORAGE_READ))

    def read() -> tuple[ArtifactRow, ...]:
        with opened(way.entry, limits=PAGE) as connection:
            return read_rows(connection, way.source.row_id, uids[:MOST_ROWS], _seen_spaces(connection, way))

    rows = within(PAGE_SECONDS, read, f"{way.source.slug} did not answer within {PAGE_SECONDS:.0f} s.")
    places = {row.uid: (row.place, row.is_folder) for row in rows if not row.is_uploading}
    there = find_objects(door, list(places.values()))
    uploading = {row.uid: Existence.UPLOADING for row in rows if row.is_uploading}
    return uploading | {uid: there[place] for uid, place in places.items()}


def iterate_artifacts(
    units: Units, reference: str, query: ArtifactQuery, *, instance_uid: str = ""
) -> Iterator[ArtifactRow]:
    """Give every artifact that a query finds, in the order of the list, from its position on.

    Each step is a short transaction of its own, so memory stays bounded and a slow reader holds up nobody.

    Raises:
        InputError, NotFound, RegistryError: as `list_artifacts`.
    """
    query = replace(query, limit=MOST_ROWS, is_backwards=False)
    while True:
        # A search of millions ends a page now and then to tell how far it came; here it goes on.
        page = list_artifacts(units, reference, query, instance_uid=instance_uid).page
        yield from page.rows
        if page.next is None:
            return
        query = replace(query, position=page.next)


def _way(units: Units, reference: str, instance_uid: str) -> _Way:
    with units.reading() as work:
        storage = find_storage(work, reference, Action.STORAGE_READ)
        sources = [source for source in list_sources(work, storage) if instance_uid in {"", source.uid, source.slug}]
        if not sources:
            raise NotFound("No attached instance that you can read refers to this location.", field="instance")
        source = sources[0]
        registry = work.session.scalars(select(Registry).join(Instance).where(Instance.uid == source.uid)).one()
        ids = {ALL_SPACE_ID, storage.space_id, *work.actor.spaces}
        spaces = work.session.scalars(select(Space).where(Space.id.in_(ids)))
        names = frozenset(name for space in spaces for name in (space.uid, space.name.lower()))
        return _Way(source, entry_of(work, registry), names)


def _require_row(connection: Connection, way: _Way) -> None:
    if connection.scalar(select(STORAGE.c.id).where(STORAGE.c.id == way.source.row_id)) is None:
        raise NotFound(f"{way.source.slug} has no row for this location any more.", hint="Compare the instance.")


def _seen_spaces(connection: Connection, way: _Way) -> tuple[int, ...] | None:
    """Return whose artifacts are shown; None where nothing is hidden. LaminDB shows a space to its members only."""
    rows = connection.execute(select(SPACE.c.id, SPACE.c.uid, SPACE.c.name)).all()
    seen = tuple(row_id for row_id, uid, name in rows if uid in way.spaces or name.lower() in way.spaces)
    return None if len(seen) == len(rows) else seen


def write_position(position: Position | None) -> str | None:
    """Return a position as a part of an address; None stays None."""
    if position is None:
        return None
    parts = [position.segment, position.value, position.row_id, position.searched_count]
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def parse_position(text: str) -> Position:
    """Return the position that a part of an address means.

    Raises:
        InputError: it means none.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        segment, value, row_id, count = parts
    except (binascii.Error, ValueError, TypeError) as error:
        raise _unreadable() from error
    numbers = [segment, row_id, count] if isinstance(value, str) else [segment, value, row_id, count]
    if not all(isinstance(number, int) and abs(number) < 2**63 for number in numbers) or segment < 0:
        raise _unreadable()
    if isinstance(value, str) and ("\0" in value or len(value) > 2000):
        raise _unreadable()
    return Position(segment, value, row_id, count)


def _unreadable() -> InputError:
    return InputError("This page's address cannot be read.", hint="Start from the first page.", field="after")
