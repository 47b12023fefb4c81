"""Holds the threads of one shard together: stopping, limits, ending early, and counters for whoever watches."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from time import monotonic

from portal.errors import BrokenOff, BucketNotFound, CredentialsRefused, OutOfSpace, PortalError
from portal.planning.throttle import MOST_CONCURRENCY, Bucket
from portal.transfer.limits import Limits, read_limits

#: How often the stop file is looked for, and the counters are written.
_LOOK_SECONDS = 0.2
_WRITE_SECONDS = 1.0

#: How often limits are read again.
_LIMITS_SECONDS = 0.5

#: So many errors that pass, one after the other without an object that worked, end the shard: the server is gone.
MOST_PASSING = 50

#: Errors that every object of the shard would meet.
FATAL = (OutOfSpace, CredentialsRefused, BucketNotFound)


class Stopped(BrokenOff):
    """Raised in a thread to leave its object where it is; never leaves `transfer`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a shard is. Bytes count every byte read for copying or verifying, so retries count twice."""

    object_count: int
    total_bytes: int
    failure_count: int = 0


class Control:
    """Shared by the threads of one shard.

    `limits_path` names the file in which a runner changes limits while the shard runs (`transfer.limits`); None: no
    limits but `max_failures` and as many objects at a time as there are threads.

    Attributes:
        error: what ended the shard early; None when nothing did.
    """

    def __init__(
        self, stop_path: str | None, progress_path: str | None, max_failures: int, limits_path: str | None = None
    ) -> None:
        self.error: PortalError | None = None
        self._stop_path, self._progress_path, self._limits_path = stop_path, progress_path, limits_path
        self._halted, self._lock = Event(), Lock()
        self._looked_at = self._written_at = self._limits_read_at = float("-inf")
        self._objects = self._bytes = self._failures = self._taken = 0
        self._good_seen, self._failures_in_row = 0, 0
        self._max_failures = max_failures
        self._limits, self._bucket = Limits(), Bucket()

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
        """Take one from the budget of failures; what is beyond it ends the shard, as do many passing ones in a row."""
        limits = self._fresh_limits()
        with self._lock:
            good = self._objects - self._failures
            self._failures += 1
            if good > self._good_seen or not error.retryable:
                self._good_seen, self._failures_in_row = max(good, self._good_seen), 0
            self._failures_in_row += error.retryable
            most = self._max_failures if limits.max_failures is None else limits.max_failures
            is_used_up = self._failures >= most or self._failures_in_row >= min(most, MOST_PASSING)
        if is_used_up:
            self.halt(error)

    def add(self, *, object_count: int = 0, total_bytes: int = 0) -> None:
        """Count what was done, and write the counters when it is time.

        Bytes are slowed to the limit: they count, and the call returns, when the next ones may be moved or the shard
        has ended.
        """
        if total_bytes and self._limits_path:
            self._slow_down(total_bytes)
        with self._lock:
            self._objects += object_count
            self._bytes += total_bytes
            if self._progress_path and monotonic() - self._written_at > _WRITE_SECONDS:
                self._written_at = monotonic()
                self._write(self._progress_path)

    def most_threads(self, usual: int) -> int:
        """Return how many threads a shard needs, so that a raised limit finds some; without limits, `usual`."""
        return max(usual, MOST_CONCURRENCY) if self._limits_path else usual

    def has_place(self, number: int, usual: int, is_over: Event) -> bool:
        """Wait until the limits have a place for thread `number` (`usual` places without one); False when `is_over`.

        Raises:
            Stopped: the shard ended meanwhile.
        """
        self.check()
        while number >= (self._fresh_limits().concurrency or usual):
            if is_over.wait(_LOOK_SECONDS):
                return False
            self.check()
        return not is_over.is_set()

    def _slow_down(self, total_bytes: int) -> None:
        self._fresh_limits()
        with self._lock:
            self._bucket = self._bucket.take(total_bytes, monotonic())
            self._taken += total_bytes
            turn = self._taken
        while not self._halted.is_set():
            with self._lock:
                wait = self._bucket.wait_seconds(monotonic(), self._taken - turn)
            if not wait:
                return
            try:
                self.check()  # somebody may want to stop meanwhile
            except Stopped:
                return  # the caller's next look says so
            self._halted.wait(min(wait, _LOOK_SECONDS))
            self._fresh_limits()

    def _fresh_limits(self) -> Limits:
        """Return the limits, read again when it is time."""
        now = monotonic()
        if self._limits_path and now - self._limits_read_at > _LIMITS_SECONDS:
            with self._lock:
                if now > self._limits_read_at:
                    self._limits = read_limits(self._limits_path, self._limits)
                    if self._limits.bytes_per_second != self._bucket.bytes_per_second:
                        self._bucket = self._bucket.limited(self._limits.bytes_per_second, now)
                    # Last: who comes meanwhile waits for the new ones.
                    self._limits_read_at = now
        return self._limits

    def finish(self) -> None:
        """Write the last counters."""
        with self._lock:
            if self._progress_path:
                self._write(self._progress_path)

    def _write(self, path: str) -> None:
        temporary = Path(f"{path}.{os.getpid()}.tmp")
        counters = {"object_count": self._objects, "total_bytes": self._bytes, "failure_count": self._failures}
        # Only for show: what a full disk or too few file handles really harm says so itself.
        with suppress(OSError):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(counters))
            temporary.replace(path)


def read_progress(path: str) -> Progress:
    """Return the counters of a shard under way; zeros while there are none."""
    try:
        values = json.loads(Path(path).read_text())
        return Progress(int(values["object_count"]), int(values["total_bytes"]), int(values.get("failure_count", 0)))
    except (OSError, ValueError, KeyError):
        return Progress(0, 0)
