"""Changes to real LaminDB databases: what is written is what was looked at, or nothing is."""

import re
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import psycopg
import pytest

from portal.errors import InputError, RegistryChanged
from portal.lamindb.registry.changes import (
    NewStorage,
    RootChange,
    change_root,
    delete_storage,
    ensure_user,
    insert_storage,
    update_storage,
)
from portal.lamindb.registry.fence import is_fence_alive, raise_fence
from portal.lamindb.registry.opening import open_registry
from portal.lamindb.registry.repointing import (
    move_artifacts_to_space,
    repoint_artifacts,
    repoint_conflicts,
    spaces_of_artifacts,
)
from portal.lamindb.registry.rows import find_storage, list_storages
from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way
from tests.clients.conftest import NewInstance
from tests.clients.instances import World, ask, execute
from tests.clients.lamin import ClientError

pytestmark = pytest.mark.dialects

NOW = datetime(2031, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
NEW = NewStorage("NewStorage01", "s3://new/place", "s3", "eu-west-1", "Words", None, 1, 1, 1)
SENTENCE = re.escape("Moving. Nothing was changed.")
ONLY_POSTGRES = pytest.mark.parametrize("database_kind", ["postgresql"])


def everything(way: Way) -> list[list[tuple[Any, ...]]]:
    """Return all rows of the tables the portal writes to."""
    tables = ("lamindb_storage", "lamindb_artifact", "lamindb_user")
    return [ask(way, f"SELECT * FROM {table} ORDER BY id") for table in tables]


@pytest.fixture
def change(lamin_database: Way, lamin_world: World) -> RootChange:
    """The move of the second location to a bucket."""
    location = lamin_world["locations"][1]
    return RootChange(location["id"], location["uid"], location["root"], "s3://new/place", "s3", "eu-west-1")


@pytest.fixture
def held(lamin_world: World) -> int:
    """How many artifacts each location has."""
    return len(lamin_world["artifacts"]) // 3


def apply(way: Way, change: RootChange, *, needs_fence: bool = False) -> bool:
    """Change a root in a transaction of its own."""
    with open_registry(way, writes=True) as connection:
        return change_root(connection, change, needs_fence=needs_fence, now=NOW)


def test_a_location_gets_another_root_and_nothing_else_changes(lamin_database: Way, change: RootChange) -> None:
    before = everything(lamin_database)
    assert apply(lamin_database, change)
    with open_registry(lamin_database) as connection:
        row = find_storage(connection, change.row_id)
    assert row is not None
    assert (row.uid, row.root, row.type, row.region) == (change.uid, "s3://new/place", "s3", "eu-west-1")
    assert row.updated_at == NOW
    assert row.created_at < NOW
    after = everything(lamin_database)
    assert after[1:] == before[1:]
    assert [row for row in after[0] if change.uid not in row] == [row for row in before[0] if change.uid not in row]


def test_the_time_of_a_change_is_written_as_lamindb_does(lamin_database: Way, change: RootChange) -> None:
    apply(lamin_database, change)
    times = ask(lamin_database, "SELECT created_at, updated_at FROM lamindb_storage ORDER BY id")
    for moment in (moment for row in times for moment in row):
        if isinstance(lamin_database, SqliteWay):
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", moment)
        else:
            assert moment.tzinfo is not None
    zone = replace(change, old_root="s3://new/place", new_root="s3://newer/place")
    with open_registry(lamin_database, writes=True) as connection:
        change_root(connection, zone, needs_fence=False, now=NOW.astimezone(tz=None))
        row = find_storage(connection, change.row_id)
    assert row is not None
    assert row.updated_at == NOW


def test_changing_a_root_may_be_repeated(lamin_database: Way, change: RootChange) -> None:
    assert apply(lamin_database, change)
    after = everything(lamin_database)
    assert not apply(lamin_database, change, needs_fence=True)
    assert everything(lamin_database) == after


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("old_root", "/was/elsewhere", "The root was /was/elsewhere when this was planned and is /"),
        ("uid", "AnotherUid12", "another location now"),
        ("row_id", 99, "row is gone"),
    ],
)
def test_a_row_that_is_not_as_it_was_read_stays(
    lamin_database: Way, change: RootChange, field: str, value: Any, told: str
) -> None:
    before = everything(lamin_database)
    with pytest.raises(RegistryChanged, match=told):
        apply(lamin_database, replace(change, **{field: value}))
    assert everything(lamin_database) == before


