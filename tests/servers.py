"""Real servers for the tests: S3 by rclone, PostgreSQL by Debian. Each listens on a free loopback port.

A server that is missing or does not come up fails the test that asked for it; nothing is ever skipped.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

START_SECONDS = 90.0


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A child process that listens on a loopback port; `stop` and `start` keep the port, so an outage can be played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log_path = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """Return what to run."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Return the child's environment."""
        return dict(os.environ)

    def run_as(self) -> str | None:
        """Return the account to run as; None means our own."""
        return None

    def start(self) -> Self:
        """Start the server and wait until it takes connections."""
        assert self._process is None, "already started"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*wrapper(self.run_as(), stop_with_us=True), *self.command()],
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()
        return self

    def stop(self) -> None:
        """Stop the server and wait until it is gone; once stopped, do nothing."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the server from answering while the block runs; connections are taken all the same, and wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.command()[0]} did not start:\n{self.log_path.read_text()}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Say whether the port takes connections."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class S3Server(Server):
    """`rclone serve s3`: real signatures, real bytes on disk. Each folder below `buckets` is a bucket.

    What it does not do as AWS does: it has no versions, policies or multipart copy, overwrites create-only puts and
    accepts a wrong checksum. There is one key, with every right; `tests/read_only.py` has one that may only read.
    """

    # rclone refuses access keys shorter than those of AWS.
    def __init__(
        self,
        folder: Path,
        *,
        access_key: str = "AKIAEXAMPLEEXAMPLE00",
        secret_key: str = "example+secret/example+secret/example000",
    ) -> None:
        super().__init__(folder)
        self.buckets = folder / "buckets"
        self.buckets.mkdir(parents=True, exist_ok=True)
        self.access_key = access_key
        self.secret_key = secret_key

    @property
    def endpoint_url(self) -> str:
        """Return the URL to give as `endpoint_url`."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        rclone = Path(sys.executable).parent / "rclone"
        options = ["--vfs-cache-mode", "off", "--force-path-style", "--log-level", "NOTICE", "--config", os.devnull]
        # Else a folder's listing is remembered for five minutes, and what a test puts on disk is not seen.
        # Not 0: rclone 1.75 then turns in circles for seconds on every put.
        options += ["--dir-cache-time", "1ms"]
        return [str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{self.port}", *options, str(self.buckets)]

    def environment(self) -> dict[str, str]:
        # Not on the command line, where every process of the machine could read it. The quotes keep the pair one value.
        return {**os.environ, "RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"'}

    def add_bucket(self, name: str) -> Path:
        """Make a bucket and return its folder on disk, where tests may put and look at objects directly."""
        bucket = self.buckets / name
        bucket.mkdir(exist_ok=True)
        return bucket


class PostgresServer(Server):
    """A throw-away PostgreSQL, in memory where possible. `initdb` refuses root, so root steps down."""

    def __init__(self) -> None:
        shared_memory = Path("/dev/shm")
        parent = shared_memory if shared_memory.is_dir() else Path(tempfile.gettempdir())
        _remove_leftovers(parent)
        super().__init__(Path(tempfile.mkdtemp(prefix=f"portal-pg-{os.getpid()}-", dir=parent)))
        self.bin = _postgres_bin()
        self.password = secrets.token_urlsafe(12)
        self._count = 0
        self._template: str | None = None

    def start(self) -> Self:
        if not (self.folder / "data").exists():
            self._initialise()
        return super().start()

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            # Nothing here outlives the tests.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "100",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.folder / "data"), *options]

    def run_as(self) -> str | None:
        if os.geteuid() != 0:
            return None
        return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"

    def answers(self) -> bool:
        # The port opens before the server has recovered: only a sign-in counts.
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def new_database(self, *, template: str | None = None) -> str:
        """Make a database, empty or like `template`, and return its SQLAlchemy URL."""
        self._count += 1
        name = f"test_{os.getpid()}_{self._count}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template or "template0")
        return self._url(name)

    def new_database_from(self, upgrade: Callable[[str], None]) -> str:
        """Make a database whose schema `upgrade(url)` made; it runs once, later databases are copies."""
        if self._template is None:
            self._execute("CREATE DATABASE {} TEMPLATE {}", "portal_template", "template0")
            upgrade(self._url("portal_template"))
            self._close_connections("portal_template")
            self._template = "portal_template"
        return self.new_database(template=self._template)

    def drop_database(self, url: str) -> None:
        """Remove a database of `new_database`, whoever is still connected."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", url.rpartition("/")[2])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        shutil.rmtree(self.folder)

    def _initialise(self) -> None:
        owner = self.run_as()
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if owner is not None:
            for path in (self.folder, password_file):
                shutil.chown(path, owner)
        options = ["--username=portal", f"--pwfile={password_file}", "--auth=password", "--encoding=UTF8"]
        initdb = [str(self.bin / "initdb"), "-D", str(self.folder / "data"), *options, "--locale=C.UTF-8", "--no-sync"]
        result = subprocess.run(
            [*wrapper(owner), *initdb],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if result.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{result.stdout}{result.stderr}")

    def _close_connections(self, database: str) -> None:
        # A database somebody is connected to cannot be copied; pools of `upgrade` may linger.
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))

    def _dsn(self, database: str) -> str:
        return f"postgresql://portal:{self.password}@127.0.0.1:{self.port}/{database}"

    def _url(self, database: str) -> str:
        return self._dsn(database).replace("postgresql://", "postgresql+psycopg://", 1)


class SqliteTemplate:
    """A database file that `upgrade(url)` made once; every test gets a copy."""

    def __init__(self, folder: Path, upgrade: Callable[[str], None]) -> None:
        self._path = folder / "template.db"
        upgrade(f"sqlite:///{self._path}")

    @classmethod
    def of(cls, url: str) -> Self:
        """Return a template out of a database that is there."""
        made = cls.__new__(cls)
        made._path = Path(url.removeprefix("sqlite:///"))
        return made

    def new_database(self, path: Path) -> str:
        """Copy the template to `path` and return its SQLAlchemy URL."""
        # Not a file copy: some of it may still be in the write-ahead log.
        source, target = sqlite3.connect(self._path), sqlite3.connect(path)
        try:
            source.backup(target)
        finally:
            source.close()
            target.close()
        return f"sqlite:///{path}"


def wrapper(account: str | None, *, stop_with_us: bool = False) -> list[str]:
    """Return the words before a command that make it run as `account`; None means our own.

    With `stop_with_us` the kernel stops it when the thread that started it ends: a killed test run leaves none behind.
    """
    words = ["setpriv"]
    if account is not None:
        entry = pwd.getpwnam(account)
        words += [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    if stop_with_us:
        words.append("--pdeathsig=INT")
    return [*words, "--"] if len(words) > 1 else []


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders of test runs that were killed; their names hold the number of a process that is gone."""
    for folder in parent.glob("portal-pg-*-*"):
        if not Path("/proc", folder.name.split("-")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _postgres_bin() -> Path:
    """Find PostgreSQL's programs: those on PATH, else the newest of Debian's, which are not on PATH.

    Raises:
        RuntimeError: there is no PostgreSQL.
    """
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("PostgreSQL is missing: `make test-tools` installs it.")
    return found[-1].parent
