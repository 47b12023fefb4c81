"""A real LaminDB database with two locations: nearly all artifacts in the first, ten in the second."""

import sqlite3
from pathlib import Path

import psycopg

from tests.clients.lamin import LaminClient
from tests.servers import PostgresServer

#: The second location holds this many.
FEW = 10

_COLUMNS = (
    "uid, key, description, suffix, size, hash, _hash_type, is_latest, is_locked, _key_is_virtual, _overwrite_versions,"
    " branch_id, created_on_id, space_id, storage_id, created_by_id, created_at, updated_at"
)

# One in twenty has no key, one in three a description, one in a hundred is archived, a handful is in the trash.
_VALUES = (
    "{uid}, CASE WHEN n % 20 = 0 THEN NULL ELSE {key} END, CASE WHEN n % 3 = 0 THEN {description} END, '.csv',"
    " ({big} * 48271) % 2147483647, {hash}, CASE WHEN n % 50 = 0 THEN 'sha1-fl' ELSE 'md5' END, n % 10 <> 3, {no},"
    " {yes}, {no}, CASE WHEN n % 100000 = 7 THEN -1 WHEN n % 100 = 9 THEN 0 ELSE 1 END, 1, 1,"
    " CASE WHEN n % {part} = 5 THEN {second} ELSE {first} END, (SELECT min(id) FROM lamindb_user), {created}, {updated}"
)


def fill_sqlite(folder: Path, count: int) -> dict[str, str]:
    """Return the way to a SQLite instance, as `AttachInstance` takes it."""
    main, second = _roots(folder)
    LaminClient(folder / "home").init("many", main, fill=[second])
    path = f"{main}/.lamindb/lamin.db"
    values = _VALUES.format(
        uid="printf('%08x%012d', (n * 2654435761) % 4294967296, n)",
        key="printf('data/%03d/plate-%02d/cell-%07d.csv', n % 400, n % 37, (n * 7919) % 1000003)",
        description="printf('Sample %d of run %d', n, n % 977)",
        hash="printf('%08x%014d', (n * 2654435761) % 4294967296, n)",
        big="n", yes=1, no=0, part=count // FEW,
        first="(SELECT min(id) FROM lamindb_storage)", second="(SELECT max(id) FROM lamindb_storage)",
        created="strftime('%Y-%m-%d %H:%M:%f', 1700000000 + n * 10, 'unixepoch')",
        updated="strftime('%Y-%m-%d %H:%M:%f', 1700000000 + (n * 7919 % 1000003) * 10, 'unixepoch')",
    )  # fmt: skip
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM lamindb_artifact WHERE storage_id = (SELECT max(id) FROM lamindb_storage)")
        connection.execute(f"INSERT INTO lamindb_artifact ({_COLUMNS}) {numbers} SELECT {values} FROM numbers")
    connection.close()
    return {"path": path}


def fill_postgres(folder: Path, server: PostgresServer, count: int) -> dict[str, str]:
    """Return the way to a PostgreSQL instance."""
    main, second = _roots(folder)
    url = server.new_database().replace("postgresql+psycopg://", "postgresql://", 1)
    LaminClient(folder / "home").init("many", main, url, fill=[second])
    front = "lpad(to_hex((n::bigint * 2654435761) % 4294967296), 8, '0')"
    values = _VALUES.format(
        uid=f"{front} || lpad(n::text, 12, '0')",
        key="format('data/%s/plate-%s/cell-%s.csv', lpad((n % 400)::text, 3, '0'), lpad((n % 37)::text, 2, '0'),"
        " lpad(((n::bigint * 7919) % 1000003)::text, 7, '0'))",
        description="format('Sample %s of run %s', n, n % 977)",
        hash=f"{front} || lpad(n::text, 14, '0')",
        big="n::bigint", yes="true", no="false", part=count // FEW,
        first="(SELECT min(id) FROM lamindb_storage)", second="(SELECT max(id) FROM lamindb_storage)",
        created="to_timestamp(1700000000 + n * 10)",
        updated="to_timestamp(1700000000 + (n::bigint * 7919 % 1000003) * 10)",
    )  # fmt: skip
    statement = f"INSERT INTO lamindb_artifact ({_COLUMNS}) SELECT {values} FROM generate_series(1, {count}) AS n"
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("DELETE FROM lamindb_artifact WHERE storage_id = (SELECT max(id) FROM lamindb_storage)")
        session.execute(statement.encode())
        session.execute("VACUUM ANALYZE lamindb_artifact")
    return {"url": url}


def _roots(folder: Path) -> tuple[str, str]:
    return str(folder / "bases/main"), str(folder / "bases/second")
