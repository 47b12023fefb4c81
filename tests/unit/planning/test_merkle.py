"""The tree: its root for any number of leaves, and paths that prove one leaf and no other."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.planning.merkle import (
    EMPTY_ROOT,
    Frontier,
    Path,
    leaf_hash,
    path_to,
    root_from,
    root_of,
    segment_hash,
)

LEAVES = st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=40)


def plain_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word for word: split at the largest power of two below n."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\1" + plain_root(leaves[:split]) + plain_root(leaves[split:])).digest()


@given(LEAVES)
def test_the_root_is_that_of_rfc_6962(lines: list[bytes]) -> None:
    leaves = [leaf_hash(line) for line in lines]
    assert root_of(leaves) == plain_root(leaves)


def test_known_roots_of_rfc_6962_come_out() -> None:
    # Roots of the log that certificate-transparency implementations share as test vectors: leaves "", 00, 10, 2021 …
    lines = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
    lines.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
    leaves = [leaf_hash(line) for line in lines]
    assert root_of([]) == EMPTY_ROOT == sha256(b"").digest()
    assert root_of(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_of(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33])
def test_every_leaf_is_proven_by_its_path_and_by_no_other(count: int) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(count)]
    root = root_of(leaves)
    for index, leaf in enumerate(leaves):
        path = path_to(leaves, index)
        assert root_from(leaf, path) == root
        assert root_from(leaf_hash(b"another"), path) != root
        for other in range(count):
            if other != index:
                assert root_from(leaf, replace(path, index=other)) != root


@given(LEAVES, st.data())
def test_a_path_that_is_longer_shorter_or_bent_leads_elsewhere(lines: list[bytes], data: st.DataObject) -> None:
    leaves = [leaf_hash(line) for line in lines]
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root = path_to(leaves, index), root_of(leaves)
    assert root_from(leaves[index], replace(path, beside=(*path.beside, b"\0" * 32))) is None
    for at in range(len(path.beside)):
        assert root_from(leaves[index], replace(path, beside=path.beside[:at] + path.beside[at + 1 :])) is None
        bent = (*path.beside[:at], bytes(32), *path.beside[at + 1 :])
        assert root_from(leaves[index], replace(path, beside=bent)) != root


@pytest.mark.parametrize("path", [Path(0, 0, ()), Path(-1, 3, ()), Path(3, 3, ()), Path(2**80, 2**81, ())])
def test_a_path_outside_of_its_tree_leads_nowhere(path: Path) -> None:
    assert root_from(leaf_hash(b"x"), path) is None


def test_a_segment_is_no_line_and_its_length_counts() -> None:
    root = root_of([leaf_hash(b"a")])
    assert len({segment_hash(1, root), segment_hash(2, root), leaf_hash(root), root}) == 4


def test_a_frontier_of_many_leaves_stays_small() -> None:
    frontier = Frontier()
    for number in range(100_000):
        frontier.add(number.to_bytes(32, "big"))
    assert frontier.count == 100_000
    assert len(frontier._peaks) <= 17
