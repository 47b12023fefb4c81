"""Objects in a dictionary, with the manners of an object store: for tests of what stands on the contract."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from threading import RLock

from portal.backends.base import (
    Backend,
    Capabilities,
    FolderPage,
    ObjectInfo,
    Proof,
    Readable,
    check_length,
    check_tag,
    key_order,
    key_parts,
)
from portal.backends.diskless import Diskless
from portal.backends.leftovers import PROBE_FOLDER, Leftover, probe_key
from portal.errors import ContentMismatch, ObjectExists, ObjectNotFound
from portal.values import Root

#: Everything was written at this moment: a memory backend has no clock.
_WRITTEN_AT = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryBackend(Diskless):
    """A root that lives as long as this value. `objects` may be filled and looked at by tests."""

    def __init__(self, root: Root, objects: dict[str, bytes] | None = None) -> None:
        self.root = root
        self.capabilities = Capabilities(max_key_bytes=1024, has_md5_etag=True)
        self.objects: dict[str, bytes] = {} if objects is None else objects
        self._lock = RLock()

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with `prefix`, in byte order of keys."""
        with self._lock:
            keys = sorted((key for key in self.objects if key.startswith(prefix)), key=key_order)
        for key in keys:
            found = self.info(key)
            if found is not None:
                yield found

    def list_skipped(self) -> Iterator[tuple[str, str]]:
        """Yield nothing: every key can be an object here."""
        return iter(())

    def list_folder(self, prefix: str = "", *, after: str | None = None, limit: int = 200) -> FolderPage:
        """Return one page of a folder."""
        return _folder_page(self.list_objects(prefix), prefix, after, limit)

    def info(self, key: str) -> ObjectInfo | None:
        """Return an object's size and MD5; None when there is none."""
        data = self.objects.get(key)
        if data is None:
            return None
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return ObjectInfo(key, len(data), _WRITTEN_AT, etag)

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        """Return the objects among `keys` that are there."""
        found = (self.info(key) for key in keys)
        return {info.key: info for info in found if info is not None}

    @contextmanager
    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> Iterator[Readable]:
        """Open an object for reading."""
        key_parts(key)
        data = self.objects.get(key)
        if data is None:
            raise ObjectNotFound(f"There is no object {key}.")
        with BytesIO(data) as stream:
            yield stream

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        """Create an object, all of it or nothing."""
        key_parts(key)
        check_length(key, self.capabilities.max_key_bytes)
        if key in self.objects:
            raise _taken(key)
        data = b"".join(chunks)
        if len(data) != size_bytes:
            raise ContentMismatch(f"{key} was announced with {size_bytes:,} bytes, but {len(data):,} came.")
        with self._lock:
            if key in self.objects:
                raise _taken(key)
            return self.replace(key, data)

    def shares_server(self, other: Backend) -> bool:
        """Return False: there is no server."""
        return False

    def copy_from(self, source: Backend, seen: ObjectInfo, key: str, *, in_bulk: bool = False) -> ObjectInfo | None:
        """Return None: memory copies through its reader."""
        return None

    def prove(self, token: str) -> Proof:
        """Say that no server checks anything here."""
        return Proof(reason="Memory has no checksums.")

    def replace(self, key: str, data: bytes) -> ObjectInfo:
        """Write an object whatever is under the key."""
        key_parts(key)
        with self._lock:
            self.objects[key] = bytes(data)
        return ObjectInfo(key, len(data), _WRITTEN_AT, hashlib.md5(data, usedforsecurity=False).hexdigest())

    def delete(self, key: str) -> None:
        """Delete an object; an absent one is fine."""
        with self._lock:
            self.objects.pop(key, None)

    def remove_temporaries(self, tag: str, *, keeps_uploads: bool = False) -> int:
        """Return 0: a write here leaves nothing behind."""
        check_tag(tag)
        return 0

    def list_leftovers(self) -> Iterator[Leftover]:
        """Yield the probes; a write here has no temporaries."""
        folder = PROBE_FOLDER + "/"
        names = (key.removeprefix(folder) for key in sorted(self.objects) if key.startswith(folder))
        return (Leftover("probe", name, _WRITTEN_AT) for name in names)

    def remove_probe(self, name: str) -> None:
        """Delete a probe."""
        self.delete(probe_key(name))

    def close(self) -> None:
        """Do nothing; the objects stay."""


def _taken(key: str) -> ObjectExists:
    return ObjectExists(f"There is something under the key {key} already. Nothing was changed.")


def _folder_page(objects: Iterable[ObjectInfo], prefix: str, after: str | None, limit: int) -> FolderPage:
    """Return one page of the folder `prefix` from a full listing below it, in order."""
    floor = None if after is None else key_order(after)
    rows: list[str | ObjectInfo] = []
    for found in objects:
        head, slash, _ = found.key[len(prefix) :].partition("/")
        row = prefix + head + "/" if slash else found
        name = row if isinstance(row, str) else row.key
        if (floor is not None and key_order(name) <= floor) or (rows and rows[-1] == row):
            continue
        rows.append(row)
        if len(rows) > limit:
            break
    last = rows[limit - 1] if len(rows) > limit else None
    shown = rows[:limit]
    return FolderPage(
        tuple(row for row in shown if isinstance(row, str)),
        tuple(row for row in shown if isinstance(row, ObjectInfo)),
        last.key if isinstance(last, ObjectInfo) else last,
    )
