"""Try to reach another machine."""

import socket


def main(host: str) -> None:
    """Open a connection to `host`."""
    socket.create_connection((host, 443), timeout=5).close()
