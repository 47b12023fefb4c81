"""Ways of putting an object: in one request, or in parts with a record that lets a killed upload be found.

Servers keep the parts of an upload that was never finished, and bill them. A listing of unfinished uploads does not say
whose they are, so before the first part a small record `.lamindb/_portal/<tag>/<id>` is put, holding key and upload id;
`remove_temporaries(tag)` aborts exactly what the records name. Killed between two requests, an upload without any part
may stay, which holds no bytes. Writers without a tag keep no record.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, Protocol

from portal.backends.base import CHUNK_BYTES, TEMPORARY_FOLDER
from portal.errors import ContentMismatch, StorageError

#: AWS allows 10,000 parts of at least 5 MiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
MOST_PARTS: Final = 10_000

#: A part waits in memory up to here, beyond it in a temporary file: many threads write at once.
_IN_MEMORY_BYTES: Final = 8 * CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How objects go up.

    Attributes:
        single_bytes: up to here an object goes up in one request.
        part_bytes: size of a part beyond that; grows so that there are never more than 10,000.
    """

    single_bytes: int = 64 * 1024 * 1024
    part_bytes: int = 32 * 1024 * 1024

    def part_size(self, size_bytes: int) -> int:
        """Return the size of the parts of an object, in bytes."""
        return max(self.part_bytes, -(-size_bytes // MOST_PARTS))


class Caller(Protocol):
    """Sends one S3 request and translates its errors."""

    def __call__(self, operation: str, action: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Return the server's answer to `operation` on the full key `key`."""
        ...


@dataclass(slots=True)
class Piece:
    """Some bytes ready to go: a file at its start, their number and their MD5 as Content-MD5 wants it."""

    body: IO[bytes]
    size_bytes: int
    md5: str


def pieces(chunks: Iterable[bytes], piece_bytes: int) -> Iterator[Piece]:
    """Yield chunks regrouped into pieces of `piece_bytes`, the last one shorter, at least one.

    A piece's body is closed when the next one is asked for.
    """
    source = _cut(chunks, piece_bytes)
    more = True
    while more:
        with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
            digest, size, more = hashlib.md5(usedforsecurity=False), 0, False
            for chunk in source:
                body.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if size == piece_bytes:
                    more = True
                    break
            if size or not more:
                body.seek(0)
                yield Piece(body, size, base64.b64encode(digest.digest()).decode())


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
    """One upload in parts, from its start to its completion or abortion."""

    def __init__(self, call: Caller, key: str) -> None:
        self._call = call
        self.key = key
        self._parts: list[dict[str, Any]] = []
        started = call("create_multipart_upload", "s3:PutObject", key)
        self.upload_id: str = started["UploadId"]

    def send(self, chunks: Iterable[bytes], size_bytes: int, part_bytes: int) -> None:
        """Send all parts and complete the upload.

        Raises:
            ContentMismatch: the chunks do not sum to `size_bytes`.
        """
        sent = 0
        for piece in pieces(chunks, part_bytes):
            sent += piece.size_bytes
            if sent > size_bytes:
                break
            if piece.size_bytes:
                self._send(piece)
        check_size(self.key, sent, size_bytes)
        listed = {"Parts": self._parts}
        named = {"UploadId": self.upload_id, "MultipartUpload": listed}
        self._call("complete_multipart_upload", "s3:PutObject", self.key, **named)

    def _send(self, piece: Piece) -> None:
        number = len(self._parts) + 1
        answer = self._call(
            "upload_part",
            "s3:PutObject",
            self.key,
            UploadId=self.upload_id,
            PartNumber=number,
            Body=piece.body,
            ContentMD5=piece.md5,
        )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def abort(self) -> bool:
        """Give the parts up; tell whether the server did. Something else failed before, which is what to raise."""
        try:
            abort_upload(self._call, self.key, self.upload_id)
        except StorageError:
            return False
        return True


def abort_upload(call: Caller, key: str, upload_id: str) -> None:
    """Abort an unfinished upload; one that is gone or finished is fine."""
    try:
        call("abort_multipart_upload", "s3:AbortMultipartUpload", key, UploadId=upload_id)
    except StorageError as error:
        if "NoSuchUpload" not in (error.server_message or ""):
            raise


class Records:
    """The records of uploads under way, below one root. `prefix` is the root's own, with its slash."""

    def __init__(self, call: Caller, prefix: str) -> None:
        self._call = call
        self._prefix = prefix

    def folder(self, tag: str) -> str:
        """Return the full key prefix of a tag's records."""
        return f"{self._prefix}{TEMPORARY_FOLDER}/{tag}/"

    @contextmanager
    def kept(self, tag: str, upload: Multipart) -> Iterator[None]:
        """Keep a record while an upload runs, and abort the upload on any error. Without a tag there is no record.

        Where aborting or deleting is refused the record stays, for `remove_temporaries` to try again.
        """
        record = self.folder(tag) + secrets.token_hex(16) if tag else ""
        body = json.dumps({"key": upload.key, "upload_id": upload.upload_id}).encode()
        try:
            if record:
                self._call("put_object", "s3:PutObject", record, Body=body)
            yield
        except BaseException:
            if upload.abort():
                self._remove(record)
            raise
        self._remove(record)

    def _remove(self, record: str) -> None:
        if record:
            with suppress(StorageError):
                self._call("delete_object", "s3:DeleteObject", record)

    def abort(self, record: str) -> None:
        """Abort the upload that a record names, then remove the record. Only keys below this root are touched."""
        answer = self._call("get_object", "s3:GetObject", record)
        try:
            said = json.loads(answer["Body"].read(64 * 1024))
            key, upload_id = str(said["key"]), str(said["upload_id"])
        except (ValueError, KeyError, TypeError):
            key = upload_id = ""
        if upload_id and key.startswith(self._prefix):
            abort_upload(self._call, key, upload_id)
        self._call("delete_object", "s3:DeleteObject", record)
