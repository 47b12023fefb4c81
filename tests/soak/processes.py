"""The processes of a run: runners that are killed and started again, workers, and a server that crashes."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

from portal.config import Settings
from tests.servers import START_SECONDS, S3Server, free_port
from tests.soak.hold import VARIABLE, Hold

_MAIN = Path(__file__).with_name("runner_main.py")


class CrashingS3(S3Server):
    """An S3 server that can die like a machine whose power fails: everything it held in memory is gone."""

    def crash(self) -> None:
        """Kill it; `start` brings it back on the same port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def is_up(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment in which a process is a part of the run's portal."""
    return os.environ | {
        "PORTAL_DATA_DIR": str(settings.data_dir),
        "PORTAL_DATABASE_URL": settings.database_url,
        "PORTAL_LOCAL_BASES": ":".join(str(base) for base in settings.local_bases),
        "PORTAL_ALLOWED_ENDPOINTS": ",".join(settings.allowed_endpoints),
        "PORTAL_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(_MAIN.parents[2]),
    }


class Runners:
    """The runner processes of one portal; those that were killed are started again."""

    def __init__(self, settings: Settings, count: int, log_path: Path, hold: Hold | None = None) -> None:
        self._environment = environment_of(settings) | ({VARIABLE: str(hold.folder)} if hold else {})
        self.log_path = log_path
        self._processes = [self._start() for _ in range(count)]

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log_path.open("ab") as log:
            command = [sys.executable, str(_MAIN), "runner", "--host", "portal-host"]
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def kill(self, index: int, *, with_workers: bool) -> None:
        """Kill a runner, the process alone or with its workers at once, and start another."""
        index %= len(self._processes)
        workers = workers_of(self._processes[index].pid) if with_workers else []
        self._processes[index].kill()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        self._processes[index].wait()
        self._processes[index] = self._start()

    def kill_worker(self, index: int) -> bool:
        """Kill one worker process of any runner; False when there is none now."""
        workers = [worker for process in self._processes for worker in workers_of(process.pid)]
        if not workers:
            return False
        try:
            os.kill(workers[index % len(workers)], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def check(self) -> None:
        """Fail when a runner ended that nobody killed."""
        for process in self._processes:
            assert process.poll() is None, f"a runner ended by itself with {process.poll()}:\n{self.log()}"

    def stop(self) -> None:
        """End all of them in order; a runner that does not obey is killed and fails the run."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        late = False
        for process in self._processes:
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                late = True
        assert not late, f"a runner did not end when told to:\n{self.log()}"

    def end(self) -> None:
        """Kill what still runs."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def log(self) -> str:
        """Return the end of what the runners wrote."""
        return self.log_path.read_text(errors="replace")[-6000:] if self.log_path.exists() else ""


class Web:
    """The web process of one portal, as a browser with `cookie` sees it."""

    def __init__(self, settings: Settings, cookie: str, log_path: Path) -> None:
        self.port = free_port()
        self._environment = environment_of(settings) | {"PORTAL_BIND": f"127.0.0.1:{self.port}"}
        self._headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self.answers: list[int] = []

    def start(self) -> None:
        """Start it. Nobody waits for it here: `wait` does."""
        with self._log_path.open("ab") as log:
            command = [sys.executable, "-m", "portal", "serve"]
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + START_SECONDS
        while self.ask("GET", "/readyz") != 200:
            assert time.monotonic() < until, f"the web process does not answer:\n{self.log()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it and its threads' process, as a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def strike(self, path: str, form: Mapping[str, str], delay: float) -> None:
        """Send a form, kill the process `delay` seconds later, and start it again."""
        self.wait()
        sender = threading.Thread(target=self.ask, args=("POST", path, form))
        sender.start()
        time.sleep(delay)
        self.kill()
        sender.join()
        self.start()

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> int:
        """Return the status of an answer; 0 where none came."""
        headers = self._headers | ({"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, urlencode(form) if form is not None else None, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
        if method == "POST":
            self.answers.append(status)
        return status

    def log(self) -> str:
        """Return the end of what it wrote."""
        return self._log_path.read_text(errors="replace")[-6000:] if self._log_path.exists() else ""


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a runner, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid and b"spawn_main" in words:
            found.append(int(entry.name))
    return sorted(found)
