"""Looks at both sides of a move, and tries them, before a byte of it moves."""

import secrets
from contextlib import suppress

from portal.backends.base import Backend
from portal.backends.leftovers import probe_key
from portal.errors import ContentMismatch, ObjectNotFound, Refused
from portal.lamindb.marker import read_marker
from portal.lamindb.registry.ways import DATABASE_KEY
from portal.values import Root, StorageType


def refuse_database(source: Backend) -> None:
    """Refuse a source that holds a LaminDB instance's own database.

    Raises:
        Refused: as said.
    """
    if source.info(DATABASE_KEY) is not None:
        raise Refused(
            f"{source.root} holds {DATABASE_KEY}, the database of a LaminDB instance.",
            hint="Attach the instance first: then the portal knows what refers to this root. Nothing was copied.",
        )


def look_at_source(source: Backend, storage_uid: str) -> tuple[str, ...]:
    """List and read a little of the source, and return what people should know of it."""
    first = next(source.list_objects(), None)
    if first is None:
        return ("The source holds no objects.",)
    with source.open_read(first.key) as stream:
        stream.read(1)
    marker = read_marker(source)
    if marker is not None and marker.storage_uid != storage_uid:
        return (f"The source's marker names {marker.storage_uid}, not this location; it is copied as it is.",)
    return ()


def refuse_foreign(target: Backend, storage_uid: str) -> None:
    """Refuse a target that is marked as another location's.

    Raises:
        Refused: as said.
    """
    marker = read_marker(target)
    if marker is not None and marker.storage_uid != storage_uid:
        raise Refused(
            f"{target.root} is marked as the storage location {marker.storage_uid} of {marker.owner_name}.",
            hint="Choose an empty folder. Nothing was written.",
        )


def probe(source: Backend, target: Backend, storage_uid: str) -> None:
    """Write a probe at the target, read it back and delete it. It must not be seen through the source.

    Raises:
        Refused: the target can only be read, or both are one place, be it under two names of a server.
        ContentMismatch: it reads back differently.
    """
    if not target.capabilities.can_write:
        raise Refused(f"{target.root} can only be read.", hint="Choose a bucket or a folder.")
    key, content = probe_key(storage_uid), f"storage portal probe {secrets.token_hex(16)}".encode()
    target.remove_probe(storage_uid)
    try:
        target.write(key, [content], size_bytes=len(content))
        found = _content(target, key)
        is_one = content in {_content(source, seen) for seen in (key, _below(source.root, target.root) + key)}
    finally:
        target.delete(key)
    if found != content:
        raise ContentMismatch("The target gave back other bytes than were written.", hint="Look at that server.")
    if is_one:
        raise Refused(
            f"{target.root} lies in {source.root}: what is written there appears here.",
            hint="Both are the same place under two names. Choose another folder.",
        )


def _content(backend: Backend, key: str) -> bytes | None:
    """Return a small object; None where there is none."""
    with suppress(ObjectNotFound), backend.open_read(key) as stream:
        return stream.read()
    return None


def _below(outer: Root, inner: Root) -> str:
    """Return how a bucket's folder is reached from another one of the same bucket's name; empty where it is not."""
    start, path = (f"{root.path}/" if root.path else "" for root in (outer, inner))
    is_below = outer.type is inner.type is StorageType.S3 and outer.bucket == inner.bucket and path.startswith(start)
    return path.removeprefix(start) if is_below else ""
