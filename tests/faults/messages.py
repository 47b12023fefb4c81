"""HTTP as far as an S3 client and its server need it: heads, whole bodies, ETags, a new signature."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import parse_qs, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers import S3Server

_ETAG_IN_LISTING = re.compile(rb"<ETag>.*?</ETag>")
#: Belong to one connection, not to the message; never signed.
_HOP = frozenset({"connection", "expect", "transfer-encoding", "keep-alive"})
_NOT_KEPT = frozenset({"authorization", "content-md5", "x-amz-content-sha256", "x-amz-date", "content-length"})


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks; header names as they came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def operation(self) -> str:
        """Return what is asked for, in one word."""
        query = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        if self.method == "GET":
            return "list" if "list-type" in query else "get"
        if self.method == "PUT":
            copies = any(name.lower() == "x-amz-copy-source" for name in self.headers)
            return "copy" if copies else "part" if "partNumber" in query else "put"
        if self.method == "POST":
            return "begin" if "uploads" in query else "complete" if "uploadId" in query else "post"
        return {"HEAD": "head", "DELETE": "delete"}[self.method]

    @property
    def path(self) -> str:
        """Return what is asked for, quoted, without the query."""
        return self.target.partition("?")[0]

    @property
    def name(self) -> str:
        """Return what is asked for, the same in every run: without what is by chance in it, a bucket's or upload's."""
        bucket, _, key = self.path.lstrip("/").partition("/")
        query = [part for part in urlsplit(self.target).query.split("&") if not part.startswith("uploadId=")]
        return f"{self.method} {bucket.rpartition('-')[0] or bucket}/{key}?{'&'.join(query)}"

    @property
    def wants_close(self) -> bool:
        """Tell whether the client ends the connection after this."""
        return any(name.lower() == "connection" and value.lower() == "close" for name, value in self.headers.items())

    def head(self) -> bytes:
        """Return the head for the server. HTTP/1.0: it then answers in one piece and closes."""
        kept = [f"{name}: {value}\r\n" for name, value in self.headers.items() if name.lower() not in _HOP]
        return f"{self.method} {self.target} HTTP/1.0\r\n{''.join(kept)}\r\n".encode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @classmethod
    def error(cls, status: int, code: str) -> Self:
        """Return a refusal as S3 words it."""
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'.encode()
        return cls(status, {"Content-Type": "application/xml", "Content-Length": str(len(body))}, body)

    def with_body(self, body: bytes) -> "Answer":
        """Return the same with another body, and the length to it."""
        return replace(self, body=body, headers={**self.headers, "Content-Length": str(len(body))})

    def with_etag(self, etag: str) -> "Answer":
        """Return the same with another ETag wherever one is told."""
        headers = {name: f'"{etag}"' if name.lower() == "etag" else value for name, value in self.headers.items()}
        is_xml = "xml" in self.headers.get("Content-Type", "")
        body = _ETAG_IN_LISTING.sub(f"<ETag>&quot;{etag}&quot;</ETag>".encode(), self.body) if is_xml else self.body
        told = replace(self, headers=headers)
        return told.with_body(body) if is_xml else told

    def encoded(self, request: Request) -> bytes:
        """Return the bytes for the client."""
        length = self.headers.get("Content-Length") if request.method == "HEAD" else str(len(self.body))
        kept = {
            name: value for name, value in self.headers.items() if name.lower() not in _HOP and name != "Content-Length"
        }
        lines = [f"{name}: {value}\r\n" for name, value in (kept | {"Content-Length": length or "0"}).items()]
        head = f"HTTP/1.1 {self.status} Answer\r\n{''.join(lines)}\r\n".encode("latin-1")
        return head if request.method == "HEAD" else head + self.body


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """Return the next request; None when the client has gone."""
    first = await reader.readline()
    if not first:
        return None
    method, target, _ = first.decode("latin-1").split(" ")
    headers = await _read_headers(reader)
    lower = {name.lower(): value for name, value in headers.items()}
    assert lower.get("transfer-encoding") != "chunked", "a body without length is not passed on"
    if lower.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(lower.get("content-length", 0)))
    return Request(method, target, headers, body)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Return the server's answer, read until it closes."""
    first = (await reader.readline()).decode("latin-1")
    if not first:
        return Answer.error(502, "BadGateway")
    headers = await _read_headers(reader)
    return Answer(int(first.split()[1]), headers, await reader.read())


def resigned(request: Request, body: bytes, server: S3Server) -> Request:
    """Return a request for other content, signed anew, as if the client had meant that content."""
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in _HOP | _NOT_KEPT and not name.lower().startswith("x-amz-checksum-")
    }
    host = next(value for name, value in headers.items() if name.lower() == "host")
    signed = AWSRequest(method=request.method, url=f"http://{host}{request.target}", data=body, headers=headers)
    S3SigV4Auth(Credentials(server.access_key, server.secret_key), "s3", "us-east-1").add_auth(signed)
    return replace(request, headers={**dict(signed.headers.items()), "Content-Length": str(len(body))}, body=body)


async def _read_headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers[name] = value.strip()
    return headers
