"""Ways of putting an object: in one request, or in parts with a record that lets a killed upload be gone on with.

Servers keep the parts of an upload that was never finished, and bill them. A listing of unfinished uploads does not say
whose they are, so before the first part a small record `.lamindb/_portal/<tag>/<id>` is put, holding key and upload id.
A later write of the same key with the same tag goes on from the parts the server has, each compared by its MD5;
`remove_temporaries(tag)` aborts exactly what the records name. Killed between two requests, an upload without any part
may stay, which holds no bytes. Writers without a tag keep no record.
"""

import base64
import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from portal.backends.base import CHUNK_BYTES, PART_BYTES, PARTS_AT_ONCE, TEMPORARY_FOLDER
from portal.errors import ContentMismatch, ObjectNotFound, StorageError

#: AWS allows 10,000 parts of at least 5 MiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
MOST_PARTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How objects go up.

    Attributes:
        single_bytes: up to here an object goes up in one request.
        part_bytes: size of a part beyond that; grows so that there are never more than 10,000.
    """

    single_bytes: int = PART_BYTES
    part_bytes: int = PART_BYTES

    def part_size(self, size_bytes: int) -> int:
        """Return the size of the parts of an object, in bytes."""
        return max(self.part_bytes, -(-size_bytes // MOST_PARTS))


class Caller(Protocol):
    """Sends one S3 request and translates its errors."""

    def __call__(self, operation: str, action: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Return the server's answer to `operation` on the full key `key`."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes ready to go, with their MD5 where it was asked for."""

    body: bytearray
    md5: bytes = b""

    @property
    def arguments(self) -> dict[str, str]:
        """Return what goes with the body, so that a server refuses one that was damaged on the way."""
        return {"ContentMD5": base64.b64encode(self.md5).decode()} if self.md5 else {}


def pieces(chunks: Iterable[bytes], piece_bytes: int, *, is_hashed: bool = True) -> Iterator[Piece]:
    """Yield chunks regrouped into pieces of `piece_bytes`, the last one shorter, at least one."""
    source = _cut(chunks, piece_bytes)
    more = True
    while more:
        # No `bytes`: botocore would copy them once more, to send them together with the headers.
        digest, body, size, more = hashlib.md5(usedforsecurity=False), bytearray(piece_bytes), 0, False
        with memoryview(body) as room:
            for chunk in source:
                if is_hashed:
                    digest.update(chunk)
                room[size : size + len(chunk)] = chunk
                size += len(chunk)
                if size == piece_bytes:
                    more = True
                    break
        if size or not more:
            del body[size:]
            yield Piece(body, digest.digest() if is_hashed else b"")


def gathered(key: str, chunks: Iterable[bytes], size_bytes: int) -> bytes:
    """Return the chunks of a small object as one.

    Raises:
        ContentMismatch: they do not sum to `size_bytes`.
    """
    held, size = list[bytes](), 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > size_bytes:
            break
    check_size(key, size, size_bytes)
    return b"".join(held)


def composite(md5s: list[bytes]) -> str:
    """Return the ETag of an upload in parts: the MD5 of the parts' MD5s and their number.

    Source: measured on AWS, Ceph and rclone; AWS documents no more than the form
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
    """
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"


def _cut(chunks: Iterable[bytes], piece_bytes: int) -> Iterator[memoryview]:
    """Yield chunks cut so that none crosses the border between two pieces, and none is larger than a chunk."""
    room = piece_bytes
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            now = view[: min(room, CHUNK_BYTES)]
            yield now
            view = view[len(now) :]
            room = room - len(now) or piece_bytes


def check_size(key: str, found_bytes: int, size_bytes: int) -> None:
    """Refuse content of another size than announced.

    Raises:
        ContentMismatch: as said.
    """
    if found_bytes != size_bytes:
        raise ContentMismatch(
            f"{key} was announced with {size_bytes:,} bytes, but {found_bytes:,} came.",
            hint="The source changed meanwhile: read it again.",
            retryable=True,
        )


class Multipart:
    """One upload in parts, from its start, or from where a killed one was, to its completion."""

    def __init__(self, call: Caller, key: str, upload_id: str = "") -> None:
        self._call = call
        self.key = key
        # ETags the server has, by number of the part.
        self._there: dict[int, str] = _list_parts(call, key, upload_id) if upload_id else {}
        self.upload_id = upload_id or call("create_multipart_upload", "s3:PutObject", key)["UploadId"]
        self.is_spoiled = False

    def send(
        self, chunks: Iterable[bytes], size_bytes: int, part_bytes: int, *, hashes_parts: bool = True
    ) -> str | None:
        """Send the parts the server lacks, complete the upload, and return the ETag recomputed from all of them.

        Without `hashes_parts` it is None, and no part has a Content-MD5, unless a killed upload's parts are there.

        Raises:
            ContentMismatch: the chunks do not sum to `size_bytes`, or a part that was sent earlier is another now.
        """
        sent, md5s = 0, []
        is_hashed = hashes_parts or bool(self._there)
        under_way: deque[Future[str]] = deque()
        etags: list[str] = []
        with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="part") as pool:
            for number, piece in enumerate(pieces(chunks, part_bytes, is_hashed=is_hashed), 1):
                sent += len(piece.body)
                if sent > size_bytes:
                    break
                md5s.append(piece.md5)
                if len(under_way) == PARTS_AT_ONCE - 1:
                    etags.append(under_way.popleft().result())
                under_way.append(pool.submit(self._send, number, piece))
            etags.extend(future.result() for future in under_way)
        check_size(self.key, sent, size_bytes)
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        named = {"UploadId": self.upload_id, "MultipartUpload": {"Parts": parts}}
        self._call("complete_multipart_upload", "s3:PutObject", self.key, **named)
        return composite(md5s) if is_hashed else None

    def _send(self, number: int, piece: Piece) -> str:
        """Return the part's ETag, having sent it unless the server has the very same."""
        there = self._there.get(number)
        if there == piece.md5.hex():
            return there
        if there is not None:
            # Not every server takes a part twice.
            self.is_spoiled = True
            raise ContentMismatch(
                f"{self.key} has changed since a part of it was sent.", hint="Send it anew.", retryable=True
            )
        answer = self._call(
            "upload_part",
            "s3:PutObject",
            self.key,
            UploadId=self.upload_id,
            PartNumber=number,
            Body=piece.body,
            **piece.arguments,
        )
        etag: str = answer["ETag"]
        return etag

    def abort(self) -> bool:
        """Give the parts up; tell whether the server did. Something else failed before, which is what to raise."""
        try:
            abort_upload(self._call, self.key, self.upload_id)
        except StorageError:
            return False
        return True


