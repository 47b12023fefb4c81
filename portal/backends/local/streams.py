"""Reading a local file from front to back, its length checked against what it was when opened."""

import os
from typing import Final

from portal.backends.base import CHUNK_BYTES
from portal.backends.local.errors import translated
from portal.errors import ContentMismatch

READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_ahead(folder: int, name: str) -> None:
    """Have the system drop what it holds of a file and begin to read it from its disk, without waiting for it.

    Source: https://man7.org/linux/man-pages/man2/posix_fadvise.2.html

    Raises:
        OSError: it cannot be opened, or is a link.
    """
    descriptor = os.open(name, READ, dir_fd=folder)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)


class FileStream:
    """An opened file of `size_bytes`. Who opened it closes it."""

    def __init__(self, descriptor: int, size_bytes: int, key: str) -> None:
        self._descriptor, self._key = descriptor, key
        self._left_bytes = self.size_bytes = size_bytes
        self._has_ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end.

        Raises:
            ContentMismatch: the file is shorter or longer than when it was opened.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        # What can come, and a byte to see growth by: making room for a whole chunk takes longer than a small read.
        size = min(size, self._left_bytes + 1)
        if not size or self._has_ended:
            return b""
        with translated(self._key, action="read"):
            data = os.read(self._descriptor, size)
        self._left_bytes -= len(data)
        if self._left_bytes < 0 or (not data and self._left_bytes):
            raise ContentMismatch(f"{self._key} changed while it was read.", hint="Read it again.", retryable=True)
        # Less than asked for: the system has come to the end, and need not be asked once more.
        self._has_ended = len(data) < size and not self._left_bytes
        return data

    def fileno(self) -> int:
        """Return the descriptor, for advice to the system about its cache."""
        return self._descriptor
