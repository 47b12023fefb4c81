"""Copies that the server makes by itself, from a bucket of the same endpoint.

Small ones are many, so each is one request: a look was made before, for all of them, and one is made after (`flush`).
Only the first is looked at before and after by itself: it shows that this server copies, and gives a copy the ETag of
what it copied, which it does not where the buckets are encrypted in different ways.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from portal.backends.base import ObjectInfo
from portal.backends.s3.listing import info_of
from portal.backends.s3.quick import QUICK_BYTES, Quick
from portal.errors import ContentMismatch, ObjectArchived, ObjectExists, ObjectNotFound, StorageError
from portal.values import is_md5

#: Up to here what obstore cannot copy is read and written: that costs botocore no more, and gives a SHA-256.
STREAMED_BYTES: Final = 64 * 1024

#: CopyObject takes no more (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
_COPY_BYTES: Final = 5 * 1024**3

#: So many copies in a row that obstore could not make, and it is asked no more.
_MOST_MISSES: Final = 8


class Copies:
    """Copies into the root whose keys begin with `prefix`. Serves any number of threads."""

    def __init__(
        self,
        call: Callable[..., dict[str, Any]],
        prefix: str,
        quick: Quick | None,
        infos: Callable[[Sequence[str]], dict[str, ObjectInfo]],
    ) -> None:
        self._call, self._prefix, self._quick, self._infos = call, prefix, quick, infos
        self._is_refused = self._keeps_etags = False
        self._misses = 0
        self._unseen: dict[str, ObjectInfo] = {}

    def make(self, bucket: str, from_key: str, seen: ObjectInfo, key: str, *, in_bulk: bool) -> ObjectInfo | None:
        """Copy what `seen` tells of `from_key`, a whole key in `bucket`; None to stream.

        What has parts, or no MD5 for an ETag, is streamed: its copy could not be compared.

        Raises:
            ObjectExists: something is under the key; nothing was changed.
        """
        if self._is_refused or not is_md5(seen.etag) or seen.size_bytes > _COPY_BYTES:
            return None
        quick = self._quick if seen.size_bytes <= QUICK_BYTES and self._misses < _MOST_MISSES else None
        if quick is not None:
            copied = self._make_quickly(quick, bucket, from_key, seen, key, in_bulk=in_bulk)
            self._misses = self._misses + 1 if copied is None else 0
            if copied is not None:
                return copied
        if seen.size_bytes <= STREAMED_BYTES:
            return None
        if (there := self._infos([key]).get(key)) is not None:
            # In bulk nothing was there: the quick copy may have arrived, and only its answer was lost.
            if quick and in_bulk and (there.size_bytes, there.etag) == (seen.size_bytes, seen.etag):
                return there
            raise ObjectExists(f"There is something under the key {key} already. Nothing was changed.")
        return self._make(bucket, from_key, seen, key)

    def flush(self) -> dict[str, StorageError]:
        """Look at what was copied without a look; return by key what is not there as it was seen at the source.

        Raises:
            StorageError: nothing could be looked at.
        """
        unseen, self._unseen = self._unseen, {}
        there = self._infos(list(unseen)) if unseen else {}
        errors: dict[str, StorageError] = {
            key: ContentMismatch(f"The copy that the server made of {key} is not what was seen at the source.")
            for key, wanted in unseen.items()
            if (found := there.get(key)) is None or (found.size_bytes, found.etag) != (wanted.size_bytes, wanted.etag)
        }
        if errors:
            self._keeps_etags = False
        return errors

    def _make_quickly(
        self, quick: Quick, bucket: str, from_key: str, seen: ObjectInfo, key: str, *, in_bulk: bool
    ) -> ObjectInfo | None:
        """Copy a small object by obstore; None to try the slow way, which also tells why."""
        full = self._prefix + key
        copied = ObjectInfo(key, seen.size_bytes, None, seen.etag)
        if in_bulk and self._keeps_etags:
            if not quick.copy(bucket, from_key, full):
                return None
            self._unseen[key] = copied
            return copied
        etag = quick.copy_seen(bucket, from_key, full)
        if etag is None:
            return None
        self._keeps_etags = etag == seen.etag
        return ObjectInfo(key, seen.size_bytes, None, etag)

    def _make(self, bucket: str, from_key: str, seen: ObjectInfo, key: str) -> ObjectInfo | None:
        full, place = self._prefix + key, {"Bucket": bucket, "Key": from_key}
        try:
            answer = self._call("copy_object", "s3:PutObject", full, CopySource=place, CopySourceIfMatch=seen.etag)
        except StorageError as error:
            # One access need not reach both buckets, and not every server copies; streaming tells what is wrong else,
            # also with an object that has changed, which is answered like one that exists.
            passes = error.retryable or isinstance(error, (ObjectArchived, ObjectExists, ObjectNotFound))
            self._is_refused = not passes
            return None
        return info_of(key, seen.size_bytes, answer.get("CopyObjectResult", {}))
