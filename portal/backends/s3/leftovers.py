"""What the portal left below a root in a bucket: records of uploads, probes, and uploads of probes."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from portal.backends.base import TEMPORARY_FOLDER
from portal.backends.leftovers import PROBE_FOLDER, Leftover, probe_key
from portal.backends.s3.listing import Listing
from portal.backends.s3.uploads import Caller, abort_upload, is_forgotten
from portal.errors import StorageError


def temporaries(listing: Listing, prefix: str) -> Iterator[Leftover]:
    """Yield the tags that have records of uploads below the root; `prefix` is the root's own, with its slash."""
    newest: dict[str, datetime | None] = {}
    folder = f"{prefix}{TEMPORARY_FOLDER}/"
    for item in _first_page(listing, folder):
        tag = item["Key"][len(folder) :].partition("/")[0]
        newest[tag] = _later(newest.get(tag), item.get("LastModified"))
    yield from (Leftover("temporaries", tag, at) for tag, at in sorted(newest.items()))


def probes(call: Caller, listing: Listing, prefix: str) -> Iterator[Leftover]:
    """Yield the probes below the root, written or being uploaded; not every server tells of uploads."""
    folder = f"{prefix}{PROBE_FOLDER}/"
    newest = {item["Key"][len(folder) :]: item.get("LastModified") for item in _first_page(listing, folder)}
    with suppress(StorageError):
        for item in uploads(call, folder):
            name = item["Key"][len(folder) :]
            newest[name] = _later(newest.get(name), item.get("Initiated"))
    yield from (Leftover("probe", name, at) for name, at in sorted(newest.items()) if name)


def uploads(call: Caller, prefix: str) -> list[dict[str, Any]]:
    """Return the unfinished uploads of full keys that start with `prefix`, a thousand at most."""
    try:
        page = call("list_multipart_uploads", "s3:ListBucketMultipartUploads", "", Prefix=prefix)
    except StorageError as error:
        if is_forgotten(error):
            return []  # some servers say so of a bucket that has none
        raise
    found: list[dict[str, Any]] = [item for item in page.get("Uploads", []) if item["Key"].startswith(prefix)]
    return found


def remove_probe(call: Caller, prefix: str, name: str) -> None:
    """Abort the uploads of a probe, then delete it."""
    key = prefix + probe_key(name)
    with suppress(StorageError):
        for item in uploads(call, key):
            if item["Key"] == key:
                abort_upload(call, key, item["UploadId"])
    call("delete_object", "s3:DeleteObject", key)


def _first_page(listing: Listing, folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(listing.pages(Prefix=folder)).get("Contents", [])
    return found


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)
