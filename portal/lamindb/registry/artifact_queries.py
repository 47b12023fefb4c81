"""What is asked of a location's artifacts, and its conditions."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select

from portal.lamindb.registry.artifact_orders import Position, opaque
from portal.lamindb.registry.tables import ARTIFACT

SORTS: Final = ("key", "size", "created", "updated")

#: Kinds of hash that are asked for by name; `other` is every other one, `none` where there is no hash.
HASH_KINDS: Final = ("md5", "md5-d", "sha1-fl", "other", "none")

_A: Final = ARTIFACT.c


@dataclass(frozen=True, slots=True)
class ArtifactQuery:
    """What to list.

    Attributes:
        sort: one of SORTS; a search of many rows has its own order.
        branch_ids: None for all but trash and archive.
        hash_kinds: of HASH_KINDS; empty for all.
        space_ids: artifacts of other spaces stay hidden; None for none hidden.
        position, is_backwards: read on from there; None from the beginning.
    """

    storage_row_id: int
    text: str = ""
    sort: str = "key"
    is_falling: bool = False
    branch_ids: tuple[int, ...] | None = None
    is_latest_only: bool = False
    hash_kinds: tuple[str, ...] = ()
    space_ids: tuple[int, ...] | None = None
    position: Position | None = None
    is_backwards: bool = False
    limit: int = 50


def drivers_of(query: ArtifactQuery) -> list[ColumnElement[bool]]:
    """Return conditions that an index serves and that may leave few rows."""
    found: list[ColumnElement[bool]] = [_A.storage_id == query.storage_row_id]
    if query.branch_ids is not None:
        found.append(_A.branch_id.in_(query.branch_ids))
    if query.hash_kinds and not {"other", "none"} & set(query.hash_kinds):
        found.append(_A["_hash_type"].in_(query.hash_kinds))
    return found


def is_few(connection: Connection, condition: ColumnElement[bool], most: int) -> bool:
    """Tell whether no more than `most` artifacts of the instance fulfil a condition that an index serves."""
    some = select(literal(1)).select_from(ARTIFACT).where(condition).limit(most + 1).subquery()
    return (connection.scalar(select(func.count()).select_from(some)) or 0) <= most


def filters_of(query: ArtifactQuery) -> tuple[ColumnElement[bool], ...]:
    """Return what every row must fulfil besides its location."""
    branch = opaque(_A.branch_id)
    found = [branch > 0 if query.branch_ids is None else branch.in_(query.branch_ids)]
    if query.is_latest_only:
        found.append(opaque(_A.is_latest).is_(True))
    if query.hash_kinds:
        found.append(or_(*map(_is_kind, query.hash_kinds)))
    if query.space_ids is not None:
        found.append(opaque(_A.space_id).in_(query.space_ids))
    return tuple(found)


def _is_kind(kind: str) -> ColumnElement[bool]:
    column = opaque(_A["_hash_type"])
    if kind == "none":
        return column.is_(None)
    if kind == "other":
        return and_(column.is_not(None), column.not_in(HASH_KINDS[:3]))
    return column == kind
