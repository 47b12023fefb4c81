"""One page of the list."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import aliased

from portal.models import Account, Host, Instance, Migration, Space, Storage
from portal.permissions import StorageTarget, explain_storage
from portal.planning.states import FINAL
from portal.services.storage_list.plan import MOST_COUNTED, PageRange, Plan, make_plan
from portal.services.storage_list.query import StorageQuery
from portal.services.storage_list.rows import StoragePage, StorageRow
from portal.services.work import Work
from portal.values import Role

creator = aliased(Account)
_space_owner = aliased(Account)

#: A space as everywhere else: `owner/name`, or `all`. Asked for the rows of a page alone, so no join more to plan.
space_label = (
    func.coalesce(select(_space_owner.handle + "/").where(_space_owner.id == Space.owner_id).scalar_subquery(), "")
    + Space.name
)

#: In the order of `_to_row`.
_COLUMNS: tuple[Any, ...] = (
    Storage.id,
    Storage.uid,
    Storage.root,
    Storage.type,
    func.coalesce(Host.name, Storage.region).label("place"),
    space_label.label("space"),
    func.coalesce(Instance.slug, Storage.instance_slug, Storage.instance_uid).label("instance"),
    Storage.mode,
    Storage.mode_reason,
    Storage.is_default,
    creator.handle.label("creator"),
    creator.name.label("creator_name"),
    Storage.last_check_status,
    Storage.last_check_at,
    Storage.created_at,
    Storage.branch_id,
    select(Migration.state)
    .where(Migration.storage_id == Storage.id, Migration.state.not_in([state.value for state in FINAL]))
    .limit(1)
    .scalar_subquery()
    .label("migration_state"),
    Storage.instance_id,
    Storage.space_id,
    Storage.owner_id,
)

#: Where in `_COLUMNS` the three facts a decision about access needs begin.
_FACTS = len(_COLUMNS) - 3


def select_joined(*columns: Any) -> Select[Any]:
    """Return a query for columns of locations and of what they refer to. Built once: building it costs a third."""
    return (
        select(*columns)
        .join(Space, Space.id == Storage.space_id)
        .join(creator, creator.id == Storage.created_by_id)
        .outerjoin(Host, Host.id == Storage.host_id)
        .outerjoin(Instance, Instance.id == Storage.instance_id)
    )


_SHOWN = select_joined(*_COLUMNS)


class Line(NamedTuple):
    """One row that was read, its key in the order, and how many rows match (None: the plan knows)."""

    row: Row[Any]
    key: Any
    match_count: int


def list_storages(work: Work, query: StorageQuery) -> StoragePage:
    """Return one page of the storage locations the actor may see: at most six queries, whatever their number."""
    plan = make_plan(work, query)
    cursor, is_backwards = _start(plan, query)
    if cursor is None and plan.is_gathered and plan.most_rows <= query.limit:
        return _only_page(work, plan)
    lines = read_page(work, plan, _SHOWN, PageRange(cursor, is_backwards, query.limit + 1))
    if not lines and cursor is not None:
        cursor, is_backwards = None, False
        lines = read_page(work, plan, _SHOWN, PageRange(None, False, query.limit + 1))
    match_count = plan.match_count
    if match_count is None:
        match_count = lines[0].match_count if lines else 0
    has_more, lines = len(lines) > query.limit, lines[: query.limit]
    if is_backwards:
        lines = lines[::-1]
    has_next, has_previous = (True, has_more) if is_backwards else (has_more, cursor is not None)
    return StoragePage(
        rows=_to_rows(work, [line.row for line in lines]),
        match_count=min(match_count, MOST_COUNTED),
        is_more_counted=match_count > MOST_COUNTED,
        total=min(plan.total, MOST_COUNTED),
        is_more_in_total=plan.total > MOST_COUNTED,
        next_after=cursor_of(plan, lines[-1]) if lines and has_next else None,
        previous_before=cursor_of(plan, lines[0]) if lines and has_previous else None,
    )


def _only_page(work: Work, plan: Plan) -> StoragePage:
    """Return the page that holds everything that matches: one query, none when it is known that nothing does."""
    rows = work.session.execute(plan.narrow(_SHOWN)).all() if plan.most_rows else ()
    return StoragePage(
        rows=_to_rows(work, rows),
        match_count=len(rows),
        is_more_counted=False,
        total=min(plan.total, MOST_COUNTED),
        is_more_in_total=plan.total > MOST_COUNTED,
        next_after=None,
        previous_before=None,
    )


def _start(plan: Plan, query: StorageQuery) -> tuple[tuple[Any, ...] | None, bool]:
    """Return where the page begins, and whether it is read backwards from there."""
    after = plan.order.values_of(query.after)
    if after is not None:
        return after, False
    before = plan.order.values_of(query.before)
    return before, before is not None


def read_page(work: Work, plan: Plan, shown: Select[Any], page: PageRange) -> list[Line]:
    """Return the lines of a page in the order they are read in: `shown`, from `select_joined`, for the rows found."""
    if plan.match_count == 0:
        return []
    found = plan.page(page).subquery("page")
    keys = list(found.c)[:-1]
    query = shown.join(found, keys[-1] == Storage.id).add_columns(keys[0], found.c.match_count)
    falls = plan.is_falling != page.is_backwards
    rows = work.session.execute(query.order_by(*(key.desc() if falls else key for key in keys)))
    return [Line(row, row[-2], row[-1]) for row in rows]


def cursor_of(plan: Plan, line: Line) -> str:
    """Return the cursor of a line."""
    return plan.order.cursor_of(line.key, line.row.root, line.row.id)


def _to_rows(work: Work, rows: Sequence[Row[Any]]) -> tuple[StorageRow, ...]:
    roles: dict[tuple[Any, ...], Role | None] = {}
    shown = []
    for row in rows:
        values: tuple[Any, ...] = tuple(row)
        target = values[_FACTS : _FACTS + 3]
        if target not in roles:
            roles[target] = explain_storage(work.actor, StorageTarget(*target)).role
        shown.append(StorageRow(*(*values[1:_FACTS], roles[target])))
    return tuple(shown)
