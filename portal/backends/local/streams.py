"""Reading a local file from front to back, its length checked against what it was when opened."""

import os
from typing import Self

from portal.backends.local.errors import translated
from portal.errors import ContentMismatch


class FileStream:
    """An opened file. Closing it closes the descriptor."""

    def __init__(self, descriptor: int, key: str) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._key = key
        self._left_bytes = os.fstat(descriptor).st_size
        self.size_bytes = self._left_bytes

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end.

        Raises:
            ContentMismatch: the file is shorter or longer than when it was opened.
        """
        with translated(self._key, action="read"):
            data = self._file.read(size)
        if size == 0:
            return b""
        self._left_bytes -= len(data)
        if self._left_bytes < 0 or (not data and self._left_bytes):
            raise ContentMismatch(f"{self._key} changed while it was read.", hint="Read it again.", retryable=True)
        return data

    def fileno(self) -> int:
        """Return the descriptor, for advice to the system about its cache."""
        return self._file.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
