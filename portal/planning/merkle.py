"""Merkle trees as in RFC 6962, section 2.1: one digest for many lines, and the path that proves one of them.

A manifest has two storeys, so that a part of it can be replaced alone: a tree over the lines of each segment, and above
it a tree over the segments' roots. Lines, nodes and segments begin with different bytes, so none passes for another; a
segment's leaf holds its number of lines too, so the root fixes how many there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

_LEAF, _NODE, _SEGMENT = b"\0", b"\1", b"\2"

#: The root of a tree without leaves.
EMPTY_ROOT = sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Path:
    """The way from one leaf to its root: the hashes beside it, from the bottom. `index` counts from 0."""

    index: int
    count: int
    beside: tuple[bytes, ...]


def leaf_hash(line: bytes) -> bytes:
    """Return the leaf of a line."""
    return sha256(_LEAF + line).digest()


def segment_hash(count: int, root: bytes) -> bytes:
    """Return the leaf, in the upper tree, of a segment with so many lines."""
    return sha256(_SEGMENT + count.to_bytes(8, "big") + root).digest()


class Frontier:
    """A tree whose leaves come one after the other; memory grows with the logarithm of their number."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []
        self.count = 0

    def add(self, leaf: bytes) -> None:
        """Take the next leaf."""
        size, top = 1, leaf
        while self._peaks and self._peaks[-1][0] == size:
            top = _node(self._peaks.pop()[1], top)
            size *= 2
        self._peaks.append((size, top))
        self.count += 1

    def root(self) -> bytes:
        """Return the root of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            root = _node(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaves in their order."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def path_to(leaves: Sequence[bytes], index: int) -> Path:
    """Return the path of the leaf at `index`. All leaves are held: at most one segment's, or one a segment."""
    level, at, beside = list(leaves), index, []
    while len(level) > 1:
        if at ^ 1 < len(level):
            beside.append(level[at ^ 1])
        above = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level, at = above + level[len(level) - len(level) % 2 :], at // 2
    return Path(index, len(leaves), tuple(beside))


def root_from(leaf: bytes, path: Path) -> bytes | None:
    """Return the root that a leaf and its path come to; None where the path does not fit a tree of that size."""
    if not 0 <= path.index < path.count:
        return None
    beside, top, at, size = list(path.beside), leaf, path.index, path.count
    while size > 1:
        if at ^ 1 < size:
            if not beside:
                return None
            other = beside.pop(0)
            top = _node(other, top) if at & 1 else _node(top, other)
        at, size = at // 2, (size + 1) // 2
    return None if beside else top


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()
