"""The real lamindb, unmodified, in processes of its own environment: each `LaminClient` is one person's machine."""

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

REPOSITORY = Path(__file__).parents[2]
PYTHON = REPOSITORY / ".venv-lamindb" / "bin" / "python"
# On a busy machine the client needs a minute to make a PostgreSQL instance from nothing.
ANSWER_SECONDS = 150.0
OWNER = "anonymous"


class ClientError(Exception):
    """What lamindb raised in its process.

    Attributes:
        kind: the exception's class name.
        message: its text.
    """

    def __init__(self, kind: str, message: str, details: str) -> None:
        super().__init__(f"{kind}: {message}\n{details}")
        self.kind = kind
        self.message = message


class Session:
    """One open Python session: lamindb is imported once and keeps what it knows until `close`."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        if not PYTHON.exists():
            raise RuntimeError("The real lamindb is missing: `make clients` installs it.")
        self._log_path = Path(tempfile.mkstemp(prefix="session-", suffix=".log", dir=folder)[1])
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(PYTHON), "-m", "tests.clients.scripts.serve"],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, script: str, **arguments: Any) -> Any:
        """Run `tests/clients/scripts/<script>.py`'s `main` with these arguments and return its result.

        Raises:
            ClientError: lamindb raised.
            RuntimeError: the process ended, or gave no answer in time.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"script": script, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=ANSWER_SECONDS)
        except (BrokenPipeError, queue.Empty):
            line = ""
        if not line:
            self._process.kill()
            raise RuntimeError(f"{script} gave no answer:\n{self.log}")
        answer = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            raise ClientError(error["type"], error["message"], error["traceback"])
        return answer["result"]

    @property
    def log(self) -> str:
        """Return everything lamindb printed so far."""
        return self._log_path.read_text(errors="replace")

    def close(self) -> None:
        """End the process; once ended, do nothing."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class LaminClient:
    """One person's machine: home, settings and cache of its own, no network, no account.

    Attributes:
        instance: the name of the instance it works with; None until `init` or until a test sets it.
        environment: variables beside those every client has.
    """

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.instance: str | None = None
        self.environment = dict(environment or {})
        # lamindb notes the current instance in the folder it is started in, and refuses the home itself.
        self._folder = home / "work"
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def settings_path(self) -> Path:
        """Return the file that tells this machine where the instance's default storage and database are."""
        return self.home / "settings" / ".lamin" / f"instance--{OWNER}--{self.instance}.env"

    def init(
        self, name: str, storage: str, db: str | None = None, *, fill: Sequence[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Make instance `anonymous/<name>` and work with it; `db` is a `postgresql://` URL, None means SQLite.

        Returns slug, id (hex), uid and the default storage location's root; and the world that `build_world` made of
        the roots to `fill`, empty where that is None.
        """
        with self.session() as session:
            facts: dict[str, Any] = session.ask("init", name=name, storage=storage, db=db)
            world = {} if fill is None else session.ask("build_world", roots=fill, big=False)
        self.instance = name
        return facts, world

    def session(self) -> Session:
        """Open a Python session with the instance connected and an empty cache; whoever opens it closes it."""
        cache = self.home / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir()
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(self.home),
            "LAMIN_SETTINGS_DIR": str(self.home / "settings"),
            "LAMIN_CACHE_DIR": str(cache),
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.environment,
        }
        if self.instance is not None:
            environment["LAMIN_CURRENT_INSTANCE"] = f"{OWNER}/{self.instance}"
        return Session(environment, self._folder)

    def run(self, script: str, **arguments: Any) -> Any:
        """Run one script in a fresh process with an empty cache; see `Session.ask`."""
        with self.session() as session:
            return session.ask(script, **arguments)

    def edit_settings(self, **values: str) -> None:
        """Rewrite lines of the instance's settings file, as people must after their default storage moved.

        `storage_root` stands for the line `lamindb_instance_storage_root=…`.
        """
        lines = dict(line.split("=", 1) for line in self.settings_path.read_text().splitlines())
        lines.update({f"lamindb_instance_{name}": value for name, value in values.items()})
        self.settings_path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
