"""Cut a stream of planned objects into shards, in one pass and bounded memory.

A small plan should still show progress and keep several workers busy, a large one should not drown in shards. The size
of the next shard grows with what has been cut already, so nobody needs to know the total first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Sized(Protocol):
    """Anything that knows how many bytes it stands for."""

    @property
    def size_bytes(self) -> int:
        """Return the number of bytes."""
        ...


T = TypeVar("T", bound=Sized)


@dataclass(frozen=True, slots=True)
class ShardLimits:
    """How large shards get.

    Attributes:
        min_count: a shard is not closed before it has so many objects, unless it is full by bytes.
        max_count: objects in a shard at most.
        max_bytes: a shard with so many bytes is full; a larger object has a shard of its own or ends one.
        aim_count: how many shards a plan should have at least, as soon as it has `aim_count * min_count` objects.
    """

    min_count: int = 4
    max_count: int = 1000
    max_bytes: int = 1024**3
    aim_count: int = 40


def cut(objects: Iterable[T], limits: ShardLimits | None = None) -> Iterator[tuple[T, ...]]:
    """Yield consecutive slices of `objects`, none empty. Holds one slice in memory, `max_count` objects at most."""
    chosen = limits or ShardLimits()
    shard: list[T] = []
    shard_bytes = done_count = 0
    for item in objects:
        if shard and shard_bytes + item.size_bytes > chosen.max_bytes:
            yield tuple(shard)
            done_count += len(shard)
            shard, shard_bytes = [], 0
        shard.append(item)
        shard_bytes += item.size_bytes
        if len(shard) >= shard_size(done_count, chosen):
            yield tuple(shard)
            done_count += len(shard)
            shard, shard_bytes = [], 0
    if shard:
        yield tuple(shard)


def shard_size(done_count: int, limits: ShardLimits) -> int:
    """Return how many objects the next shard takes after `done_count` were cut: a 1/`aim_count` part of them."""
    return max(limits.min_count, min(limits.max_count, done_count // limits.aim_count))
