"""Passwords: what is accepted, and argon2. Slow on purpose, so never called inside a writing transaction."""

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.errors import InputError

LEAST_CHARACTERS = 10
MOST_CHARACTERS = 1024

_hasher = PasswordHasher()


def check_password(password: str, *, handle: str = "", email: str = "") -> None:
    """Refuse a password that is easily guessed.

    Length and a few obvious choices only, no rules about kinds of characters (NIST SP 800-63B, section 5.1.1.2).

    Raises:
        InputError: with `field="password"`.
    """
    if len(password) < LEAST_CHARACTERS:
        raise InputError(f"The password needs at least {LEAST_CHARACTERS} characters.", field="password")
    if len(password) > MOST_CHARACTERS:
        raise InputError(f"The password has more than {MOST_CHARACTERS} characters.", field="password")
    plain = password.casefold()
    if len(set(plain)) < 4 or plain in {handle.casefold() * 2, email.casefold(), "password12", "1234567890"}:
        raise InputError("This password is too easy to guess. Three random words are a good one.", field="password")


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`, with salt and parameters in it."""
    return _hasher.hash(password)


def password_fits(password: str, hashed: str | None) -> bool:
    """Tell whether `password` belongs to `hashed`; takes as long when there is no such account (`hashed` None)."""
    try:
        _hasher.verify(hashed or _nobodys_hash(), password[:MOST_CHARACTERS])
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def needs_rehash(hashed: str) -> bool:
    """Tell whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hashed)


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")
