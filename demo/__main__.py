"""`make demo`: the portal with a filled world, in a folder of its own. A second start finds the first one's world."""

import os
import signal
import sys
import time

from demo import s3
from demo.running import demo_folder, end, prepare, start_portal
from demo.state import NAMES_OF_ROLES, load_state
from portal.cli.server import require_free
from portal.config import parse_bind
from portal.errors import PortalError, SettingsError


def main() -> None:
    """Start the S3 server and the portal, print the passwords, and end both on Ctrl-C."""
    folder = demo_folder()
    folder.mkdir(parents=True, exist_ok=True)
    state = load_state(folder)
    print(f"Demo data lies in {folder}")
    try:
        _require_free_port()
        prepare(folder, state)
        server = s3.start(folder / "buckets", state.s3_port, state.s3_secret)
    except (RuntimeError, PortalError) as error:
        sys.exit(str(error))
    for handle, password in state.passwords.items():
        print(f"  {handle:9} {password:24} {NAMES_OF_ROLES[handle]}")
    sys.stdout.flush()
    portal = start_portal(folder)
    stopping: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: stopping.append(number))
    while not stopping and portal.poll() is None and server.poll() is None:
        time.sleep(0.2)
    code = end(portal)
    end(server)
    sys.exit(code)


def _require_free_port() -> None:
    """Refuse before a world is made that nobody could look at."""
    try:
        require_free(parse_bind(os.environ.get("PORTAL_BIND") or "127.0.0.1:8000"))
    except ValueError as error:
        raise SettingsError(f"PORTAL_BIND: {error}.") from error


if __name__ == "__main__":
    main()
