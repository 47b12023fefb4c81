"""LaminDB's hashes of content, recomputed (facts: lamindb docs, (d) hashes). Pure: bytes come in, text goes out.

`md5` for files up to 50 MiB, `sha1-fl` beyond (first and last 50 MiB), `md5-d` for folders (over the hashes of its
files). `md5-N`, `md5-etag` and other servers' tags cannot be recomputed from the content.
"""

import base64
import hashlib
from collections.abc import Iterable
from typing import Final

MD5, SHA1_FIRST_LAST, MD5_FOLDER = "md5", "sha1-fl", "md5-d"

#: A larger file is hashed by its two ends.
WHOLE_BYTES: Final = 50 * 1024 * 1024

_LENGTH: Final = 22


def encode(digest: bytes) -> str:
    """Return a digest in LaminDB's 22 characters: URL-safe base 64 without padding, cut."""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")[:_LENGTH]


class FileHasher:
    """LaminDB's hash of one file, fed in order. The size decides the kind, so it is needed beforehand."""

    def __init__(self, size_bytes: int) -> None:
        self._size = size_bytes
        self._fed = 0
        self._is_whole = size_bytes <= WHOLE_BYTES
        self._first = hashlib.md5(usedforsecurity=False) if self._is_whole else hashlib.sha1(usedforsecurity=False)
        self._last = None if self._is_whole else hashlib.sha1(usedforsecurity=False)

    @property
    def kind(self) -> str:
        """Return the name LaminDB gives this hash."""
        return MD5 if self._is_whole else SHA1_FIRST_LAST

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        start, view = self._fed, memoryview(data)
        self._fed += len(data)
        if self._last is None:
            self._first.update(view)
            return
        if start < WHOLE_BYTES:
            self._first.update(view[: WHOLE_BYTES - start])
        tail = self._size - WHOLE_BYTES
        if self._fed > tail:
            self._last.update(view[max(0, tail - start) :])

    @property
    def value(self) -> str:
        """Return the hash of what was fed."""
        if self._last is None:
            return encode(self._first.digest())
        both = self._first.digest() + self._last.digest()
        return encode(hashlib.sha1(both, usedforsecurity=False).digest())


def folder_hash(file_hashes: Iterable[str]) -> str:
    """Return the hash of a folder from those of its files. Names and order do not count."""
    whole = hashlib.md5(usedforsecurity=False)
    for found in sorted(file_hashes):
        whole.update(hashlib.md5(found.encode(), usedforsecurity=False).digest())
    return encode(whole.digest())


def can_recompute(kind: str | None) -> bool:
    """Tell whether a recorded hash can be compared with the content."""
    return kind in {MD5, SHA1_FIRST_LAST, MD5_FOLDER}
