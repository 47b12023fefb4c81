"""What a root holds under the keys of a shard, asked for all at once: one request for a thousand keys."""

from collections.abc import Mapping, Sequence
from threading import Lock

from portal.backends.base import Backend, ObjectInfo
from portal.errors import StorageError
from portal.transfer.control import FATAL


class Looks:
    """The first question about a key is answered from one look at all; a later one, after an error, is asked anew.

    What is in `known` need not be looked at first.
    """

    def __init__(self, backend: Backend, keys: Sequence[str], known: Mapping[str, ObjectInfo] | None = None) -> None:
        self._backend = backend
        self._found: dict[str, ObjectInfo] = dict(known or {})
        self._unasked = set(self._found)
        self._lock = Lock()
        unknown = [key for key in keys if key not in self._unasked]
        try:
            self._found |= backend.infos(unknown) if unknown else {}
            self._unasked.update(unknown)
        except FATAL:
            raise
        except StorageError as error:
            if error.retryable:
                raise
            # One of them cannot be looked at, or nothing can be listed: each is asked for by itself, and fails alone.

    def has(self, key: str) -> bool:
        """Tell whether the look found something under a key."""
        return key in self._found

    def info(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object; None when there is none."""
        with self._lock:
            is_first = key in self._unasked
            self._unasked.discard(key)
        return self._found.get(key) if is_first else self._backend.info(key)