def test_a_root_that_another_location_has_is_refused(
    lamin_database: Way, lamin_world: World, change: RootChange
) -> None:
    before = everything(lamin_database)
    other = lamin_world["locations"][2]
    with pytest.raises(RegistryChanged, match=f"row {other['id']}, uid {other['uid']}"):
        apply(lamin_database, replace(change, new_root=other["root"]))
    assert everything(lamin_database) == before


@ONLY_POSTGRES
def test_a_root_that_somebody_takes_at_the_same_moment_is_refused(lamin_database: Way, change: RootChange) -> None:
    assert isinstance(lamin_database, PostgresWay)
    with ThreadPoolExecutor(1) as threads, psycopg.connect(lamin_database.url) as session:
        session.execute("UPDATE lamindb_storage SET root = 's3://new/place' WHERE id = %s", [change.row_id + 1])
        answer = threads.submit(apply, lamin_database, change)
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while ask(lamin_database, waiting) == [(0,)]:
            assert not answer.done(), answer.result()
            sleep(0.01)
        session.commit()
        with pytest.raises(RegistryChanged, match=f"row {change.row_id + 1}, uid"):
            answer.result()


def test_without_a_fence_that_lasts_a_root_stays(lamin_database: Way, change: RootChange) -> None:
    before = everything(lamin_database)
    for seconds in (None, -1, 2):
        if seconds is not None:
            fence(lamin_database, change.row_id, seconds)
        with pytest.raises(RegistryChanged, match="The fence has lifted itself"):
            apply(lamin_database, change, needs_fence=True)
    assert everything(lamin_database) == before
    fence(lamin_database, change.row_id)
    assert apply(lamin_database, change, needs_fence=True)


def fence(way: Way, row_id: int, seconds: float = 60) -> None:
    """Fence a location for some time."""
    with open_registry(way, writes=True) as connection:
        raise_fence(connection, row_id, until=datetime.now(UTC) + timedelta(seconds=seconds), reason="Moving.")


def repoint(way: Way, from_row_id: int, to_row_id: int, *, needs_fence: bool = False) -> int:
    """Give artifacts another location in a transaction of its own."""
    with open_registry(way, writes=True) as connection:
        return repoint_artifacts(connection, from_row_id, to_row_id, needs_fence=needs_fence)


def test_a_root_longer_than_the_column_is_refused_where_the_database_would(
    database_kind: str, lamin_database: Way, change: RootChange
) -> None:
    long = replace(change, new_root="s3://bucket/" + "é" * 244)
    if database_kind == "sqlite":
        assert apply(lamin_database, long)
        return
    with pytest.raises(InputError, match="The root has 256 characters; the instance's database takes 255"):
        apply(lamin_database, long)
    assert apply(lamin_database, replace(long, new_root=long.new_root[:-1]))


KILLED = """
import sys
from datetime import UTC, datetime, timedelta
from portal.lamindb.registry.changes import RootChange, change_root
from portal.lamindb.registry.fence import raise_fence
from portal.lamindb.registry.opening import open_registry
from portal.lamindb.registry.ways import SqliteWay, parse_url
place, row_id, uid, root = sys.argv[1:]
way = parse_url(place) if place.startswith("postgresql") else SqliteWay(place)
now = datetime.now(UTC)
with open_registry(way, writes=True) as connection:
    raise_fence(connection, int(row_id), until=now + timedelta(hours=1), reason="Moving.")
    change_root(connection, RootChange(int(row_id), uid, root, "s3://x/y", "s3", None), needs_fence=True, now=now)
    print("done", flush=True)
    sys.stdin.read()
"""


