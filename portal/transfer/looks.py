"""What a root holds under the keys of a shard, asked for all at once: one request for a thousand keys."""

from collections.abc import Sequence
from threading import Lock

from portal.backends.base import Backend, ObjectInfo
from portal.errors import StorageError
from portal.transfer.control import FATAL


class Looks:
    """The first question about a key is answered from one look at all; a later one, after an error, is asked anew."""

    def __init__(self, backend: Backend, keys: Sequence[str]) -> None:
        self._backend = backend
        self._found: dict[str, ObjectInfo] = {}
        self._unasked: set[str] = set()
        self._lock = Lock()
        try:
            self._found, self._unasked = backend.infos(keys), set(keys)
        except FATAL:
            raise
        except StorageError as error:
            if error.retryable:
                raise
            # One of them cannot be looked at, or nothing can be listed: each is asked for by itself, and fails alone.

    def info(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object; None when there is none."""
        with self._lock:
            is_first = key in self._unasked
            self._unasked.discard(key)
        return self._found.get(key) if is_first else self._backend.info(key)
