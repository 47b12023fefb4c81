"""Tries every right a connection needs, on the real root, and says of each what was seen and what to do.

Writes nothing but one small object under a random key, and nothing at all unless asked. Where another instance's marker
is found (`lamindb.marker.check_marker`), the caller must not ask for writing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from portal.backends.base import Backend, ObjectInfo
from portal.backends.checks import failed_check
from portal.backends.leftovers import probe_key
from portal.errors import (
    BucketNotFound,
    ContentMismatch,
    CredentialsRefused,
    StorageError,
    Unreachable,
    WrongRegion,
)
from portal.values import CheckResult, CheckStatus

#: As many keys as one page of a listing holds.
_KEYS_SEEN: Final = 1000

_TITLES: Final = {
    "list": "List objects",
    "get": "Read an object",
    "put": "Write an object",
    "read-back": "Read it back",
    "delete": "Delete it",
    "gone": "See that it is gone",
}
_WRITES: Final = ("put", "read-back", "delete", "gone")

#: After these nothing else can work.
_FATAL: Final = (BucketNotFound, CredentialsRefused, Unreachable, WrongRegion)

#: One trial; returns what was seen.
Step = Callable[[], str]


class _Skipped(Exception):
    """A step had nothing to try."""


@dataclass(slots=True)
class _Run:
    """The checks so far. `stopped` is why the rest is not tried; empty while all is well."""

    clock: Callable[[], float]
    results: list[CheckResult] = field(default_factory=list)
    stopped: str = ""

    def attempt(self, name: str, step: Step) -> bool:
        """Try one step, note how it ended, and tell whether it passed."""
        if self.stopped:
            self.skip(name, self.stopped)
            return False
        started = self.clock()
        try:
            reason = _once_more(step)
        except _Skipped as skipped:
            self.skip(name, str(skipped))
            return False
        except StorageError as error:
            self._note_failure(name, error, self._since(started))
            return False
        self._note(name, CheckStatus.PASSED, self._since(started), reason)
        return True

    def skip(self, name: str, reason: str) -> None:
        """Note that a check was not tried."""
        self._note(name, CheckStatus.SKIPPED, None, reason)

    def _since(self, started: float) -> int:
        return round((self.clock() - started) * 1000)

    def _note(self, name: str, status: CheckStatus, milliseconds: int | None, reason: str) -> None:
        self.results.append(CheckResult(name, _TITLES[name], status, milliseconds, reason, is_write=name in _WRITES))

    def _note_failure(self, name: str, error: StorageError, milliseconds: int) -> None:
        self.results.append(failed_check(name, _TITLES[name], error, milliseconds, is_write=name in _WRITES))
        if isinstance(error, _FATAL):
            self.stopped = f"Not tried: {error.message}"


def _once_more(step: Step) -> str:
    """Try a step, and again where the server failed in passing: a fault of the moment is no missing right."""
    try:
        return step()
    except _FATAL:
        raise
    except StorageError as error:
        if not error.retryable:
            raise
    return step()


def probe(backend: Backend, *, want_write: bool, key_token: str, clock: Callable[[], float]) -> tuple[CheckResult, ...]:
    """Try list, get, put, read-back, delete and gone, in this order; every check is in the result.

    `key_token` makes the probe's key, `.lamindb/_probe/<token>`, unguessable; `clock` gives seconds.
    """
    run = _Run(clock)
    seen: list[ObjectInfo] = []
    run.attempt("list", lambda: _list(backend, seen))
    run.attempt("get", lambda: _get(backend, seen))
    if want_write:
        _probe_writing(run, backend, probe_key(key_token))
    else:
        for name in _WRITES:
            run.skip(name, "Read-only: nothing was written.")
    return tuple(run.results)


def _probe_writing(run: _Run, backend: Backend, key: str) -> None:
    """Write one object, read it back and delete it again, whatever reading it gave."""
    content = f"The storage portal tries its rights with this object: {key}\n".encode()
    if not run.attempt("put", lambda: _put(backend, key, content)):
        for name in _WRITES[1:]:
            run.skip(name, run.stopped or "Nothing was written.")
        return
    run.attempt("read-back", lambda: _read_back(backend, key, content))
    # Tried even after the server fell silent: the object should not stay.
    run.stopped = ""
    if run.attempt("delete", lambda: _delete(backend, key)):
        run.attempt("gone", lambda: _gone(backend, key))
        return
    run.skip("gone", f"The object {key} is left: delete it by hand.")


def _list(backend: Backend, seen: list[ObjectInfo]) -> str:
    seen[:] = islice(backend.list_objects(), _KEYS_SEEN)
    if len(seen) == _KEYS_SEEN:
        return f"{_KEYS_SEEN:,} of at least {_KEYS_SEEN:,} keys seen."
    return f"{len(seen):,} {'key' if len(seen) == 1 else 'keys'} seen."


def _get(backend: Backend, seen: list[ObjectInfo]) -> str:
    """Read the first bytes of the smallest object seen."""
    if not seen:
        raise _Skipped("No object was seen that could be read.")
    smallest = min(seen, key=lambda found: (found.size_bytes, found.key))
    with backend.open_read(smallest.key) as stream:
        stream.read(1024)
    return f"{smallest.key} was read."


def _put(backend: Backend, key: str, content: bytes) -> str:
    backend.replace(key, content)
    return f"{key} was written."


def _read_back(backend: Backend, key: str, content: bytes) -> str:
    with backend.open_read(key) as stream:
        found = stream.read(len(content) + 1)
    if found != content:
        raise ContentMismatch(f"{key} reads back differently.", hint="Do not store data here before this is found.")
    return "The same bytes came back."


def _delete(backend: Backend, key: str) -> str:
    backend.delete(key)
    return f"{key} was deleted."


def _gone(backend: Backend, key: str) -> str:
    if backend.info(key) is not None:
        raise StorageError(
            f"{key} is still there after it was deleted.", hint="Look for retention rules, then delete it."
        )
    return "The key is free again."