def test_a_portal_that_is_killed_leaves_all_as_it_was(lamin_database: Way, change: RootChange) -> None:
    before = everything(lamin_database)
    place = lamin_database.url if isinstance(lamin_database, PostgresWay) else lamin_database.path
    words = [sys.executable, "-c", KILLED, place, str(change.row_id), change.uid, change.old_root]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert everything(lamin_database) == before
    with open_registry(lamin_database, writes=True) as connection:
        assert not is_fence_alive(connection, change.row_id)
        assert change_root(connection, change, needs_fence=False, now=NOW)


def test_a_new_location_has_what_lamindb_gives_one(lamin_database: Way) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        row_id = insert_storage(connection, NEW, now=NOW)
        assert row_id == max(each.row_id for each in list_storages(connection))
    query = (
        "SELECT uid, root, type, region, description, instance_uid, space_id, branch_id, created_on_id, run_id, "
        "created_by_id, is_locked, created_at = updated_at FROM lamindb_storage WHERE id = :id"
    )
    values = [*vars_of(NEW)[:8], 1, None, 1, False, True]
    assert ask(lamin_database, query, id=row_id) == [tuple(values)]


def vars_of(new: NewStorage) -> list[Any]:
    """Return a new location's values in their order."""
    return [getattr(new, name) for name in NewStorage.__slots__]


def test_what_is_made_for_the_archive_was_made_on_main(lamin_database: Way) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        row_id = insert_storage(connection, replace(NEW, branch_id=-1), now=NOW)
    query = "SELECT branch_id, created_on_id FROM lamindb_storage WHERE id = :id"
    assert ask(lamin_database, query, id=row_id) == [(-1, 1)]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"uid": "NewStorage02"}, "a location of root s3://new/place already"),
        ({"root": "s3://newer"}, "a location of uid NewStorage01 already"),
        ({"uid": "NewStorage02", "root": "s3://newer", "space_id": 77}, "no space of row id 77"),
        ({"uid": "NewStorage02", "root": "s3://newer", "branch_id": 77}, "no branch of row id 77"),
        ({"uid": "NewStorage02", "root": "s3://newer", "created_by_id": 77}, "no user of row id 77"),
    ],
)
def test_a_location_that_cannot_be_is_not_added(lamin_database: Way, values: dict[str, Any], told: str) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        insert_storage(connection, NEW, now=NOW)
    before = everything(lamin_database)
    with pytest.raises(RegistryChanged, match=told), open_registry(lamin_database, writes=True) as connection:
        insert_storage(connection, replace(NEW, **values), now=NOW)
    assert everything(lamin_database) == before


def test_only_a_location_without_artifacts_is_removed(lamin_database: Way, change: RootChange, held: int) -> None:
    execute(lamin_database, "UPDATE lamindb_artifact SET branch_id = -1")  # what is in the trash counts
    with open_registry(lamin_database, writes=True) as connection:
        with pytest.raises(RegistryChanged, match=f"{held} artifacts refer to this location"):
            delete_storage(connection, change.row_id, change.uid)
        row_id = insert_storage(connection, NEW, now=NOW)
        with pytest.raises(RegistryChanged, match="another location now"):
            delete_storage(connection, row_id, change.uid)
        assert delete_storage(connection, row_id, NEW.uid)
        assert not delete_storage(connection, row_id, NEW.uid)
    with open_registry(lamin_database) as connection:
        assert len(list_storages(connection)) == 3


def test_what_people_edit_is_written(lamin_database: Way, change: RootChange) -> None:
    values = {"description": "It's ours: 100%", "branch_id": 0, "region": "host-1"}
    with open_registry(lamin_database, writes=True) as connection:
        expected = {"description": None, "branch_id": 1, "region": None, "root": change.old_root}
        update_storage(connection, change.row_id, expected=expected, values=values, now=NOW)
        row = find_storage(connection, change.row_id)
    assert row is not None
    assert {name: getattr(row, name) for name in values} == values
    assert row.updated_at == NOW


