"""What workers do in the tests of this folder; spawned processes import it by name."""

import os
import signal
import time
from pathlib import Path


def end_of(text: str, seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def say_sigint() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_slowly(path: str) -> None:
    for _ in range(600):
        with Path(path).open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.1)
