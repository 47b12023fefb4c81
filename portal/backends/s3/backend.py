"""The backend of S3 roots."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from portal.backends.base import (
    INTERACTIVE,
    Backend,
    Capabilities,
    FolderPage,
    ObjectInfo,
    Proof,
    Readable,
    S3Access,
    Timeouts,
    check_length,
    check_tag,
    key_order,
    key_parts,
)
from portal.backends.diskless import Diskless
from portal.backends.leftovers import Leftover
from portal.backends.s3.client import FIRST_REGION, make_client, shared_client
from portal.backends.s3.copies import Copies
from portal.backends.s3.errors import Asked, check_told, from_client, translated
from portal.backends.s3.leftovers import probes, remove_probe, temporaries
from portal.backends.s3.listing import Listing, info_of
from portal.backends.s3.proof import prove
from portal.backends.s3.quick import QUICK_BYTES, open_quick
from portal.backends.s3.records import Records
from portal.backends.s3.streams import BodyStream
from portal.backends.s3.uploads import Multipart, UploadOptions, check_size, gathered, pieces
from portal.errors import ObjectExists, ObjectNotFound, StorageError
from portal.values import ConnectionKind, Root

#: AWS: a key has at most 1,024 bytes (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
_KEY_BYTES: Final = 1024

#: So many keys are asked for one by one; more by a listing.
_FEW_KEYS: Final = 4


class S3Backend(Diskless):
    """A bucket, or a folder in one. One client serves any number of threads."""

    def __init__(
        self,
        root: Root,
        access: S3Access | None = None,
        *,
        timeouts: Timeouts = INTERACTIVE,
        tag: str = "",
        options: UploadOptions | None = None,
    ) -> None:
        self.root = root
        access = access or S3Access(ConnectionKind.AMBIENT)
        self._endpoint_url = access.endpoint_url or root.endpoint_url
        self._region = access.region or FIRST_REGION
        self._secret = access.secret_access_key
        self._prefix = f"{root.path}/" if root.path else ""
        self._tag = check_tag(tag)
        self._options = options or UploadOptions()
        # Operations that turned out to know no conditions here.
        self._unconditional: set[str] = set()
        self._records = Records(self._call, self._open_body, self._prefix)
        self._listing = Listing(self._call, self._prefix, self._asked("s3:ListBucket", ""))
        self.capabilities = Capabilities(
            max_key_bytes=_KEY_BYTES - len(self._prefix.encode()),
            can_write=access.kind is not ConnectionKind.ANONYMOUS,
            has_md5_etag=True,
            is_protected=not (self._endpoint_url or "").lower().startswith("http://"),
        )
        # Where a person waits the first refusal is told at once, in botocore's words.
        self._is_bulk = timeouts.attempts > 1
        way = (access, self._region, self._endpoint_url, timeouts)
        self._quick = open_quick(root.bucket, *way) if self._is_bulk else None
        self._copies = Copies(self._call, self._prefix, self._quick, self.infos)
        make = shared_client if self._is_bulk else make_client
        try:
            self._client = make(access, self._endpoint_url, timeouts)
        except (BotoCoreError, ValueError) as error:
            raise from_client(error, self._asked("s3:ListBucket", "")) from None

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with `prefix`, in byte order, a page of 1,000 at a time.

        Raises:
            StorageError: the server lists out of order, so that nothing built on the order would be right.
        """
        return self._listing.objects(prefix)

    def list_skipped(self) -> Iterator[tuple[str, str]]:
        """Yield the root's own folder object, whose key would be empty, where there is one."""
        if self._prefix and self._head(self._prefix) is not None:
            yield "", "It is the folder object of the root itself."

    def list_folder(self, prefix: str = "", *, after: str | None = None, limit: int = 200) -> FolderPage:
        """Return one page of a folder, by one request."""
        return self._listing.folder(prefix, after, limit)

    def info(self, key: str) -> ObjectInfo | None:
        """Return what a HEAD tells; None when there is no such object (or no such bucket: listing tells that)."""
        key_parts(key)
        answer = self._head(self._prefix + key)
        return None if answer is None else info_of(key, answer["ContentLength"], answer)

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        """Return what is known of many objects: by a listing over their range, by HEADs where that would pass others.

        A listing tells times to the millisecond, a HEAD to the second: compare by ETag.
        """
        left = sorted({key for key in keys if key_parts(key)}, key=key_order)
        found: dict[str, ObjectInfo] = {}
        if len(left) > _FEW_KEYS:
            left = self._listing.among(left, found)
        for key in left:
            if (info := self.info(key)) is not None:
                found[key] = info
        return found

    @contextmanager
    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> Iterator[Readable]:
        """Open an object for streaming.

        Raises:
            ObjectNotFound: no object has this key.
        """
        key_parts(key)
        full = self._prefix + key
        data = self._quick.get(full, seen) if self._quick and seen else None
        if data is not None:
            yield BytesIO(data)
            return
        with self._open_body(full) as stream:
            yield stream

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        """Create an object, all of it or nothing.

        Not every server knows conditional puts, so a look comes first; two writers of one key that start within the
        same instant can then both succeed there.
        """
        key_parts(key)
        check_length(key, self.capabilities.max_key_bytes)
        full = self._prefix + key
        # A look of minutes ago is trusted for small objects only: there are many, and they are soon written.
        if not in_bulk or size_bytes > QUICK_BYTES:
            self._refuse_taken(key)
        if size_bytes > self._options.single_bytes:
            return self._write_parts(key, chunks, size_bytes, hashes_parts=not compares_md5)
        if self._quick and size_bytes <= QUICK_BYTES:
            body = gathered(key, chunks, size_bytes)
            if (etag := self._quick.put(full, body)) is not None:
                return ObjectInfo(key, size_bytes, None, etag)
            chunks = [body]
        # One byte of room more than announced, so that too much content is seen.
        for piece in pieces(chunks, size_bytes + 1):
            check_size(key, len(piece.body), size_bytes)
            try:
                answer = self._create("put_object", full, Body=piece.body, **piece.arguments)
            except ObjectExists:
                # Nothing was there a moment ago: an earlier try may have arrived, and only its answer was lost.
                there = self.info(key) if in_bulk else None
                if there is None or there.etag != piece.md5.hex():
                    raise
                return there
            return info_of(key, size_bytes, answer)
        raise StorageError(f"{key} has no content.")

    def shares_server(self, other: Backend) -> bool:
        """Tell whether both buckets have the same endpoint."""
        return isinstance(other, S3Backend) and other._endpoint_url == self._endpoint_url

    def copy_from(self, source: Backend, seen: ObjectInfo, key: str, *, in_bulk: bool = False) -> ObjectInfo | None:
        """Copy by CopyObject, from a bucket of the same endpoint that this root's access reads; None to stream."""
        if not isinstance(source, S3Backend) or not self.shares_server(source):
            return None
        return self._copies.make(source.root.bucket, source._prefix + seen.key, seen, key, in_bulk=in_bulk)

    def flush(self) -> dict[str, StorageError]:
        """Look at the copies that were made in bulk."""
        return self._copies.flush()

    def prove(self, token: str) -> Proof:
        """Try whether ETags are MD5s that the server computes, in one request and in parts."""
        return prove(self._call, self._prefix, token)

    def replace(self, key: str, data: bytes) -> ObjectInfo:
        """Write a small object whatever is under the key."""
        key_parts(key)
        for piece in pieces([data], len(data) + 1):
            full = self._prefix + key
            answer = self._call("put_object", "s3:PutObject", full, Body=piece.body, **piece.arguments)
            return info_of(key, len(data), answer)
        raise StorageError(f"{key} has no content.")

    def delete(self, key: str) -> None:
        """Delete one object; in a bucket with versions its older versions stay."""
        key_parts(key)
        try:
            self._call("delete_object", "s3:DeleteObject", self._prefix + key)
        except ObjectNotFound:
            return

    def remove_temporaries(self, tag: str, *, keeps_uploads: bool = False) -> int:
        """Abort the unfinished uploads that `tag`'s records name; return how many records there were."""
        if keeps_uploads or not check_tag(tag):
            return 0
        count = 0
        for page in self._listing.pages(Prefix=self._records.folder(tag)):
            for item in page.get("Contents", []):
                self._records.abort(item["Key"])
                count += 1
        return count

    def list_leftovers(self) -> Iterator[Leftover]:
        """Yield tags of unfinished uploads, and probes."""
        yield from temporaries(self._listing, self._prefix)
        yield from probes(self._call, self._listing, self._prefix)

    def remove_probe(self, name: str) -> None:
        """Remove a probe and its uploads."""
        remove_probe(self._call, self._prefix, name)

    def close(self) -> None:
        """Close the connections; those of bulk work stay for the next shard."""
        if not self._is_bulk:
            self._client.close()

    @contextmanager
    def _open_body(self, full: str) -> Iterator[BodyStream]:
        answer = self._call("get_object", "s3:GetObject", full)
        try:
            yield BodyStream(answer["Body"], answer["ContentLength"], self._asked("s3:GetObject", full))
        finally:
            answer["Body"].close()

    def _write_parts(self, key: str, chunks: Iterable[bytes], size_bytes: int, *, hashes_parts: bool) -> ObjectInfo:
        """Upload in parts, going on with what a killed writer left, and look at what came of it."""
        full = self._prefix + key
        with self._records.kept(self._tag, full) as upload:
            parts_etag = upload.send(chunks, size_bytes, self._options.part_size(size_bytes), hashes_parts=hashes_parts)
            self._complete(key, upload, parts_etag)
        written = self.info(key)
        if written is None:
            raise ObjectNotFound(f"{key} was written, but the server does not know it.", retryable=True)
        check_size(key, written.size_bytes, size_bytes)
        return replace(written, parts_etag=parts_etag)

    def _complete(self, key: str, upload: Multipart, parts_etag: str | None) -> None:
        """Complete an upload if nothing has come under its key meanwhile: the parts may have taken hours."""
        self._refuse_taken(key)
        try:
            self._create("complete_multipart_upload", self._prefix + key, **upload.completion)
        except ObjectExists:
            # An earlier try may have arrived, and only its answer was lost.
            there = self.info(key)
            if there is None or parts_etag is None or there.etag != parts_etag:
                raise

    def _refuse_taken(self, key: str) -> None:
        if self._head(self._prefix + key) is not None:
            raise ObjectExists(f"There is something under the key {key} already. Nothing was changed.")

    def _create(self, operation: str, full: str, **arguments: Any) -> dict[str, Any]:
        """Make an object on the condition that there is none, as far as the server knows conditions."""
        if operation not in self._unconditional:
            try:
                return self._call(operation, "s3:PutObject", full, IfNoneMatch="*", **arguments)
            except StorageError as error:
                if "NotImplemented" not in (error.server_message or ""):
                    raise
                self._unconditional.add(operation)
        return self._call(operation, "s3:PutObject", full, **arguments)

    def _head(self, full: str) -> dict[str, Any] | None:
        """Return a HEAD's answer; None for no such object. An answer to HEAD has no words: a GET asks for them."""
        try:
            return self._call("head_object", "s3:GetObject", full)
        except ObjectNotFound:
            return None
        except StorageError as error:
            if error.retryable:
                raise
            return self._explained(full, error)

    def _explained(self, full: str, refusal: StorageError) -> dict[str, Any] | None:
        """Ask for one byte by GET to learn why a HEAD was refused."""
        try:
            answer = self._call("get_object", "s3:GetObject", full, Range="bytes=0-0")
        except ObjectNotFound:
            return None
        answer["Body"].close()
        raise refusal

    def _asked(self, action: str, full: str) -> Asked:
        endpoint = self._endpoint_url or "https://s3.amazonaws.com"
        return Asked(action, self.root.bucket, full, self._region, endpoint, self._secret)

    def _call(self, operation: str, action: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Send one request; every vendor exception ends here."""
        if key:
            arguments["Key"] = key
        with translated(self._asked(action, key)):
            answer: dict[str, Any] = getattr(self._client, operation)(Bucket=self.root.bucket, **arguments)
            check_told(operation, answer)
        return answer
