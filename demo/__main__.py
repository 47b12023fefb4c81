"""`make demo`: the portal with a filled world, in a folder of its own. A second start finds the first one's world."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from demo import s3
from demo.state import NAMES_OF_ROLES, DemoState, load_state
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
        _end(server)
    done.touch()


def main() -> None:
    """Start the S3 server and the portal, print the passwords, and end both on Ctrl-C."""
    folder = demo_folder()
    folder.mkdir(parents=True, exist_ok=True)
    state = load_state(folder)
    print(f"Demo data lies in {folder}")
    try:
        prepare(folder, state)
        server = s3.start(folder / "buckets", state.s3_port, state.s3_secret)
    except RuntimeError as error:
        sys.exit(str(error))
    for handle, password in state.passwords.items():
        print(f"  {handle:9} {password:24} {NAMES_OF_ROLES[handle]}")
    sys.stdout.flush()
    portal = subprocess.Popen([sys.executable, "-m", "portal", "up"], env=environment(folder))
    stopping: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: stopping.append(number))
    while not stopping and portal.poll() is None and server.poll() is None:
        time.sleep(0.2)
    code = _end(portal)
    _end(server)
    sys.exit(code)


def _end(process: "subprocess.Popen[bytes]") -> int:
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


if __name__ == "__main__":
    main()
