"""The whole list, row by row, with the columns of LaminDB's `to_dataframe` for `Storage`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, func

from portal.models import Host, Instance, Storage
from portal.services.storage_list.listing import creator, cursor_of, read_page, select_joined, space_label
from portal.services.storage_list.plan import PageRange, make_plan
from portal.services.storage_list.query import StorageQuery
from portal.services.storage_list.rows import branch_name
from portal.services.work import Work

EXPORT_COLUMNS = (
    "uid", "root", "description", "type", "region", "host", "instance_uid", "space", "branch", "created_on", "run",
    "created_by", "is_locked", "created_at", "updated_at",
)  # fmt: skip

#: Rows read at a time: memory stays bounded, and no transaction stays open while a slow reader takes them.
CHUNK_ROWS = 1_000

_EXPORTED = select_joined(
    Storage.id,
    Storage.uid,
    Storage.root,
    Storage.description,
    Storage.type,
    Storage.region,
    Host.name.label("host"),
    func.coalesce(Storage.instance_uid, Instance.uid).label("instance_uid"),
    space_label.label("space"),
    Storage.branch_id,
    Storage.created_on_id,
    Storage.run,
    creator.handle.label("created_by"),
    Storage.is_locked,
    Storage.created_at,
    Storage.updated_at,
)


def iterate_storages(
    work_factory: Callable[[], AbstractContextManager[Work]], query: StorageQuery
) -> Iterator[dict[str, object]]:
    """Give every location that matches, in the order of the list, as a mapping of EXPORT_COLUMNS.

    `work_factory` opens a unit of work for each chunk. The cursors of `query` do not count.
    """
    query = replace(query, after=None, before=None)
    with work_factory() as work:
        plan = make_plan(work, query)
    cursor: tuple[Any, ...] | None = None
    while True:
        with work_factory() as work:
            lines = read_page(work, plan, _EXPORTED, PageRange(cursor, False, CHUNK_ROWS))
        yield from (_to_record(line.row) for line in lines)
        if len(lines) < CHUNK_ROWS:
            return
        cursor = plan.order.values_of(cursor_of(plan, lines[-1]))


def _to_record(row: Row[Any]) -> dict[str, object]:
    record = {name: getattr(row, name) for name in EXPORT_COLUMNS if name not in {"branch", "created_on"}}
    record["branch"], record["created_on"] = branch_name(row.branch_id), branch_name(row.created_on_id)
    record["type"] = str(row.type)
    return {name: record[name] for name in EXPORT_COLUMNS}
