"""The demo's processes: its S3 server and the portal on top."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from demo import s3
from demo.state import DemoState
from demo.world import DemoWorld
from portal.app import create_app
from portal.config import read_settings

#: How long the portal and the S3 server may take to end, seconds.
STOP_SECONDS = 25


def demo_folder() -> Path:
    """Return the demo's own folder: PORTAL_DEMO_DIR, else `demo-data` in the present one."""
    return Path(os.environ.get("PORTAL_DEMO_DIR", "demo-data")).resolve()


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a portal on the demo's data; PORTAL_BIND and the like still count."""
    return {
        **os.environ,
        "PORTAL_DATA_DIR": str(folder / "portal"),
        "PORTAL_DATABASE_URL": "",
        "PORTAL_LOCAL_BASES": str(folder / "nfs"),
        "PORTAL_ALLOWED_ENDPOINTS": "127.0.0.1",
        "PORTAL_HOST": os.environ.get("PORTAL_HOST", "hpc-login-1"),
    }


def prepare(folder: Path, state: DemoState) -> None:
    """Build the world unless it is complete; what a killed start left half-built is made anew."""
    done = folder / "complete"
    if done.exists():
        return
    shutil.rmtree(folder / "portal", ignore_errors=True)
    shutil.rmtree(folder / "buckets", ignore_errors=True)
    shutil.rmtree(folder / "nfs", ignore_errors=True)
    (folder / "buckets").mkdir(parents=True)
    (folder / "nfs").mkdir()
    server = s3.start(folder / "buckets", state.s3_port, state.s3_secret)
    try:
        settings = read_settings({**environment(folder), "PORTAL_LOG_LEVEL": "WARNING"})
        DemoWorld(create_app(settings), settings, folder, state).build()
    finally:
        end(server)
    done.touch()


def start_portal(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the portal, web and runner, on a finished world."""
    return subprocess.Popen([sys.executable, "-m", "portal", "up"], env=environment(folder))


def end(process: "subprocess.Popen[bytes]") -> int:
    """Ask a process to end, make it end if it does not, and return its exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
