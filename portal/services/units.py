"""How a use-case that talks to a network gets its units of work: short ones, with nothing slow inside."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class Units:
    """A face's two ways of opening a unit of work; each call gives a new one, committed when its block ends."""

    reading: Callable[[], AbstractContextManager[Work]]
    writing: Callable[[], AbstractContextManager[Work]]
