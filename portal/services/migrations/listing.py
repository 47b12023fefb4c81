"""The page of migrations: all in reach, filtered, searched and in pages over the whole set."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select

from portal.models import Migration, ShardException
from portal.planning.cursors import decode_cursor, encode_cursor, is_storable, page_of
from portal.planning.states import FINAL
from portal.services.migrations.lookups import reachable, with_ends
from portal.services.migrations.views import MigrationView, view_of
from portal.services.work import Work

PAGE_ROWS = 50

#: More letters than this are in no root.
_MOST_LETTERS = 255

_ORDER = "migrations"


@dataclass(frozen=True, slots=True)
class MigrationQuery:
    """Which of them are wanted; empty fields do not narrow.

    Attributes:
        states: values of `MigrationState`.
        text: found in a root or the id, whatever its case.
        after, before: cursors of `MigrationList`; at most one counts.
        limit: most rows of a page.
    """

    states: tuple[str, ...] = ()
    text: str = ""
    after: str | None = None
    before: str | None = None
    limit: int = PAGE_ROWS

    @property
    def is_filtered(self) -> bool:
        """Tell whether anything narrows the list."""
        return bool(self.states or self.text.strip())


@dataclass(frozen=True, slots=True)
class MigrationList:
    """One page of them, newest first.

    Attributes:
        look_counts: by id: how many objects need a look; nothing for none.
        state_counts: all in reach by state, whatever is filtered.
        match_count: how many match the filter.
        next_after, previous_before: cursors of the neighbours; None: there is none.
        now: the time of this page.
    """

    rows: tuple[MigrationView, ...]
    look_counts: dict[str, int]
    state_counts: dict[str, int]
    match_count: int
    next_after: str | None
    previous_before: str | None
    now: datetime

    @property
    def total(self) -> int:
        """Return how many there are."""
        return sum(self.state_counts.values())

    @property
    def live_count(self) -> int:
        """Return how many of all are under way."""
        return sum(count for state, count in self.state_counts.items() if state not in FINAL)


def list_page(work: Work, query: MigrationQuery) -> MigrationList:
    """Return one page of the migrations in reach: four queries, however many rows."""
    grouped = reachable(work, Migration.state, func.count()).group_by(Migration.state)
    state_counts: dict[str, int] = dict(work.session.execute(grouped).all())
    conditions = _conditions(query)
    rows, has_before, has_after = _page(work, query, conditions)
    matching = reachable(work, func.count()).where(*conditions)
    return MigrationList(
        rows=tuple(view_of(row) for row in rows),
        look_counts=_look_counts(work, rows),
        state_counts=state_counts,
        match_count=(work.session.scalar(matching) or 0) if query.is_filtered else sum(state_counts.values()),
        next_after=encode_cursor(_ORDER, [rows[-1].id]) if has_after else None,
        previous_before=encode_cursor(_ORDER, [rows[0].id]) if has_before else None,
        now=work.now,
    )


def _conditions(query: MigrationQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.states:
        conditions.append(Migration.state.in_(query.states))
    text = query.text.strip()[:_MOST_LETTERS].lower()
    if text:
        wanted = text if is_storable(text) else "\N{REPLACEMENT CHARACTER}"
        columns = (Migration.source_root, Migration.target_root, Migration.uid)
        conditions.append(or_(*(func.lower(column).contains(wanted, autoescape=True) for column in columns)))
    return conditions


def _page(
    work: Work, query: MigrationQuery, conditions: list[ColumnElement[bool]]
) -> tuple[tuple[Migration, ...], bool, bool]:
    """Return the rows of a page, and whether there are others before and after it."""
    after, before = decode_cursor(query.after, _ORDER, [int]), decode_cursor(query.before, _ORDER, [int])
    is_backwards = after is None and before is not None
    asked = with_ends(reachable(work, Migration)).where(*conditions)
    if after is not None:
        asked = asked.where(Migration.id < after[0])
    elif before is not None:
        asked = asked.where(Migration.id > before[0])
    order = Migration.id.asc() if is_backwards else Migration.id.desc()
    found = list(work.session.scalars(asked.order_by(order).limit(query.limit + 1)))
    return page_of(found, query.limit, has_place=after is not None, is_backwards=is_backwards)


def _look_counts(work: Work, rows: tuple[Migration, ...]) -> dict[str, int]:
    uids = {row.id: row.uid for row in rows}
    query = (
        select(ShardException.migration_id, func.count())
        .where(ShardException.migration_id.in_(uids))
        .group_by(ShardException.migration_id)
    )
    return {uids[migration_id]: count for migration_id, count in work.session.execute(query)} if uids else {}
