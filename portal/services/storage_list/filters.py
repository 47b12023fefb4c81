"""Who may see which rows and what the filters leave of them, as conditions on `Storage`."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from portal.models import Host, Instance, Space, Storage
from portal.services.access import visible_storages
from portal.services.storage_list.query import StorageQuery
from portal.services.work import Work
from portal.values import Branch, Mode, StorageType

#: The filter value for locations without a writing instance.
NO_INSTANCE = "none"


def all_conditions(work: Work, query: StorageQuery) -> list[ColumnElement[bool]]:
    """Return what every row of the list without search and filters fulfils: seen, of the owner, not put away."""
    conditions = [visible_storages(work.actor), Storage.branch_id >= int(Branch.MAIN)]
    if query.owner_id is not None:
        conditions.append(Storage.owner_id == query.owner_id)
    return conditions


def filter_conditions(work: Work, query: StorageQuery) -> list[ColumnElement[bool]]:
    """Return what every row fulfils that may be seen and passes the filters; the search is not in it."""
    conditions = all_conditions(work, query)
    if query.branches:
        conditions[1] = Storage.branch_id.in_([branch.value for branch in Branch if branch.label in query.branches])
    # Few values, many rows each: SQLite must not take an index of these for a short cut.
    if query.types:
        conditions.append(_is_one_of(Storage.type, StorageType, query.types).is_(true()))
    if query.modes:
        conditions.append(_is_one_of(Storage.mode, Mode, query.modes).is_(true()))
    if query.spaces:
        named = or_(Space.uid.in_(query.spaces), Space.name.in_(query.spaces))
        conditions.append(Storage.space_id.in_(select(Space.id).where(named)))
    if query.hosts:
        conditions.append(Storage.host_id.in_(select(Host.id).where(Host.name.in_(query.hosts))))
    if query.instances:
        conditions.append(_is_written_by(query.instances))
    return conditions


def _is_one_of(column: Any, kind: type[Enum], values: Sequence[str]) -> ColumnElement[bool]:
    known = [member for member in kind if member.value in values]
    return column.in_(known) if known else false()


def _is_written_by(slugs: Sequence[str]) -> ColumnElement[bool]:
    known = Storage.instance_id.in_(select(Instance.id).where(Instance.slug.in_(slugs)))
    foreign = and_(Storage.instance_id.is_(None), Storage.instance_slug.in_(slugs))
    if NO_INSTANCE in slugs:
        return or_(known, foreign, and_(Storage.instance_id.is_(None), Storage.instance_uid.is_(None)))
    return or_(known, foreign)