@pytest.mark.parametrize(
    ("expected", "values", "told"),
    [
        ({"description": "Words"}, {"description": "x"}, "description was Words and is empty now"),
        ({"space_id": 1, "branch_id": 0}, {"description": "x"}, "branch_id was 0 and is 1 now"),
        ({}, {"space_id": 77}, "no space of row id 77"),
        ({}, {"branch_id": 77}, "no branch of row id 77"),
    ],
)
def test_an_edit_of_what_was_changed_meanwhile_is_refused(
    lamin_database: Way, change: RootChange, expected: dict[str, Any], values: dict[str, Any], told: str
) -> None:
    before = everything(lamin_database)
    with pytest.raises(RegistryChanged, match=told), open_registry(lamin_database, writes=True) as connection:
        update_storage(connection, change.row_id, expected=expected, values=values, now=NOW)
    assert everything(lamin_database) == before


def test_an_edit_never_moves_a_location(lamin_database: Way, change: RootChange) -> None:
    with (
        pytest.raises(ValueError, match="not to be edited: root"),
        open_registry(lamin_database, writes=True) as connection,
    ):
        update_storage(connection, change.row_id, expected={}, values={"root": "/x"}, now=NOW)


def test_a_user_is_found_by_uid_then_by_handle_else_added(lamin_database: Way) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        assert ensure_user(connection, "00000000", "somebody", None) == 1
        assert ensure_user(connection, "AbCdEf12", "anonymous", None) == 1
        added = ensure_user(connection, "AbCdEf12", "ada", "Ada")
        assert added > 1
        assert ensure_user(connection, "AbCdEf12", "ada", None) == added
    query = "SELECT uid, handle, name FROM lamindb_user WHERE created_at IS NOT NULL AND updated_at IS NOT NULL"
    assert ("AbCdEf12", "ada", "Ada") in ask(lamin_database, query)


@ONLY_POSTGRES
def test_a_handle_longer_than_the_column_is_refused(lamin_database: Way) -> None:
    with (
        pytest.raises(InputError, match="The handle has 31 characters"),
        open_registry(lamin_database, writes=True) as connection,
    ):
        ensure_user(connection, "AbCdEf12", "a" * 31, None)


def counts(way: Way) -> dict[int, int]:
    """Return how many artifacts each location has."""
    return dict(ask(way, "SELECT storage_id, count(*) FROM lamindb_artifact GROUP BY storage_id"))


def test_artifacts_of_all_branches_and_versions_change_their_location(
    lamin_database: Way, change: RootChange, held: int
) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        target = insert_storage(connection, NEW, now=NOW)
        assert repoint_artifacts(connection, change.row_id, target, needs_fence=False) == held
        assert repoint_artifacts(connection, change.row_id, target, needs_fence=False) == 0
    assert counts(lamin_database) == {change.row_id - 1: held, target: held, change.row_id + 1: held}


def test_artifacts_pass_the_portals_own_fences_which_stand_on(
    lamin_database: Way, change: RootChange, held: int
) -> None:
    with open_registry(lamin_database, writes=True) as connection:
        target = insert_storage(connection, NEW, now=NOW)
    fence(lamin_database, change.row_id)
    fence(lamin_database, target)
    with open_registry(lamin_database, writes=True) as connection:
        assert repoint_artifacts(connection, change.row_id, target, needs_fence=True) == held
    for row_id in (change.row_id, target):
        with open_registry(lamin_database) as connection:
            assert is_fence_alive(connection, row_id)
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match=SENTENCE):
            execute(lamin_database, f"UPDATE lamindb_artifact SET storage_id = {row_id}")


def test_without_a_fence_that_lasts_artifacts_stay(lamin_database: Way, change: RootChange) -> None:
    execute(lamin_database, "DELETE FROM lamindb_artifact WHERE key = 'notes/empty.txt'")
    before = counts(lamin_database)
    fence(lamin_database, change.row_id, 2)
    with pytest.raises(RegistryChanged, match="The fence has lifted itself"):
        repoint(lamin_database, change.row_id, change.row_id + 1, needs_fence=True)
    assert counts(lamin_database) == before


