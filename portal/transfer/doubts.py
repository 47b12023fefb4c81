"""Doubt what was read from a source whose ETag says something else: a bit that turned on the way must not be copied.

An ETag of the form of an MD5 need not be one (encrypted buckets have others), and nothing can be tried at a source. So
content that differs from it is read a second time: the same again is the truth, and the ETag something else. Where a
server that tells ETags has told none, nothing else can say what is right: then every object is read twice.
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
    """The readings of one shard. Safe for many threads. `tells_etags`: the source's objects have ETags."""

    def __init__(self, *, tells_etags: bool) -> None:
        self._tells_etags = tells_etags
        self._first: dict[str, str] = {}
        self._confirmed_count = 0
        self._lock = Lock()

    def check(self, seen: ObjectInfo, read: Digests) -> None:
        """Compare what was read with the ETag seen before.

        Raises:
            ContentMismatch: they differ, or there is none, and no earlier reading gave the same. Read it again.
        """
        is_untold = seen.etag is None and self._tells_etags
        if not is_untold and (not is_md5(seen.etag) or read.md5 == seen.etag):
            return
        with self._lock:
            if self._first.get(seen.key) == read.sha256:
                self._confirmed_count += not is_untold
                return
            if not is_untold and self._confirmed_count >= _MOST_SECOND_READINGS:
                return
            self._first[seen.key] = read.sha256
        if is_untold:
            words = f"The source told no ETag of {seen.key}, so it counts when it is read the same twice."
        else:
            words = f"{seen.key} was read with the MD5 {read.md5}, but the source's ETag is {seen.etag}."
        raise ContentMismatch(
            words,
            hint="Something on the way changes bytes. Try again.",
            retryable=True,
        )
