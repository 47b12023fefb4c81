import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from portal.engine import open_executor
from tests.unit.engine.tasks import die, end_of, say_sigint


def test_work_runs_in_other_processes() -> None:
    with open_executor(2) as executor:
        assert executor.submit(end_of, "a", 0).result(60) != os.getpid()


def test_a_worker_leaves_interrupts_to_its_parent() -> None:
    with open_executor(1) as executor:
        assert executor.submit(say_sigint).result(60) is True


def test_the_pool_is_made_anew_after_a_worker_died() -> None:
    with open_executor(1) as executor:
        with pytest.raises(BrokenProcessPool):
            executor.submit(die).result(60)
        assert executor.submit(end_of, "b", 0).result(60) != os.getpid()


RUNNER = """
import sys, time
from portal.engine import open_executor
from tests.unit.engine.tasks import write_slowly

if __name__ == "__main__":
    executor = open_executor(2)
    for number in range(2):
        executor.submit(write_slowly, f"{sys.argv[1]}/{number}")
    time.sleep(60)
"""


def test_workers_end_when_their_runner_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "runner.py"
    script.write_text(RUNNER)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    runner = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    try:
        pids = [wait_for_pid(tmp_path / str(number)) for number in range(2)]
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlived its runner"
        time.sleep(0.05)


def wait_for_pid(path: Path) -> int:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, "the worker did not start"
        time.sleep(0.05)
    return int(path.read_text().splitlines()[0])


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie: in a container nobody may reap orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
