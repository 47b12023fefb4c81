"""Look whether objects are there: some dozen at once, within one time limit, by a few threads."""

from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread
from time import monotonic
from typing import Final

from portal.backends.base import INTERACTIVE, Backend
from portal.errors import PortalError
from portal.services.reach import Door, opened, within

#: How long all of them together may take, seconds.
LIMIT_SECONDS: Final = 3.0

_THREADS: Final = 6

#: How many may look at once in one process; a dead network file system never lets its thread go.
_MOST_LOOKING: Final = BoundedSemaphore(24)

#: Where an object lies below the root, and whether it is a folder.
Place = tuple[str, bool]


class Existence(StrEnum):
    """What a look at an object came to. `uploading`: nobody looked, since it is not to be there, or not whole, yet."""

    THERE = "there"
    UPLOADING = "uploading"
    MISSING = "missing"
    REFUSED = "refused"
    NOT_CHECKED = "not checked"


def find_objects(door: Door, places: Sequence[Place], limit_seconds: float = LIMIT_SECONDS) -> dict[Place, Existence]:
    """Return what is at each place; what was not looked at in time, or could not be, is not checked."""
    until = monotonic() + limit_seconds
    found: dict[Place, Existence] = {}
    waiting: SimpleQueue[Place] = SimpleQueue()
    for place in dict.fromkeys(places):
        waiting.put(place)

    def look() -> None:
        with opened(door, timeouts=INTERACTIVE) as backend:
            arguments = (backend, waiting, found, until)
            threads = [Thread(target=_work, args=arguments, daemon=True) for _ in range(_THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(max(0.0, until - monotonic()))

    with suppress(PortalError):  # what was found until then counts
        within(limit_seconds, look, "The root did not answer in time.")
    return {place: found.get(place, Existence.NOT_CHECKED) for place in places}


def _work(backend: Backend, waiting: SimpleQueue[Place], found: dict[Place, Existence], until: float) -> None:
    if not _MOST_LOOKING.acquire(blocking=False):
        return
    try:
        while monotonic() < until:
            place = waiting.get_nowait()
            found[place] = _look(backend, *place)
    except Empty:
        return
    finally:
        _MOST_LOOKING.release()


def _look(backend: Backend, key: str, is_folder: bool) -> Existence:
    try:
        if is_folder:
            return Existence.THERE if next(backend.list_objects(f"{key}/"), None) else Existence.MISSING
        return Existence.THERE if backend.info(key) else Existence.MISSING
    except Exception:  # the backend may be closed under a late thread, whose answer nobody hears
        return Existence.REFUSED
