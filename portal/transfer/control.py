"""Holds the threads of one shard together: stopping, ending early, and counters for whoever watches."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from time import monotonic

from portal.errors import BucketNotFound, CredentialsRefused, OutOfSpace, PortalError

#: How often the stop file is looked for, and the counters are written.
_LOOK_SECONDS = 0.2
_WRITE_SECONDS = 1.0

#: Errors that every object of the shard would meet.
FATAL = (OutOfSpace, CredentialsRefused, BucketNotFound)


class Stopped(Exception):
    """Raised in a thread to leave its object where it is; never leaves `transfer`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a shard is. Bytes count every byte read for copying or verifying, so retries count twice."""

    object_count: int
    total_bytes: int


class Control:
    """Shared by the threads of one shard.

    Attributes:
        error: what ended the shard early; None when nothing did.
    """

    def __init__(self, stop_path: str | None, progress_path: str | None, max_failures: int) -> None:
        self.error: PortalError | None = None
        self._stop_path, self._progress_path = stop_path, progress_path
        self._left_failures = max_failures
        self._halted, self._lock = Event(), Lock()
        self._looked_at = self._written_at = float("-inf")
        self._objects = self._bytes = 0

    def check(self) -> None:
        """Leave the thread when somebody asked to stop or the shard has ended.

        Raises:
            Stopped: then.
        """
        if not self._halted.is_set() and self._stop_path and monotonic() - self._looked_at > _LOOK_SECONDS:
            if Path(self._stop_path).exists():
                self._halted.set()
            # Last: a thread that comes meanwhile looks for itself.
            self._looked_at = monotonic()
        if self._halted.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, but not when the shard ends meanwhile.

        Raises:
            Stopped: then.
        """
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self.check()
            self._halted.wait(min(left, _LOOK_SECONDS))

    def halt(self, error: PortalError) -> None:
        """End the shard early; the first error is the one that is told."""
        with self._lock:
            self.error = self.error or error
        self._halted.set()

    def abandon(self) -> None:
        """End the shard without an error of its own: another thread raises one."""
        self._halted.set()

    def count_failure(self, error: PortalError) -> None:
        """Take one from the budget of failures; the last one ends the shard."""
        with self._lock:
            self._left_failures -= 1
            is_used_up = self._left_failures <= 0
        if is_used_up:
            self.halt(error)

    def add(self, *, object_count: int = 0, total_bytes: int = 0) -> None:
        """Count what was done, and write the counters when it is time."""
        with self._lock:
            self._objects += object_count
            self._bytes += total_bytes
            if self._progress_path and monotonic() - self._written_at > _WRITE_SECONDS:
                self._written_at = monotonic()
                self._write(self._progress_path)

    def finish(self) -> None:
        """Write the last counters."""
        with self._lock:
            if self._progress_path:
                self._write(self._progress_path)

    def _write(self, path: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(f"{path}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps({"object_count": self._objects, "total_bytes": self._bytes}))
        temporary.replace(path)


def read_progress(path: str) -> Progress:
    """Return the counters of a shard under way; zeros while there are none."""
    try:
        values = json.loads(Path(path).read_text())
        return Progress(int(values["object_count"]), int(values["total_bytes"]))
    except (OSError, ValueError, KeyError):
        return Progress(0, 0)
