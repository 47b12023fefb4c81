"""The quick way for small objects: obstore, whose requests cost a tenth of botocore's processor time.

It only ever saves time. What it does not do exactly as asked goes to botocore, which also repeats whatever failed here
and says why; so no error leaves this file. Not for listings: obstore drops a key's trailing slash without a word.

obstore follows a server's redirects when it reads, to any host, without the signature. So a body counts only when its
MD5 is the one a listing told before: who redirects to something secret cannot know that.

It looks names up by itself, too, and offers no place to judge what they lead to. So it serves only where that is no
matter: AWS, names an admin listed, and https, where no other server than the name's own has its certificate.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

from portal.backends.base import ObjectInfo, S3Access, Timeouts
from portal.values import ConnectionKind, is_md5

#: Larger objects are few, so that the cost of a request does not matter.
QUICK_BYTES: Final = 1024 * 1024


def can_name(key: str) -> bool:
    """Tell whether obstore asks for exactly this key: it refuses `a//b`, `.`, control characters, and cuts `a/`."""
    return all(part not in {"", ".", ".."} for part in key.split("/")) and key.isprintable()


class _GivingUp:
    """A block that is left over whatever goes wrong in it.

    Attributes:
        is_for_good: obstore has panicked, as it does where no file handle is left to begin with. Whatever is asked of
            it later in this process panics too.
    """

    def __init__(self) -> None:
        self.is_for_good = False

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        # Known by name alone: nobody can import it. It is no Exception, and would not survive the trip to the runner.
        if kind is not None and kind.__name__ == "PanicException":
            self.is_for_good = True
            return True
        return kind is not None and issubclass(kind, Exception)


class Quick:
    """One bucket. Serves any number of threads. `open_copies` opens it for copies from another bucket."""

    def __init__(self, store: Any, open_copies: Callable[[str], Any]) -> None:
        self._store = store
        self._copies = lru_cache(maxsize=16)(open_copies)
        self._giving_up = _GivingUp()

    def get(self, key: str, seen: ObjectInfo) -> bytes | None:
        """Return a small object's content if it is the one that was seen; None to ask the slow way."""
        if self._giving_up.is_for_good or seen.size_bytes > QUICK_BYTES or not is_md5(seen.etag) or not can_name(key):
            return None
        # Whatever goes wrong is done again by botocore, which knows its name.
        with self._giving_up:
            found = self._store.get(key)
            # It may have grown to any size since, and `bytes` takes all of it into memory.
            if found.meta["size"] != seen.size_bytes:
                return None
            data = found.bytes().to_bytes()
            if hashlib.md5(data, usedforsecurity=False).hexdigest() == seen.etag:
                return bytes(data)
        return None

    def put(self, key: str, data: bytes) -> str | None:
        """Create a small object and return the ETag the server gave; None to try the slow way."""
        if self._giving_up.is_for_good or not can_name(key):
            return None
        with self._giving_up:
            answer = self._store.put(key, data, mode="create", use_multipart=False)
            return (answer["e_tag"] or "").strip('"') or None
        return None

    def copy(self, bucket: str, key: str, target_key: str) -> bool:
        """Have the server copy a small object of another bucket, where it knows conditions only if nothing is there.

        False to try the slow way: something is there already, or it did not work.
        """
        if self._giving_up.is_for_good or not (can_name(key) and can_name(target_key)):
            return False
        with self._giving_up:
            self._copies(bucket).copy(key, target_key, overwrite=False)
            return True
        return False

    def copy_seen(self, bucket: str, key: str, target_key: str) -> str | None:
        """Copy with a look before and one after; return the ETag of the copy, None to try the slow way."""
        if self._giving_up.is_for_good:
            return None
        with self._giving_up:
            if can_name(target_key) and self._etag(target_key) is None and self.copy(bucket, key, target_key):
                return self._etag(target_key)
        return None

    def _etag(self, key: str) -> str | None:
        try:
            return (self._store.head(key)["e_tag"] or "").strip('"')
        except FileNotFoundError:
            return None


def _may_look_up(access: S3Access, endpoint_url: str | None) -> bool:
    """Tell whether a client that judges no address may look the endpoint's name up."""
    return (
        endpoint_url is None
        or endpoint_url.lower().startswith("https://")
        or access.guard is None
        or access.guard.trusts_name
    )


def _credentials(access: S3Access) -> Any:
    """Return the key as obstore asks for it. Told as two words, a session token of the environment would go with it."""
    key = {"access_key_id": access.access_key_id, "secret_access_key": access.secret_access_key}
    return {**key, "token": None, "expires_at": None}


def _place(bucket: str, region: str, endpoint_url: str | None) -> dict[str, Any]:
    """Return where obstore asks. AWS is named too: else a variable of the environment could name another host."""
    if endpoint_url is not None:
        return {"endpoint": endpoint_url, "virtual_hosted_style_request": False}
    host = f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    # The certificate of AWS holds for one more name before the host, so not for a bucket with a dot in its own.
    if "." in bucket:
        return {"endpoint": f"https://{host}", "virtual_hosted_style_request": False}
    return {"endpoint": f"https://{bucket}.{host}", "virtual_hosted_style_request": True}


def _as_host(bucket: str, place: dict[str, Any]) -> dict[str, Any]:
    """Return the place of a bucket with its name in the address, so that a copy may come from a bucket of another name.

    obstore takes the bucket it is told for what CopyObject copies from, and an address of this form as it is.
    """
    address = place["endpoint"].rstrip("/")
    if not place["virtual_hosted_style_request"]:
        address = f"{address}/{bucket}"
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    condition = "header: If-None-Match: *"
    return {"endpoint": address, "virtual_hosted_style_request": True, "copy_if_not_exists": condition}


@lru_cache(maxsize=16)
def open_quick(
    bucket: str, access: S3Access, region: str, endpoint_url: str | None, timeouts: Timeouts
) -> Quick | None:
    """Return the quick way into a bucket; None without an access key, or where obstore cannot be set up or trusted."""
    if access.kind is not ConnectionKind.ACCESS_KEY or not _may_look_up(access, endpoint_url):
        return None
    from obstore.store import S3Store

    def opened(named: str, **place: Any) -> Any:
        return S3Store(
            named,
            credential_provider=lambda: _credentials(access),
            region=region,
            **place,
            # One try: the second one is botocore's.
            retry_config={"max_retries": 0},
            client_options={
                "allow_http": bool(endpoint_url and endpoint_url.startswith("http://")),
                "connect_timeout": f"{timeouts.connect_seconds:g}s",
                "timeout": f"{timeouts.read_seconds:g}s",
            },
        )

    place = _place(bucket, region, endpoint_url)
    with _GivingUp():
        return Quick(opened(bucket, **place), lambda source: opened(source, **_as_host(bucket, place)))
    return None
