"""Small files that become durable together: one sync of the file system for a shard, not two for each file.

Each lies whole under its temporary name until `publish`, which syncs all of them and only then gives them their names:
a power cut leaves a whole file under its name, or none.
"""

import ctypes
import errno
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from typing import Final

from portal.backends.local.errors import translated
from portal.backends.local.paths import Tree
from portal.backends.local.writing import create_file, fill, move, temporary_parts
from portal.errors import StorageError

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class _Waiting:
    parts: tuple[str, ...]
    name: str

    @property
    def key(self) -> str:
        return "/".join(self.parts)

    @property
    def folder(self) -> tuple[str, ...]:
        return self.parts[:-1]


class Batch:
    """The files of one writer that wait for their names. Safe for many threads."""

    def __init__(self, tree: Tree, tag: str) -> None:
        self._tree, self._tag = tree, tag
        self._waiting: list[_Waiting] = []
        self._folder: int | None = None
        self._lock = Lock()

    def write(self, parts: Sequence[str], chunks: Iterable[bytes], size_bytes: int) -> os.stat_result:
        """Write a file whole, not synced, under a temporary name, and return its status; it waits for `publish`.

        Raises:
            ContentMismatch: the chunks do not sum to `size_bytes`.
            StorageError: the disk refuses. Errors of `chunks` pass through as they are.
        """
        key, name = "/".join(parts), secrets.token_hex(16)
        with translated(key, action="write"):
            folder, descriptor = self._create(name)
        is_open = True
        try:
            fill(descriptor, chunks, size_bytes, key)
            status = os.fstat(descriptor)
            is_open = False
            # A file system may tell only now that there was no room.
            with translated(key, action="write"):
                os.close(descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
            if is_open:
                with suppress(OSError):
                    os.close(descriptor)
            raise
        with self._lock:
            self._waiting.append(_Waiting(tuple(parts), name))
        return status

    def publish(self) -> dict[str, StorageError]:
        """Make all files durable under their names; return why by key where that failed, and those files are gone.

        Raises:
            StorageError: the disk refuses; nothing got its name.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return {}
        failed: dict[str, StorageError] = {}
        with translated("/".join(temporary_parts(self._tag)), action="write"):
            folder = self._opened()
            if not os.fstat(folder).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "the folder of temporary files was removed")
            sync_files(folder)
            for where, files in groupby(sorted(waiting, key=_folder_of), key=_folder_of):
                self._publish_folder(folder, where, list(files), failed)
            sync_files(folder)
        return failed

    def close(self) -> None:
        """Let go of the folder of temporary files."""
        with self._lock:
            folder, self._folder = self._folder, None
        if folder is not None:
            os.close(folder)

    def _opened(self) -> int:
        """Return the descriptor of the folder of temporary files, which stays open until `close`."""
        with self._lock:
            if self._folder is None:
                with self._tree.opened(temporary_parts(self._tag), create=True) as folder:
                    self._folder = os.dup(folder)
            return self._folder

    def _create(self, name: str) -> tuple[int, int]:
        """Create a temporary file; return its folder's descriptor and its own."""
        try:
            return (folder := self._opened()), create_file(folder, name)
        except FileNotFoundError:
            # Somebody removed the folder, which was empty.
            self.close()
            return (folder := self._opened()), create_file(folder, name)

    def _publish_folder(
        self, temporary: int, where: tuple[str, ...], files: Sequence[_Waiting], failed: dict[str, StorageError]
    ) -> None:
        try:
            with translated("/".join(where), action="write"), self._tree.opened(list(where), create=True) as target:
                for file in files:
                    _publish(temporary, file, target, failed)
        except StorageError as error:
            failed.update({file.key: error for file in files if file.key not in failed})
        for file in files:
            if file.key in failed:
                with suppress(FileNotFoundError):
                    os.unlink(file.name, dir_fd=temporary)


def _publish(temporary: int, file: _Waiting, target: int, failed: dict[str, StorageError]) -> None:
    try:
        with translated(file.key, action="write"):
            move(temporary, file.name, target, file.parts[-1])
    except StorageError as error:
        failed[file.key] = error


def _folder_of(file: _Waiting) -> tuple[str, ...]:
    return file.folder


def sync_files(folder: int) -> None:
    """Make everything on the file system of an open folder durable.

    Raises:
        OSError: the disk refuses.
    """
    if _LIBC.syncfs(folder):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
