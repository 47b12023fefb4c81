"""How a page is read: which of three ways costs a bounded number of rows.

* Few rows are left by access and filters: gather them by the access index, then sort.
* Many are left, and the search finds few: gather those the full-text index names, then sort.
* Many match: read along the index of the order until the page is full. The other conditions are made opaque to
  SQLite's planner, which without statistics would rather gather everything and sort it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, null, select, true, union_all

from portal.models import Storage
from portal.services.access import visible_parts
from portal.services.storage_list.filters import all_conditions, filter_conditions
from portal.services.storage_list.orders import Order, beyond
from portal.services.storage_list.query import StorageQuery
from portal.services.storage_list.search import Search
from portal.services.work import Work

#: Counting stops here: nobody needs the exact number, and counting on costs as much as the rows there are.
MOST_COUNTED = 1_000

#: Rows that are sorted rather than read in order; sorting this many takes some milliseconds.
MOST_GATHERED = 5_000


#: So few rows are searched one by one, without asking the full-text index: one more query costs more on a server.
FEW = {"sqlite": 100, "postgresql": 2_000}

#: Reading in order is chosen when it is expected to read this many times fewer rows than gathering would.
ORDER_ADVANTAGE = 10


@dataclass(frozen=True, slots=True)
class PageRange:
    """Which page: after `cursor` (None: the first), read backwards or not, at most `limit` rows."""

    cursor: tuple[Any, ...] | None
    is_backwards: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How the pages of one query are read.

    Attributes:
        conditions: what a row must fulfil.
        is_gathered: whether few rows fulfil them, so that they are sorted after they are found.
        most_rows: no more than so many rows match; a bound only where they are gathered.
        match_count: how many rows match, exact up to MOST_COUNTED; None where the page itself tells.
        total: how many there are without search and filters, exact up to MOST_COUNTED.
    """

    order: Order
    is_falling: bool
    dialect: str
    conditions: Sequence[ColumnElement[bool]]
    is_gathered: bool
    most_rows: int
    match_count: int | None
    total: int

    def narrow(self, query: Select[Any]) -> Select[Any]:
        """Return `query`, which is over `Storage`, for all rows that match, in order: where a page holds them all."""
        keys = self.order.expressions(self.dialect)
        return query.where(*self.conditions).order_by(*(key.desc() if self.is_falling else key for key in keys))

    def page(self, page: PageRange) -> Select[Any]:
        """Return the query for the ids of a page, in the order it is read in.

        Columns: the key, the root unless it is the key, the id; then `match_count`, NULL where the plan has it.
        """
        keys = self.order.expressions(self.dialect)
        if self.is_gathered:
            query, keys = self._gathered(keys)
        elif self.dialect == "sqlite":
            query = select(*keys, null().label("match_count")).where(and_(*self.conditions).is_(true()))
        else:
            query = select(*keys, null().label("match_count")).where(*self.conditions)
        falls = self.is_falling != page.is_backwards
        if page.cursor is not None:
            query = query.where(beyond(keys, page.cursor, falls))
        return query.order_by(*(key.desc() if falls else key for key in keys)).limit(page.limit)

    def _gathered(self, keys: Sequence[ColumnElement[Any]]) -> tuple[Select[Any], tuple[ColumnElement[Any], ...]]:
        """Return the query over all rows that match, with their number where it is not known, and its keys."""
        labels = [key.label(f"k{position}") for position, key in enumerate(keys)]
        # The limit is never reached; it keeps the planner from reading in order instead.
        rows = select(*labels).where(*self.conditions).limit(MOST_GATHERED)
        if self.match_count is not None:
            found = rows.subquery("found")
            return select(*found.c, null().label("match_count")), tuple(found.c)
        named = rows.cte("found")
        count = select(func.count()).select_from(named).scalar_subquery().label("match_count")
        return select(*named.c, count), tuple(named.c)


def make_plan(work: Work, query: StorageQuery) -> Plan:
    """Ask the database how much there is, and choose: one to four queries, each with an end."""
    conditions = filter_conditions(work, query)
    base_count, row_count = _count_base(work, conditions)
    total = _count(work, all_conditions(work, query), MOST_COUNTED) if query.has_filters else base_count
    plan = Plan(
        order=Order(query.order_name, query.sort),
        is_falling=query.is_falling,
        dialect=work.session.get_bind().dialect.name,
        conditions=conditions,
        is_gathered=base_count <= MOST_GATHERED,
        most_rows=base_count,
        match_count=base_count,
        total=total,
    )
    if query.words:
        return _narrow(work, plan, Search(query.words, plan.dialect == "sqlite"))
    # So many of all rows fulfil the conditions that reading in order soon fills a page.
    is_dense = base_count * base_count > ORDER_ADVANTAGE * query.limit * row_count
    return replace(plan, is_gathered=plan.is_gathered and not is_dense)


def _narrow(work: Work, plan: Plan, search: Search) -> Plan:
    """Return the plan for those rows of `plan` that the search finds."""
    base_count = plan.match_count or 0
    if search.is_indexed and base_count > FEW[plan.dialect]:
        most = min(base_count, MOST_GATHERED)
        found_count = search.count(work.session, most)
        if not found_count:
            return replace(plan, most_rows=0, match_count=0)
        if found_count <= most:
            by_id = Storage.id.in_(search.matching_ids())
            conditions = [by_id, *plan.conditions, *search.remaining_conditions()]
            return replace(plan, conditions=conditions, is_gathered=True, most_rows=found_count, match_count=None)
    conditions = [*plan.conditions, *search.conditions()]
    if plan.is_gathered:
        return replace(plan, conditions=conditions, match_count=None)
    count = _count(work, conditions, MOST_COUNTED, is_opaque=plan.dialect == "sqlite")
    return replace(plan, conditions=conditions, match_count=count)


def _count_base(work: Work, conditions: Sequence[ColumnElement[bool]]) -> tuple[int, int]:
    """Return how many rows fulfil the conditions, at most MOST_GATHERED + 1, and about how many rows there are."""
    seen, *others = conditions
    # Part by part PostgreSQL reads the index alone; both in one condition have it visit every row.
    parts = visible_parts(work.actor) if work.session.get_bind().dialect.name == "postgresql" else (seen,)
    most = MOST_GATHERED + 1
    counted = (select(literal(1)).select_from(Storage).where(part, *others).limit(most) for part in parts)
    rows = union_all(*(select(part.subquery()) for part in counted)).limit(most).subquery()
    count = select(func.count()).select_from(rows).scalar_subquery()
    largest_id = select(func.max(Storage.id)).scalar_subquery()
    row = work.session.execute(select(count, largest_id)).one()
    return row[0], row[1] or 0


def _count(work: Work, conditions: Sequence[ColumnElement[bool]], most: int, is_opaque: bool = False) -> int:
    """Return how many rows fulfil the conditions; `most` + 1 stands for all numbers above `most`."""
    rows = select(literal(1)).select_from(Storage)
    rows = rows.where(and_(*conditions).is_(true())) if is_opaque else rows.where(*conditions)
    return work.session.scalar(select(func.count()).select_from(rows.limit(most + 1).subquery())) or 0
