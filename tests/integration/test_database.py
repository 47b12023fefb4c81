"""Schema and transactions, on both databases."""

import threading
from collections.abc import Callable

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import create_engine, inspect, text

from portal import database
from portal.models import Base, Space
from portal.services import spaces
from tests.integration.world import Portal, World

pytestmark = pytest.mark.dialects


def test_the_revisions_make_exactly_the_tables_of_the_models(database_url: str) -> None:
    # What `alembic check` does: it raises when it would write a new revision.
    command.check(database.alembic_config(database_url))


def test_upgrading_an_empty_database_makes_every_table_and_again_changes_nothing(empty_database_url: str) -> None:
    def tables() -> dict[str, list[str]]:
        engine = create_engine(empty_database_url)
        found = {
            name: [str(column["name"]) for column in inspect(engine).get_columns(name)]
            for name in inspect(engine).get_table_names()
        }
        engine.dispose()
        return found

    assert tables() == {}
    database.upgrade(empty_database_url)
    first = tables()
    database.upgrade(empty_database_url)
    assert tables() == first
    assert set(Base.metadata.tables) <= set(first)


def test_an_app_brings_its_database_up_to_date(app: Flask) -> None:
    with app.app_context():
        assert database.is_current()


def test_the_space_all_is_lamindbs_row_one(app: Flask) -> None:
    with app.app_context(), database.read() as session:
        space = session.get_one(Space, 1)
        assert (space.uid, space.name, space.owner_id) == ("aaaaaaaaaaaa", "all", None)


def test_sqlite_keeps_a_write_ahead_log_and_holds_foreign_keys(app: Flask, database_kind: str) -> None:
    if database_kind != "sqlite":
        with app.app_context(), database.read() as session:
            assert session.scalar(text("SELECT 1")) == 1
        return
    with app.app_context(), database.read() as session:
        pragmas = {
            name: session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": database.BUSY_TIMEOUT_MS}


def test_an_error_rolls_everything_back(portal: Portal, world: World) -> None:
    def fail() -> None:
        with portal.write_as("ada") as work:
            spaces.create_space(work, spaces.NewSpace("half-made"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with portal.read_as("ada") as work:
        assert "half-made" not in {row.name for row in spaces.list_spaces(work)}


def test_a_read_that_forgets_itself_changes_nothing(portal: Portal, world: World) -> None:
    with portal.read_as("ada") as work:
        spaces.create_space(work, spaces.NewSpace("forgotten"))
    with portal.read_as("ada") as work:
        assert "forgotten" not in {row.name for row in spaces.list_spaces(work)}


def run_at_once(count: int, act: Callable[[int], None]) -> list[BaseException]:
    """Run `act(0)` … in threads that start together; return what they raised."""
    barrier, raised = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            act(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def test_writers_at_once_wait_for_each_other(portal: Portal, world: World) -> None:
    def write(number: int) -> None:
        for step in range(5):
            with portal.write_as("ada") as work:
                # Reads first, then writes: what a deferred transaction of SQLite would fail at.
                spaces.list_spaces(work)
                spaces.create_space(work, spaces.NewSpace(f"space-{number}-{step}"))

    assert run_at_once(6, write) == []
    with portal.read_as("ada") as work:
        assert len([row for row in spaces.list_spaces(work) if row.name.startswith("space-")]) == 30
