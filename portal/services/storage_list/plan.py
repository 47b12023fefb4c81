"""How a page is read: which of three ways costs a bounded number of rows.

* Few rows are left by access and filters: gather them by the access index, then sort.
* Many are left, and the search finds few: gather those the full-text index names, then sort.
* Many match: read along the index of the order until the page is full. The other conditions are made opaque to
  SQLite's planner, which without statistics would rather gather everything and sort it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, select, true

from portal.models import Storage
from portal.services.storage_list.filters import all_conditions, filter_conditions
from portal.services.storage_list.orders import Order, beyond
from portal.services.storage_list.query import StorageQuery
from portal.services.storage_list.search import Search
from portal.services.work import Work

#: Counting stops here: nobody needs the exact number, and counting on costs as much as the rows there are.
MOST_COUNTED = 1_000

#: Rows that are sorted rather than read in order; sorting this many takes some milliseconds.
MOST_GATHERED = 5_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How the pages of one query are read.

    Attributes:
        conditions: what a row must fulfil.
        is_gathered: whether few rows fulfil them, so that they are sorted after they are found.
        match_count: how many rows match, exact up to MOST_COUNTED.
        total: how many there are without search and filters, exact up to MOST_COUNTED.
    """

    order: Order
    is_falling: bool
    dialect: str
    conditions: Sequence[ColumnElement[bool]]
    is_gathered: bool
    match_count: int
    total: int

    def page(self, cursor: tuple[Any, ...] | None, is_backwards: bool, limit: int) -> Select[Any]:
        """Return the query for the ids of a page: columns `id`, `k0`, `k1` …, in the order it is read in."""
        keys = self.order.expressions(self.dialect)
        named = [expression.label(f"k{position}") for position, expression in enumerate(keys)]
        query = select(*named)
        if self.is_gathered:
            found = query.where(*self.conditions).limit(MOST_GATHERED).subquery("found")
            keys, query = tuple(found.c), select(*found.c)
        elif self.dialect == "sqlite":
            query = query.where(and_(*self.conditions).is_(true()))
        else:
            query = query.where(*self.conditions)
        falls = self.is_falling != is_backwards
        if cursor is not None:
            query = query.where(beyond(keys, cursor, falls))
        return query.order_by(*(key.desc() if falls else key for key in keys)).limit(limit)


def make_plan(work: Work, query: StorageQuery) -> Plan:
    """Ask the database how much there is, and choose: two or three queries, each with an end."""
    dialect = work.session.get_bind().dialect.name
    base = filter_conditions(work, query)
    base_count = _count(work, base, MOST_GATHERED)
    is_gathered = base_count <= MOST_GATHERED
    conditions, match_count = base, base_count
    if query.words:
        search = Search(query.words, dialect == "sqlite")
        conditions = [*base, *search.conditions()]
        if not is_gathered and search.is_indexed and _finds_few(work, search):
            is_gathered = True
            conditions = [Storage.id.in_(search.matching_ids()), *conditions]
        match_count = _count(work, conditions, MOST_COUNTED, is_opaque=dialect == "sqlite" and not is_gathered)
    is_narrowed = query.is_filtered
    total = _count(work, all_conditions(work, query), MOST_COUNTED) if is_narrowed else base_count
    order = Order(query.order_name, query.sort)
    return Plan(order, query.is_falling, dialect, conditions, is_gathered, match_count, total)


def _count(work: Work, conditions: Sequence[ColumnElement[bool]], most: int, is_opaque: bool = False) -> int:
    """Return how many rows fulfil the conditions; `most` + 1 stands for all numbers above `most`."""
    rows = select(literal(1)).select_from(Storage)
    rows = rows.where(and_(*conditions).is_(true())) if is_opaque else rows.where(*conditions)
    return work.session.scalar(select(func.count()).select_from(rows.limit(most + 1).subquery())) or 0


def _finds_few(work: Work, search: Search) -> bool:
    found = search.matching_ids().limit(MOST_GATHERED + 1).subquery()
    return (work.session.scalar(select(func.count()).select_from(found)) or 0) <= MOST_GATHERED
