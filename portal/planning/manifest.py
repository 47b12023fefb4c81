"""What an instance's registry refers to, merged with a listing of the root: referenced, unreferenced, missing.

Both come in the order of keys, so memory does not grow with either. A folder artifact covers every object below it.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from portal.errors import StorageError
from portal.planning.listings import key_order


@dataclass(frozen=True, slots=True)
class Recorded:
    """A hash that a registry recorded, in LaminDB's form and under its name for the kind."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One key, or one folder, that artifacts refer to; several versions may share it.

    Attributes:
        key: below the root; of a folder without a slash at its end.
        recorded: hashes any of which the content may have; of overwritten versions none are kept.
        artifact_uid: uid of one of the artifacts, to name it by.
        size_bytes: as recorded; None where nothing is recorded or versions differ.
    """

    key: str
    is_folder: bool
    recorded: tuple[Recorded, ...] = ()
    artifact_uid: str = ""
    size_bytes: int | None = None

    @property
    def place(self) -> str:
        """Return what it is sorted by: a folder right before what lies in it."""
        return f"{self.key}/" if self.is_folder else self.key


@dataclass(slots=True)
class _Open:
    """A folder whose objects come next."""

    wanted: Wanted
    object_count: int = 0


@dataclass(slots=True)
class Manifest:
    """A cursor over what is wanted; ask it for every key of the listing, in order.

    Attributes:
        miss: is told of each that was passed without an object.
    """

    wanted: Iterator[Wanted]
    miss: Callable[[Wanted], object] = lambda _: None
    _next: Wanted | None = None
    _open: list[_Open] = field(default_factory=list)
    _before: bytes = b""
    _is_begun: bool = False

    def reference_of(self, key: str) -> Wanted | None:
        """Return what refers to an object: an artifact that is this object, else the innermost folder it lies in.

        None: nothing does.

        Raises:
            StorageError: what is wanted is out of order.
        """
        here, exact = key_order(key), None
        self._close(key)
        while (wanted := self._peek()) is not None and key_order(wanted.place) <= here:
            self._advance()
            self._close(wanted.place)
            if wanted.is_folder:
                self._open.append(_Open(wanted))
            elif wanted.key == key:
                exact = wanted
            else:
                self.miss(wanted)
        self._close(key)
        for folder in self._open:
            folder.object_count += 1
        return exact or (self._open[-1].wanted if self._open else None)

    def finish(self) -> None:
        """Take everything that is left as missing: the listing has ended."""
        while (wanted := self._peek()) is not None:
            self._advance()
            self._close(wanted.place)
            if wanted.is_folder:
                self._open.append(_Open(wanted))
            else:
                self.miss(wanted)
        while self._open:
            self._leave(self._open.pop())

    def _close(self, key: str) -> None:
        while self._open and not key.startswith(self._open[-1].wanted.place):
            self._leave(self._open.pop())

    def _leave(self, folder: _Open) -> None:
        if folder.object_count == 0:
            self.miss(folder.wanted)

    def _peek(self) -> Wanted | None:
        if not self._is_begun:
            self._advance()
        return self._next

    def _advance(self) -> None:
        self._is_begun = True
        self._next = next(self.wanted, None)
        if self._next is None:
            return
        place = key_order(self._next.place)
        if place < self._before:
            raise StorageError(
                f"The registry gave {self._next.place!r} out of order.", hint="Report the database's name and version."
            )
        self._before = place


def merged(streams: Iterable[Iterable[Wanted]]) -> Iterator[Wanted]:
    """Yield what several registries want, in order; what two of them want comes twice."""
    yield from heapq.merge(*streams, key=lambda wanted: key_order(wanted.place))
