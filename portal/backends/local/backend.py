"""The backend of local roots."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from time import monotonic
from typing import Final

from portal.backends.base import (
    CHUNK_BYTES,
    Backend,
    Capabilities,
    FolderPage,
    ObjectInfo,
    Proof,
    Readable,
    check_length,
    check_tag,
)
from portal.backends.leftovers import Leftover, probe_key
from portal.backends.local.batch import Batch
from portal.backends.local.errors import translated
from portal.backends.local.leftovers import leftovers
from portal.backends.local.listing import Walk, as_info, changed_at
from portal.backends.local.paths import LINKS, Tree, file_parts
from portal.backends.local.streams import READ, FileStream, read_ahead
from portal.backends.local.writing import exists, taken, temporary_parts, write_file
from portal.errors import NameRefused, ObjectNotFound, StorageError
from portal.values import MANAGED_FOLDER, Root

#: Linux: bytes of a whole path with its closing NUL, and of one name (limits.h).
_PATH_MAX: Final = 4096
_NAME_MAX: Final = 255

#: The files of a shard are asked for in a twentieth of that; on a share of the network it would take seconds.
_AHEAD_SECONDS: Final = 0.25


class LocalBackend:
    """A directory on this host. Any number of threads may use it.

    Holds nothing open between calls but the folder of temporary files, while small files wait for their names.
    """

    def __init__(self, root: Root, *, tag: str = "") -> None:
        self.root = root
        self._tag = check_tag(tag)
        self._tree = Tree(root.path)
        self._batch = Batch(self._tree, self._tag)
        self.capabilities = Capabilities(
            max_key_bytes=_PATH_MAX - 2 - len(os.fsencode(self._tree.path)),
            max_part_bytes=_NAME_MAX,
            holds_folder_keys=False,
            has_free_bytes=True,
            is_local=True,
        )

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every file whose key starts with `prefix`, in byte order of keys."""
        return Walk(self._tree, lambda key, reason: None).objects(prefix)

    def list_skipped(self) -> Iterator[tuple[str, str]]:
        """Yield (key, reason) of everything that cannot be an object."""
        found: list[tuple[str, str]] = []
        for _ in Walk(self._tree, lambda key, reason: found.append((key, reason))).objects():
            yield from found
            found.clear()
        yield from found

    def list_folder(self, prefix: str = "", *, after: str | None = None, limit: int = 200) -> FolderPage:
        """Return one page of a folder."""
        return Walk(self._tree, lambda key, reason: None).page(prefix, after, limit)

    def info(self, key: str) -> ObjectInfo | None:
        """Return a file's size and time; None when no file has this key."""
        try:
            with self._opened(key) as (_, status):
                return as_info(key, status)
        except (ObjectNotFound, NameRefused):
            return None

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        """Return size and time of the files among `keys` that are there; each folder is opened once."""
        found: dict[str, ObjectInfo] = {}
        for folder, names in _by_folder(keys):
            self._look(folder, names, found)
        return found

    def _look(self, folder: str, keys: list[str], found: dict[str, ObjectInfo]) -> None:
        """Take what a folder holds under `keys` into `found`."""
        odd: list[str] = []
        try:
            with translated(folder, action="read"), self._tree.opened(folder.split("/") if folder else []) as opened:
                for key in keys:
                    with suppress(FileNotFoundError):
                        status = os.stat(key.rpartition("/")[2], dir_fd=opened, follow_symlinks=False)
                        if (info := as_info(key, status)) is not None:
                            found[key] = info
                        elif stat.S_ISLNK(status.st_mode):
                            odd.append(key)
        except (StorageError, ValueError):
            odd = keys  # asked one by one: a folder that is none, a name that cannot be
        infos = (self.info(key) for key in odd)
        found.update({info.key: info for info in infos if info is not None})

    @contextmanager
    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> Iterator[Readable]:
        """Open a file for streaming.

        Raises:
            ObjectNotFound: no file has this key.
        """
        with self._opened(key) as (descriptor, status):
            yield FileStream(descriptor, status.st_size, key)

    def read_ahead(self, keys: Sequence[str]) -> set[str]:
        """Ask the disk for many files at once, so that it need not be waited for file by file.

        Ends early where opening them is what takes long: many threads open them faster than this one.
        """
        asked, until = set[str](), monotonic() + _AHEAD_SECONDS
        for folder, names in _by_folder(keys):
            with suppress(OSError, StorageError), self._tree.opened(folder.split("/") if folder else []) as opened:
                for key in names:
                    if monotonic() > until:
                        return asked
                    with suppress(OSError):
                        read_ahead(opened, key.rpartition("/")[2])
                        asked.add(key)
        return asked

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        """Create a file, all of it or nothing."""
        parts = self._writable(key)
        if in_bulk and size_bytes <= CHUNK_BYTES:
            status = self._batch.write(parts, chunks, size_bytes)
            return ObjectInfo(key, size_bytes, changed_at(status), None)
        with suppress(ObjectNotFound), translated(key, action="write"), self._tree.opened(parts[:-1]) as folder:
            if exists(folder, parts[-1]):
                raise taken(folder, parts[-1])
        return self._written(key, parts, chunks, size_bytes)

    def flush(self) -> dict[str, StorageError]:
        """Give the small files that wait their names."""
        return self._batch.publish()

    def shares_server(self, other: Backend) -> bool:
        """Return False: there is no server."""
        return False

    def copy_from(self, source: Backend, seen: ObjectInfo, key: str, *, in_bulk: bool = False) -> ObjectInfo | None:
        """Return None: files are streamed, so that they are hashed on the way."""
        return None

    def prove(self, token: str) -> Proof:
        """Say that a file system checks nothing by itself."""
        return Proof(reason="A file system has no checksums: what was written is read back.")

    def replace(self, key: str, data: bytes) -> ObjectInfo:
        """Write a small file whatever is under the key."""
        return self._written(key, self._writable(key), [data], None)

    def delete(self, key: str) -> None:
        """Delete a file, and below `.lamindb` the folders that become empty by it."""
        parts = file_parts(key)
        folder = self._tree.opened(parts[:-1])
        with suppress(ObjectNotFound, NameRefused), translated(key, action="delete"), folder as opened:
            os.unlink(parts[-1], dir_fd=opened)
            os.fsync(opened)
        self._prune(parts[:-1])

    def remove_temporaries(self, tag: str, *, keeps_uploads: bool = False) -> int:
        """Remove temporary files of killed writes with this tag; return how many."""
        parts, count = temporary_parts(check_tag(tag)), 0
        with suppress(ObjectNotFound), translated("/".join(parts), action="delete"), self._tree.opened(parts) as folder:
            for name in os.listdir(folder):
                os.unlink(name, dir_fd=folder)
                count += 1
        self._remove_empty(parts)
        return count

    def list_leftovers(self) -> Iterator[Leftover]:
        """Yield folders of temporary files, and probes."""
        return leftovers(self._tree)

    def remove_probe(self, name: str) -> None:
        """Delete a probe."""
        self.delete(probe_key(name))

    def free_bytes(self) -> int | None:
        """Return the free bytes of the file system, as far as this user may use them."""
        with translated("", action="read"), self._tree.opened([]) as folder:
            status = os.fstatvfs(folder)
        return status.f_bavail * status.f_frsize

    def close(self) -> None:
        """Let go of the folder of temporary files, and remove it and those above it where they are empty."""
        self._batch.close()
        self._remove_empty(temporary_parts(self._tag))

    def _writable(self, key: str) -> list[str]:
        """Return the parts of a key that this directory can hold."""
        parts = file_parts(key)
        check_length(key, self.capabilities.max_key_bytes)
        for part in parts:
            check_length(part, _NAME_MAX)
        return parts

    def _written(self, key: str, parts: list[str], chunks: Iterable[bytes], size_bytes: int | None) -> ObjectInfo:
        """Write, and return what is there now."""
        write_file(self._tree, parts, chunks, size_bytes, self._tag)
        written = self.info(key)
        if written is None:
            raise ObjectNotFound(f"{key} was written, but somebody removed it at once.")
        return written

    @contextmanager
    def _opened(self, key: str) -> Iterator[tuple[int, os.stat_result]]:
        """Give descriptor and status of the regular file a key leads to, inside the root."""
        parts = file_parts(key)
        with translated(key, action="read"):
            try:
                descriptor = self._open(parts)
            except OSError as error:
                if error.errno not in LINKS:
                    raise
                real = self._tree.real_parts(parts)
                descriptor = self._open(real) if real else -1
        try:
            if descriptor < 0 or not stat.S_ISREG((status := os.fstat(descriptor)).st_mode):
                raise ObjectNotFound(f"There is no object {key}.")
            yield descriptor, status
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _open(self, parts: list[str]) -> int:
        with self._tree.opened(parts[:-1]) as folder:
            return os.open(parts[-1], READ, dir_fd=folder)

    def _prune(self, parts: list[str]) -> None:
        """Remove folders that are empty now, below `.lamindb` only: others may be the user's on purpose."""
        if parts[:1] == [MANAGED_FOLDER]:
            self._remove_empty(parts)

    def _remove_empty(self, parts: list[str]) -> None:
        """Remove a folder and those above it, up to `.lamindb`, as far as they are empty. Best effort."""
        for end in range(len(parts), 1, -1):
            try:
                with self._tree.opened(parts[: end - 1]) as folder:
                    os.rmdir(parts[end - 1], dir_fd=folder)
            except (OSError, StorageError):
                return


def _by_folder(keys: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield (folder, keys in it), so that each folder is opened once; none for keys that begin with a slash."""
    below = sorted({key for key in keys if not key.startswith("/")})
    for folder, names in groupby(below, key=lambda key: key.rpartition("/")[0]):
        yield folder, list(names)
