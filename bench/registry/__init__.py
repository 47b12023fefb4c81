"""Attach an instance of 1,000,000 artifacts: seconds and memory. The goal: less than 60 s and 300 MB.

The instance is made by the real lamindb (`make clients` installs it); its artifacts are added by SQL.
"""

import argparse
import multiprocessing
import resource
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from tests.clients.lamin import LaminClient
from tests.servers import PostgresServer

MOST_SECONDS, MOST_MEGABYTES = 60.0, 300

_COLUMNS = (
    "uid, key, suffix, size, hash, _hash_type, is_latest, is_locked, _key_is_virtual, _overwrite_versions, branch_id, "
    "created_on_id, space_id, storage_id, created_by_id"
)
_VALUES = (
    "{uid}, {key}, '.csv', 1000, {hash}, 'md5', {yes}, {no}, {yes}, {no}, 1, 1, 1, "
    "(SELECT min(id) FROM lamindb_storage), (SELECT min(id) FROM lamindb_user)"
)


def run(words: Sequence[str]) -> int:
    """Measure and print; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench registry", description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="an instance on PostgreSQL, not SQLite")
    parser.add_argument("--artifacts", type=int, default=1_000_000, help="how many (default 1,000,000)")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        folder = Path(name).resolve()
        if not options.postgres:
            return _measure(folder, _sqlite(folder, options.artifacts))
        with PostgresServer() as server:
            return _measure(folder, _postgres(folder, server, options.artifacts))


def _sqlite(folder: Path, count: int) -> dict[str, str]:
    LaminClient(folder / "home").init("many", str(folder / "bases/main"))
    path = folder / "bases/main/.lamindb/lamin.db"
    values = _VALUES.format(uid="printf('%020d', n)", key="'data/' || n", hash="printf('%022d', n)", yes=1, no=0)
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    with sqlite3.connect(path) as connection:
        connection.execute(f"INSERT INTO lamindb_artifact ({_COLUMNS}) {numbers} SELECT {values} FROM numbers")
    connection.close()
    return {"path": str(path)}


def _postgres(folder: Path, server: PostgresServer, count: int) -> dict[str, str]:
    url = server.new_database().replace("postgresql+psycopg://", "postgresql://", 1)
    LaminClient(folder / "home").init("many", str(folder / "bases/main"), url)
    values = _VALUES.format(
        uid="lpad(n::text, 20, '0')", key="'data/' || n", hash="lpad(n::text, 22, '0')", yes="true", no="false"
    )
    with psycopg.connect(url) as session:
        statement = f"INSERT INTO lamindb_artifact ({_COLUMNS}) SELECT {values} FROM generate_series(1, {count}) AS n"
        session.execute(statement.encode())
    return {"url": url}


def _measure(folder: Path, way: dict[str, str]) -> int:
    """Attach, compare and take over in a process of its own, whose memory is then the portal's."""
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[tuple[dict[str, float], float]] = context.Queue()
    child = context.Process(target=_attach, args=(folder, way, answers))
    child.start()
    child.join()
    if child.exitcode:
        print("The portal's process failed.")
        return 1
    seconds, megabytes = answers.get()
    for step, took in seconds.items():
        print(f"{step:10} {took:8.2f} s")
    print(f"{'memory':10} {megabytes:8.0f} MB")
    fine = sum(seconds.values()) < MOST_SECONDS and megabytes < MOST_MEGABYTES
    print("Within the goal." if fine else f"The goal is {MOST_SECONDS:.0f} s and {MOST_MEGABYTES} MB.")
    return 0 if fine else 1


def _attach(
    folder: Path, way: dict[str, str], answers: "multiprocessing.Queue[tuple[dict[str, float], float]]"
) -> None:
    from portal.app import create_app
    from portal.config import Settings
    from portal.database import upgrade
    from portal.services.registries.apply import take_over
    from portal.services.registries.attach import AttachInstance, attach_instance
    from portal.services.registries.compare import compare
    from portal.services.units import Units
    from tests.integration.world import Portal, build_world

    url = f"sqlite:///{folder}/portal.db"
    upgrade(url)
    settings = Settings(
        data_dir=folder / "data", database_url=url, bind=("127.0.0.1", 8000), url="http://localhost", host="here",
        local_bases=(folder / "bases",), allowed_endpoints=("127.0.0.0/8",), log_level="ERROR",
    )  # fmt: skip
    portal = Portal(create_app(settings))
    build_world(portal)
    units = Units(lambda: portal.read_as("ada"), lambda: portal.write_as("ada"))
    seconds = {}
    started = time.monotonic()
    done = attach_instance(units, AttachInstance("lab/atlas", way.get("path", ""), way.get("url", "")))
    seconds["attach"] = time.monotonic() - started
    if done.uid is None:
        raise RuntimeError(str(done.examination.error))
    started = time.monotonic()
    compare(units, "lab/atlas")
    seconds["compare"] = time.monotonic() - started
    started = time.monotonic()
    take_over(units, "lab/atlas")
    seconds["take over"] = time.monotonic() - started
    answers.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
