"""Doubt what was read from a source whose ETag says something else: a bit that turned on the way must not be copied.

An ETag of the form of an MD5 need not be one (encrypted buckets have others), and nothing can be tried at a source. So
content that differs from it is read a second time: the same again is the truth, and the ETag something else. After some
of those the ETags of this source are known for something else, and by TLS one reading is enough. Where a server that
tells ETags has told none, or one of no MD5 without TLS on the way, nothing else says what is right: then every object
is read twice, unless LaminDB recorded its MD5.
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
    """The readings of one shard. Safe for many threads.

    `tells_etags`: the source's objects have ETags. `is_protected`: what is read cannot change on its way unseen.
    """

    def __init__(self, *, tells_etags: bool, is_protected: bool = True) -> None:
        self._tells_etags, self._is_protected = tells_etags, is_protected
        self._first: dict[str, str] = {}
        self._confirmed_count = 0
        self._lock = Lock()

    def check(self, seen: ObjectInfo, read: Digests, *, is_recorded: bool = False) -> None:
        """Compare what was read with the ETag seen before. `is_recorded`: it has the MD5 that LaminDB recorded.

        Raises:
            ContentMismatch: they differ, or cannot be compared, and no earlier reading gave the same. Read it again.
        """
        if is_md5(seen.etag):
            if read.md5 == seen.etag:
                return
            words = f"{seen.key} was read with the MD5 {read.md5}, but the source's ETag is {seen.etag}."
        else:
            is_blind = self._tells_etags if seen.etag is None else not self._is_protected
            if is_recorded or not is_blind:
                return
            words = f"The source told no MD5 of {seen.key}, so it counts when it is read the same twice."
        if not self._is_confirmed(seen, read, is_safe=is_recorded or self._is_protected):
            raise ContentMismatch(words, hint="Something on the way changes bytes. Try again.", retryable=True)

    def _is_confirmed(self, seen: ObjectInfo, read: Digests, *, is_safe: bool) -> bool:
        """Tell whether it was read the same before, or need not be: `is_safe`, and ETags here are something else."""
        is_told = is_md5(seen.etag)
        with self._lock:
            if self._first.get(seen.key) == read.sha256:
                self._confirmed_count += is_told
                return True
            if is_told and is_safe and self._confirmed_count >= _MOST_SECOND_READINGS:
                return True
            self._first[seen.key] = read.sha256
        return False
