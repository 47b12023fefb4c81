"""Orders, pages and exports of the list of storage locations, and the queries they cost."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from portal.models import Host, Instance, Storage
from portal.permissions import Action, StorageTarget, allows
from portal.services.storage_list import (
    EXPORT_COLUMNS,
    SORT_KEYS,
    StorageQuery,
    iterate_storages,
    list_facets,
    list_storages,
    plan,
)
from portal.services.work import Work
from tests.integration.storage_asking import found, roots
from tests.integration.storage_rows import NOW, add_many, add_storage, host_id
from tests.integration.world import World

pytestmark = pytest.mark.dialects

Units = Callable[..., AbstractContextManager[Work]]


@contextmanager
def counted(work: Work) -> Iterator[list[str]]:
    """Collect the statements a block sends."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    engine = work.session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("is_falling", [False, True])
@pytest.mark.parametrize("sort", SORT_KEYS)
def test_pages_there_and_back_hold_each_row_once_and_in_order(
    work_as: Units, world: World, way: str, sort: str, is_falling: bool
) -> None:
    with work_as("ada") as work:
        add_many(work, world, 60)
        query = StorageQuery(sort=sort, is_falling=is_falling, limit=7)
        whole = list_storages(work, replace(query, limit=1_000)).rows
        forth = [list_storages(work, query)]
        while forth[-1].next_after:
            forth.append(list_storages(work, replace(query, after=forth[-1].next_after)))
        walked = [row for page in forth for row in page.rows]
        assert walked == list(whole)
        assert len({row.uid for row in walked}) == len(walked) == _visible_count(work)
        back = [forth[-1]]
        while back[-1].previous_before:
            back.append(list_storages(work, replace(query, before=back[-1].previous_before)))
        assert [row for page in reversed(back) for row in page.rows] == walked
        keys = [_key(row, sort) for row in whole]
        assert keys == sorted(keys, reverse=is_falling)


def _visible_count(work: Work) -> int:
    targets = work.session.execute(
        select(Storage.instance_id, Storage.space_id, Storage.owner_id).where(Storage.branch_id >= 1)
    )
    return sum(allows(work.actor, Action.STORAGE_READ, StorageTarget(*target)) for target in targets)


def _key(row: Any, sort: str) -> tuple[Any, str]:
    """Return what a row is sorted by, worked out anew."""
    value = {
        "root": row.root,
        "type": str(row.type),
        "place": (row.place or "").lower(),
        "space": row.space.lower(),
        "instance": (row.instance or "").lower(),
        "mode": str(row.mode),
        "default": row.is_default,
        "by": row.creator,
        "checked": row.last_check_at or datetime.min.replace(tzinfo=NOW.tzinfo),
        "created": row.created_at,
    }[sort]
    return value, row.root


@pytest.mark.parametrize("cursor", ["", "x", "WyJyb290Il0", "////", "é", "a" * 10_000, "WyJyb290IiwxLDFd"])
def test_a_cursor_that_is_none_leads_to_the_first_page(work_as: Units, world: World, cursor: str) -> None:
    with work_as("ada") as work:
        add_many(work, world, 20)
        first = roots(list_storages(work, StorageQuery(limit=5)))
        assert roots(list_storages(work, StorageQuery(limit=5, after=cursor))) == first
        assert roots(list_storages(work, StorageQuery(limit=5, before=cursor))) == first


