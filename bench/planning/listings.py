"""Listings that are made up on the way, in order: a source, and a target that holds some of it already."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from portal.backends.base import ObjectInfo
from portal.backends.memory import MemoryBackend
from portal.values import Root, StorageType

_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)

#: Of so many objects each, one is equal at the target, one differs there, and one is the target's own.
_EQUAL_EACH, _OTHER_EACH, _OWN_EACH = 10, 1_000, 1_000


class Listed(MemoryBackend):
    """A root of `count` objects that only lists."""

    def __init__(self, count: int, *, is_target: bool) -> None:
        super().__init__(Root(StorageType.LOCAL, "/made-up", path="/made-up"), {})
        self._count, self._is_target = count, is_target

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects in order."""
        return self._targets() if self._is_target else (_object(number) for number in range(self._count))

    def _targets(self) -> Iterator[ObjectInfo]:
        for number in range(0, self._count, _EQUAL_EACH):
            found = _object(number)
            more_bytes = 1 if number % _OTHER_EACH == 0 else 0
            yield ObjectInfo(found.key, found.size_bytes + more_bytes, found.modified_at, found.etag)
            if number % _OWN_EACH == 0:
                yield ObjectInfo(f"{found.key}.own", 5, found.modified_at, found.etag)


def _object(number: int) -> ObjectInfo:
    """Return an object as a listing of a bucket tells it."""
    key = f"raw/2024-{number // 1_000_000:04}/plate-{number // 1_000 % 1_000:04}/well-{number % 1_000:04}.ome.tif"
    tag = f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
    return ObjectInfo(key, number * 7919 % 1_000_000, _BEGIN + timedelta(seconds=number), tag)
