"""`portal …` as real processes on a test's own portal; whatever is left of them is ended with the block."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from portal.config import Settings

PORTAL = (sys.executable, "-m", "portal")


def environment_of(settings: Settings, **more: str) -> dict[str, str]:
    """Return the environment in which a process is a part of the test's portal."""
    return os.environ | {
        "PORTAL_DATA_DIR": str(settings.data_dir),
        "PORTAL_DATABASE_URL": settings.database_url,
        "PORTAL_HOST": settings.host,
        "PORTAL_LOCAL_BASES": ":".join(str(base) for base in settings.local_bases),
        "PORTAL_ALLOWED_ENDPOINTS": ",".join(settings.allowed_endpoints),
        "PORTAL_WORKERS": "1",
        "PORTAL_LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
        **more,
    }


@contextmanager
def running(
    *words: str, environment: dict[str, str], log: Path, out: int | IO[bytes] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Give a process of its own group that runs `portal WORDS`; its output goes to `log`, stdout to `out` if given."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [*PORTAL, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file if out is None else out,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if is_group_alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_group_alive(group: int) -> bool:
    """Tell whether any process of a group still runs; a dead one that nobody has waited for yet does not."""
    return any(found == group and state not in "ZX" for found, state in _groups())


def _groups() -> Iterator[tuple[int, str]]:
    """Give (process group, state) of each process of this machine."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in brackets may hold anything: what follows the last bracket is state, parent, group.
            state, _parent, group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(group), state


def is_running(process_id: int) -> bool:
    """Tell whether a process still runs; a dead one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def child_ids_of(process_id: int) -> list[int]:
    """Return the process ids of all children, whichever thread started them."""
    lists = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(text) for path in lists for text in path.read_text().split()]


def children_of(process_id: int) -> dict[str, int]:
    """Return the children of a process: the last word of each command line → process id."""
    found = {}
    for text in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split():
        words = Path(f"/proc/{text}/cmdline").read_bytes().split(b"\0")[:-1]
        found[words[-1].decode() if words else ""] = int(text)
    return found
