"""The portal as people run it: `portal up` on a data folder of its own, as a real process group."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import START_SECONDS, free_port


@dataclass
class PortalProcess:
    """One portal. `start` and `kill` may alternate: its data stays.

    Attributes:
        folder: data folder, base directory for local roots and log live below it.
        endpoints: hosts that `PORTAL_ALLOWED_ENDPOINTS` lists.
    """

    folder: Path
    endpoints: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Return the address to open."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> Path:
        """Return the base directory for local roots."""
        base = self.folder / "base"
        base.mkdir(parents=True, exist_ok=True)
        return base.resolve()

    @property
    def log(self) -> str:
        """Return all that the processes printed so far."""
        return (self.folder / "portal.log").read_text()

    def environment(self) -> dict[str, str]:
        """Return the environment of every portal command on this data folder."""
        return {
            **os.environ,
            "PORTAL_DATA_DIR": str(self.folder / "data"),
            "PORTAL_BIND": f"127.0.0.1:{self.port}",
            "PORTAL_LOCAL_BASES": str(self.base),
            "PORTAL_ALLOWED_ENDPOINTS": self.endpoints,
            "PORTAL_HOST": "lab-host",
            "PORTAL_QUIET_HOURS": "0",
            "PYTHONUNBUFFERED": "1",
        }

    def start(self) -> "PortalProcess":
        """Start web and runner and wait until the web process is ready."""
        with (self.folder / "portal.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "portal", "up"],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the portal did not start:\n{self.log}")
            time.sleep(0.1)
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """Ask the processes to end, and wait."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL the whole process group, as a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def process_ids(self) -> list[int]:
        """Return the ids of all processes that run now."""
        if self._process is None:
            return []
        group, found = str(self._process.pid), []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if words[2] == group:
                found.append(int(path.parent.name))
        return found

    def setup_url(self) -> str:
        """Return the newest one-time set-up link that was printed."""
        links: list[str] = re.findall(rf"{re.escape(self.url)}/setup/\S+", self.log)
        return links[-1]
