"""Real instances to test with: SQLite or PostgreSQL, made where a test wants them, filled by `build_world`."""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way, parse_url
from tests.clients.lamin import REPOSITORY, LaminClient
from tests.servers import PostgresServer, S3Server

World = dict[str, Any]


@dataclass(frozen=True)
class Instance:
    """An instance and the person who made it.

    Attributes:
        facts: slug, id, uid and the default location's root, as the client told them.
        world: what `build_world` made; empty where nothing was.
    """

    client: LaminClient
    way: Way
    facts: dict[str, Any]
    world: World = field(default_factory=dict)

    def fill(self, *roots: str, big: bool = False) -> World:
        """Register `roots` beside the default location and put one artifact of every sort into each location."""
        self.world.update(self.client.run("build_world", roots=roots, big=big))
        return self.world

    def location(self, root: str) -> dict[str, Any]:
        """Return uid, id and root of the world's location that was made at `root`."""
        [found] = [each for each in self.world["locations"] if each["root"] == root]
        return dict(found)


def sqlite_way(root: str) -> SqliteWay:
    """Return the way to the database of a SQLite instance whose default location is `root`."""
    return SqliteWay(str(Path(root).resolve() / ".lamindb/lamin.db"))


def postgres_way(url: str) -> PostgresWay:
    """Return the way to a database of `PostgresServer`."""
    return parse_url(url)


def execute(way: Way, statement: str, **values: Any) -> int:
    """Run one statement in an instance's database, `:name` standing for a value; return how many rows it met."""
    if isinstance(way, SqliteWay):
        with sqlite3.connect(way.path, timeout=10) as connection:
            count = connection.execute(statement, values).rowcount
        connection.close()
        return count
    with psycopg.connect(way.url) as session:
        return session.execute(_psycopg(statement, values).encode(), values).rowcount


def execute_many(way: Way, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run one statement for each of some rows of values; see `execute`."""
    if isinstance(way, SqliteWay):
        with sqlite3.connect(way.path, timeout=10) as connection:
            connection.executemany(statement, rows)
        connection.close()
        return
    with psycopg.connect(way.url) as session, session.cursor() as cursor:
        cursor.executemany(_psycopg(statement, rows[0]).encode(), rows)


def ask(way: Way, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of one query in an instance's database; see `execute`."""
    if isinstance(way, SqliteWay):
        with sqlite3.connect(way.path, timeout=10) as connection:
            rows = connection.execute(statement, values).fetchall()
        connection.close()
        return rows
    with psycopg.connect(way.url) as session:
        return session.execute(_psycopg(statement, values).encode(), values).fetchall()


def _psycopg(statement: str, values: Mapping[str, Any]) -> str:
    for name in values:
        statement = statement.replace(f":{name}", f"%({name})s")
    return statement


def s3_environment(server: S3Server) -> dict[str, str]:
    """Return the variables by which a client signs in to `server`."""
    return {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        # lamindb asks a bucket of its makers whether AWS knows our key, and without a network it asks for 5 to 10 s.
        "AWS_ENDPOINT_URL": server.endpoint_url,
    }


def s3_root(server: S3Server, bucket: str, prefix: str = "") -> str:
    """Make a bucket and return the root of a location in it."""
    server.add_bucket(bucket)
    return f"s3://{bucket}{'/' if prefix else ''}{prefix}?endpoint_url={server.endpoint_url}"


def assert_world_whole(
    client: LaminClient, world: World, roots: Mapping[str, str] | None = None, write: str | None = "afterwards"
) -> dict[str, Any]:
    """Let a fresh process with an empty cache read the whole world back and write to every location.

    `roots` are the locations' roots by uid where they are no longer those of the world. `write` names the new
    artifacts; None writes none. Returns `check_world`'s answer.
    """
    found: dict[str, Any] = client.run("check_world", world=world, write=write)
    assert found["problems"] == []
    assert found["roots"] == {each["uid"]: each["root"] for each in world["locations"]} | dict(roots or {})
    assert len(found["paths"]) == len(world["artifacts"]) > 0
    return found


class PostgresTemplate:
    """A LaminDB database without locations, to copy: the client takes 20 s to make one, and 2 s to move in.

    A dump of it stays in the client's environment, for the next run and for other workers.
    """

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        lock = (REPOSITORY / "requirements/clients.lock").read_bytes()
        name = f"{hashlib.sha256(lock).hexdigest()[:12]}-postgresql-{server.bin.parent.name}.sql"
        self._dump = REPOSITORY / ".venv-lamindb" / name
        self.url = server.new_database()
        self._fill()

    def new_url(self) -> str:
        """Make a database for one instance and return its `postgresql://` URL."""
        return plain_url(self._server.new_database(template=self.url.rpartition("/")[2]))

    def _fill(self) -> None:
        with (REPOSITORY / ".venv-lamindb" / "dump.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._dump.exists():
                self._program(
                    "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--output", os.devnull, "--file", self._dump
                )
                return
            self._make()
            half = self._dump.with_suffix(".half")
            self._program("pg_dump", "--no-owner", "--file", half)
            half.rename(self._dump)

    def _make(self) -> None:
        LaminClient(self._folder / "home").init("template", str(self._folder / "root"), db=plain_url(self.url))
        with psycopg.connect(plain_url(self.url)) as connection:
            connection.execute("DELETE FROM lamindb_storage")
        shutil.rmtree(self._folder)

    def _program(self, name: str, *words: str | Path) -> None:
        environment = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._server.port),
            "PGUSER": "portal",
            "PGPASSWORD": self._server.password,
            "PGDATABASE": self.url.rpartition("/")[2],
        }
        command = [self._server.bin / name, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr


def plain_url(url: str) -> str:
    """Return SQLAlchemy's URL as lamindb and psycopg take it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
