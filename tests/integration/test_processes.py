"""The processes as they start and stop: what cannot start says why in one sentence, what ends leaves nothing."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.app import create_app
from portal.cli.context import Context
from portal.cli.main import cli
from portal.config import Settings, read_settings
from portal.database import upgrade
from tests.integration.moves import wait_for
from tests.integration.real_processes import PORTAL, child_ids_of, children_of, environment_of, is_group_alive, running
from tests.servers import free_port

pytestmark = pytest.mark.timeout(300)

COMMANDS = (["db", "upgrade"], ["--as", "ada", "storage", "list", "--json"], ["serve"], ["runner"], ["up"])


@pytest.fixture
def database_kind() -> str:
    """Processes start and stop alike on every database."""
    return "sqlite"


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The environment of `portal up` on a free port."""
    return environment_of(settings, PORTAL_BIND=f"127.0.0.1:{free_port()}")


def refusals(environment: dict[str, str]) -> set[str]:
    """Return what each command says, in one line, when nothing can start."""
    said = set()
    for words in COMMANDS:
        context = Context(create_app, read_settings)
        done = CliRunner(env=environment).invoke(cli, words, obj=context, prog_name="portal")
        assert isinstance(done.exception, SystemExit), f"{words}: {done.exception!r}"
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1), words
        said.add(done.stderr)
    return said


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    [said] = refusals({"PORTAL_DATA_DIR": str(tmp_path), "PORTAL_BIND": "x", "PORTAL_WORKERS": "many"})
    assert "PORTAL_BIND is 'x': write ADDRESS:PORT" in said
    assert "PORTAL_WORKERS is 'many'" in said


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for said in refusals({"PORTAL_DATA_DIR": str(tmp_path / "file" / "data")}):
        assert str(tmp_path / "file") in said
        assert "Set PORTAL_DATA_DIR" in said


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://portal:hidden-word@127.0.0.1:{free_port()}/portal?application_name=hidden-word"
    [said] = refusals({"PORTAL_DATA_DIR": str(tmp_path), "PORTAL_DATABASE_URL": url})
    assert "PORTAL_DATABASE_URL" in said
    assert "refused" in said
    assert "hidden-word" not in said


@pytest.mark.parametrize("damage", ["no database", "damaged"])
def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "portal.db"
    if damage == "damaged":
        upgrade(f"sqlite:///{path}")
        path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 40_000)
    else:
        path.write_bytes(b"This is a letter, not a database. " * 40)
    before = path.read_bytes()
    [said] = refusals({"PORTAL_DATA_DIR": str(tmp_path)})
    assert str(path) in said
    assert path.read_bytes() == before


def test_a_schema_from_the_future_is_not_touched(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/portal.db")
    with sqlite3.connect(tmp_path / "portal.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    [said] = refusals({"PORTAL_DATA_DIR": str(tmp_path)})
    assert "is not known to this version of the portal" in said


def test_the_program_itself_prints_no_traceback(tmp_path: Path) -> None:
    environment = os.environ | {"PORTAL_DATA_DIR": str(tmp_path), "PORTAL_BIND": "x"}
    done = subprocess.run([*PORTAL, "db", "upgrade"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("portal: PORTAL_BIND is 'x'")


def test_a_reader_that_goes_away_is_no_traceback(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "command.log"
    reading, writing = os.pipe()
    os.close(reading)
    with (
        os.fdopen(writing, "wb") as out,
        running("db", "upgrade", "--json", environment=environment, log=log, out=out) as process,
    ):
        assert process.wait(90) == 1
    assert log.read_text() == ""


def started(environment: dict[str, str], log: Path, process: "subprocess.Popen[bytes]") -> dict[str, int]:
    """Wait until web and runner are up, and return their process ids."""

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://{environment['PORTAL_BIND']}/readyz", timeout=5) as answer:
                return bool(answer.status == 200) and "runner started" in log.read_text()
        except OSError:
            return False

    wait_for(is_ready, 90)
    return children_of(process.pid)


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C"])
def test_the_portal_stops_in_order_whatever_a_browser_keeps_open_and_leaves_no_process(
    environment: dict[str, str], tmp_path: Path, way: str
) -> None:
    log = tmp_path / "portal.log"
    address, port = environment["PORTAL_BIND"].split(":")
    with running("up", environment=environment | {"PORTAL_LOG_LEVEL": "INFO"}, log=log) as process, ExitStack() as held:
        assert set(started(environment, log, process)) == {"serve", "runner"}
        for _ in range(3):  # as browsers open connections ahead, and send nothing
            held.enter_context(socket.create_connection((address, int(port))))
        time.sleep(0.5)  # until each of them has a thread that waits; where none has yet, the end is easier
        asked_at = time.monotonic()
        if way == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)  # a terminal tells the whole group
        else:
            process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
        # Held up, it takes the ten seconds of gunicorn's graceful end and then the runner's.
        assert time.monotonic() - asked_at < 9
        wait_for(lambda: not is_group_alive(process.pid), 30)
    assert "runner stopped" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert len(re.findall(r"/setup/\S+", log.read_text())) == 1


def test_the_process_that_gunicorn_forks_from_has_no_database_open(
    environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "portal.log"
    with running("up", environment=environment | {"PORTAL_LOG_LEVEL": "INFO"}, log=log) as process:
        parent = started(environment, log, process)["serve"]
        [child] = child_ids_of(parent)
        database = settings.database_url.removeprefix("sqlite:///")
        open_in = {each for each in (parent, child, process.pid) if any(database in path for path in open_files(each))}
    assert open_in == {child}


def open_files(process_id: int) -> list[str]:
    """Return what a process has open."""
    found = []
    for path in Path(f"/proc/{process_id}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(path.readlink()))
    return found


@pytest.mark.parametrize("victim", ["runner", "serve"])
def test_a_process_that_dies_takes_the_other_one_along(
    environment: dict[str, str], tmp_path: Path, victim: str
) -> None:
    log = tmp_path / "portal.log"
    with running("up", environment=environment | {"PORTAL_LOG_LEVEL": "INFO"}, log=log) as process:
        os.kill(started(environment, log, process)[victim], signal.SIGKILL)
        assert process.wait(90) != 0
        wait_for(lambda: not is_group_alive(process.pid), 45)
    assert "a process ended by itself, so the other one was stopped too" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_port_that_is_taken_is_named_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    address, port = environment["PORTAL_BIND"].split(":")
    with socket.create_server((address, int(port))):
        for words in (["serve"], ["up"], ["serve", "--bind", environment["PORTAL_BIND"]]):
            context = Context(create_app, read_settings)
            done = CliRunner(env=environment).invoke(cli, words, obj=context, prog_name="portal")
            assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1), words
            assert f"Port {port} on {address} is taken by another program. Stop that one" in done.stderr


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    context = Context(create_app, read_settings)
    environment = {"PORTAL_DATA_DIR": str(tmp_path), "PORTAL_BIND": "192.0.2.1:8000"}
    done = CliRunner(env=environment).invoke(cli, ["serve"], obj=context, prog_name="portal")
    assert (done.exit_code, done.stderr) == (
        1,
        "portal: 192.0.2.1 is no address of this machine. Set PORTAL_BIND to one, such as 127.0.0.1:8000.\n",
    )
