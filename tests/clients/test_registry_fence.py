"""The fence on real LaminDB databases: whom it refuses, whom it lets through, and that it lifts itself."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from portal.errors import RegistryBusy, RegistryChanged, RegistryRefused
from portal.lamindb.registry.fence import (
    fence_deadline,
    has_fence_rights,
    is_fence_alive,
    lift_fence,
    raise_fence,
    require_fence,
)
from portal.lamindb.registry.opening import Limits, open_registry
from portal.lamindb.registry.uploads import uploads_under_way
from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way, parse_url
from tests.clients.instances import ask, execute

pytestmark = pytest.mark.dialects

REASON = "The location second is being moved to s3://new/place."
REFUSALS = (sqlite3.IntegrityError, psycopg.IntegrityError)
# Rows of locations on both databases; which of the three they are makes no difference.
FENCED, OTHER = 2, 3
HURRIED = Limits(lock_seconds=0.2)
ONLY_POSTGRES = pytest.mark.parametrize("database_kind", ["postgresql"])
ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])

INSERT = (
    "INSERT INTO lamindb_artifact (uid, key, suffix, hash, is_latest, _key_is_virtual, _overwrite_versions, "
    "storage_id, created_by_id) SELECT 'NewArtifact000000001', 'new.txt', suffix, 'newhash', is_latest, "
    "_key_is_virtual, _overwrite_versions, {to}, created_by_id FROM lamindb_artifact WHERE storage_id = {to} LIMIT 1"
)
OF_FENCED = f"id = (SELECT min(id) FROM lamindb_artifact WHERE storage_id = {FENCED})"
OF_OTHER = f"id = (SELECT min(id) FROM lamindb_artifact WHERE storage_id = {OTHER})"
REFUSED = {
    "insert": INSERT.format(to=FENCED),
    "update": f"UPDATE lamindb_artifact SET description = 'x' WHERE {OF_FENCED}",
    "trash": f"UPDATE lamindb_artifact SET branch_id = -1 WHERE {OF_FENCED}",
    "delete": f"DELETE FROM lamindb_artifact WHERE {OF_FENCED}",
    "out": f"UPDATE lamindb_artifact SET storage_id = {OTHER} WHERE {OF_FENCED}",
    "in": f"UPDATE lamindb_artifact SET storage_id = {FENCED} WHERE {OF_OTHER}",
}


def soon(seconds: float = 60) -> datetime:
    """Return a time to come."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def put_up(way: Way, until: datetime, reason: str = REASON, limits: Limits = HURRIED) -> None:
    """Raise the fence in a transaction of its own."""
    with open_registry(way, writes=True, limits=limits) as connection:
        raise_fence(connection, FENCED, until=until, reason=reason)


def deadline(way: Way) -> datetime | None:
    """Return the fence's deadline as a fresh reader sees it."""
    with open_registry(way) as connection:
        return fence_deadline(connection, FENCED)


