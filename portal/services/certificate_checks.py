"""Check certificates and proofs: needs the file alone, no database, no settings, no portal."""

import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

from portal.errors import InputError
from portal.planning.certificates import CERTIFICATE, PROOF, contradictions, follow, signed_part
from portal.services.signing import ALGORITHM, is_signed, key_id_of

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to.

    Attributes:
        kind: `certificate` or `proof`.
        faults: why it is not valid, as sentences; empty where it is.
        key_id: of the key inside. `is_key_given`: it was compared with one that was given.
        statement: of the certificate, as it stands there; believe it only where there are no faults.
        record: the object's line of a proof; None for a certificate.
        checked: what of a local file was compared: `SHA-256`, `MD5` or nothing.
    """

    kind: str
    faults: tuple[str, ...]
    key_id: str
    is_key_given: bool
    statement: dict[str, Any]
    record: dict[str, Any] | None = None
    checked: str = ""

    @property
    def is_valid(self) -> bool:
        """Tell whether nothing speaks against it."""
        return not self.faults


def check_document(document: Mapping[str, Any], public: bytes | None = None, file: Path | None = None) -> Verdict:
    """Check a certificate, or a proof with the certificate in it. `public`: the portal's key, where it is known.

    With `file`, compare a local file with the object of a proof.

    Raises:
        InputError: it is neither, a part of it is missing, or a file was given without a proof.
    """
    kind = document.get("format")
    if kind == CERTIFICATE:
        if file is not None:
            raise InputError("A file is compared with a proof, not with a certificate.", field="object")
        faults, key_id = _faults_of(document, public)
        return Verdict("certificate", tuple(faults), key_id, public is not None, dict(document["statement"]))
    if kind != PROOF:
        raise InputError(
            f"It is neither a certificate nor a proof this version knows: {kind!r}.",
            hint="Give the JSON file as it was made, or use a newer version.",
        )
    return _check_proof(document, public, file)


def _check_proof(document: Mapping[str, Any], public: bytes | None, file: Path | None) -> Verdict:
    certificate = document.get("certificate")
    if not isinstance(certificate, dict) or certificate.get("format") != CERTIFICATE:
        raise InputError("The proof holds no certificate.")
    faults, key_id = _faults_of(certificate, public)
    statement = certificate["statement"]
    found = follow(document)
    manifest = statement.get("manifest")
    root = manifest.get("root") if isinstance(manifest, dict) else None
    if found.root is None:
        faults.append("The path fits no tree of that size.")
    elif found.root != root:
        faults.append("The object's path leads to another root than the certificate's: it is not in that manifest.")
    checked = ""
    if file is not None:
        checked, differs = _compare(file, found.record)
        faults += differs
    return Verdict("proof", tuple(faults), key_id, public is not None, dict(statement), found.record, checked)


def _faults_of(document: Mapping[str, Any], public: bytes | None) -> tuple[list[str], str]:
    """Return what is wrong with a certificate, and the name of the key inside."""
    key, statement, signature = document.get("key"), document.get("statement"), document.get("signature")
    if not isinstance(key, dict) or not isinstance(statement, dict) or not isinstance(signature, str):
        raise InputError("A part of the certificate is missing: statement, key or signature.")
    try:
        inside = b64decode(str(key.get("public")), validate=True)
    except ValueError:
        inside = b""
    faults = []
    if key.get("algorithm") != ALGORITHM:
        faults.append(f"It is signed with {key.get('algorithm')}, which this version does not know.")
    if not is_signed(inside, signature, signed_part(document)):
        faults.append("The signature does not fit: the certificate was changed after it was signed, or never was.")
    if key.get("id") != key_id_of(inside):
        faults.append("The key's name is not that of the key inside.")
    if public is not None and not hmac.compare_digest(public, inside):
        faults.append(f"It is signed with another key ({key_id_of(inside)}) than the one given ({key_id_of(public)}).")
    faults += contradictions(statement)
    return faults, str(key.get("id"))


def _compare(file: Path, record: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Compare a local file with an object's line; return by which hash, and what differs."""
    whole, other, size = sha256(), md5(usedforsecurity=False), 0
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                whole.update(chunk)
                other.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise InputError(f"The file {file} cannot be read: {error.strerror}.", field="object") from error
    if size != record.get("size_bytes"):
        return "", [f"The file has {size:,} bytes, the object has {record.get('size_bytes')}."]
    for name, field, found in (("SHA-256", "sha256", whole), ("MD5", "md5", other)):
        if recorded := record.get(field):
            is_same = found.hexdigest() == recorded
            return name, [] if is_same else [f"The file's {name} is {found.hexdigest()}, the object's {recorded}."]
    return "", ["The manifest holds no hash of this object, so the file cannot be compared."]
