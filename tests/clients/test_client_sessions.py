"""What an open Python session does while a location moves: a fence stops its writes, nothing else does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest

from portal.lamindb.registry.ways import PostgresWay, SqliteWay, Way
from tests.clients.conftest import NewInstance
from tests.clients.instances import Instance, ask, execute, s3_environment, s3_root
from tests.clients.lamin import ClientError, LaminClient, Session
from tests.clients.moving import carry, rewrite_root
from tests.servers import S3Server

SENTENCE = "This location is being moved."
FUTURE, PAST = 4102444800, 946684800  # 2100-01-01, 2000-01-01


@pytest.fixture
def instance(new_instance: NewInstance, tmp_path: Path) -> Instance:
    """An instance with a default location and one more, both empty."""
    made = new_instance(str(tmp_path / "main"))
    made.world["second"] = made.client.run("register", root=str(tmp_path / "second"))
    return made


@pytest.fixture
def session(instance: Instance) -> Iterator[Session]:
    """A session that has been at work in the second location."""
    with instance.client.session() as opened:
        instance.world["first"] = opened.ask(
            "save", content="before", key="before.txt", storage_uid=instance.world["second"]["uid"]
        )
        yield opened


def fence(way: Way, storage_id: int, deadline: int) -> None:
    """Refuse changes to one location's artifacts until `deadline`, in seconds since 1970; replaces an earlier fence.

    A row whose upload is under way (`_aux` says `so`) may still change and go: its insert came before the fence.
    """
    for change, row in (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")):
        name = f"test_fence_{change.lower()}"
        when = f"{row}.storage_id = {storage_id}"
        if isinstance(way, SqliteWay):
            settled = "" if row == "NEW" else "AND json_extract(OLD._aux, '$.so') IS NOT 1"
            execute(way, f"DROP TRIGGER IF EXISTS {name}")
            execute(
                way,
                f"CREATE TRIGGER {name} BEFORE {change} ON lamindb_artifact WHEN {when} {settled} "
                f"AND unixepoch() < {deadline} BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END",
            )
            continue
        settled = "" if row == "NEW" else "AND OLD._aux->>'so' IS DISTINCT FROM '1'"
        execute(
            way,
            "CREATE OR REPLACE FUNCTION test_fence() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{SENTENCE}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        )
        execute(
            way,
            f"CREATE OR REPLACE TRIGGER {name} BEFORE {change} ON lamindb_artifact FOR EACH ROW WHEN "
            f"({when} {settled} AND clock_timestamp() < to_timestamp({deadline})) EXECUTE FUNCTION test_fence()",
        )


def files(folder: Path) -> list[str]:
    """Return the name of every file below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_fence_refuses_an_open_session_and_nothing_is_uploaded(
    instance: Instance, session: Session, tmp_path: Path
) -> None:
    second = instance.world["second"]
    before = files(tmp_path / "second")
    fence(instance.way, second["id"], FUTURE)
    with pytest.raises(ClientError, match=SENTENCE) as raised:
        session.ask("save", content="refused", key="refused.txt", storage_uid=second["uid"])
    assert raised.value.kind == "IntegrityError"
    assert files(tmp_path / "second") == before
    assert ask(instance.way, "SELECT count(*) FROM lamindb_artifact WHERE key = :key", key="refused.txt") == [(0,)]


def test_behind_a_fence_people_read_and_write_elsewhere(instance: Instance, session: Session) -> None:
    fence(instance.way, instance.world["second"]["id"], FUTURE)
    assert session.ask("read", uid=instance.world["first"]["uid"]) == "before"
    assert session.ask("read", uid=session.ask("save", content="elsewhere", key="elsewhere.txt")["uid"]) == "elsewhere"


def test_a_fence_lifts_itself_at_its_deadline(instance: Instance, session: Session) -> None:
    uid = instance.world["second"]["uid"]
    fence(instance.way, instance.world["second"]["id"], FUTURE)
    with pytest.raises(ClientError, match=SENTENCE):
        session.ask("save", content="refused", key="refused.txt", storage_uid=uid)
    fence(instance.way, instance.world["second"]["id"], PAST)
    saved = session.ask("save", content="allowed", key="refused.txt", storage_uid=uid)
    assert session.ask("read", uid=saved["uid"]) == "allowed"


