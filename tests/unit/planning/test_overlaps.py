import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.planning.overlaps import Place, contains, is_same, nested_prefixes, overlap
from portal.planning.roots import parse_root


def place(text: str, host: str | None = None, *, is_writable: bool = True) -> Place:
    root = parse_root(text, home="/home/ada", cwd="/")
    return Place(root, host or ("here" if root.text.startswith("/") else None), is_writable)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("/data", "/data/x", True),
        ("/data", "/data2", False),
        ("/data", "/data", True),
        ("/data/x", "/data", False),
        ("/data", "/Data/x", False),
        ("s3://bucket", "s3://bucket/data", True),
        ("s3://bucket/data", "s3://bucket/data2", False),
        ("s3://bucket/data", "s3://bucket/data/x", True),
        ("s3://bucket", "s3://bucket2/x", False),
        ("s3://bucket", "gs://bucket/x", False),
        ("s3://bkt?endpoint_url=http://E.org:9000/", "s3://bkt/x?endpoint_url=http://e.org:9000", True),
        ("s3://bkt?endpoint_url=http://e.org:9000", "s3://bkt/x?endpoint_url=http://e.org:9001", False),
        ("s3://bkt?endpoint_url=http://e.org", "s3://bkt/x?endpoint_url=https://e.org:443", True),
        ("s3://bkt?endpoint_url=http://e.org", "s3://bkt/x", False),
        ("s3://bkt?endpoint_url=https://s3.eu-west-1.amazonaws.com", "s3://bkt/x", True),
        ("http://example.org/a", "https://Example.org/a/b", True),
    ],
)
def test_containment_goes_by_whole_parts_hosts_and_endpoints(outer: str, inner: str, expected: bool) -> None:
    assert contains(place(outer), place(inner)) is expected


def test_the_same_path_on_two_hosts_is_two_places() -> None:
    assert not is_same(place("/data", "one"), place("/data", "two"))
    assert not contains(place("/data", "one"), place("/data/x", "two"))


@pytest.mark.parametrize(
    ("new", "other", "expected"),
    [
        (place("/data"), place("/data", is_writable=False), ("equal", True)),
        (place("/data/x"), place("/data"), ("inside", True)),
        (place("/data/x", is_writable=False), place("/data"), ("inside", False)),
        (place("/data"), place("/data/x"), ("around", True)),
        (place("/data"), place("/data/x", is_writable=False), ("around", False)),
    ],
)
def test_it_refuses_equal_and_writable_nested_roots_and_warns_of_others(
    new: Place, other: Place, expected: tuple[str, bool]
) -> None:
    (found,) = overlap(new, [other, place("/elsewhere")])
    assert (found.relation, found.is_refused) == expected
    assert str(other.root) in str(found)


def test_it_names_refusals_first() -> None:
    found = overlap(place("/a"), [place("/a/b", is_writable=False), place("/a/c")])
    assert [entry.is_refused for entry in found] == [True, False]


def test_it_gives_the_prefixes_of_nested_roots() -> None:
    others = [place("s3://bucket/a/y"), place("s3://bucket/a/b"), place("s3://bucket/ab"), place("s3://bucket/a")]
    assert nested_prefixes(place("s3://bucket/a"), others) == ("b/", "y/")


PARTS = st.lists(st.sampled_from(["a", "ab", "b", "a b", "data", "data2"]), min_size=1, max_size=4)


@given(PARTS, PARTS, PARTS)
def test_containment_is_an_order(first: list[str], second: list[str], third: list[str]) -> None:
    one, two, three = (place("/" + "/".join(parts)) for parts in (first, second, third))
    assert contains(one, two) == (second[: len(first)] == first)
    assert is_same(one, two) == (contains(one, two) and contains(two, one))
    assert not (contains(one, two) and contains(two, three)) or contains(one, three)
