"""A server of HTTP in this process, on loopback and a free port, while a block runs."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self


class Loopback:
    """Serves one kind of handler. Its threads end with the process, whatever they wait for."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._listener.daemon_threads = True
        self._thread = Thread(target=self._listener.serve_forever, daemon=True)

    @property
    def endpoint_url(self) -> str:
        """Return the URL to give as `endpoint_url`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Return the port."""
        return self._listener.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
