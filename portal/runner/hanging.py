"""Jobs that were told to stop and have not ended, as on a file system that does not answer.

What such a job may still write is handed to nobody else. Only of this process: workers end with theirs.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from portal.models import Migration

Item = TypeVar("Item")

#: How long a migration is left alone at most that has to wait for such a job: a person may wish something meanwhile.
WAIT_SECONDS: Final = 5.0

MESSAGE: Final = "A worker that was told to stop has not stopped; what it was doing is left until it does."
HINT: Final = "The disk or server that it works on may not answer: look at it. A restart of the runner ends the worker."


class Hanging:
    """The jobs of one runner, by the name of what they write."""

    def __init__(self) -> None:
        self._jobs: list[tuple[str, Future[Any]]] = []

    def add(self, name: str, future: Future[Any]) -> None:
        """Keep a job in mind until it ends."""
        self._jobs.append((name, future))

    def has(self, name: str) -> bool:
        """Tell whether such a job has not ended."""
        return name in self._names()

    def split(self, items: Iterable[Item], name: Callable[[Item], str]) -> tuple[list[Item], list[Item]]:
        """Return which items may be handed over, and which not yet."""
        names, free, held = self._names(), list[Item](), list[Item]()
        for item in items:
            (held if names and name(item) in names else free).append(item)
        return free, held

    def _names(self) -> set[str]:
        self._jobs = [(name, future) for name, future in self._jobs if not future.done()]
        return {name for name, _ in self._jobs}


def forget_message(migration: Migration) -> None:
    """Take back what was said of a job that hangs: work goes on."""
    if migration.message == MESSAGE:
        migration.message = migration.hint = ""
