"""The demo's S3 server: rclone on loopback, with the demo's own folder behind it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ACCESS_KEY_ID = "AKIAEXAMPLEDEMO00000"
START_SECONDS = 20


def free_port() -> int:
    """Return a loopback port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(buckets: Path, port: int, secret: str) -> "subprocess.Popen[bytes]":
    """Start the server and wait until it takes connections.

    Raises:
        RuntimeError: the port is taken or the server ended.
    """
    if _answers(port):
        raise RuntimeError(f"Port {port} of the demo's S3 server is taken. Is another demo running?")
    rclone = Path(sys.executable).parent / "rclone"
    options = ["--vfs-cache-mode", "off", "--force-path-style", "--dir-cache-time", "1ms", "--config", os.devnull]
    process = subprocess.Popen(
        [str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--log-level", "CRITICAL", *options, str(buckets)],
        # Not on the command line, where every process could read it; the quotes keep the pair one value.
        env={**os.environ, "RCLONE_AUTH_KEY": f'"{ACCESS_KEY_ID},{secret}"'},
        stdin=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError("The demo's S3 server did not start.")
        time.sleep(0.05)
    return process


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
