"""Give artifacts of one location to another location or space of the same instance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from portal.errors import RegistryChanged
from portal.lamindb.registry.fence import fences_let_pass, require_fence
from portal.lamindb.registry.tables import ARTIFACT, SPACE, STORAGE

#: Row ids bound to one statement.
_CHUNK: Final = 10_000


@dataclass(frozen=True, slots=True)
class RepointConflict:
    """An artifact that cannot change its location: the target has `other_uid` with the same key and hash."""

    uid: str
    key: str | None
    other_uid: str


def repoint_artifacts(connection: Connection, from_row_id: int, to_row_id: int, *, needs_fence: bool) -> int:
    """Give every artifact of a location, of all branches and versions, to another one; return how many.

    Passes the portal's own fences on both, which stand again afterwards.

    Raises:
        RegistryChanged: a location is gone, the target has one of the artifacts already (`repoint_conflicts` tells
            which), or `needs_fence` and the fence of the first does not outlast this transaction.
    """
    locations = connection.scalars(
        select(STORAGE.c.id).where(STORAGE.c.id.in_([from_row_id, to_row_id])).with_for_update()
    )
    if len(locations.all()) != 2:
        raise RegistryChanged("One of the two locations is gone.", hint="Compare the instance again.")
    statement = update(ARTIFACT).where(ARTIFACT.c.storage_id == from_row_id).values(storage_id=to_row_id)
    try:
        with connection.begin_nested(), fences_let_pass(connection, from_row_id, to_row_id):
            count = connection.execute(statement).rowcount
    except IntegrityError:
        blocked, examples = repoint_conflicts(connection, from_row_id, to_row_id, limit=1)
        if not examples:
            raise
        raise RegistryChanged(
            f"{blocked} artifacts are in the target already, such as {examples[0].key or examples[0].uid}.",
            hint="LaminDB takes the same key and content once in a location: delete one of each pair.",
        ) from None
    if needs_fence:
        require_fence(connection, from_row_id)
    return count


def repoint_conflicts(
    connection: Connection, from_row_id: int, to_row_id: int, limit: int = 20
) -> tuple[int, tuple[RepointConflict, ...]]:
    """Return how many artifacts of a location the target has already, and `limit` examples.

    LaminDB's two unique indexes: location, key and hash; location and hash of those without a key. Equal hashes of
    any branch count; artifacts without a hash never do.
    """
    mine, theirs = ARTIFACT.alias("mine"), ARTIFACT.alias("theirs")
    same = and_(
        theirs.c.hash == mine.c.hash,
        or_(theirs.c.key == mine.c.key, and_(theirs.c.key.is_(None), mine.c.key.is_(None))),
    )
    pairs = mine.join(theirs, same)
    chosen = and_(mine.c.storage_id == from_row_id, theirs.c.storage_id == to_row_id)
    count = connection.scalar(select(func.count()).select_from(pairs).where(chosen)) or 0
    query = select(mine.c.uid, mine.c.key, theirs.c.uid).select_from(pairs).where(chosen)
    rows = connection.execute(query.order_by(mine.c.id).limit(limit)) if count else ()
    return count, tuple(RepointConflict(uid, key, other_uid) for uid, key, other_uid in rows)


def spaces_of_artifacts(connection: Connection, row_id: int) -> dict[int, int]:
    """Return how many artifacts of a location are in each space, by the space's row id."""
    query = select(ARTIFACT.c.space_id, func.count()).where(ARTIFACT.c.storage_id == row_id)
    return {row[0]: row[1] for row in connection.execute(query.group_by(ARTIFACT.c.space_id))}


def move_artifacts_to_space(connection: Connection, storage_row_id: int, space_id: int) -> int:
    """Put every artifact of a location, of all branches and versions, into a space; return how many were elsewhere.

    Raises:
        RegistryChanged: the space is gone.
    """
    if connection.scalar(select(SPACE.c.id).where(SPACE.c.id == space_id)) is None:
        raise RegistryChanged(
            f"The instance has no space of row id {space_id} any more.",
            hint="Compare the instance again.",
            field="space_id",
        )
    elsewhere = update(ARTIFACT).where(ARTIFACT.c.storage_id == storage_row_id, ARTIFACT.c.space_id != space_id)
    return connection.execute(elsewhere.values(space_id=space_id)).rowcount


def artifact_ids(connection: Connection, row_id: int, limit: int | None = None) -> list[int]:
    """Return the row ids of a location's artifacts, of all branches and versions, in order."""
    query = select(ARTIFACT.c.id).where(ARTIFACT.c.storage_id == row_id).order_by(ARTIFACT.c.id).limit(limit)
    return list(connection.scalars(query))


def repoint_some(connection: Connection, ids: Sequence[int], from_row_id: int, to_row_id: int) -> int:
    """Give some artifacts of one location to another one; those that are not in the first stay; return how many moved.

    Passes the portal's own fences on both, which stand again afterwards.

    Raises:
        RegistryChanged: the second location has one of the artifacts already.
    """
    count = 0
    try:
        with connection.begin_nested(), fences_let_pass(connection, from_row_id, to_row_id):
            for start in range(0, len(ids), _CHUNK):
                chosen = ARTIFACT.c.id.in_(ids[start : start + _CHUNK])
                statement = update(ARTIFACT).where(chosen, ARTIFACT.c.storage_id == from_row_id)
                count += connection.execute(statement.values(storage_id=to_row_id)).rowcount
    except IntegrityError:
        raise RegistryChanged(
            "Some of the artifacts were saved again where they came from.",
            hint="LaminDB takes the same key and content once in a location: delete one of each pair.",
        ) from None
    return count