def traces(way: Way) -> list[str]:
    """Return the names of all triggers and functions of ours."""
    if isinstance(way, SqliteWay):
        found = ask(way, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
    else:
        found = ask(way, "SELECT tgname FROM pg_trigger UNION ALL SELECT proname FROM pg_proc")
    return sorted(name for (name,) in found if name.startswith("storage_portal"))


@pytest.fixture
def session(lamin_database: Way) -> Iterator[Any]:
    """Somebody's connection, open and used since before the fence."""
    way = lamin_database
    opened: Any = psycopg.connect(way.url) if isinstance(way, PostgresWay) else sqlite3.connect(way.path, timeout=5)
    with closing(opened):
        opened.execute("SELECT count(*) FROM lamindb_artifact").fetchone()
        opened.commit()
        yield opened


@pytest.mark.parametrize("change", REFUSED)
def test_it_refuses_an_open_session(lamin_database: Way, session: Any, change: str) -> None:
    before = ask(lamin_database, "SELECT * FROM lamindb_artifact ORDER BY id")
    until = soon(600)
    put_up(lamin_database, until)
    with pytest.raises(REFUSALS) as refusal:
        session.execute(REFUSED[change])
    session.rollback()
    assert str(refusal.value).startswith(REASON)
    assert f"until {until + timedelta(seconds=59):%Y-%m-%d %H:%M} UTC: try again then" in str(refusal.value)
    assert ask(lamin_database, "SELECT * FROM lamindb_artifact ORDER BY id") == before


def test_it_lets_readers_and_other_locations_through(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, soon())
    assert session.execute(f"SELECT count(*) FROM lamindb_artifact WHERE storage_id = {FENCED}").fetchone()[0] > 0
    assert session.execute(INSERT.format(to=OTHER)).rowcount == 1
    assert session.execute(f"UPDATE lamindb_artifact SET description = 'x' WHERE {OF_OTHER}").rowcount == 1
    assert session.execute("DELETE FROM lamindb_artifact WHERE uid = 'NewArtifact000000001'").rowcount == 1
    assert session.execute("UPDATE lamindb_storage SET description = 'x'").rowcount == 3


def test_it_lets_an_upload_under_way_end_or_fail_but_not_leave(lamin_database: Way, session: Any) -> None:
    execute(lamin_database, f"""UPDATE lamindb_artifact SET _aux = '{{"so": 1}}' WHERE storage_id = {FENCED}""")
    put_up(lamin_database, soon())
    with pytest.raises(REFUSALS):
        session.execute(REFUSED["out"])
    session.rollback()
    ended = session.execute(f"UPDATE lamindb_artifact SET _aux = NULL WHERE {OF_FENCED}")
    assert ended.rowcount == 1
    with pytest.raises(REFUSALS):
        session.execute(REFUSED["update"])
    session.rollback()
    assert session.execute(REFUSED["delete"]).rowcount == 1


@pytest.mark.parametrize("state", ["null", "{}", '{"other": 1}', '{"so": 0}', '{"so": null}', "[]", '"so"'])
def test_only_the_mark_of_an_upload_opens_it(lamin_database: Way, session: Any, state: str) -> None:
    execute(lamin_database, f"UPDATE lamindb_artifact SET _aux = '{state}' WHERE storage_id = {FENCED}")
    put_up(lamin_database, soon())
    for change in ("update", "delete"):
        with pytest.raises(REFUSALS):
            session.execute(REFUSED[change])
        session.rollback()


def test_it_lifts_itself_at_its_deadline(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, soon(600))
    with pytest.raises(REFUSALS):
        session.execute(REFUSED["update"])
    session.rollback()
    # Its end is drawn near only now: on a slow machine it would have come before the refusal.
    until = soon(0.3)
    put_up(lamin_database, until)
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 0.1)
    for change in ("update", "insert", "in", "delete"):
        assert session.execute(REFUSED[change]).rowcount == 1
    session.commit()
    with open_registry(lamin_database) as connection:
        found = fence_deadline(connection, FENCED)
        assert found is not None
        assert abs(found - until) < timedelta(milliseconds=1)
        assert not is_fence_alive(connection, FENCED)


def test_its_deadline_is_read_from_the_database(lamin_database: Way) -> None:
    assert deadline(lamin_database) is None
    until = soon(3600).replace(microsecond=123_000)
    put_up(lamin_database, until)
    assert deadline(lamin_database) == until
    with open_registry(lamin_database) as connection:
        assert is_fence_alive(connection, FENCED)
        assert is_fence_alive(connection, FENCED, margin=timedelta(seconds=3500))
        assert not is_fence_alive(connection, FENCED, margin=timedelta(seconds=3700))
        assert not is_fence_alive(connection, OTHER)


def test_raising_it_again_puts_another_deadline_and_sentence(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, soon())
    made = traces(lamin_database)
    later = soon(7200).replace(microsecond=0)
    put_up(lamin_database, later, "It takes longer.")
    assert deadline(lamin_database) == later
    assert traces(lamin_database) == made
    with pytest.raises(REFUSALS, match="It takes longer"):
        session.execute(REFUSED["update"])


def test_raising_it_after_it_lifted_itself_fences_again(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, datetime(2020, 1, 1, tzinfo=UTC))
    assert session.execute(REFUSED["update"]).rowcount == 1
    session.commit()
    put_up(lamin_database, soon())
    with pytest.raises(REFUSALS):
        session.execute(REFUSED["update"])


