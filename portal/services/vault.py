"""Secrets at rest and sealed values, with a key kept in a file outside the database.

Uses `cryptography`'s Fernet (AES-128-CBC with HMAC-SHA256, timestamped): one vetted recipe, nothing to choose wrong.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from portal.errors import Conflict, SettingsError


class Vault:
    """Encrypts and decrypts with the keys of one file: the first line encrypts, every line decrypts (rotation)."""

    def __init__(self, keys: list[bytes]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._signing_key = hmac.new(keys[0], b"portal session cookies", hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "Vault(…)"

    @property
    def signing_key(self) -> str:
        """Return the secret that signs session cookies: derived, so that it opens no stored secret."""
        return self._signing_key

    def encrypt(self, secret: str) -> bytes:
        """Return `secret` encrypted for the database."""
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, encrypted: bytes) -> str:
        """Return a secret that `encrypt` closed.

        Raises:
            Conflict: the key file is another one than the secret was encrypted with.
        """
        try:
            return self._fernet.decrypt(encrypted).decode()
        except InvalidToken as error:
            raise Conflict(
                "A stored secret cannot be opened with the present key file.",
                hint="Put the key file back that belongs to this database, or enter the secret again.",
            ) from error

    def decrypt_file(self, path: Path) -> str:
        """Return what a file beside the key file holds, closed with `encrypt`.

        Raises:
            OSError: it cannot be read.
            SettingsError: others can read it, or it belongs to another key file.
        """
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"The file {path} can be read by others.", hint=f"Run: chmod 600 {path}")
        try:
            return self._fernet.decrypt(path.read_bytes().strip()).decode()
        except InvalidToken as error:
            raise SettingsError(
                f"The file {path} cannot be opened with the present key file.",
                hint="Put the key file back that belongs to it.",
            ) from error

    def seal(self, value: dict[str, Any]) -> str:
        """Return `value` encrypted for a form's hidden field, so that nobody can read or change it there."""
        return self._fernet.encrypt(json.dumps(value).encode()).decode()

    def unseal(self, token: str, *, max_age_seconds: int) -> dict[str, Any] | None:
        """Return what `seal` closed; None when it is older than `max_age_seconds`, changed or not ours."""
        try:
            value = json.loads(self._fernet.decrypt(token.encode(), ttl=max_age_seconds))
        except (InvalidToken, ValueError):
            return None
        return value if isinstance(value, dict) else None


def open_vault(path: Path) -> Vault:
    """Read the key file, making it with a new random key (mode 0600) on first use.

    Raises:
        SettingsError: the file cannot be made, is readable by others, or holds no key.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private_file(path, lambda: Fernet.generate_key() + b"\n")
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"The key file {path} can be read by others.", hint=f"Run: chmod 600 {path}")
        keys = [line.strip() for line in path.read_bytes().splitlines() if line.strip()]
        return Vault(keys)
    except OSError as error:
        raise SettingsError(
            f"The key file {path} cannot be used: {error.strerror}.",
            hint="Set PORTAL_DATA_DIR to a folder this process may write to.",
        ) from error
    except (ValueError, IndexError) as error:
        raise SettingsError(
            f"The key file {path} holds no key.", hint="Put back the key file that belongs to this database."
        ) from error


def create_private_file(path: Path, make: Callable[[], bytes]) -> None:
    """Write what `make` gives to a file that is not there yet, for this account alone (mode 0600).

    Written under a temporary name and linked, so that two processes that start at once agree on one.
    """
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
