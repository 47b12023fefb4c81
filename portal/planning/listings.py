"""Walk two sorted listings in lock-step, in constant memory.

Everything above relies on the order, so a listing that lies about it is an error, never a guess.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol, TypeVar

from portal.errors import StorageError


class Entry(Protocol):
    """What a listing tells of one object; `backends.base.ObjectInfo` and a result of an earlier pass both are one."""

    @property
    def key(self) -> str:
        """Return the key below the root."""
        ...

    @property
    def size_bytes(self) -> int:
        """Return the length of the content."""
        ...

    @property
    def modified_at(self) -> datetime | None:
        """Return the time of the last change, aware UTC; None where unknown."""
        ...

    @property
    def etag(self) -> str | None:
        """Return the server's tag of the content; None where there is none."""
        ...


Left = TypeVar("Left", bound=Entry)
Right = TypeVar("Right", bound=Entry)


def key_order(key: str) -> bytes:
    """Return what keys are sorted by everywhere: their UTF-8 bytes."""
    return key.encode("utf-8", "surrogateescape")


def merge(left: Iterable[Left], right: Iterable[Right]) -> Iterator[tuple[Left | None, Right | None]]:
    """Yield pairs with equal keys, or one side and None, in the order of keys.

    Raises:
        StorageError: a side is not in ascending byte order, or names a key twice.
    """
    lefts, rights = in_order(left, "first"), in_order(right, "second")
    a, b = next(lefts, None), next(rights, None)
    while a is not None or b is not None:
        order = _compare(a, b)
        yield (a if order <= 0 else None), (b if order >= 0 else None)
        if order <= 0:
            a = next(lefts, None)
        if order >= 0:
            b = next(rights, None)


def in_order(entries: Iterable[Left], name: str) -> Iterator[Left]:
    """Yield the entries as they come while their keys ascend; `name` says in the message which listing it is.

    Raises:
        StorageError: a key does not follow the one before it.
    """
    before: bytes | None = None
    for entry in entries:
        here = key_order(entry.key)
        if before is not None and here <= before:
            raise StorageError(
                f"The {name} listing is out of order: {entry.key!r} came after {before.decode('utf-8', 'replace')!r}.",
                hint="Nothing can be planned from such a listing. Report the server's name and version.",
            )
        before = here
        yield entry


def _compare(a: Entry | None, b: Entry | None) -> int:
    """Return -1, 0 or 1 as the smaller key is on the left, on both sides or on the right. None comes last."""
    if a is None:
        return 1
    if b is None:
        return -1
    first, second = key_order(a.key), key_order(b.key)
    return (first > second) - (first < second)
