"""Walks a directory tree in the byte order that object stores list keys in.

Sorting the names of one folder with `/` behind those of sub-folders gives the order of full keys: `a-b`, `a.b`, `a/…`.
Memory holds the names of one folder a level, never the tree, and some 100,000 of them in all: those of larger folders
are sorted on disk (`entries.py`).
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from portal.backends.base import TEMPORARY_FOLDER, FolderPage, ObjectInfo, key_order
from portal.backends.local.entries import MOST_HELD, Entries, Entry
from portal.backends.local.errors import translated
from portal.backends.local.paths import Tree
from portal.errors import AccessRefused, ObjectNotFound
from portal.values import MANAGED_FOLDER

#: Is told of each thing that cannot be an object: its key (made readable) and the reason.
Skip = Callable[[str, str], None]

#: Each level holds one descriptor open; processes may usually have 1,024.
_DEEPEST: Final = 256

#: The ends of the calendar, a day apart from them: people see times in their own zones.
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


class Walk:
    """One pass over a tree. Not shared between threads. `most_held`: so many names are held in memory."""

    def __init__(self, tree: Tree, skip: Skip, most_held: int = MOST_HELD) -> None:
        self._tree = tree
        self._skip = skip
        self._most_held, self._held_count = most_held, 0

    def objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every file whose key starts with `prefix`, in byte order."""
        start = prefix[: prefix.rfind("/") + 1]
        if any(part in {"", ".", ".."} for part in start.split("/")[:-1]):
            return
        yield from self._below(start, prefix, ())

    def page(self, folder: str, after: str | None, limit: int) -> FolderPage:
        """Return one page of a folder; see the contract."""
        if any(part in {"", ".", ".."} for part in folder.split("/")[:-1]):
            return FolderPage((), (), None)
        floor = b"" if after is None else key_order(after)
        found: list[str | ObjectInfo] = []
        with suppress(ObjectNotFound), translated(folder, action="list"), self._opened(folder) as opened:
            found = list(islice(self._rows(opened, folder, floor), limit + 1))
        shown = found[:limit]
        last = shown[-1] if shown and len(found) > limit else None
        return FolderPage(
            tuple(row for row in shown if isinstance(row, str)),
            tuple(row for row in shown if isinstance(row, ObjectInfo)),
            last.key if isinstance(last, ObjectInfo) else last,
        )

    def _rows(self, opened: int, folder: str, floor: bytes) -> Iterator[str | ObjectInfo]:
        """Yield a folder's sub-folders (as keys) and objects behind `floor`."""
        with self._entries(opened, folder) as entries:
            for entry in entries:
                if floor and key_order(entry.key) <= floor:
                    continue
                if entry.key == MANAGED_FOLDER + "/" and _is_bare(opened):
                    continue
                if entry.is_folder:
                    yield entry.key
                    continue
                found = self._info(opened, entry)
                if found is not None:
                    yield found

    def _below(self, folder: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[ObjectInfo]:
        """Yield the objects below one folder; `above` identifies the folders that lead here, to see loops."""
        if len(above) > _DEEPEST:
            self._skip(folder, f"It lies more than {_DEEPEST} folders deep.")
            return
        with ExitStack() as stack, translated(folder, action="list"):
            try:
                with translated(folder, action="list"):
                    opened = stack.enter_context(self._opened(folder))
            except ObjectNotFound:
                return  # it vanished since the one above was read
            status = os.fstat(opened)
            here = (status.st_dev, status.st_ino)
            if here in above:
                self._skip(folder, "A symbolic link leads back to a folder above it.")
                return
            with self._entries(opened, folder) as entries:
                for entry in entries:
                    if entry.is_folder and (entry.key.startswith(prefix) or prefix.startswith(entry.key)):
                        yield from self._below(entry.key, prefix, (*above, here))
                    elif not entry.is_folder and entry.key.startswith(prefix):
                        found = self._info(opened, entry)
                        if found is not None:
                            yield found

    def _opened(self, folder: str) -> AbstractContextManager[int]:
        return self._tree.opened(folder.split("/")[:-1])

    @contextmanager
    def _entries(self, opened: int, folder: str) -> Iterator[Entries]:
        """Give what is in an opened folder, sorted, without what cannot be an object.

        However many names the folders above hold, a hundredth of all may be held of this one.
        """
        most = max(1, self._most_held // 100, self._most_held - self._held_count)
        with translated(folder, action="list"), os.scandir(opened) as scanned:
            possible = (entry for item in scanned if (entry := self._entry(item, folder)) is not None)
            found = Entries(possible, folder, most)
        self._held_count += found.held_count
        try:
            yield found
        finally:
            self._held_count -= found.held_count
            found.close()

    def _entry(self, item: os.DirEntry[str], folder: str) -> Entry | None:
        """Return one name as an entry; None when it cannot be an object or a folder, which `skip` is told."""
        key = folder + item.name
        if key == TEMPORARY_FOLDER:
            return None
        reason = _name_fault(key)
        if reason is not None:
            self._skip(key.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), reason)
            return None
        if item.is_symlink():
            return self._link(item.name, key)
        if item.is_dir(follow_symlinks=False):
            return Entry(key + "/", item.name, True, False)
        if item.is_file(follow_symlinks=False):
            return Entry(key, item.name, False, False)
        self._skip(key, "It is a socket, a pipe or a device.")
        return None

    def _link(self, name: str, key: str) -> Entry | None:
        """Return a symbolic link as what it leads to; None when that is not inside the root or not there."""
        try:
            target = os.path.join(self._tree.path, *self._tree.real_parts(key.split("/")))
            mode = os.lstat(target).st_mode
        except AccessRefused:
            self._skip(key, "It is a symbolic link that leads out of the root.")
            return None
        except OSError:
            self._skip(key, "It is a symbolic link that leads nowhere.")
            return None
        if stat.S_ISDIR(mode):
            return Entry(key + "/", name, True, True)
        if stat.S_ISREG(mode):
            return Entry(key, name, False, True)
        self._skip(key, "It is a symbolic link that leads to no file or folder.")
        return None

    def _info(self, opened: int, entry: Entry) -> ObjectInfo | None:
        """Return a file's size and time; None when it vanished since the folder was read."""
        try:
            if entry.is_link:
                return link_info(self._tree, entry.key)
            status = os.stat(entry.name, dir_fd=opened, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return as_info(entry.key, status)


def link_info(tree: Tree, key: str) -> ObjectInfo | None:
    """Return what a link inside the root leads to, under the link's own key; None when it is no file."""
    parts = tree.real_parts(key.split("/"))
    if not parts:
        return None  # the root itself
    with tree.opened(parts[:-1]) as opened:
        return as_info(key, os.stat(parts[-1], dir_fd=opened, follow_symlinks=False))


def as_info(key: str, status: os.stat_result) -> ObjectInfo | None:
    """Return a regular file's status as an object; None for anything else."""
    if not stat.S_ISREG(status.st_mode):
        return None
    return ObjectInfo(key, status.st_size, changed_at(status), None)


def changed_at(status: os.stat_result) -> datetime:
    """Return the time of a file's last change; the nearest there is where a disk tells one beyond the calendar."""
    try:
        return datetime.fromtimestamp(status.st_mtime, UTC)
    except (ValueError, OverflowError, OSError):
        return _FIRST if status.st_mtime < 0 else _LAST


def _name_fault(key: str) -> str | None:
    """Return why a path cannot be a key; None when it can."""
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return "Its name is not UTF-8."
    return None


def _is_bare(root: int) -> bool:
    """Tell whether `.lamindb` holds nothing but the portal's temporary files, which are no objects."""
    folder = os.open(MANAGED_FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    try:
        return set(os.listdir(folder)) <= {TEMPORARY_FOLDER.rsplit("/", 1)[-1]}
    finally:
        os.close(folder)
