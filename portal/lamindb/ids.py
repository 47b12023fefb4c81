"""LaminDB's identities that follow from names, derived as lamindb_setup 1.27 does."""

import hashlib
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

#: Digits, then capitals, then small letters: the order counts.
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_UID_LENGTH: Final = 12


def derive_instance_id(slug: str) -> UUID:
    """Return the UUID of the instance `owner/name`. Anonymous instances of one name share it."""
    return uuid5(NAMESPACE_URL, slug)


def derive_instance_uid(instance_id: UUID) -> str:
    """Return the 12-character uid of an instance: the front of its hexadecimal digits' MD5 in base 62."""
    digest = hashlib.md5(instance_id.hex.encode(), usedforsecurity=False).digest()
    return _encode(digest)[:_UID_LENGTH]


def _encode(data: bytes) -> str:
    """Return bytes as a number in base 62. Leading zero bytes, 61 at most, become `0` and the digit of their count."""
    zeros = len(data) - len(data.lstrip(b"\0"))
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return (f"0{_ALPHABET[zeros]}" if zeros else "") + digits
