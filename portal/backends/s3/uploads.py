"""Ways of putting an object: in one request, or in parts, of which the server may have some already (`records`)."""

import base64
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from portal.backends.base import CHUNK_BYTES
from portal.backends.parts import PART_BYTES, PARTS_AT_ONCE, part_size
from portal.errors import ContentMismatch, StorageError


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
        return part_size(size_bytes, self.part_bytes)


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
    is_first = more = True
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
        if size or is_first:
            del body[size:]
            yield Piece(body, digest.digest() if is_hashed else b"")
        is_first = False


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
    """One upload in parts, from its start, or from where a killed one was, to its last part.

    Attributes:
        completion: once all parts were sent, what is to be said to complete it.
    """

    def __init__(self, call: Caller, key: str, upload_id: str = "") -> None:
        self._call = call
        self.key = key
        # ETags the server has, by number of the part.
        self._there: dict[int, str] = _list_parts(call, key, upload_id) if upload_id else {}
        self.upload_id = upload_id or call("create_multipart_upload", "s3:PutObject", key)["UploadId"]
        self.is_spoiled = False
        self.completion: dict[str, Any] = {}

    def send(
        self, chunks: Iterable[bytes], size_bytes: int, part_bytes: int, *, hashes_parts: bool = True
    ) -> str | None:
        """Send the parts the server lacks, and return the ETag recomputed from all of them.

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
        self.completion = {"UploadId": self.upload_id, "MultipartUpload": {"Parts": parts}}
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
        StorageError: the server knows no such upload any more, or says that there are more but not how to go on.
    """
    found: dict[int, str] = {}
    last, is_more = 0, True
    while is_more:
        marker = {"PartNumberMarker": last} if last else {}
        page = call("list_parts", "s3:ListMultipartUploadParts", key, UploadId=upload_id, **marker)
        found.update({part.get("PartNumber", 0): part.get("ETag", "").strip('"') for part in page.get("Parts", [])})
        before, last = last, int(page.get("NextPartNumberMarker") or 0)
        is_more = bool(page.get("IsTruncated"))
        if is_more and last <= before:
            raise StorageError(f"The server says that there are more parts of {key}, but not how to go on.")
    return found


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
