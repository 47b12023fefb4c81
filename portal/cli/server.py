"""The web process: gunicorn with our app, a port that is looked at first, and an end that waits for no idle browser."""

import errno
import socket
import time
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import DEFAULT_WORKER_DATA_TIMEOUT, TConn, ThreadWorker

from portal.cli.context import Context
from portal.config import Settings
from portal.errors import SettingsError

#: How often a thread that waits for a connection's first byte looks whether the process is to end, seconds.
_LOOK_SECONDS: Final = 0.2


class _Worker(ThreadWorker):
    """gunicorn's threads, but a connection that a browser opened ahead and never used does not hold up the end."""

    def handle(self, conn: TConn) -> Any:
        """Handle a connection; one without a byte is closed as soon as the process is to end."""
        if not conn.initialized:
            until = time.monotonic() + DEFAULT_WORKER_DATA_TIMEOUT
            while not conn.wait_for_data(_LOOK_SECONDS):
                if not self.alive:
                    conn.close()
                    return False
                if time.monotonic() > until:
                    break
        return super().handle(conn)


class Server(BaseApplication):
    """gunicorn with our app and one process of threads; all state is in the database."""

    def __init__(self, context: Context, settings: Settings, bind: tuple[str, int]) -> None:
        self._context = context
        self._options = {
            "bind": f"{bind[0]}:{bind[1]}",
            "worker_class": _Worker,
            "workers": 1,
            "threads": settings.web_threads,
            "timeout": 120,
            "graceful_timeout": 10,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        """Hand gunicorn its options."""
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the app, made in the worker process."""
        return self._context.app


def require_free(bind: tuple[str, int]) -> None:
    """Refuse at once an address on which nobody can listen, instead of trying again for seconds.

    Raises:
        SettingsError: the port is taken or reserved, or the address is none of this machine's.
    """
    address, port = bind
    try:
        family, kind, protocol, _name, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(where)
    except OSError as error:
        raise _cannot_listen(address, port, error) from error


def _cannot_listen(address: str, port: int, error: OSError) -> SettingsError:
    match error.errno:
        case errno.EADDRINUSE:
            other = f"{address}:{port + 1 if port < 65535 else port - 1}"
            return SettingsError(
                f"Port {port} on {address} is taken by another program.",
                hint=f"Stop that one, or choose another port: PORTAL_BIND={other}",
            )
        case errno.EACCES:
            return SettingsError(f"Port {port} is kept for root.", hint="Choose one from 1024 up with PORTAL_BIND.")
        case _:
            return SettingsError(
                f"{address} is no address of this machine.", hint="Set PORTAL_BIND to one, such as 127.0.0.1:8000."
            )