def test_artifacts_that_the_target_has_are_named_and_nothing_moves(lamin_database: Way, change: RootChange) -> None:
    target = change.row_id + 1
    with open_registry(lamin_database) as connection:
        # Empty files are equal everywhere; all others name their location.
        found, examples = repoint_conflicts(connection, change.row_id, target)
        assert found == 1
        assert [each.key for each in examples] == ["notes/empty.txt"]
    for key in ("key IS NULL", "key = 'notes/real.txt'"):
        execute(lamin_database, f"UPDATE lamindb_artifact SET hash = 'equal' WHERE {key}")
    before = counts(lamin_database)
    with open_registry(lamin_database) as connection:
        found, examples = repoint_conflicts(connection, change.row_id, target, limit=2)
    assert (found, len(examples)) == (3, 2)
    with pytest.raises(RegistryChanged, match="3 artifacts are in the target already"):
        repoint(lamin_database, change.row_id, target)
    assert counts(lamin_database) == before


def test_artifacts_stay_where_a_location_is_gone(lamin_database: Way, change: RootChange) -> None:
    with pytest.raises(RegistryChanged, match="One of the two locations is gone"):
        repoint(lamin_database, change.row_id, 99)


def test_a_locations_artifacts_go_into_a_space(lamin_database: Way, change: RootChange, held: int) -> None:
    execute(lamin_database, "INSERT INTO lamindb_space (id, name, uid, created_at) VALUES (7, 's', 'u', '2030-01-01')")
    execute(lamin_database, "UPDATE lamindb_artifact SET space_id = 7 WHERE key = 'notes/real.txt'")
    with open_registry(lamin_database, writes=True) as connection:
        assert spaces_of_artifacts(connection, change.row_id) == {1: held - 1, 7: 1}
        assert move_artifacts_to_space(connection, change.row_id, 7) == held - 1
        assert spaces_of_artifacts(connection, change.row_id) == {7: held}
        assert spaces_of_artifacts(connection, change.row_id + 1) == {1: held - 1, 7: 1}
        with pytest.raises(RegistryChanged, match="no space of row id 77"):
            move_artifacts_to_space(connection, change.row_id, 77)


def test_the_real_client_works_with_what_the_portal_writes(
    new_instance: NewInstance, tmp_path: Path, database_kind: str
) -> None:
    instance = new_instance(str(tmp_path / "main"))
    root, moved = tmp_path / "added", tmp_path / "moved"
    with instance.client.session() as session:
        session.ask("save", content="elsewhere", key="first.txt")
        with open_registry(instance.way, writes=True) as connection:
            [main] = list_storages(connection)
            new = replace(NEW, root=str(root), type="local", region=None, instance_uid=instance.facts["uid"])
            row_id = insert_storage(connection, new, now=NOW)
        saved = session.ask("save", content="words", key="a.txt", storage_uid=NEW.uid)
        assert Path(saved["path"]).is_relative_to(root)
        fence(instance.way, row_id)
        with pytest.raises(ClientError, match=SENTENCE) as refusal:
            session.ask("save", content="late", key="b.txt", storage_uid=NEW.uid)
        assert refusal.value.kind == "IntegrityError"
        assert session.ask("read", uid=saved["uid"]) == "words"
        root.rename(moved)
        change = RootChange(row_id, NEW.uid, str(root), str(moved), "local", None)
        assert apply(instance.way, change, needs_fence=True)
    assert instance.client.run("read", uid=saved["uid"]) == "words"
    with open_registry(instance.way, writes=True) as connection:
        raise_fence(connection, row_id, until=NOW - timedelta(days=9999), reason="Over.")
        repoint_artifacts(connection, row_id, main.row_id, needs_fence=False)
        delete_storage(connection, row_id, NEW.uid)
    (moved / ".lamindb").rename(tmp_path / "kept")
    [kept] = (path for path in (tmp_path / "kept").glob("*.txt") if path.name != "storage_uid.txt")
    kept.rename(tmp_path / "main/.lamindb" / kept.name)
    assert instance.client.run("read", uid=saved["uid"]) == "words"