def test_a_cursor_beyond_the_end_leads_to_the_first_page(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_many(work, world, 12)
        first = list_storages(work, StorageQuery(limit=5))
        after = list_storages(work, StorageQuery(limit=1_000)).rows[-1].root
        work.session.execute(text("DELETE FROM storage WHERE root >= :root"), {"root": first.rows[-1].root})
        assert after not in roots(list_storages(work, StorageQuery(limit=5, after=first.next_after)))
        assert list_storages(work, StorageQuery(limit=5, after=first.next_after)).previous_before is None


def test_an_unknown_order_is_the_order_by_root(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_many(work, world, 10)
        assert StorageQuery(sort="size; DROP TABLE").sort == "root"
        assert found(work, sort="size") == sorted(found(work))


def test_a_new_name_of_host_space_instance_or_person_changes_the_order(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_storage(work, world, "/data/a", host_id=host_id(work, "hpc-1"))
        add_storage(work, world, "/data/b", host_id=host_id(work, "hpc-2"))
        assert found(work, sort="place") == ["/data/a", "/data/b"]
        work.session.execute(update(Host).where(Host.name == "hpc-1").values(name="zeta"))
        assert found(work, sort="place") == ["/data/b", "/data/a"]
        work.session.execute(update(Instance).values(slug="lab/Renamed"))
        assert set(work.session.scalars(select(Storage.sort_instance))) == {"lab/renamed"}


def test_numbers_end_at_a_thousand(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_many(work, world, 1_300)
        page = list_storages(work, StorageQuery())
        assert (page.match_count, page.is_more_counted, page.total, page.is_more_in_total) == (1_000, True, 1_000, True)


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(work_as: Units, world: World) -> None:
    queries = (
        StorageQuery(limit=5),
        StorageQuery(limit=5, sort="checked"),
        StorageQuery(limit=5, text="atlas"),
        StorageQuery(limit=5, types=("s3",), modes=("writable",)),
    )
    with work_as("ada") as work:
        numbers: list[int] = []
        for _ in range(2):
            add_many(work, world, 120, seed=len(numbers))
            for query in queries:
                with counted(work) as sent:
                    list_storages(work, query)
                    list_facets(work)
                numbers.append(len(sent))
        assert numbers[:4] == numbers[4:]
        assert max(numbers) <= 7


def test_an_export_is_the_list(work_as: Units, read_as: Units, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.services.storage_list.export.CHUNK_ROWS", 9)
    with work_as("ada") as work:
        add_many(work, world, 50)
    for query in (
        StorageQuery(),
        StorageQuery(sort="checked", is_falling=True, types=("s3",)),
        StorageQuery(text="atlas"),
    ):
        with read_as("rita") as work:
            shown = [row.uid for row in list_storages(work, replace(query, limit=1_000)).rows]
        records = list(iterate_storages(lambda: read_as("rita"), replace(query, after="ignored")))
        assert [record["uid"] for record in records] == shown
        assert all(tuple(record) == EXPORT_COLUMNS for record in records)


def test_an_export_names_what_a_data_frame_names(work_as: Units, read_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_storage(work, world, "s3://b/one", uid="a" * 12, description="First", run="run1")
    (record,) = iterate_storages(lambda: read_as("ada"), StorageQuery())
    expected = {
        "uid": "a" * 12, "root": "s3://b/one", "description": "First", "type": "s3", "region": "eu-central-1",
        "host": None, "instance_uid": world.instance_uid, "space": "lab/imaging", "branch": "main",
        "created_on": "main",
        "run": "run1", "created_by": "ada", "is_locked": False, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    assert record == expected


PLANS = {
    "root": "ix_storage_by_root",
    "place": "ix_storage_by_place",
    "checked": "ix_storage_by_checked",
    "default": "ix_storage_by_default",
}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sort", PLANS)
def test_sqlite_reads_a_page_in_order_along_its_index(
    work_as: Units, world: World, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "MOST_GATHERED", 3)
    with work_as("ada") as work:
        add_many(work, world, 60)
        first = list_storages(work, StorageQuery(sort=sort, limit=5))
        asked = StorageQuery(sort=sort, limit=5)
        for query in (asked, replace(asked, after=first.next_after), replace(asked, before=first.next_after)):
            steps = explained(work, query)
            # What finds the page; the few rows that are shown are put in order once more after it.
            finding = steps[: steps.index("SCAN page")]
            assert any(PLANS[sort] in step for step in finding), steps
            assert not any("TEMP B-TREE" in step for step in finding), steps


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_sqlite_gathers_few_rows_within_the_access_index(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        add_many(work, world, 20)
        for sort in SORT_KEYS:
            steps = explained(work, StorageQuery(sort=sort, limit=5))
            assert any("ix_storage_access" in step for step in steps), steps
            assert not any(step.startswith("SCAN storage") for step in steps), steps


def explained(work: Work, query: StorageQuery) -> list[str]:
    """Return SQLite's plan for the ids of a page."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        seen.append((statement, parameters))

    engine = work.session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    list_storages(work, query)
    event.remove(engine, "before_cursor_execute", note)
    statement, parameters = next(item for item in seen if "match_count" in item[0])
    rows = work.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return [row[3] for row in rows]
