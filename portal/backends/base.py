"""The one contract every storage kind fulfils, and the values it speaks in.

Callers hold a `Backend` and know no kind. Vendor exceptions end below this line: a backend raises nothing but the
`StorageError` family of `portal.errors`. Not for deciding what to copy (`planning`) nor for copying (`transfer`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from portal.backends.guard import AddressGuard
from portal.backends.leftovers import Leftovers
from portal.errors import NameRefused, StorageError
from portal.values import MANAGED_FOLDER, ConnectionKind, Root

#: Temporary files of local writes lie here, below the root, one folder a tag; never listed.
TEMPORARY_FOLDER: Final = f"{MANAGED_FOLDER}/_portal"

#: How many bytes one chunk of a stream has where a backend chooses.
CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object below a root.

    Attributes:
        key: relative to the root, parts separated by `/`, no slash added in front, exactly as stored.
        size_bytes: length of the content.
        modified_at: aware UTC; None where the server does not say.
        etag: without quotes; None where the kind has none (local).
        parts_etag: of an upload in parts that was just made, the ETag recomputed from what was sent; None else.
    """

    key: str
    size_bytes: int
    modified_at: datetime | None
    etag: str | None
    parts_etag: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """Which checksums of a server are evidence, as tried on the real root (`Backend.prove`).

    Attributes:
        has_md5: the ETag of an object put in one request is the MD5 the server computed, and a wrong MD5 is refused.
        has_parts: the same of uploads in parts; the ETag may be the MD5 of the parts' MD5s as well.
        is_composite: it is, so that nobody needs the MD5 of the whole.
        reason: why it is less than both, for people; empty where it is not.
    """

    has_md5: bool = False
    has_parts: bool = False
    is_composite: bool = False
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        """Tell whether the ETag of an upload in parts is the MD5 of the whole, so that nobody needs the parts'."""
        return self.has_parts and not self.is_composite


