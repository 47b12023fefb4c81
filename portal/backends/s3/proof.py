"""Tries which checksums of an S3 server are evidence. Some servers echo whatever they are told: those prove nothing.

The portal never tells a server the MD5 it expects back: it compares the ETag with its own afterwards. That is evidence
where the ETag is the MD5 of what arrived, and where the server looks at all: it must refuse a wrong Content-MD5.
"""

import base64
import hashlib
import secrets
from contextlib import suppress
from typing import Any, Final

from portal.backends.base import Proof
from portal.backends.leftovers import checksum_probe, probe_key
from portal.backends.s3.leftovers import remove_probe
from portal.backends.s3.uploads import Caller, composite
from portal.errors import ContentMismatch, StorageError

#: The smallest part that is not the last one (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
_PART_BYTES: Final = 5 * 1024 * 1024

_SMALL_BYTES: Final = 1024


def prove(call: Caller, prefix: str, token: str) -> Proof:
    """Return what the ETags of new objects are evidence of, tried with 5 MiB below `.lamindb/_probe/`.

    One key a token, which is freed first of what a killed try has left. What goes wrong is no evidence and no error:
    then everything is read back.
    """
    name = checksum_probe(token)
    key = prefix + probe_key(name)
    try:
        remove_probe(call, prefix, name)
        if reason := _try_single(call, key):
            return Proof(reason=reason)
        return _try_parts(call, key)
    except StorageError as error:
        return Proof(reason=f"Checksums could not be tried: {error.message}")
    finally:
        with suppress(StorageError):
            call("delete_object", "s3:DeleteObject", key)


def _try_single(call: Caller, key: str) -> str:
    """Return why the ETag of an object put in one request proves nothing; empty where it does."""
    content = secrets.token_bytes(_SMALL_BYTES)
    call("put_object", "s3:PutObject", key, Body=content)
    if _etag(call("head_object", "s3:GetObject", key)) != _md5(content).hexdigest():
        return "This server's ETags are not MD5s (encrypted buckets have others)."
    if not _is_refused(call, "put_object", key, Body=content, ContentMD5=_wrong(content)):
        return "This server takes content with a wrong MD5."
    return ""


def _try_parts(call: Caller, key: str) -> Proof:
    """Return what the ETag of an upload in parts proves, besides that of an object put in one request."""
    if _takes_wrong_part(call, key):
        return Proof(has_md5=True, reason="This server takes parts with a wrong MD5.")
    parts = [secrets.token_bytes(_PART_BYTES), secrets.token_bytes(_SMALL_BYTES)]
    upload_id = call("create_multipart_upload", "s3:PutObject", key)["UploadId"]
    try:
        sent = [
            {"PartNumber": number, "ETag": _send(call, key, upload_id, number, body)}
            for number, body in enumerate(parts, 1)
        ]
        call("complete_multipart_upload", "s3:PutObject", key, UploadId=upload_id, MultipartUpload={"Parts": sent})
    except BaseException:
        _abort(call, key, upload_id)
        raise
    etag = _etag(call("head_object", "s3:GetObject", key))
    if etag == composite([_md5(part).digest() for part in parts]):
        return Proof(has_md5=True, has_parts=True, is_composite=True)
    # Some servers hash the whole object at the end, which is as good.
    if etag == _md5(b"".join(parts)).hexdigest():
        return Proof(has_md5=True, has_parts=True)
    return Proof(has_md5=True, reason="The ETags of this server's uploads in parts are not made of MD5s.")


def _takes_wrong_part(call: Caller, key: str) -> bool:
    """Tell whether a part with a wrong MD5 is taken. In an upload of its own: it may spoil the whole."""
    upload_id = call("create_multipart_upload", "s3:PutObject", key)["UploadId"]
    body = secrets.token_bytes(_SMALL_BYTES)
    try:
        named = {"UploadId": upload_id, "PartNumber": 1, "Body": body, "ContentMD5": _wrong(body)}
        return not _is_refused(call, "upload_part", key, **named)
    finally:
        _abort(call, key, upload_id)


def _send(call: Caller, key: str, upload_id: str, number: int, body: bytes) -> str:
    named = {"UploadId": upload_id, "PartNumber": number, "Body": body}
    etag: str = call("upload_part", "s3:PutObject", key, **named)["ETag"]
    return etag


def _is_refused(call: Caller, operation: str, key: str, **arguments: Any) -> bool:
    try:
        call(operation, "s3:PutObject", key, **arguments)
    except ContentMismatch:
        return True
    except StorageError as error:
        if error.retryable or error.missing_action:
            raise
        return True
    return False


def _abort(call: Caller, key: str, upload_id: str) -> None:
    with suppress(StorageError):
        call("abort_multipart_upload", "s3:AbortMultipartUpload", key, UploadId=upload_id)


def _etag(answer: dict[str, Any]) -> str:
    return str(answer.get("ETag", "")).strip('"')


def _md5(data: bytes) -> Any:
    return hashlib.md5(data, usedforsecurity=False)


def _wrong(data: bytes) -> str:
    """Return the Content-MD5 of other content."""
    return base64.b64encode(_md5(data + b"!").digest()).decode()