def test_behind_a_fence_nothing_of_the_location_is_thrown_away(instance: Instance, session: Session) -> None:
    fence(instance.way, instance.world["second"]["id"], FUTURE)
    for permanent in (False, True):
        with pytest.raises(ClientError, match=SENTENCE):
            session.ask("delete", uid=instance.world["first"]["uid"], permanent=permanent)
    assert session.ask("read", uid=instance.world["first"]["uid"]) == "before"


def test_an_upload_that_a_fence_overtakes_still_ends_well(instance: Instance, tmp_path: Path) -> None:
    # A server of its own: it is stopped in the middle of an upload.
    with S3Server(tmp_path / "s3") as server:
        client = LaminClient(instance.client.home, s3_environment(server))
        client.instance = instance.client.instance
        location = client.run("register", root=s3_root(server, "uploads"))
        saving = {"content": "under way", "key": "under-way.txt", "storage_uid": location["uid"]}
        with client.session() as session, ThreadPoolExecutor(1) as threads:
            session.ask("save", **{**saving, "key": "first.txt"})
            with server.held():
                answer = threads.submit(session.ask, "save", **saving)
                while not (rows := ask(instance.way, "SELECT _aux FROM lamindb_artifact WHERE key = 'under-way.txt'")):
                    assert not answer.done(), answer.result()
                    sleep(0.02)
                fence(instance.way, location["id"], FUTURE)
            uid = answer.result()["uid"]
        assert "so" in str(rows)
        assert client.run("read", uid=uid) == "under way"
    [(state,)] = ask(instance.way, "SELECT _aux FROM lamindb_artifact WHERE key = 'under-way.txt'")
    assert "so" not in str(state)


def test_an_open_session_reads_a_moved_location_where_it_is_now(
    instance: Instance, session: Session, tmp_path: Path
) -> None:
    carry(tmp_path / "second", tmp_path / "third")
    rewrite_root(instance.way, instance.world["second"]["uid"], str(tmp_path / "third"))
    assert session.ask("read", uid=instance.world["first"]["uid"]) == "before"


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_an_open_session_goes_on_saving_under_the_old_default_root(
    database_kind: str, instance: Instance, session: Session, tmp_path: Path
) -> None:
    """A straggler: the row says the new root, the file lies under the old one."""
    [(uid,)] = ask(instance.way, "SELECT uid FROM lamindb_storage WHERE root = :root", root=str(tmp_path / "main"))
    assert isinstance(instance.way, PostgresWay)
    carry(tmp_path / "main", tmp_path / "new")
    rewrite_root(instance.way, uid, str(tmp_path / "new"))
    straggler = session.ask("save", content="late", key="late.txt")
    assert straggler["path"].startswith(str(tmp_path / "main"))
    instance.client.edit_settings(storage_root=str(tmp_path / "new"))
    with pytest.raises(ClientError, match="FileNotFoundError"):
        instance.client.run("read", uid=straggler["uid"])


def test_an_open_session_goes_on_saving_under_the_old_root_it_works_in(
    instance: Instance, session: Session, tmp_path: Path
) -> None:
    """The same for a location that is not the instance's default, but the session's."""
    second = instance.world["second"]
    session.ask("use", root=second["root"])
    session.ask("save", content="in time", key="in-time.txt")
    carry(tmp_path / "second", tmp_path / "third")
    rewrite_root(instance.way, second["uid"], str(tmp_path / "third"))
    straggler = session.ask("save", content="late", key="late.txt")
    assert straggler["path"].startswith(second["root"])
    assert files(tmp_path / "second")
    with pytest.raises(ClientError, match="FileNotFoundError"):
        instance.client.run("read", uid=straggler["uid"])


def test_an_open_session_that_has_not_saved_there_yet_is_stopped_by_the_new_root_alone(
    instance: Instance, session: Session, tmp_path: Path
) -> None:
    session.ask("use", root=instance.world["second"]["root"])
    rewrite_root(instance.way, instance.world["second"]["uid"], str(tmp_path / "third"))
    with pytest.raises(ClientError, match="Storage matching query does not exist"):
        session.ask("save", content="late", key="late.txt")


def test_a_fence_stops_a_session_that_works_in_the_location(
    instance: Instance, session: Session, tmp_path: Path
) -> None:
    session.ask("use", root=instance.world["second"]["root"])
    before = files(tmp_path / "second")
    fence(instance.way, instance.world["second"]["id"], FUTURE)
    with pytest.raises(ClientError, match=SENTENCE):
        session.ask("save", content="late", key="late.txt")
    assert files(tmp_path / "second") == before
