from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import StorageError
from portal.planning.listings import in_order, key_order, merge
from tests.unit.planning.entries import Thing

KEYS = st.lists(st.text(alphabet="ab-./é\udc80😀", min_size=1, max_size=4), unique=True)


def things(*keys: str) -> list[Thing]:
    return [Thing(key) for key in keys]


def pairs(left: list[Thing], right: list[Thing]) -> list[tuple[str | None, str | None]]:
    return [(a.key if a else None, b.key if b else None) for a, b in merge(left, right)]


def test_it_pairs_equal_keys_and_leaves_the_others_alone() -> None:
    assert pairs(things("a", "c"), things("b", "c", "d")) == [("a", None), (None, "b"), ("c", "c"), (None, "d")]


def test_a_slash_sorts_after_a_dash_and_a_dot() -> None:
    left, right = things("a", "a-b", "a.b", "a/b", "ab"), things("a-b", "a/b")
    assert [second for _, second in pairs(left, right)] == [None, "a-b", None, "a/b", None]


@pytest.mark.parametrize("keys", [("b", "a"), ("a", "a"), ("a/b", "a-b"), ("é", "z")])
def test_it_does_not_believe_a_listing_that_is_out_of_order(keys: tuple[str, str]) -> None:
    with pytest.raises(StorageError, match="second listing is out of order"):
        list(merge(things("a"), things(*keys)))
    with pytest.raises(StorageError, match="first listing is out of order"):
        list(merge(things(*keys), []))


@given(KEYS, KEYS)
def test_merging_loses_and_doubles_nothing(left: list[str], right: list[str]) -> None:
    found = pairs(things(*sorted(left, key=key_order)), things(*sorted(right, key=key_order)))
    assert {a for a, _ in found if a} == set(left)
    assert {b for _, b in found if b} == set(right)
    assert {a for a, b in found if a and b} == set(left) & set(right)
    keys = [key_order(a or b or "") for a, b in found]
    assert keys == sorted(set(keys))


def test_it_reads_no_further_than_it_yields() -> None:
    read: list[str] = []

    def endless() -> Iterator[Thing]:
        for number in range(10**9):
            read.append(str(number))
            yield Thing(f"{number:09}")

    first = next(merge(endless(), []))
    assert first[0] is not None
    assert len(read) <= 2


def test_in_order_names_the_listing() -> None:
    with pytest.raises(StorageError, match="The source listing"):
        list(in_order(things("b", "a"), "source"))