def _list_parts(call: Caller, key: str, upload_id: str) -> dict[int, str]:
    """Return the ETags of the parts a server has.

    Raises:
        StorageError: the server knows no such upload any more.
    """
    found: dict[int, str] = {}
    marker: dict[str, Any] = {}
    while True:
        page = call("list_parts", "s3:ListMultipartUploadParts", key, UploadId=upload_id, **marker)
        found.update({part["PartNumber"]: part["ETag"].strip('"') for part in page.get("Parts", [])})
        following = page.get("NextPartNumberMarker")
        if not page.get("IsTruncated") or not following:
            return found
        marker = {"PartNumberMarker": following}


def abort_upload(call: Caller, key: str, upload_id: str) -> None:
    """Abort an unfinished upload; one that is gone or finished is fine."""
    try:
        call("abort_multipart_upload", "s3:AbortMultipartUpload", key, UploadId=upload_id)
    except StorageError as error:
        if not is_forgotten(error):
            raise


def is_forgotten(error: StorageError) -> bool:
    """Tell whether the server knows no such upload (any more)."""
    return "NoSuchUpload" in (error.server_message or "")


class Records:
    """The records of uploads under way, below one root. `prefix` is the root's own, with its slash."""

    def __init__(self, call: Caller, prefix: str) -> None:
        self._call = call
        self._prefix = prefix

    def folder(self, tag: str) -> str:
        """Return the full key prefix of a tag's records."""
        return f"{self._prefix}{TEMPORARY_FOLDER}/{tag}/"

    @contextmanager
    def kept(self, tag: str, key: str) -> Iterator[Multipart]:
        """Give the upload of a key, a killed one's where the tag has one, and keep a record while it runs.

        After an error that passes the record stays, so that the next write goes on; after any other the upload is
        aborted. Where that is refused the record stays too, for `remove_temporaries` to try again.
        """
        record = self.folder(tag) + hashlib.sha256(key.encode()).hexdigest()[:32] if tag else ""
        upload = self._begun(record, key) or self._begin(record, key)
        try:
            yield upload
        except BaseException as error:
            goes_on = bool(tag) and getattr(error, "retryable", False) and not upload.is_spoiled
            if not goes_on and upload.abort():
                self._remove(record)
            raise
        self._remove(record)

    def _begin(self, record: str, key: str) -> Multipart:
        upload = Multipart(self._call, key)
        if record:
            body = json.dumps({"key": key, "upload_id": upload.upload_id}).encode()
            try:
                self._call("put_object", "s3:PutObject", record, Body=body)
            except BaseException:
                upload.abort()
                raise
        return upload

    def _begun(self, record: str, key: str) -> Multipart | None:
        """Return the upload that a record tells of, if the server still knows it."""
        if not record:
            return None
        upload_id = ""
        try:
            named, upload_id = self._read(record)
            return Multipart(self._call, key, upload_id) if named == key and upload_id else None
        except ObjectNotFound:
            return None
        except StorageError as error:
            if error.retryable and not is_forgotten(error):
                raise
        # The server cannot list parts, or has given the upload up: begin anew.
        with suppress(StorageError):
            abort_upload(self._call, key, upload_id)
        return None

    def _read(self, record: str) -> tuple[str, str]:
        """Return key and upload id of a record; empty where it is none."""
        answer = self._call("get_object", "s3:GetObject", record)
        try:
            said = json.loads(answer["Body"].read(64 * 1024))
            return str(said["key"]), str(said["upload_id"])
        except (ValueError, KeyError, TypeError):
            return "", ""

    def _remove(self, record: str) -> None:
        if record:
            with suppress(StorageError):
                self._call("delete_object", "s3:DeleteObject", record)

    def abort(self, record: str) -> None:
        """Abort the upload that a record names, then remove the record. Only keys below this root are touched."""
        key, upload_id = self._read(record)
        if upload_id and key.startswith(self._prefix):
            abort_upload(self._call, key, upload_id)
        self._call("delete_object", "s3:DeleteObject", record)
