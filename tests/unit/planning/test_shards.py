from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from portal.planning.shards import ShardLimits, cut

GIB = 1024**3


@dataclass(frozen=True)
class Piece:
    number: int
    size_bytes: int


def pieces(sizes: list[int]) -> list[Piece]:
    return [Piece(number, size) for number, size in enumerate(sizes)]


SIZES = st.lists(st.one_of(st.just(0), st.integers(0, 5000), st.integers(0, 3 * GIB)), max_size=600)


@given(SIZES)
def test_shards_hold_everything_once_and_in_order(sizes: list[int]) -> None:
    shards = list(cut(pieces(sizes)))
    assert [piece for shard in shards for piece in shard] == pieces(sizes)
    assert all(shards)


@given(SIZES)
def test_a_shard_keeps_its_limits(sizes: list[int]) -> None:
    shards = list(cut(pieces(sizes)))
    for shard, following in zip(shards, [*shards[1:], ()], strict=False):
        total = sum(piece.size_bytes for piece in shard)
        assert len(shard) <= 1000
        assert total <= GIB or len(shard) == 1
        is_full = not following or total + following[0].size_bytes > GIB
        assert len(shard) >= 4 or is_full


@given(st.integers(160, 3000))
def test_a_plan_of_some_size_has_forty_shards(count: int) -> None:
    assert len(list(cut(pieces([1] * count)))) >= 40


def test_a_million_objects_make_some_thousand_shards() -> None:
    shards = [len(shard) for shard in cut(Piece(0, 1) for _ in range(1_000_000))]
    assert 1000 <= len(shards) <= 1500
    assert max(shards) == 1000


def test_limits_can_be_given() -> None:
    assert [len(s) for s in cut(pieces([1] * 7), ShardLimits(min_count=3, max_count=3))] == [3, 3, 1]
