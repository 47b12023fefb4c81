"""A little S3 server in this process that keeps objects in memory and can be told to misbehave.

It does what rclone, the server of most tests, does not: it knows `If-None-Match` on a put and on the completion of an
upload, gives uploads in parts the ETag that AWS gives, and breaks off, loses answers or is busy when it is asked to.
"""

import hashlib
import socket
import struct
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from portal.backends.base import S3Access
from portal.values import ConnectionKind, Root, StorageType
from tests.loopback import Loopback

#: Of every test server without real credentials.
ACCESS = S3Access(ConnectionKind.ACCESS_KEY, "AKIAEXAMPLEEXAMPLE00", "the-secret-itself")


@dataclass
class Upload:
    """An unfinished upload: its full key and the parts it has."""

    key: str
    parts: dict[int, bytes] = field(default_factory=dict)


class SmallS3(Loopback):
    """One bucket. Everything may be looked at and changed while it runs; keys are full ones.

    Attributes:
        asked: of every request the method, the key and the query.
        keys_a_page: a listing's page has no more; None for what was asked.
        is_version_1: listings are answered as ListObjects answers, whatever was asked.
        knows_conditions: else `If-None-Match` is passed over, or refused as unknown where it `refuses_conditions`.
        keeps_uploads: a completed upload can be completed again.
        loses_answers: the next write of these keys is done, and then the connection breaks.
        breaks_off: so many bytes of these objects are sent, and no more; with a reset where it is `resets`.
        hides: a header, or an element, that no answer has; without Content-Length it comes in chunks.
        busy: writes of these keys are answered 503, with `retry_after`.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.uploads: dict[str, Upload] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.keys_a_page: int | None = None
        self.is_version_1 = self.resets = self.refuses_conditions = self.keeps_uploads = False
        self.knows_conditions = True
        self.loses_answers: set[str] = set()
        self.breaks_off: dict[str, int] = {}
        self.busy: set[str] = set()
        self.retry_after, self.hides = "1", ""
        self.lock = Lock()
        super().__init__(type("Handler", (_Handler,), {"state": self}))

    def root(self, path: str = "data", host: str = "127.0.0.1") -> Root:
        """Return a root in the bucket; the host may be named otherwise."""
        url = f"http://{host}:{self.port}"
        text = f"s3://bucket/{path}?endpoint_url={url}"
        return Root(StorageType.S3, text, bucket="bucket", path=path, endpoint_url=url)

    def put(self, key: str, data: bytes, etag: str | None = None) -> None:
        """Store an object."""
        self.objects[key], self.etags[key] = data, etag or _md5(data).hexdigest()

    def part_count(self) -> int:
        """Return how many parts were sent."""
        return sum("partNumber" in query for _, _, query in list(self.asked))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: SmallS3

    def do_HEAD(self) -> None:
        key, _ = self._heard()
        if key not in self.state.objects:
            self._answer(404)
            return
        size = str(len(self.state.objects[key]))
        self._answer(200, b"", **{"Content-Length": size, "ETag": f'"{self.state.etags[key]}"'})

    def do_GET(self) -> None:
        key, query = self._heard()
        if "uploadId" in query:
            self._list_parts(query["uploadId"])
        elif "uploads" in query:
            self._list_uploads()
        elif not key:
            self._list(query)
        elif key not in self.state.objects:
            self._fail(404, "NoSuchKey")
        else:
            self._send(key, self.state.objects[key])

    def do_PUT(self) -> None:
        key, query = self._heard()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if key in self.state.busy:
            self._answer(503, b"<Error><Code>SlowDown</Code></Error>", **{"Retry-After": self.state.retry_after})
        elif "partNumber" in query:
            self.state.uploads[query["uploadId"]].parts[int(query["partNumber"])] = body
            self._answer(200, ETag=f'"{_md5(body).hexdigest()}"')
        elif self._store(key, body, _md5(body).hexdigest()):
            self._written(key, b"", ETag=f'"{self.state.etags[key]}"')

    def do_POST(self) -> None:
        key, query = self._heard()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "uploads" in query:
            upload_id = f"upload-{len(self.state.asked)}"
            self.state.uploads[upload_id] = Upload(key)
            self._answer(200, _document("InitiateMultipartUploadResult", f"<UploadId>{upload_id}</UploadId>"))
            return
        upload = self.state.uploads.get(query["uploadId"])
        if upload is None:
            self._fail(404, "NoSuchUpload")
            return
        bodies = [body for _, body in sorted(upload.parts.items())]
        etag = f"{_md5(b''.join(_md5(body).digest() for body in bodies)).hexdigest()}-{len(bodies)}"
        if self._store(key, b"".join(bodies), etag):
            if not self.state.keeps_uploads:
                del self.state.uploads[query["uploadId"]]
            self._written(key, _document("CompleteMultipartUploadResult", f"<ETag>{etag}</ETag>"))

    def do_DELETE(self) -> None:
        key, query = self._heard()
        if "uploadId" in query:
            self.state.uploads.pop(query["uploadId"], None)
        else:
            self.state.objects.pop(key, None)
        self._answer(204)

    def _heard(self) -> tuple[str, dict[str, str]]:
        """Return the key and the query of the request, which is noted."""
        url = urlsplit(self.path)
        key = unquote(url.path).lstrip("/").partition("/")[2]
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.state.asked.append((self.command, key, query))
        return key, query

    def _store(self, key: str, body: bytes, etag: str) -> bool:
        """Take an object, unless the condition refuses it, which is answered."""
        is_create = self.headers.get("If-None-Match") == "*"
        if is_create and self.state.refuses_conditions:
            self._fail(501, "NotImplemented")
            return False
        with self.state.lock:
            is_refused = is_create and self.state.knows_conditions and key in self.state.objects
            if not is_refused:
                self.state.put(key, body, etag)
        if is_refused:
            self._fail(412, "PreconditionFailed")
        return not is_refused

    def _written(self, key: str, body: bytes, **headers: str) -> None:
        """Answer a write that was done, or lose the answer."""
        if key in self.state.loses_answers:
            self.state.loses_answers.discard(key)
            self.close_connection = True
            return
        self._answer(200, body, **headers)

    def _send(self, key: str, data: bytes) -> None:
        sent = self.state.breaks_off.get(key, len(data))
        self._answer(200, data[:sent], **{"Content-Length": str(len(data)), "ETag": f'"{self.state.etags[key]}"'})
        if sent < len(data):
            self.close_connection = True
            if self.state.resets:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

    def _list(self, query: dict[str, str]) -> None:
        state, after = self.state, max(query.get("start-after", ""), query.get("continuation-token", ""))
        if state.is_version_1:
            after = query.get("marker", "")
        most = min(int(query.get("max-keys", 1000)), state.keys_a_page or 1000)
        keys = sorted(key for key in state.objects if key.startswith(query.get("prefix", "")) and key > after)
        more, name = len(keys) > most, "NextMarker" if state.is_version_1 else "NextContinuationToken"
        said = f"<Name>bucket</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
        said += f"<{name}>{escape(keys[most - 1])}</{name}>" if more else ""
        for key in keys[:most]:
            facts = f"<Key>{escape(key)}</Key><Size>{len(state.objects[key])}</Size><ETag>{state.etags[key]}</ETag>"
            said += f"<Contents>{facts}<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
        self._answer(200, _document("ListBucketResult", said))

    def _list_parts(self, upload_id: str) -> None:
        upload = self.state.uploads.get(upload_id)
        if upload is None:
            self._fail(404, "NoSuchUpload")
            return
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_md5(body).hexdigest()}</ETag></Part>"
            for number, body in sorted(upload.parts.items())
        )
        self._answer(200, _document("ListPartsResult", f"<IsTruncated>false</IsTruncated>{parts}"))

    def _list_uploads(self) -> None:
        found = "".join(
            f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{upload_id}</UploadId></Upload>"
            for upload_id, upload in self.state.uploads.items()
        )
        self._answer(200, _document("ListMultipartUploadsResult", found))

    def _fail(self, status: int, code: str) -> None:
        self._answer(status, _document("Error", f"<Code>{code}</Code>"))

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        hidden = self.state.hides
        body = body.replace(hidden.encode(), b"Hidden") if hidden else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if name != hidden:
                self.send_header(name, value)
        if hidden == "Content-Length":
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: a test's output is the test's own."""


def _document(name: str, content: str) -> bytes:
    return f"<?xml version='1.0'?><{name}>{content}</{name}>".encode()


def _md5(data: bytes) -> Any:
    return hashlib.md5(data, usedforsecurity=False)
