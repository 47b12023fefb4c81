"""The key that signs certificates: Ed25519 (RFC 8032), one a portal, made on first use.

Its private half lies beside the key file, closed with it, readable by the portal alone. Its public half is meant for
everybody. Without the private half no new certificate can be made; those that were made stay as good as they are.
"""

from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from portal.errors import InputError, SettingsError
from portal.services.vault import Vault, create_private_file

ALGORITHM = "Ed25519"


class Signer:
    """Signs for this portal."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def __repr__(self) -> str:
        return f"Signer({self.key_id})"

    @property
    def key_id(self) -> str:
        """Return the name of the key, which is also the portal's identity on certificates."""
        return key_id_of(self.public)

    @property
    def public_text(self) -> str:
        """Return the public half as base64 of its 32 bytes."""
        return b64encode(self.public).decode()

    @property
    def public_pem(self) -> str:
        """Return the public half as other tools read it."""
        key = Ed25519PublicKey.from_public_bytes(self.public)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, data: bytes) -> str:
        """Return the signature as base64; the same data has the same signature."""
        return b64encode(self._private.sign(data)).decode()


def open_signer(path: Path, vault: Vault) -> Signer:
    """Open the signing key, making it on first use (mode 0600, closed with the key file).

    Raises:
        SettingsError: the file cannot be made or read, or belongs to another key file.
    """
    try:
        create_private_file(path, lambda: _new_key(vault))
        seed = vault.decrypt_file(path)
        return Signer(Ed25519PrivateKey.from_private_bytes(b64decode(seed, validate=True)))
    except OSError as error:
        raise SettingsError(
            f"The signing key {path} cannot be used: {error.strerror}.",
            hint="Let this process read and write the data folder.",
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"The signing key {path} is damaged.", hint="Put it back from a backup; removing it makes a new one."
        ) from error


def _new_key(vault: Vault) -> bytes:
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    return vault.encrypt(b64encode(seed).decode()) + b"\n"


def key_id_of(public: bytes) -> str:
    """Return the name of a public key: the beginning of its SHA-256. A name, no proof: compare the whole key."""
    return sha256(public).hexdigest()[:16]


def read_public(text: str) -> bytes:
    """Return a public key that was given as base64, or in PEM as `/certificate-key` gives it.

    Raises:
        InputError: it is neither.
    """
    try:
        if "BEGIN PUBLIC KEY" in text:
            key = load_pem_public_key(text.encode())
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError("another kind of key")
            return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        found = b64decode(text.strip(), validate=True)
        if len(found) != 32:
            raise ValueError("not 32 bytes")
    except ValueError as error:
        raise InputError(
            "That is no public key of a portal.", hint="Take it from /certificate-key of the portal.", field="key"
        ) from error
    return found


def is_signed(public: bytes, signature: str, data: bytes) -> bool:
    """Tell whether `data` was signed with the private half of `public`. One signature has one spelling."""
    try:
        given = b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(given, data)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return b64encode(given).decode() == signature
