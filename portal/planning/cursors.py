"""Cursors of keyset pages: where a page ends, as one opaque word for an address. Not a secret and not signed.

A cursor only says where to go on; what may be seen there is asked again each time. So one that was cut, guessed or
made for another order is simply no cursor, and the list begins at its start.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TypeVar

Part = str | int

Row = TypeVar("Row")

#: The largest whole number both databases take.
MOST_INTEGER = 2**63 - 1
MOST_CURSOR_CHARACTERS = 4_000


def encode_cursor(order: str, parts: Sequence[Part]) -> str:
    """Return the cursor of a row: the name of the order and the row's values in it."""
    text = json.dumps([order, *parts], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, order: str, kinds: Sequence[type]) -> tuple[Part, ...] | None:
    """Return the values a cursor of `order` holds; None when it is none of ours: each must be of its kind."""
    if not cursor or len(cursor) > MOST_CURSOR_CHARACTERS:
        return None
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(found, list) or len(found) != len(kinds) + 1 or found[0] != order:
        return None
    parts = tuple(found[1:])
    return parts if all(map(_is_usable, parts, kinds)) else None


def _is_usable(part: object, kind: type) -> bool:
    if type(part) is not kind:
        return False
    if isinstance(part, int):
        return abs(part) <= MOST_INTEGER
    return isinstance(part, str) and is_storable(part)


def is_storable(text: str) -> bool:
    """Tell whether both databases take a text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= mark <= "\udfff" for mark in text)


def page_of(
    found: Sequence[Row], limit: int, *, has_place: bool, is_backwards: bool
) -> tuple[tuple[Row, ...], bool, bool]:
    """Return the rows of a page in their order, and whether there are others before and after it.

    `found`: one row more than a page holds, if there are so many, read from a place on (`has_place`) or from the
    beginning; from the place back, and so in the other order, where it `is_backwards`.
    """
    has_more, rows = len(found) > limit, tuple(found[:limit])
    if is_backwards:
        return rows[::-1], has_more, bool(rows)
    return rows, has_place and bool(rows), has_more
