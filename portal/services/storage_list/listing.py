"""One page of the list."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import aliased

from portal.models import Account, Host, Instance, Migration, Space, Storage
from portal.permissions import StorageTarget, explain_storage
from portal.planning.states import FINAL
from portal.services.storage_list.plan import MOST_COUNTED, Plan, make_plan
from portal.services.storage_list.query import StorageQuery
from portal.services.storage_list.rows import StoragePage, StorageRow
from portal.services.work import Work
from portal.values import Role

creator = aliased(Account)

#: In the order of `_to_row`.
_SHOWN: tuple[Any, ...] = (
    Storage.id,
    Storage.uid,
    Storage.root,
    Storage.type,
    func.coalesce(Host.name, Storage.region).label("place"),
    Space.name.label("space"),
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
    Storage.instance_id,
    Storage.space_id,
    Storage.owner_id,
)

#: Where in `_SHOWN` the three facts a decision about access needs begin.
_FACTS = len(_SHOWN) - 3


def list_storages(work: Work, query: StorageQuery) -> StoragePage:
    """Return one page of the storage locations the actor may see: at most six queries, whatever their number."""
    plan = make_plan(work, query)
    cursor, is_backwards = _start(plan, query)
    rows = read_page(work, plan, _SHOWN, cursor, is_backwards, query.limit + 1)
    if not rows and cursor is not None:
        cursor, is_backwards = None, False
        rows = read_page(work, plan, _SHOWN, None, False, query.limit + 1)
    has_more, rows = len(rows) > query.limit, rows[: query.limit]
    if is_backwards:
        rows = rows[::-1]
    has_next, has_previous = (True, has_more) if is_backwards else (has_more, cursor is not None)
    return StoragePage(
        rows=_to_rows(work, rows),
        match_count=min(plan.match_count, MOST_COUNTED),
        is_more_counted=plan.match_count > MOST_COUNTED,
        total=min(plan.total, MOST_COUNTED),
        is_more_in_total=plan.total > MOST_COUNTED,
        next_after=cursor_of(plan, rows[-1]) if rows and has_next else None,
        previous_before=cursor_of(plan, rows[0]) if rows and has_previous else None,
    )


def _start(plan: Plan, query: StorageQuery) -> tuple[tuple[Any, ...] | None, bool]:
    """Return where the page begins, and whether it is read backwards from there."""
    after = plan.order.values_of(query.after)
    if after is not None:
        return after, False
    before = plan.order.values_of(query.before)
    return before, before is not None


def read_page(
    work: Work, plan: Plan, shown: Sequence[Any], cursor: tuple[Any, ...] | None, is_backwards: bool, limit: int
) -> Sequence[Row[Any]]:
    """Return the columns `shown` of a page's rows, then the keys of the order, in the order they were read."""
    page = plan.page(cursor, is_backwards, limit).subquery("page")
    keys = list(page.c)
    falls = plan.is_falling != is_backwards
    query: Select[Any] = (
        select(*shown, keys[0].label("key"))
        .select_from(page)
        .join(Storage, Storage.id == keys[-1])
        .join(Space, Space.id == Storage.space_id)
        .join(creator, creator.id == Storage.created_by_id)
        .outerjoin(Host, Host.id == Storage.host_id)
        .outerjoin(Instance, Instance.id == Storage.instance_id)
        .order_by(*(key.desc() if falls else key for key in keys))
    )
    return work.session.execute(query).all()


def cursor_of(plan: Plan, row: Row[Any]) -> str:
    """Return the cursor of a row that `read_page` gave."""
    key = row.last_check_at if plan.order.key == "checked" else row.key
    return plan.order.cursor_of(key, row.root, row.id)


def _to_rows(work: Work, rows: Sequence[Row[Any]]) -> tuple[StorageRow, ...]:
    states = _live_migrations(work, [row.id for row in rows])
    roles: dict[tuple[Any, ...], Role | None] = {}
    shown = []
    for row in rows:
        values: tuple[Any, ...] = tuple(row)
        target = values[_FACTS:-1]
        if target not in roles:
            roles[target] = explain_storage(work.actor, StorageTarget(*target)).role
        shown.append(StorageRow(*(*values[1:_FACTS], states.get(row.id), roles[target])))
    return tuple(shown)


def _live_migrations(work: Work, storage_ids: Sequence[int]) -> dict[int, str]:
    """Return the state of the move under way, by row id: one query for the whole page."""
    query = select(Migration.storage_id, Migration.state).where(
        Migration.storage_id.in_(storage_ids), Migration.state.not_in([state.value for state in FINAL])
    )
    return {storage_id: state for storage_id, state in work.session.execute(query) if storage_id is not None}
