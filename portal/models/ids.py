"""Random ids in LaminDB's alphabet and lengths (base62: digits, then letters)."""

import secrets
import string
from uuid import uuid4

BASE62 = string.digits + string.ascii_letters

ACCOUNT_UID_LENGTH = 8
RECORD_UID_LENGTH = 12


def random_uid(length: int = RECORD_UID_LENGTH) -> str:
    """Return a random base62 text of `length` characters: 12 for spaces and storage locations, 8 for accounts."""
    return "".join(secrets.choice(BASE62) for _ in range(length))


def account_uid() -> str:
    """Return a new 8-character account uid."""
    return random_uid(ACCOUNT_UID_LENGTH)


def new_uuid() -> str:
    """Return a new random UUID in its dashed text form."""
    return str(uuid4())