@pytest.mark.parametrize("reason", ["It's moving.", "100% of it, %s", "a\\b\\", 'say "now"', "$$ ; -- $1 :x ?"])
def test_its_sentence_arrives_as_it_is(lamin_database: Way, session: Any, reason: str) -> None:
    put_up(lamin_database, soon(), reason)
    with pytest.raises(REFUSALS) as refusal:
        session.execute(REFUSED["update"])
    assert str(refusal.value).startswith(reason + " Nothing was changed.")


def test_two_fences_stand_side_by_side(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, soon())
    with open_registry(lamin_database, writes=True) as connection:
        raise_fence(connection, OTHER, until=soon(), reason="The other moves too.")
        assert lift_fence(connection, FENCED)
    assert session.execute(REFUSED["update"]).rowcount == 1
    with pytest.raises(REFUSALS, match="The other moves too"):
        session.execute(f"UPDATE lamindb_artifact SET description = 'x' WHERE {OF_OTHER}")


def test_lifting_it_leaves_nothing_and_may_be_repeated(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, soon())
    for _time in range(2):
        with open_registry(lamin_database, writes=True) as connection:
            assert lift_fence(connection, FENCED)
    assert traces(lamin_database) == []
    assert deadline(lamin_database) is None
    assert session.execute(REFUSED["update"]).rowcount == 1


@ONLY_POSTGRES
def test_a_reader_cannot_keep_it_from_being_lifted(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, soon())
    assert session.execute(f"SELECT count(*) FROM lamindb_artifact WHERE {OF_FENCED}").fetchone() == (1,)
    with open_registry(lamin_database, writes=True) as connection:
        assert not lift_fence(connection, FENCED)
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"
    assert session.execute(REFUSED["update"]).rowcount == 1
    session.commit()
    assert deadline(lamin_database) is None
    with open_registry(lamin_database, writes=True) as connection:
        assert lift_fence(connection, FENCED)
    assert traces(lamin_database) == []


def test_it_waits_for_a_writer_and_gives_up_without_a_trace(lamin_database: Way, session: Any) -> None:
    session.execute(INSERT.format(to=FENCED))
    with pytest.raises(RegistryBusy):
        put_up(lamin_database, soon())
    session.commit()
    assert traces(lamin_database) == []
    put_up(lamin_database, soon())
    with pytest.raises(REFUSALS):
        session.execute("DELETE FROM lamindb_artifact WHERE uid = 'NewArtifact000000001'")


@ONLY_POSTGRES
def test_extending_it_does_not_wait_for_writers_of_other_locations(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, soon())
    session.execute(INSERT.format(to=OTHER))
    later = soon(7200).replace(microsecond=0)
    put_up(lamin_database, later)
    session.commit()
    assert deadline(lamin_database) == later


@ONLY_POSTGRES
def test_extending_it_too_late_waits_for_writers(lamin_database: Way, session: Any) -> None:
    put_up(lamin_database, datetime(2020, 1, 1, tzinfo=UTC))
    session.execute(INSERT.format(to=FENCED))
    with pytest.raises(RegistryBusy):
        put_up(lamin_database, soon())


def drop_one(way: Way) -> None:
    """Take one of the three triggers away."""
    table = " ON lamindb_artifact" if isinstance(way, PostgresWay) else ""
    execute(way, f"DROP TRIGGER storage_portal_fence_{FENCED}_insert{table}")


def disable_one(way: Way) -> None:
    """Switch one of the three triggers off."""
    execute(way, f"ALTER TABLE lamindb_artifact DISABLE TRIGGER storage_portal_fence_{FENCED}_update")


@pytest.mark.parametrize("harm", [drop_one, disable_one])
def test_half_a_fence_is_none_and_is_made_whole(
    database_kind: str, lamin_database: Way, session: Any, harm: Callable[[Way], None]
) -> None:
    if harm is disable_one and database_kind == "sqlite":
        harm = drop_one  # SQLite cannot switch a trigger off
    until = soon().replace(microsecond=0)
    put_up(lamin_database, until)
    harm(lamin_database)
    assert deadline(lamin_database) is None
    put_up(lamin_database, until)
    assert deadline(lamin_database) == until
    for change in ("insert", "update"):
        with pytest.raises(REFUSALS):
            session.execute(REFUSED[change])
        session.rollback()


