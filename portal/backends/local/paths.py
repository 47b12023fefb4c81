"""Keys turned into open directories without ever leaving the root.

A key's folder is opened part by part with O_NOFOLLOW from the root's own descriptor. Where that meets a link (those
that stay inside the root are allowed) the path is resolved first, then opened the same way: a link that is put in place
between the two steps makes the open fail rather than lead out.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from portal.backends.base import TEMPORARY_FOLDER, key_parts
from portal.backends.local.errors import root_missing
from portal.errors import AccessRefused, NameRefused

#: What opening without following links answers where there is one (or a file that should be a folder).
LINKS: Final = frozenset({errno.ELOOP, errno.ENOTDIR})

_NOWHERE: Final = frozenset({"", ".", ".."})

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def file_parts(key: str) -> list[str]:
    """Return a key's parts where a file can have that key.

    Raises:
        NameRefused: `.` or `..` parts, empty parts (`//`, a slash at an end), not UTF-8, or the temporaries' folder.
    """
    parts = key_parts(key)
    if "" in parts:
        raise NameRefused(
            f"A directory cannot hold the key {key!r}: a part of it is empty.",
            hint="Keys of folders, or with “//”, exist in object stores only.",
        )
    if key == TEMPORARY_FOLDER or key.startswith(TEMPORARY_FOLDER + "/"):
        raise NameRefused(f"{TEMPORARY_FOLDER} is kept for the portal's own temporary files.")
    try:
        key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NameRefused(f"The key {key!r} is not UTF-8.") from error
    return parts


class Tree:
    """The directory of one root: opens folders inside it, and nothing outside."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)

    def real_parts(self, parts: list[str]) -> list[str]:
        """Return the parts of a folder with symbolic links resolved.

        Raises:
            AccessRefused: a link leads out of the root.
        """
        real = os.path.realpath(os.path.join(self.path, *parts))
        if real == self.path:
            return []
        base = self.path.rstrip("/") + "/"
        if not real.startswith(base):
            raise AccessRefused(
                f"{'/'.join(parts)} is a symbolic link that leads out of the root.",
                hint="Register the place it leads to as a root of its own.",
            )
        return real[len(base) :].split("/")

    @contextmanager
    def opened(self, parts: list[str], *, create: bool = False) -> Iterator[int]:
        """Give a descriptor of a folder; `create` makes the missing ones, synced to disk.

        Raises:
            NameRefused: a part would lead elsewhere than down.
            BucketNotFound: the root itself is not there.
            AccessRefused: a link leads out of the root.
            OSError: anything else, for the caller to translate with its key.
        """
        if not _NOWHERE.isdisjoint(parts):
            raise NameRefused(f"There is no folder {'/'.join(parts)!r} in a directory.")
        try:
            folder = self._descend(parts, create=create)
        except OSError as error:
            if error.errno not in LINKS:
                raise
            folder = self._descend(self.real_parts(parts), create=create)
        try:
            yield folder
        finally:
            os.close(folder)

    def _descend(self, parts: list[str], *, create: bool) -> int:
        """Return a descriptor of a folder, no part of whose path is a link."""
        try:
            current = os.open(self.path, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise root_missing(self.path) from error
        try:
            for part in parts:
                inner = _open_child(current, part, create=create)
                os.close(current)
                current = inner
        except BaseException:
            os.close(current)
            raise
        return current


def _open_child(folder: int, name: str, *, create: bool) -> int:
    """Open a sub-folder by name without following a link."""
    if create:
        # Mostly it is there.
        with suppress(FileNotFoundError):
            return os.open(name, _DIRECTORY, dir_fd=folder)
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
            os.fsync(folder)
    return os.open(name, _DIRECTORY, dir_fd=folder)
