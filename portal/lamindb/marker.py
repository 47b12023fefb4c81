"""LaminDB's marker file: which storage location a root is, and which instance may write to it.

Form and rules as lamindb_setup 1.27 writes and reads them: only the first line is compared, the writing instance is
taken from the line `instance_id=`, and older markers hold the storage uid alone or carry another name.
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from portal.backends.base import Backend
from portal.backends.checks import failed_check
from portal.errors import ContentMismatch, ObjectNotFound, StorageError
from portal.lamindb.ids import derive_instance_uid
from portal.values import MARKER_KEY, CheckResult, CheckStatus

#: The name markers had in early releases; LaminDB renames such a file when it sees one.
LEGACY_KEY: Final = ".lamindb/_is_initialized"

#: What LaminDB records for a marker that names no instance.
UNKNOWN_INSTANCE: Final = "__unknown__"

#: A marker has five short lines. A larger file under this name is none, and is not read on.
_MOST_BYTES: Final = 4096

_INSTANCE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Marker:
    """What a marker says.

    Attributes:
        storage_uid: uid of the storage location.
        instance_slug: `owner/name` of the writing instance; empty where the marker does not say.
        instance_id_hex: its UUID in 32 hexadecimal digits; empty where the marker does not say.
        instance_uid: its uid, or `__unknown__`.
    """

    storage_uid: str
    instance_slug: str = ""
    instance_id_hex: str = ""
    instance_uid: str = UNKNOWN_INSTANCE

    @property
    def owner_name(self) -> str:
        """Return whose marker it is, for people."""
        return self.instance_slug or (self.instance_uid if self.is_known else "an unknown instance")

    @property
    def is_known(self) -> bool:
        """Tell whether the marker names an instance."""
        return self.instance_uid != UNKNOWN_INSTANCE


def render(marker: Marker) -> str:
    """Return the file's exact text: five lines, no newline at the end."""
    return "\n".join(
        [
            marker.storage_uid,
            "creation info:",
            f"instance_slug={marker.instance_slug}",
            f"instance_id={marker.instance_id_hex}",
            f"instance_uid={marker.instance_uid}",
        ]
    )


def parse(text: str) -> Marker | None:
    """Return what a marker's text says; None for an empty one, which LaminDB takes for no marker.

    The uid is derived from `instance_id=`, as LaminDB does; the line `instance_uid=` is for people.
    """
    lines = text.splitlines()
    storage_uid = lines[0].strip() if lines else ""
    if not storage_uid:
        return None
    facts = dict(line.split("=", 1) for line in lines[1:] if "=" in line)
    slug = facts.get("instance_slug", "").strip()
    instance_id = facts.get("instance_id", "").strip().replace("-", "")
    if not _INSTANCE_ID.fullmatch(instance_id):
        return Marker(storage_uid, slug)
    identity = UUID(instance_id)
    return Marker(storage_uid, slug, identity.hex, derive_instance_uid(identity))


@dataclass(frozen=True, slots=True)
class MarkerFile:
    """A marker as it lies at a root: its key, its exact text and what that says."""

    key: str
    text: str
    marker: Marker


def read_marker(backend: Backend) -> Marker | None:
    """Return a root's marker, also under its old name; None when there is none.

    Raises:
        ContentMismatch: there is a file of that name which is no marker.
    """
    found = read_marker_file(backend)
    return None if found is None else found.marker


def read_marker_file(backend: Backend) -> MarkerFile | None:
    """Return the file a root is marked by; None when there is none.

    Raises:
        ContentMismatch: there is a file of that name which is no marker.
    """
    for key in (MARKER_KEY, LEGACY_KEY):
        text = _read_text(backend, key)
        marker = None if text is None else parse(text)
        if text is not None and marker is not None:
            return MarkerFile(key, text, marker)
    return None


def write_marker(backend: Backend, marker: Marker) -> None:
    """Write a root's marker, whatever was there, and read it back.

    Raises:
        ContentMismatch: what was read back is not what was written.
    """
    text = render(marker)
    backend.replace(MARKER_KEY, text.encode())
    if _read_text(backend, MARKER_KEY) != text:
        raise ContentMismatch(
            f"{MARKER_KEY} reads back differently from what was written.",
            hint="Somebody else may be marking this root: look at it, then retry.",
        )


def _read_text(backend: Backend, key: str) -> str | None:
    """Return a small file's text; None when there is none."""
    try:
        with backend.open_read(key) as stream:
            data = b""
            while len(data) <= _MOST_BYTES and (more := stream.read(_MOST_BYTES + 1 - len(data))):
                data += more
    except ObjectNotFound:
        return None
    if len(data) > _MOST_BYTES:
        raise ContentMismatch(f"{key} is too large to be a marker.", hint="Look at what is stored under that name.")
    if data.lstrip().startswith(b"<"):
        raise ContentMismatch(
            f"{key} holds a web page or an error, no marker.",
            hint="A proxy may have answered for the server. Look at what is stored under that name.",
        )
    return data.decode("utf-8", "replace")


def check_marker(backend: Backend, expected_instance_uid: str | None) -> tuple[CheckResult, Marker | None]:
    """Read the root's marker and say whose it is. Where it is another's, nothing may be written.

    `expected_instance_uid` is the writing instance the root is meant for; None for none.
    """
    try:
        marker = read_marker(backend)
    except StorageError as error:
        return failed_check("marker", "Marker", error, None), None
    if marker is None:
        return _marker(CheckStatus.PASSED, "No marker: nobody manages this root."), None
    if marker.is_known and marker.instance_uid == expected_instance_uid:
        return _marker(CheckStatus.PASSED, f"Marked by {marker.owner_name}, its own instance."), marker
    reason = f"Already marked by {marker.owner_name}. It can be connected read-only."
    return _marker(CheckStatus.WARNING, reason, "Connect it read-only, or ask its owners to delete it first."), marker


def _marker(status: CheckStatus, reason: str, fix: str | None = None) -> CheckResult:
    return CheckResult("marker", "Marker", status, None, reason, fix)