def test_what_relies_on_it_wants_it_to_outlast_the_transaction(lamin_database: Way) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        with pytest.raises(RegistryChanged, match="The fence has lifted itself"):
            require_fence(connection, FENCED)
        raise_fence(connection, FENCED, until=soon(3), reason=REASON)
        with pytest.raises(RegistryChanged):
            require_fence(connection, FENCED)
        raise_fence(connection, FENCED, until=soon(30), reason=REASON)
        require_fence(connection, FENCED)


def test_uploads_under_way_are_counted_and_named(lamin_database: Way) -> None:
    with open_registry(lamin_database) as connection:
        assert uploads_under_way(connection, FENCED) == (0, ())
    marked = """UPDATE lamindb_artifact SET _aux = '{"so": 1}' WHERE storage_id = """
    count = execute(lamin_database, f"{marked} {FENCED}")
    execute(lamin_database, f"{marked} {OTHER} AND key = 'notes/real.txt'")
    with open_registry(lamin_database) as connection:
        found, examples = uploads_under_way(connection, FENCED, limit=3)
        assert (found, len(examples)) == (count, 3)
        assert examples[0].key == "notes/virtual.txt"
        assert timedelta() < datetime.now(UTC) - examples[0].created_at < timedelta(hours=1)
        [other] = uploads_under_way(connection, OTHER)[1]
        assert other.key == "notes/real.txt"


def test_whoever_may_raise_it_is_told_so_and_nothing_is_left(lamin_database: Way, session: Any) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        assert has_fence_rights(connection) is None
    assert traces(lamin_database) == []
    assert session.execute(REFUSED["update"]).rowcount == 1


@ONLY_SQLITE
def test_a_file_that_is_only_read_takes_no_fence(lamin_database: Way) -> None:
    with open_registry(lamin_database) as connection:
        assert has_fence_rights(connection) == f"write {lamin_database.label}"


@pytest.fixture
def role(lamin_database: Way) -> Iterator[PostgresWay]:
    """A role of its own on PostgreSQL that may read and update, and nothing else."""
    assert isinstance(lamin_database, PostgresWay)
    database = lamin_database.url.rpartition("/")[2]
    name = f"role_of_{database}"
    for statement in (
        f"CREATE ROLE {name} LOGIN PASSWORD 'a word'",
        f"GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO {name}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    ):
        execute(lamin_database, statement)
    yield parse_url(f"postgresql://{name}:a%20word@{lamin_database.host}:{lamin_database.port}/{database}")
    execute(lamin_database, f"DROP OWNED BY {name}")
    execute(lamin_database, f"DROP ROLE {name}")


@ONLY_POSTGRES
def test_a_role_that_may_only_read_and_update_is_refused(lamin_database: Way, role: PostgresWay) -> None:
    with open_registry(role, writes=True) as connection:
        assert has_fence_rights(connection) == "TRIGGER on lamindb_artifact"
    execute(lamin_database, f"GRANT TRIGGER ON lamindb_artifact TO {role.label.rpartition(' ')[2]}")
    with open_registry(role, writes=True) as connection:
        assert has_fence_rights(connection) == "CREATE on schema public"
    with pytest.raises(RegistryRefused, match="permission denied for schema public"):
        put_up(role, soon())
    assert traces(lamin_database) == []


@ONLY_POSTGRES
def test_a_role_that_does_not_own_the_table_can_raise_extend_and_lift_it(
    lamin_database: Way, role: PostgresWay, session: Any
) -> None:
    name = role.label.rpartition(" ")[2]
    execute(lamin_database, f"GRANT TRIGGER ON lamindb_artifact TO {name}")
    execute(lamin_database, f"GRANT CREATE ON SCHEMA public TO {name}")
    with open_registry(role, writes=True) as connection:
        assert has_fence_rights(connection) is None
    put_up(role, soon())
    put_up(role, soon(3600), "Longer.")
    with pytest.raises(REFUSALS, match="Longer"):
        session.execute(REFUSED["update"])
    session.rollback()
    with open_registry(role, writes=True) as connection:
        assert lift_fence(connection, FENCED)
    assert traces(lamin_database) == []
