"""What an open Python session does while a location moves: a fence stops its writes, nothing else does."""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import pytest

from portal.lamindb.registry.ways import SqliteWay, Way
from tests.clients.conftest import MakeInstance, NewInstance
from tests.clients.instances import Instance, ask, execute, s3_environment, s3_root
from tests.clients.lamin import ClientError, LaminClient, Session
from tests.clients.moving import carry, rewrite_root
from tests.servers import S3Server

SENTENCE = "This location is being moved."
FUTURE, PAST = 4102444800, 946684800  # 2100-01-01, 2000-01-01


@dataclass(frozen=True)
class Stage:
    """An instance and a session that was opened long ago; each test brings a location of its own."""

    instance: Instance
    session: Session


@dataclass(frozen=True)
class Location:
    """A location the session has been at work in.

    Attributes:
        folder: its root.
        first: the uid of an artifact in it, whose text is `before`.
    """

    uid: str
    id: int
    folder: Path
    first: str


@pytest.fixture(scope="module")
def stages(make_instance: MakeInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stage]]:
    """A function that returns the one stage of a kind of database."""
    with ExitStack() as stack:

        @functools.cache
        def stage(kind: str) -> Stage:
            folder = tmp_path_factory.mktemp(f"stage-{kind}")
            made = make_instance(kind, folder / "person", str(folder / "main"))
            return Stage(made, stack.enter_context(made.client.session()))

        yield stage


@pytest.fixture
def instance(database_kind: str, stages: Callable[[str], Stage]) -> Instance:
    """The instance of the tests."""
    return stages(database_kind).instance


@pytest.fixture
def session(database_kind: str, stages: Callable[[str], Stage]) -> Session:
    """A session that works in the instance's default location."""
    stage = stages(database_kind)
    stage.session.ask("use", root=stage.instance.facts["root"])
    return stage.session


@pytest.fixture
def location(session: Session, tmp_path: Path) -> Location:
    """A location the session has saved an artifact in."""
    made = session.ask("register", root=str(tmp_path / "second"))
    first = session.ask("save", content="before", key="before.txt", storage_uid=made["uid"])
    return Location(made["uid"], made["id"], tmp_path / "second", first["uid"])


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
    instance: Instance, session: Session, location: Location
) -> None:
    before = files(location.folder)
    fence(instance.way, location.id, FUTURE)
    with pytest.raises(ClientError, match=SENTENCE) as raised:
        session.ask("save", content="refused", key="refused.txt", storage_uid=location.uid)
    assert raised.value.kind == "IntegrityError"
    assert files(location.folder) == before
    assert ask(instance.way, "SELECT count(*) FROM lamindb_artifact WHERE key = :key", key="refused.txt") == [(0,)]


def test_a_fence_refuses_a_session_that_works_in_the_location(
    instance: Instance, session: Session, location: Location
) -> None:
    session.ask("use", root=str(location.folder))
    before = files(location.folder)
    fence(instance.way, location.id, FUTURE)
    with pytest.raises(ClientError, match=SENTENCE):
        session.ask("save", content="late", key="late.txt")
    assert files(location.folder) == before


def test_behind_a_fence_people_read_and_write_elsewhere(
    instance: Instance, session: Session, location: Location
) -> None:
    fence(instance.way, location.id, FUTURE)
    assert session.ask("read", uid=location.first) == "before"
    assert session.ask("read", uid=session.ask("save", content="elsewhere", key="elsewhere.txt")["uid"]) == "elsewhere"


def test_behind_a_fence_nothing_of_the_location_is_thrown_away(
    instance: Instance, session: Session, location: Location
) -> None:
    fence(instance.way, location.id, FUTURE)
    for permanent in (False, True):
        with pytest.raises(ClientError, match=SENTENCE):
            session.ask("delete", uid=location.first, permanent=permanent)
    assert session.ask("read", uid=location.first) == "before"


def test_a_fence_lifts_itself_at_its_deadline(instance: Instance, session: Session, location: Location) -> None:
    fence(instance.way, location.id, FUTURE)
    with pytest.raises(ClientError, match=SENTENCE):
        session.ask("save", content="refused", key="refused.txt", storage_uid=location.uid)
    fence(instance.way, location.id, PAST)
    saved = session.ask("save", content="allowed", key="refused.txt", storage_uid=location.uid)
    assert session.ask("read", uid=saved["uid"]) == "allowed"


def test_an_upload_that_a_fence_overtakes_still_ends_well(instance: Instance, tmp_path: Path) -> None:
    # A server of its own: it is held in the middle of an upload.
    with S3Server(tmp_path / "s3") as server:
        client = LaminClient(instance.client.home, s3_environment(server))
        client.instance = instance.client.instance
        with client.session() as session, ThreadPoolExecutor(1) as threads:
            location = session.ask("register", root=s3_root(server, "uploads"))
            saving = {"content": "under way", "key": "under-way.txt", "storage_uid": location["uid"]}
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
    instance: Instance, session: Session, location: Location, tmp_path: Path
) -> None:
    carry(location.folder, tmp_path / "third")
    rewrite_root(instance.way, location.uid, str(tmp_path / "third"))
    assert session.ask("read", uid=location.first) == "before"


def test_an_open_session_goes_on_saving_under_the_old_root_it_works_in(
    instance: Instance, session: Session, location: Location, tmp_path: Path
) -> None:
    """A straggler: the row says the new root, the file lies under the old one."""
    session.ask("use", root=str(location.folder))
    session.ask("save", content="in time", key="in-time.txt")
    carry(location.folder, tmp_path / "third")
    rewrite_root(instance.way, location.uid, str(tmp_path / "third"))
    straggler = session.ask("save", content="late", key="late.txt")
    assert straggler["path"].startswith(f"{location.folder}/")
    assert files(location.folder)
    with pytest.raises(ClientError, match="FileNotFoundError"):
        instance.client.run("read", uid=straggler["uid"])


def test_an_open_session_that_has_not_saved_there_yet_is_stopped_by_the_new_root_alone(
    instance: Instance, session: Session, location: Location, tmp_path: Path
) -> None:
    session.ask("use", root=str(location.folder))
    rewrite_root(instance.way, location.uid, str(tmp_path / "third"))
    with pytest.raises(ClientError, match="Storage matching query does not exist"):
        session.ask("save", content="late", key="late.txt")


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_an_open_session_goes_on_saving_under_the_old_default_root(
    database_kind: str, new_instance: NewInstance, tmp_path: Path
) -> None:
    instance = new_instance(str(tmp_path / "main"))
    [(uid,)] = ask(instance.way, "SELECT uid FROM lamindb_storage")
    with instance.client.session() as session:
        session.ask("save", content="in time", key="in-time.txt")
        carry(tmp_path / "main", tmp_path / "new")
        rewrite_root(instance.way, uid, str(tmp_path / "new"))
        straggler = session.ask("save", content="late", key="late.txt")
    assert straggler["path"].startswith(str(tmp_path / "main"))
    instance.client.edit_settings(storage_root=str(tmp_path / "new"))
    with pytest.raises(ClientError, match="FileNotFoundError"):
        instance.client.run("read", uid=straggler["uid"])
