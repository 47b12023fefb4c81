"""Bounds what the threads of a worker hold of objects in memory, whatever the objects' sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from portal.backends.base import CHUNK_BYTES
from portal.backends.parts import PARTS_AT_ONCE, part_size

#: What a worker's threads hold at most of objects under way.
ROOM_BYTES: Final = 48 * 1024 * 1024


class Room:
    """Bytes to hold, shared by the threads of a worker."""

    def __init__(self, total_bytes: int = ROOM_BYTES) -> None:
        self._total_bytes = self._left_bytes = total_bytes
        self._changed = Condition()

    @contextmanager
    def held(self, size_bytes: int) -> Iterator[None]:
        """Wait until an object of this size may be under way, and keep its room."""
        needed = min(held_bytes(size_bytes), self._total_bytes)
        with self._changed:
            self._changed.wait_for(lambda: self._left_bytes >= needed)
            self._left_bytes -= needed
        try:
            yield
        finally:
            with self._changed:
                self._left_bytes += needed
                self._changed.notify_all()


def held_bytes(size_bytes: int) -> int:
    """Return what moving one object holds: all of a small one, a few parts of a large one."""
    return max(CHUNK_BYTES, min(size_bytes, PARTS_AT_ONCE * part_size(size_bytes)))
