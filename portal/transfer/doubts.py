"""Doubt what was read from a source whose ETag says something else: a bit that turned on the way must not be copied.

An ETag of the form of an MD5 need not be one (encrypted buckets have others), and nothing can be tried at a source. So
content that differs from it is read a second time: the same again is the truth, and the ETag something else.
"""

from threading import Lock
from typing import Final

from portal.backends.base import ObjectInfo
from portal.errors import ContentMismatch
from portal.transfer.work import Digests
from portal.values import is_md5

#: After so many objects that read the same twice the ETags of this source are known for something else.
_MOST_SECOND_READINGS: Final = 3


class Doubts:
    """The readings of one shard. Safe for many threads."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._confirmed_count = 0
        self._lock = Lock()

    def check(self, seen: ObjectInfo, read: Digests) -> None:
        """Compare what was read with the ETag seen before.

        Raises:
            ContentMismatch: they differ, and no earlier reading gave the same. Read it again.
        """
        if not is_md5(seen.etag) or read.md5 == seen.etag:
            return
        with self._lock:
            if self._confirmed_count >= _MOST_SECOND_READINGS:
                return
            if self._first.get(seen.key) == read.sha256:
                self._confirmed_count += 1
                return
            self._first[seen.key] = read.sha256
        raise ContentMismatch(
            f"{seen.key} was read with the MD5 {read.md5}, but the source's ETag is {seen.etag}.",
            hint="Something on the way changes bytes. Try again.",
            retryable=True,
        )
