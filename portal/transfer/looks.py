"""What a root holds under the keys of a shard, asked for all at once: one request for a thousand keys."""

from collections.abc import Sequence
from threading import Lock

from portal.backends.base import Backend, ObjectInfo


class Looks:
    """The first question about a key is answered from one look at all; a later one, after an error, is asked anew."""

    def __init__(self, backend: Backend, keys: Sequence[str]) -> None:
        self._backend = backend
        self._found = backend.infos(keys)
        self._unasked = set(keys)
        self._lock = Lock()

    def info(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object; None when there is none."""
        with self._lock:
            is_first = key in self._unasked
            self._unasked.discard(key)
        return self._found.get(key) if is_first else self._backend.info(key)
