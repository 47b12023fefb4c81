"""Listing a bucket below one root: whole, folder by folder, or over the range of some keys."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from xml.etree import ElementTree

from portal.backends.base import TEMPORARY_FOLDER, FolderPage, ObjectInfo, key_order
from portal.backends.s3.client import read_timestamp
from portal.backends.s3.errors import Asked, from_client
from portal.backends.s3.pages import RAW, following, read_page
from portal.backends.s3.uploads import Caller
from portal.errors import StorageError

#: Sorts behind every key that starts with what is before it.
_LAST: Final = "\U0010ffff"

#: A listing for some keys goes on as long as it meets about one of them in so many.
_KEYS_A_PAGE: Final = 50

#: It asks for so many more keys than are wanted: others may lie between.
_KEYS_BESIDE: Final = 20


class Listing:
    """The listings of one root. `prefix` is the root's own, with its slash; `asked` names the request in errors."""

    def __init__(self, call: Caller, prefix: str, asked: Asked) -> None:
        self._call, self._prefix, self._asked = call, prefix, asked

    def objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with `prefix`.

        Raises:
            StorageError: the server lists out of order, so that nothing built on the order would be right.
        """
        before = b""
        for page in self.pages(is_whole=True, Prefix=self._prefix + prefix):
            for item in page.get("Contents", []):
                found = self._listed(item)
                if found is None:
                    continue
                order = key_order(found.key)
                if order < before:
                    raise StorageError(f"The server lists {found.key} out of order, which the portal cannot work with.")
                before = order
                yield found

    def folder(self, prefix: str, after: str | None, limit: int) -> FolderPage:
        """Return one page of a folder, by one request."""
        full = self._prefix + prefix
        arguments: dict[str, Any] = {"Prefix": full, "Delimiter": "/", "MaxKeys": min(limit, 1000)}
        if after is not None:
            # Behind a sub-folder means behind everything in it.
            ends = _LAST if after.endswith("/") and after != prefix else ""
            arguments["StartAfter"] = self._prefix + after + ends
        page = self._page(**arguments)
        folders = [item["Prefix"][len(self._prefix) :] for item in page.get("CommonPrefixes", [])]
        objects = [found for item in page.get("Contents", []) if (found := self._listed(item)) is not None]
        shown = [name for name in folders if name != TEMPORARY_FOLDER + "/" and name != after]
        last = max([*folders, *(found.key for found in objects)], key=key_order, default=None)
        return FolderPage(tuple(shown), tuple(objects), last if page.get("IsTruncated") else None)

    def among(self, keys: list[str], found: dict[str, ObjectInfo]) -> list[str]:
        """Take what a listing tells of `keys`, which are in order, into `found`; return those it did not come to.

        It ends early where it would pass many other objects on the way.
        """
        wanted, reached = set(keys), ""
        # Right before the first key, so that the listing begins with it.
        start = (self._prefix + keys[0])[:-1]
        arguments: dict[str, Any] = {"StartAfter": start} if start else {}
        size = min(1000, len(keys) + _KEYS_BESIDE)
        for number, page in enumerate(self.pages(Prefix=self._prefix, MaxKeys=size, **arguments), 1):
            for item in page.get("Contents", []):
                info = self._listed(item)
                if info is not None:
                    reached = info.key
                    if reached in wanted:
                        found[reached] = info
            if not page.get("IsTruncated") or (reached and key_order(reached) >= key_order(keys[-1])):
                return []
            if number > 1 + len(keys) // _KEYS_A_PAGE:
                break
        return [key for key in keys if key_order(key) > key_order(reached)]

    def pages(self, *, is_whole: bool = False, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the server's pages, one after the other.

        `is_whole`: all of them are wanted, so from the third on each is asked for while the one before is read.

        Raises:
            StorageError: the server says that there is more, but not how to go on: what came is not all.
        """
        ask = partial(self._call, "list_objects_v2", "s3:ListBucket", "")
        pool = ThreadPoolExecutor(1, thread_name_prefix="list")
        try:
            answer, number = ask(**arguments), 1
            while (token := following(answer)) and token != arguments.get("ContinuationToken"):
                arguments["ContinuationToken"] = token
                ahead = pool.submit(ask, **arguments) if is_whole and number > 1 else None
                yield self._read(answer)
                answer, number = ahead.result() if ahead else ask(**arguments), number + 1
            page = self._read(answer)
            if page.get("IsTruncated"):
                raise StorageError(
                    "The server says that there is more to list, but not how to go on.",
                    hint="It must know ListObjectsV2: update it, or use another one.",
                )
            yield page
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _page(self, **arguments: Any) -> dict[str, Any]:
        """Return one page."""
        return self._read(self._call("list_objects_v2", "s3:ListBucket", "", **arguments))

    def _read(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the page of an answer. A web page that answers 200 would else look like an empty bucket."""
        raw = answer.get(RAW)
        try:
            page = answer if raw is None else read_page(raw, read_timestamp)
        except (ElementTree.ParseError, ValueError, KeyError):
            page = None
        if page is None or not page.keys() & {"IsTruncated", "KeyCount", "Name"}:
            raise from_client(ValueError("no listing"), self._asked)
        return page

    def _listed(self, item: dict[str, Any]) -> ObjectInfo | None:
        """Return one listed object; None for the root's own folder object and the portal's temporaries."""
        key = item["Key"][len(self._prefix) :]
        if not key or key.startswith(TEMPORARY_FOLDER + "/"):
            return None
        return info_of(key, item["Size"], item)


def info_of(key: str, size_bytes: int, answer: dict[str, Any]) -> ObjectInfo:
    """Return what an answer says of an object; a put's says no time."""
    etag = str(answer.get("ETag", "")).strip('"')
    return ObjectInfo(key, size_bytes, answer.get("LastModified"), etag or None)
