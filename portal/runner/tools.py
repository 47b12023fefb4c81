"""What a runner works with, the same for every migration it takes."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime

from portal.config import Settings
from portal.runner.hanging import Hanging
from portal.services.vault import Vault


@dataclass(frozen=True)
class Tools:
    """What a runner works with.

    Attributes:
        name: of the runner; the owner of its leases.
        executor: runs jobs in other processes.
        stopping: set when the runner is to end.
        beat: reports the runner as alive, at most every few seconds.
        clock: the time, aware UTC.
        hanging: jobs that were told to stop and have not ended.
    """

    settings: Settings
    vault: Vault
    name: str
    executor: Executor
    clock: Callable[[], datetime]
    beat: Callable[[], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    hanging: Hanging = field(default_factory=Hanging)
