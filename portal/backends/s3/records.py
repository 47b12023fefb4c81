"""Records of uploads in parts under way, by which a killed one is gone on with, or aborted.

Servers keep the parts of an upload that was never finished, and bill them. A listing of unfinished uploads does not say
whose they are, so before the first part a small record `.lamindb/_portal/<tag>/<id>` is put, holding key and upload id.
A later write of the same key with the same tag goes on from the parts the server has, each compared by its MD5;
`remove_temporaries(tag)` aborts exactly what the records name. Killed between two requests, an upload without any part
may stay, which holds no bytes. Writers without a tag keep no record.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

from portal.backends.base import TEMPORARY_FOLDER
from portal.backends.s3.streams import BodyStream
from portal.backends.s3.uploads import Caller, Multipart, abort_upload, is_forgotten
from portal.errors import BrokenOff, ObjectNotFound, StorageError

#: A record is never longer: a key has at most 1,024 bytes.
_RECORD_BYTES: Final = 64 * 1024


class Records:
    """The records of uploads under way, below one root.

    `open_body` opens an object by its full key; `prefix` is the root's own, with its slash.
    """

    def __init__(
        self, call: Caller, open_body: Callable[[str], AbstractContextManager[BodyStream]], prefix: str
    ) -> None:
        self._call, self._open, self._prefix = call, open_body, prefix

    def folder(self, tag: str) -> str:
        """Return the full key prefix of a tag's records."""
        return f"{self._prefix}{TEMPORARY_FOLDER}/{tag}/"

    @contextmanager
    def kept(self, tag: str, key: str) -> Iterator[Multipart]:
        """Give the upload of a key, a killed one's where the tag has one, and keep a record while it runs.

        After an interruption or an error that passes the record stays, so that the next write goes on; after any other
        the upload is aborted. Where that is refused the record stays too, for `remove_temporaries` to try again.
        """
        record = self.folder(tag) + hashlib.sha256(key.encode()).hexdigest()[:32] if tag else ""
        upload = self._begun(record, key) or self._begin(record, key)
        try:
            yield upload
        except BaseException as error:
            passes = isinstance(error, BrokenOff) or (isinstance(error, StorageError) and error.retryable)
            goes_on = bool(tag) and passes and not upload.is_spoiled
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
        """Return key and upload id of a record; empty where it is none.

        Raises:
            StorageError: it could not be read whole, so that nobody knows.
        """
        with self._open(record) as stream:
            text = stream.read() if stream.size_bytes <= _RECORD_BYTES else b""
        try:
            said = json.loads(text)
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
