"""A SQLite instance moves with its default location; the old database stays for a while, sealed."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients.conftest import NewInstance
from tests.clients.instances import Instance, assert_world_whole, sqlite_way
from tests.clients.lamin import ClientError, LaminClient
from tests.clients.moving import rewrite_root

SENTENCE = "This instance has moved. Change its settings file."
DATABASE = ".lamindb/lamin.db"

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def instance(database_kind: str, new_instance: NewInstance, tmp_path: Path) -> Instance:
    """A filled instance below `main`."""
    return new_instance(str(tmp_path / "main"), fill=[])


@pytest.fixture
def colleague(instance: Instance, tmp_path: Path) -> LaminClient:
    """Somebody who connected to the instance before it moved, on a machine of their own."""
    client = LaminClient(tmp_path / "colleague")
    client.instance = instance.client.instance
    client.settings_path.parent.mkdir(parents=True)
    shutil.copy(instance.client.settings_path, client.settings_path)
    return client


def move(instance: Instance, old: Path, new: Path) -> None:
    """Copy everything to `new`, write the new root there, seal the database at `old`."""
    shutil.copytree(old, new, ignore=shutil.ignore_patterns("lamin.db*"))
    with closing(sqlite3.connect(old / DATABASE)) as source, closing(sqlite3.connect(new / DATABASE)) as target:
        source.backup(target)
    rewrite_root(sqlite_way(str(new)), instance.location(str(old))["uid"], str(new))
    with closing(sqlite3.connect(old / DATABASE)) as connection:
        for table in tables(connection):
            for change in ("INSERT", "UPDATE", "DELETE"):
                connection.execute(
                    f'CREATE TRIGGER "test_seal_{table}_{change}" BEFORE {change} ON "{table}" '
                    f"BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END"
                )
        connection.commit()


def tables(connection: sqlite3.Connection) -> Iterator[str]:
    """Return lamindb's own tables."""
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        if name.startswith("lamindb_"):
            yield name


def test_who_knows_the_new_place_works_on(instance: Instance, tmp_path: Path) -> None:
    move(instance, tmp_path / "main", tmp_path / "new")
    instance.client.edit_settings(storage_root=str(tmp_path / "new"))
    uid = instance.location(str(tmp_path / "main"))["uid"]
    assert_world_whole(instance.client, instance.world, {uid: str(tmp_path / "new")})


def test_who_does_not_know_it_reads_and_is_told_when_writing(
    instance: Instance, colleague: LaminClient, tmp_path: Path
) -> None:
    move(instance, tmp_path / "main", tmp_path / "new")
    assert_world_whole(colleague, instance.world, write=None)
    before = sorted((tmp_path / "main").rglob("*"))
    with pytest.raises(ClientError, match=SENTENCE):
        colleague.run("save", content="late", key="late.txt")
    assert sorted((tmp_path / "main").rglob("*")) == before
    colleague.edit_settings(storage_root=str(tmp_path / "new"))
    saved = colleague.run("save", content="in time", key="late.txt")
    assert saved["path"].startswith(str(tmp_path / "new"))


def test_an_open_session_is_told_too(instance: Instance, tmp_path: Path) -> None:
    with instance.client.session() as session:
        session.ask("save", content="before", key="before.txt")
        move(instance, tmp_path / "main", tmp_path / "new")
        with pytest.raises(ClientError, match=SENTENCE):
            session.ask("save", content="late", key="late.txt")