@dataclass(frozen=True, slots=True)
class FolderPage:
    """One page of a folder, for browsing.

    Attributes:
        folders: sub-folders relative to the root, ending in `/`, in byte order.
        objects: objects right below the folder, in byte order.
        next_after: pass as `after` for the next page; None at the end.
    """

    folders: tuple[str, ...]
    objects: tuple[ObjectInfo, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a root can hold and do; a planner decides by these, never by the kind.

    Attributes:
        case_sensitive: whether `A` and `a` are two objects; assumed where it cannot be seen without writing.
        max_key_bytes: longest key in UTF-8 bytes, the root's own prefix already taken off; None for no known limit.
        max_part_bytes: longest part between two slashes in UTF-8 bytes; None for no limit.
        holds_folder_keys: whether keys that end in `/`, or contain `//`, can be stored.
        can_write: False for roots that can only be read, whatever the credentials.
        has_free_bytes: whether `free_bytes` gives a number.
        has_md5_etag: whether a single-part object's ETag is the MD5 of its content (still to be proven per server).
        is_protected: whether a bit that turns while an object is read would be seen: on this host's disks, and by TLS.
        is_local: whether reading and writing need this host alone, no server.
    """

    case_sensitive: bool = True
    max_key_bytes: int | None = None
    max_part_bytes: int | None = None
    holds_folder_keys: bool = True
    can_write: bool = True
    has_free_bytes: bool = False
    has_md5_etag: bool = False
    is_protected: bool = True
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one request may take and how often it is tried. Seconds; `attempts` counts the first try."""

    connect_seconds: float
    read_seconds: float
    attempts: int


#: For requests a person waits for: one try, and a clear error after at most a few seconds.
INTERACTIVE: Final = Timeouts(connect_seconds=3, read_seconds=8, attempts=1)

#: For bulk work without a person waiting.
BULK: Final = Timeouts(connect_seconds=10, read_seconds=60, attempts=5)


@dataclass(frozen=True, slots=True)
class S3Access:
    """How to reach a bucket. Picklable, so that it can go to a worker process; its repr hides the secret.

    Attributes:
        kind: access key, ambient (the server's own identity) or anonymous.
        access_key_id: empty unless `kind` is an access key.
        secret_access_key: likewise.
        region: None to let the server's answer decide (`us-east-1` is used for signing then).
        endpoint_url: S3-compatible endpoint; None to take the root's own, and AWS where it has none.
        guard: asked for every connection to the endpoint; None to connect wherever its name leads.
    """

    kind: ConnectionKind
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    region: str | None = None
    endpoint_url: str | None = None
    guard: AddressGuard | None = None


class Readable(Protocol):
    """A stream of bytes, read from front to back. At the end the length was compared with what was announced."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end.

        Raises:
            ContentMismatch: the body ended before its announced length.
            Unreachable: the connection broke in the middle.
        """
        ...


@runtime_checkable
class Backend(Leftovers, Protocol):
    """One root, opened. Safe to use from many threads at once; may raise any `StorageError` besides those named."""

    @property
    def root(self) -> Root:
        """Return the root this backend was opened for."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Return what this root can hold and do."""
        ...

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with `prefix`, in the byte order of UTF-8 keys, in bounded memory."""
        ...

    def list_skipped(self) -> Iterator[tuple[str, str]]:
        """Yield what lies below the root but cannot be an object, as (key, reason): links leading out, devices …"""
        ...

    def list_folder(self, prefix: str = "", *, after: str | None = None, limit: int = 200) -> FolderPage:
        """Return one page of the folder `prefix` (empty or ending in `/`); an absent folder is an empty page."""
        ...

    def info(self, key: str) -> ObjectInfo | None:
        """Return what is known of one object; None when there is none."""
        ...

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        """Return what is known of many objects by as few requests as possible; absent ones are left out."""
        ...

    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> AbstractContextManager[Readable]:
        """Open an object for streaming. `seen` is what a look just told of it: a short way may be taken then.

        Raises:
            ObjectNotFound: no object has this key.
            ContentMismatch: on reading, the body ended before its announced length.
        """
        ...

    def read_ahead(self, keys: Sequence[str]) -> set[str]:
        """Begin to read small files that are wanted next, from the disk and not from memory; return which will be."""
        ...

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        """Create an object from `chunks`, all of it or nothing; leaves no temporary behind on error.

        `in_bulk`: a look just told that there is none, so none is made here; and a small object may appear with the
        next `flush` only, which makes many durable at once. `compares_md5`: the caller compares the MD5 of the whole
        with the one that the server tells, so that parts need none.

        Raises:
            ObjectExists: something is under the key; nothing was changed.
            ContentMismatch: the chunks do not sum to `size_bytes`, or the server received something else.
            OutOfSpace: no room left.
            NameRefused: the root cannot hold this key.
        """
        ...

    def flush(self) -> dict[str, StorageError]:
        """Publish what was written `in_bulk`, durably; return by key why something could not be, which is then gone.

        ContentMismatch: a copy that the server made is not what was seen. It is not gone, if there is any.

        Raises:
            StorageError: nothing could be published.
        """
        ...

    def shares_server(self, other: "Backend") -> bool:
        """Tell whether both roots are on the same server, so that what is proven of one is of the other."""
        ...

    def copy_from(self, source: "Backend", seen: ObjectInfo, key: str, *, in_bulk: bool = False) -> ObjectInfo | None:
        """Have the server copy what `seen` tells of from another root of its own, where `key` is known to be absent.

        None where that cannot be done: stream it instead. The content is the very version that was seen; `in_bulk`:
        once `flush` has said nothing else.
        """
        ...

    def prove(self, token: str) -> Proof:
        """Try which of the server's checksums are evidence, with objects below `.lamindb/_probe/<token>`."""
        ...

    def replace(self, key: str, data: bytes) -> ObjectInfo:
        """Write a small object whatever is under the key: the marker, a probe."""
        ...

    def delete(self, key: str) -> None:
        """Delete one object; an absent one is fine."""
        ...

    def remove_temporaries(self, tag: str, *, keeps_uploads: bool = False) -> int:
        """Remove what killed writes that carried `tag` left behind; return how many there were.

        `keeps_uploads`: leave unfinished uploads that a write with the same tag goes on with.
        """
        ...

    def free_bytes(self) -> int | None:
        """Return how many bytes may still be written; None for unknown or unlimited."""
        ...

    def close(self) -> None:
        """Let go of connections and files. The backend is not used afterwards."""
        ...


def key_parts(key: str) -> list[str]:
    """Return the parts of a key, having refused what no root may be asked for.

    Raises:
        NameRefused: empty, absolute in a way that leaves the root, or with a `.` or `..` part or a NUL.
    """
    parts = key.split("/")
    if not key or "\0" in key or any(part in {".", ".."} for part in parts):
        raise NameRefused(
            f"The key {key!r} cannot be an object below a root.", hint="Give a key without “.” or “..” parts."
        )
    return parts


def check_length(key: str, longest_bytes: int | None) -> None:
    """Refuse a key that is longer than a root can hold; None for no limit.

    Raises:
        NameRefused: as said.
    """
    if longest_bytes is not None and len(key.encode("utf-8", "surrogateescape")) > longest_bytes:
        raise NameRefused(f"The key {key[:60]}… is too long here: {longest_bytes:,} bytes are the most.")


def key_order(key: str) -> bytes:
    """Return what keys are sorted by everywhere: their UTF-8 bytes."""
    return key.encode("utf-8", "surrogateescape")


_TAG: Final = re.compile(r"[A-Za-z0-9_-]{0,64}")


def check_tag(tag: str) -> str:
    """Return a tag of temporaries, having refused one that could name another folder.

    Raises:
        NameRefused: anything but up to 64 letters, digits, `_` and `-`.
    """
    if not _TAG.fullmatch(tag):
        raise NameRefused(f"{tag!r} cannot be a tag.", hint="Use up to 64 letters, digits, “_” and “-”.")
    return tag
