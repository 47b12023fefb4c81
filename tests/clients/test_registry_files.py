"""A SQLite instance's own database file: sealed where it was, published whole where it goes."""

import hashlib
import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from portal.errors import RegistryBusy, RegistryError, RegistryUnreachable
from portal.lamindb.registry import database_file
from portal.lamindb.registry.changes import RootChange, change_root
from portal.lamindb.registry.database_file import publish_copy
from portal.lamindb.registry.fence import fence_deadline, lift_fence, raise_fence
from portal.lamindb.registry.opening import open_registry
from portal.lamindb.registry.rows import list_storages
from portal.lamindb.registry.seal import seal, seal_words, unseal
from portal.lamindb.registry.ways import SqliteWay, Way
from tests.clients.conftest import NewInstance
from tests.clients.instances import ask, execute
from tests.clients.lamin import ClientError

WORDS = "It's at s3://new/place now. Set lamindb_instance_storage_root in your settings file."
ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def way(lamin_database: Way) -> SqliteWay:
    """A copy of a real instance's file."""
    assert isinstance(lamin_database, SqliteWay)
    return lamin_database


def put_seal(way: SqliteWay, words: str) -> None:
    """Seal in a transaction of its own."""
    with open_registry(way, writes=True) as connection:
        seal(connection, words)


def schema(way: SqliteWay) -> list[tuple[str, ...]]:
    """Return every statement that made something in the file."""
    return ask(way, "SELECT type, name, sql FROM sqlite_master ORDER BY name")


