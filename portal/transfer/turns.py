"""Turns on the processor, for objects that are read and written without waiting.

Python runs one thread at a time, and hands over at every call of the system, of which a small file takes twenty: copied
by 24 threads it costs 2.6 times what it costs one (measured). So one thread works at a time, for some milliseconds, as
long as what it does keeps the processor busy. Where files come slowly (a network share, a disk that seeks), all threads
wait for them at the same time, as they do for a bucket.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic, thread_time
from typing import Final

#: Long enough that handing over costs nothing, short enough that a pause or a new limit is noticed at once.
TURN_SECONDS: Final = 0.005

#: After so much time spent in turns they are judged.
_JUDGED_SECONDS: Final = 0.05

#: Waiting, if a turn takes so many times the processor time it got. Being sent off a busy processor is not meant.
_WAITING: Final = 4.0

#: Where turns are found to wait, there are none for so long.
_FREE_SECONDS: Final = 1.0

#: A turn that takes so long is not waited for: a large file is read, or one that does not come.
_STUCK_SECONDS: Final = 0.1


def _never() -> bool:
    return False


class Turns:
    """The turns of the threads of one shard; without `are_taken` there are none at all.

    `clock` and `cpu_clock` give seconds, the latter of the calling thread.
    """

    def __init__(
        self,
        *,
        are_taken: bool = True,
        clock: Callable[[], float] = monotonic,
        cpu_clock: Callable[[], float] = thread_time,
    ) -> None:
        self._clock, self._cpu_clock = clock, cpu_clock
        self._turn = Lock()
        self._free_until = float("-inf") if are_taken else float("inf")
        self._began = float("-inf")
        self._wall_seconds = self._cpu_seconds = 0.0

    @contextmanager
    def one(self) -> Iterator[Callable[[], bool]]:
        """Take a turn, or go without one where threads better wait side by side; gives whether there is time left."""
        if self._clock() < self._free_until or not self._taken():
            yield _never
            return
        cpu_began, self._began = self._cpu_clock(), self._clock()
        try:
            yield lambda: self._clock() - self._began < TURN_SECONDS
        finally:
            self._judge(self._clock() - self._began, self._cpu_clock() - cpu_began)
            self._turn.release()

    def _taken(self) -> bool:
        """Wait for a turn; False where another one takes too long."""
        while not self._turn.acquire(timeout=_STUCK_SECONDS):
            now = self._clock()
            if now - self._began >= _STUCK_SECONDS:
                self._free_until = now + _FREE_SECONDS
                return False
        return True

    def _judge(self, wall_seconds: float, cpu_seconds: float) -> None:
        """Take one turn into account. Called by who has the turn."""
        self._wall_seconds += wall_seconds
        self._cpu_seconds += cpu_seconds
        if self._wall_seconds < _JUDGED_SECONDS:
            return
        if self._wall_seconds > _WAITING * self._cpu_seconds:
            self._free_until = self._clock() + _FREE_SECONDS
        self._wall_seconds = self._cpu_seconds = 0.0
