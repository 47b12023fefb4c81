"""Cursors of keyset pages."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.planning.cursors import decode_cursor, encode_cursor, is_storable, page_of

storable = st.text().filter(is_storable)


def cursor_of(value: object) -> str:
    """Return a cursor somebody made by hand."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(storable, storable, st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_cursor_gives_back_what_was_put_in(key: str, root: str, row_id: int) -> None:
    cursor = encode_cursor("-space", (key, root, row_id))
    assert decode_cursor(cursor, "-space", (str, str, int)) == (key, root, row_id)


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_none(text: str) -> None:
    decode_cursor(text, "root", (str, int))


def test_a_cursor_of_another_order_is_none() -> None:
    assert decode_cursor(encode_cursor("root", ("a", 1)), "-root", (str, int)) is None


@pytest.mark.parametrize(
    "value",
    [
        ["root", "a"],
        ["root", "a", 1, 2],
        ["root", 1, "a"],
        ["root", "a", True],
        ["root", "a", 1.0],
        ["root", "a", None],
        ["root", "a", 2**63],
        ["root", "a\0", 1],
        ["root", "\ud800", 1],
        {"root": 1},
        "root",
        None,
    ],
)
def test_a_cursor_with_other_values_is_none(value: object) -> None:
    assert decode_cursor(cursor_of(value), "root", (str, int)) is None


def test_deep_nesting_and_length_are_refused() -> None:
    assert decode_cursor(cursor_of(["root", "a" * 5_000, 1]), "root", (str, int)) is None
    deep = base64.urlsafe_b64encode(b"[" * 2_900).decode()
    assert decode_cursor(deep, "root", (str, int)) is None


@pytest.mark.parametrize(
    ("found", "has_place", "is_backwards", "page"),
    [
        ("", False, False, ("", False, False)),
        ("", True, False, ("", False, False)),
        ("", True, True, ("", False, False)),
        ("ab", False, False, ("ab", False, False)),
        ("abc", False, False, ("ab", False, True)),
        ("cd", True, False, ("cd", True, False)),
        ("cba", True, True, ("bc", True, True)),
        ("ba", True, True, ("ab", False, True)),
    ],
)
def test_a_page_knows_its_neighbours(
    found: str, has_place: bool, is_backwards: bool, page: tuple[str, bool, bool]
) -> None:
    rows, before, after = page_of(found, 2, has_place=has_place, is_backwards=is_backwards)
    assert ("".join(rows), before, after) == page
