"""A runner's name: its host and a number that no living runner on this data folder has."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.errors import Conflict
from portal.services.migrations.runners import claim_path

#: Runners on one host at most.
_MOST = 64


@contextmanager
def claimed_name(data_dir: Path, host: str) -> Iterator[str]:
    """Give the first free name, `HOST/1`, `HOST/2` …, held for the block.

    The lock on its file ends with the process however it dies. So a lease under our own name is a dead runner's, and
    may be taken back at once.

    Raises:
        Conflict: too many runners.
    """
    claim_path(data_dir, f"{host}/1").parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MOST + 1):
        name = f"{host}/{number}"
        descriptor = os.open(claim_path(data_dir, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield name
        finally:
            os.close(descriptor)
        return
    raise Conflict(f"{_MOST} runners run on {host} already.", hint="Raise PORTAL_WORKERS of one of them instead.")
