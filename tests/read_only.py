"""A gate in front of an S3 server that lets reads through and refuses writes as AWS does to a key without the right.

rclone has no second key with fewer rights, and its own `--read-only` answers 500, which clients take for a passing
fault and retry.
"""

import http.client
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import Loopback
from tests.servers import S3Server

REFUSAL = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


class ReadOnlyEndpoint(Loopback):
    """A second address of `server` under which its access key may list and read, nothing else."""

    def __init__(self, server: S3Server) -> None:
        gate = type("Gate", (_Gate,), {"upstream_port": server.port})
        super().__init__(gate)


class _Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream_port = 0

    def do_GET(self) -> None:
        # The Host header goes on unchanged: it is part of what the client signed.
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=30)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders()
            answer = upstream.getresponse()
            body = answer.read()
        finally:
            upstream.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self._finish(body, length or str(len(body)))

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        self.close_connection = True
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Connection", "close")
        if self.headers.get("Expect", "").lower() != "100-continue":
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._finish(REFUSAL, str(len(REFUSAL)))

    do_POST = do_PUT
    do_DELETE = do_PUT

    def _finish(self, body: bytes, length: str) -> None:
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)

    def handle_expect_100(self) -> bool:
        # The refusal itself answers: no byte of the body is asked for.
        return True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: a test's output is the test's own."""
