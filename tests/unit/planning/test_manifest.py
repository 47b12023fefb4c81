"""What registries refer to, merged with a listing."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import StorageError
from portal.planning.listings import key_order
from portal.planning.manifest import Manifest, Wanted, merged


def in_order(*wanted: Wanted) -> list[Wanted]:
    return sorted(wanted, key=lambda one: key_order(one.place))


def walk(wanted: list[Wanted], keys: list[str]) -> tuple[dict[str, str | None], list[str]]:
    """Return for each key the place that refers to it, and the places that are missing."""
    missing = list[str]()
    manifest = Manifest(iter(wanted), lambda one: missing.append(one.place))
    found = {}
    for key in sorted(keys, key=key_order):
        reference = manifest.reference_of(key)
        found[key] = reference.place if reference else None
    manifest.finish()
    return found, missing


def test_what_is_missing_is_told_one_by_one_and_not_kept() -> None:
    given = 0

    def wanted() -> Iterator[Wanted]:
        nonlocal given
        for given in range(1, 1001):
            yield Wanted(f"k{given:04}", False)

    ahead = list[int]()
    manifest = Manifest(wanted(), lambda one: ahead.append(given - int(one.key[1:])))
    manifest.reference_of("k0500")
    manifest.finish()
    assert (len(ahead), max(ahead)) == (999, 1)


def test_a_file_is_referenced_by_its_key_alone() -> None:
    found, missing = walk(in_order(Wanted("a/b", False), Wanted("c", False)), ["a/b", "a/b.txt", "a/b/c"])
    assert found == {"a/b": "a/b", "a/b.txt": None, "a/b/c": None}
    assert missing == ["c"]


def test_a_folder_covers_what_lies_below_it_and_nothing_beside_it() -> None:
    keys = ["x.zarr", "x.zarr!", "x.zarr/.zattrs", "x.zarr/0/1", "x.zarr0"]
    found, missing = walk([Wanted("x.zarr", True)], keys)
    assert [key for key, place in found.items() if place] == ["x.zarr/.zattrs", "x.zarr/0/1"]
    assert missing == []


def test_a_folder_without_objects_is_missing_once() -> None:
    assert walk(in_order(Wanted("a", True), Wanted("b", True)), ["b/1"])[1] == ["a/"]
    assert walk([Wanted("a", True)], [])[1] == ["a/"]


def test_the_innermost_reference_counts_and_all_around_it_are_there() -> None:
    wanted = in_order(Wanted("a", True), Wanted("a/b", True), Wanted("a/b/c", False))
    found, missing = walk(wanted, ["a/b/c", "a/b/d", "a/e"])
    assert found == {"a/b/c": "a/b/c", "a/b/d": "a/b/", "a/e": "a/"}
    assert missing == []


def test_two_registries_may_want_the_same() -> None:
    found, missing = walk(list(merged([[Wanted("a", False)], [Wanted("a", False), Wanted("b", False)]])), ["a"])
    assert (found, missing) == ({"a": "a"}, ["b"])


def test_a_stream_out_of_order_is_refused() -> None:
    with pytest.raises(StorageError, match="out of order"):
        walk([Wanted("b", False), Wanted("a", False)], ["c"])


KEYS = st.lists(st.sampled_from("ab/.!0é"), min_size=1, max_size=5).map(lambda parts: "".join(parts).strip("/") or "a")


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=8), st.lists(KEYS, max_size=12, unique=True))
def test_it_finds_what_looking_at_every_pair_finds(wanted: list[tuple[str, bool]], keys: list[str]) -> None:
    places = [Wanted(key, is_folder) for key, is_folder in wanted]
    found, missing = walk(in_order(*places), keys)
    for key in keys:
        covers = [one for one in places if (key.startswith(one.place) if one.is_folder else key == one.key)]
        assert (found[key] is None) == (not covers)
        if covers:
            assert found[key] == (key if any(not one.is_folder for one in covers) else max(one.place for one in covers))
    absent = {
        one.place
        for one in places
        if not any(key.startswith(one.place) if one.is_folder else key == one.key for key in keys)
    }
    assert set(missing) == absent