def filled_tables(way: SqliteWay) -> list[str]:
    """Return the tables with rows, SQLite's own left out."""
    names = [name for (name,) in ask(way, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [name for name in names if not name.startswith("sqlite_") and ask(way, f'SELECT 1 FROM "{name}" LIMIT 1')]


@ONLY_SQLITE
def test_a_sealed_file_reads_and_refuses_every_write_with_its_words(database_kind: str, way: SqliteWay) -> None:
    tables = filled_tables(way)
    assert {"lamindb_artifact", "lamindb_storage", "django_migrations"} <= set(tables)
    rows = {name: ask(way, f'SELECT * FROM "{name}"') for name in tables}
    put_seal(way, WORDS)
    for name in tables:
        column = ask(way, f"SELECT name FROM pragma_table_info('{name}') LIMIT 1")[0][0]
        for statement in (
            f'DELETE FROM "{name}"',
            f'UPDATE "{name}" SET "{column}" = "{column}"',
            f'INSERT INTO "{name}" SELECT * FROM "{name}"',
        ):
            with pytest.raises(sqlite3.IntegrityError) as refusal:
                execute(way, statement)
            assert str(refusal.value) == WORDS
    assert {name: ask(way, f'SELECT * FROM "{name}"') for name in tables} == rows
    with open_registry(way) as connection:
        assert len(list_storages(connection)) == 3
        assert seal_words(connection) == WORDS


@ONLY_SQLITE
def test_an_empty_table_of_a_module_is_sealed_too(database_kind: str, way: SqliteWay) -> None:
    execute(way, 'CREATE TABLE "odd ""name" (word TEXT)')
    put_seal(way, WORDS)
    for statement in (
        'INSERT INTO "odd ""name" VALUES (1)',
        "INSERT INTO lamindb_space (name, uid, created_at) VALUES ('s', 'u', '2030')",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="settings file"):
            execute(way, statement)


@ONLY_SQLITE
def test_a_seal_replaces_another_and_comes_off_without_a_trace(database_kind: str, way: SqliteWay) -> None:
    execute(way, "CREATE TRIGGER somebodys AFTER INSERT ON lamindb_space BEGIN SELECT 1; END")
    before = schema(way)
    put_seal(way, "First words.")
    put_seal(way, "Other words.")
    with pytest.raises(sqlite3.IntegrityError, match=r"^Other words\.$"):
        execute(way, "UPDATE lamindb_storage SET description = 'x'")
    for _time in range(2):
        with open_registry(way, writes=True) as connection:
            unseal(connection)
            assert seal_words(connection) is None
    assert schema(way) == before
    assert execute(way, "UPDATE lamindb_storage SET description = 'x'") == 3


@ONLY_SQLITE
def test_a_fence_turns_into_a_seal_in_one_transaction(database_kind: str, way: SqliteWay) -> None:
    with open_registry(way, writes=True) as connection:
        raise_fence(connection, 1, until=datetime.now(UTC) + timedelta(hours=1), reason="Moving.")
    with pytest.raises(Stopped), open_registry(way, writes=True) as connection:
        into_seal(connection, 1, stops=True)
    with open_registry(way) as connection:
        assert fence_deadline(connection, 1) is not None
        assert seal_words(connection) is None
    with open_registry(way, writes=True) as connection:
        into_seal(connection, 1)
    with open_registry(way) as connection:
        assert fence_deadline(connection, 1) is None
        assert seal_words(connection) == WORDS


class Stopped(Exception):
    """Something went wrong in the middle."""


def into_seal(connection: Connection, row_id: int, *, stops: bool = False) -> None:
    """Turn a location's fence into a seal."""
    lift_fence(connection, row_id)
    seal(connection, WORDS)
    if stops:
        raise Stopped


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_only_sqlite_is_sealed(database_kind: str, lamin_database: Way) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        with pytest.raises(RegistryError, match="Only a SQLite database is sealed"):
            seal(connection, WORDS)
        assert seal_words(connection) is None


class Place:
    """Where a database goes, and what is done to it on the way."""

    def __init__(self, way: SqliteWay, folder: Path) -> None:
        folder.mkdir()
        self.way = way
        self.folder = folder
        self.temporary = folder / "lamin.db.portal"
        self.final = folder / "lamin.db"
        [(self.uid, self.root)] = ask(way, "SELECT uid, root FROM lamindb_storage WHERE id = 1")

    def edit(self, connection: Connection) -> None:
        """Write the new root, and take the fence away."""
        lift_fence(connection, 1)
        change = RootChange(1, self.uid, self.root, "/new/place", "local", None)
        change_root(connection, change, needs_fence=False, now=datetime.now(UTC))

    def publish(self, *, replaces: bool = False) -> database_file.Published:
        """Publish a copy."""
        return publish_copy(self.way.path, str(self.temporary), self.edit, str(self.final), replaces=replaces)

    @property
    def names(self) -> list[str]:
        """What is in the folder."""
        return sorted(path.name for path in self.folder.iterdir())

    @property
    def found_root(self) -> str:
        """The root as the published file has it."""
        return str(ask(SqliteWay(str(self.final)), "SELECT root FROM lamindb_storage WHERE id = 1")[0][0])


@pytest.fixture
def place(way: SqliteWay, tmp_path: Path) -> Place:
    """A new folder."""
    return Place(way, tmp_path / "new")


@ONLY_SQLITE
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_copy_is_published_edited_while_the_original_is_held(database_kind: str, place: Place, journal: str) -> None:
    Path(place.way.path).chmod(0o640)
    with closing(sqlite3.connect(place.way.path)) as holder:
        assert holder.execute(f"PRAGMA journal_mode={journal}").fetchone() == (journal,)
        holder.execute("UPDATE lamindb_storage SET description = 'just now'")
        holder.commit()  # with a write-ahead log this is not in the file itself yet
        with open_registry(place.way, writes=True) as connection:
            raise_fence(connection, 1, until=datetime.now(UTC) + timedelta(hours=1), reason="Moving.")
        with open_registry(place.way, writes=True):
            published = place.publish()
    assert place.names == ["lamin.db"]
    content = place.final.read_bytes()
    assert published == database_file.Published(str(place.final), len(content), hashlib.sha256(content).hexdigest())
    assert stat.S_IMODE(place.final.stat().st_mode) == 0o640
    copy = SqliteWay(str(place.final))
    assert place.found_root == "/new/place"
    assert ask(copy, "SELECT description FROM lamindb_storage WHERE id = 1") == [("just now",)]
    assert ask(copy, "PRAGMA journal_mode") == [(journal,)]
    assert ask(copy, "SELECT * FROM lamindb_artifact") == ask(place.way, "SELECT * FROM lamindb_artifact")
    with open_registry(copy) as connection:
        assert fence_deadline(connection, 1) is None
    with open_registry(place.way) as connection:
        assert fence_deadline(connection, 1) is not None
    assert ask(place.way, "SELECT root FROM lamindb_storage WHERE id = 1") == [(place.root,)]


@ONLY_SQLITE
def test_an_edit_that_fails_publishes_nothing(database_kind: str, place: Place) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("UPDATE lamindb_storage SET root = 'x' WHERE id = 1"))
        raise RegistryError("The row is another.")

    with pytest.raises(RegistryError, match="The row is another"):
        publish_copy(place.way.path, str(place.temporary), fail, str(place.final))
    assert place.names == []


@ONLY_SQLITE
def test_a_database_that_is_there_is_replaced_only_on_demand(database_kind: str, place: Place) -> None:
    place.final.write_text("somebody's")
    with pytest.raises(RegistryError, match="There is a database already"):
        place.publish()
    assert place.final.read_text() == "somebody's"
    place.publish(replaces=True)
    assert (place.names, place.found_root) == (["lamin.db"], "/new/place")
    place.final.with_name("lamin.db-journal").write_text("half a write")
    with pytest.raises(RegistryBusy, match="in use, or was left in the middle of a write"):
        place.publish(replaces=True)
    assert place.names == ["lamin.db", "lamin.db-journal"]


@ONLY_SQLITE
def test_a_database_that_somebody_makes_meanwhile_stays(database_kind: str, place: Place) -> None:
    def meddle(connection: Connection) -> None:
        place.final.write_text("somebody's")

    with pytest.raises(RegistryError, match="There is a database already"):
        publish_copy(place.way.path, str(place.temporary), meddle, str(place.final))
    assert place.final.read_text() == "somebody's"
    assert place.names == ["lamin.db"]


@ONLY_SQLITE
def test_a_damaged_database_is_not_published(database_kind: str, place: Place) -> None:
    [(page, size)] = ask(
        place.way, "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'lamindb_artifact'"
    )
    with Path(place.way.path).open("r+b") as file:
        file.seek((page - 1) * size + 8)
        file.write(os.urandom(64))
    with pytest.raises(RegistryError, match="damaged"):
        place.publish()
    assert place.names == []


@ONLY_SQLITE
def test_a_folder_that_takes_no_file_is_named(database_kind: str, place: Place) -> None:
    with small_files(1_000_000), pytest.raises(RegistryError, match=r"new/lamin\.db could not be written"):
        place.publish()
    assert place.names == []
    place.folder.rmdir()
    with pytest.raises(RegistryError, match=r"new/lamin\.db could not be written: No such file or directory"):
        place.publish()


@contextmanager
def small_files(limit_bytes: int) -> Iterator[None]:
    """Let this process write no file beyond a size, as a disk without room would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@ONLY_SQLITE
def test_an_original_that_is_locked_or_gone_is_told(
    database_kind: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_file, "_WAIT_SECONDS", 0.3)
    with closing(sqlite3.connect(place.way.path, isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryBusy, match="Another program is writing"):
            place.publish()
    Path(place.way.path).unlink()
    with pytest.raises(RegistryUnreachable, match="There is no file"):
        place.publish()
    assert place.names == []


KILLED = """
import sys
from portal.lamindb.registry.database_file import publish_copy
source, temporary, final = sys.argv[1:]
def edit(connection):
    connection.exec_driver_sql("UPDATE lamindb_storage SET root = 'half' WHERE id = 1")
    print("edited", flush=True)
    sys.stdin.read()
publish_copy(source, temporary, edit, final)
"""


@ONLY_SQLITE
def test_a_portal_that_is_killed_publishes_nothing_and_the_next_does(database_kind: str, place: Place) -> None:
    words = [sys.executable, "-c", KILLED, place.way.path, str(place.temporary), str(place.final)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"edited\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert place.temporary.exists()
    assert not place.final.exists()
    place.publish()
    assert (place.names, place.found_root) == (["lamin.db"], "/new/place")


@ONLY_SQLITE
def test_the_real_client_works_in_the_copy_and_only_reads_the_sealed_original(
    database_kind: str, new_instance: NewInstance, tmp_path: Path
) -> None:
    old, new = tmp_path / "main", tmp_path / "new"
    instance = new_instance(str(old))
    way = instance.way
    assert isinstance(way, SqliteWay)
    with instance.client.session() as session:
        saved = session.ask("save", content="words", key="a.txt")
        shutil.copytree(old, new, ignore=shutil.ignore_patterns("lamin.db*"))
        [(row_id, uid, root)] = ask(way, "SELECT id, uid, root FROM lamindb_storage")
        change = RootChange(row_id, uid, root, str(new), "local", None)

        def edit(connection: Connection) -> None:
            change_root(connection, change, needs_fence=False, now=datetime.now(UTC))

        with open_registry(way, writes=True) as connection:
            final = str(new / ".lamindb/lamin.db")
            publish_copy(way.path, f"{final}.portal", edit, final)
            seal(connection, WORDS)
        with pytest.raises(ClientError, match=re.escape(WORDS)):
            session.ask("save", content="late", key="b.txt")
        assert session.ask("read", uid=saved["uid"]) == "words"
    assert instance.client.run("read", uid=saved["uid"]) == "words"
    instance.client.edit_settings(storage_root=str(new))
    shutil.rmtree(old)
    with instance.client.session() as session:
        assert session.ask("read", uid=saved["uid"]) == "words"
        assert session.ask("save", content="new", key="b.txt")["path"].startswith(str(new))
