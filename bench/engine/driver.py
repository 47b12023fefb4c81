"""Our engine in a process of its own, driven as the portal's runner drives it: scan, shards, copy pass, verify pass.

`python -m bench.engine.driver TASK`: TASK is a JSON file; the key comes by environment; what came of it goes to the
file the task names. Everything a run is given is in `options_of`.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import as_completed, wait
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from portal.backends import open_backend
from portal.backends.base import BULK, Backend, S3Access
from portal.engine import LocalExecutor, open_executor
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardEnd, ShardJob, ShardOptions, ShardResult
from portal.transfer.scan import SHARD_LIMITS, ScanOptions, scan
from portal.transfer.shards import PlannedShard, shard_files, write_plan
from portal.transfer.verify import verify_shard
from portal.values import ConnectionKind, Root, StorageType


@dataclass(frozen=True, slots=True)
class Task:
    """What to do. An end is a folder, or a bucket at `endpoint_url`."""

    source: str
    target: str
    is_source_local: bool
    is_target_local: bool
    endpoint_url: str
    ledger: str
    workers: int
    answer: str
    is_listed: bool = False


@dataclass(slots=True)
class Answer:
    """What came of it: objects by outcome and level, and seconds by phase."""

    object_count: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)


def options_of(target: Backend) -> ShardOptions:
    """Return how the workers do their shards, with what the target's checksums prove, as a move's checks find out."""
    return ShardOptions(proof=target.prove("bench"))


def root_of(task: Task, place: str, *, is_local: bool) -> Root:
    """Return one end as the portal knows it."""
    if is_local:
        return Root(StorageType.LOCAL, place, path=place)
    text = f"s3://{place}?endpoint_url={task.endpoint_url}"
    return Root(StorageType.S3, text, bucket=place, endpoint_url=task.endpoint_url)


class Drive:
    """One move."""

    def __init__(self, task: Task) -> None:
        self.task, self.answer, self.jobs = task, Answer(), list[ShardJob]()
        self.access = S3Access(
            ConnectionKind.ACCESS_KEY, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        )
        self.source = root_of(task, task.source, is_local=task.is_source_local)
        self.target = root_of(task, task.target, is_local=task.is_target_local)
        self.options = ShardOptions()
        self._since = time.monotonic()
        # A runner and its workers are up already when a migration begins; here both count, and are told apart.
        self.answer.phases["import"] = _age_seconds()

    def run(self) -> None:
        """Do what the task says."""
        if self.task.is_listed:
            self.answer.object_count = sum(1 for _ in self._opened(self.source).list_objects())
            self._lap("list")
            return
        with open_executor(self.task.workers) as executor:
            loading = [executor.submit(_load) for _ in range(self.task.workers)]
            _load()
            wait(loading)
            self._lap("start")
            target = self._opened(self.target)
            self.options = options_of(target)
            self._lap("prove")
            scan(self._opened(self.source), target, ScanOptions(limits=SHARD_LIMITS), self._plan)
            self._lap("scan")
            self._pass(executor, copy_shard)
            self._lap("copy")
            verified = self._pass(executor, verify_shard)
            self._lap("verify")
        self._lap("end")
        self.answer.object_count = sum(result.object_count for result in verified)
        counts: Counter[str] = Counter()
        for result in verified:
            counts.update(result.counts)
        self.answer.counts = {name: count for name, count in counts.items() if count}

    def _pass(self, executor: LocalExecutor, call: Callable[[ShardJob], ShardResult]) -> list[ShardResult]:
        results = [future.result() for future in as_completed([executor.submit(call, job) for job in self.jobs])]
        for result in results:
            if result.end is not ShardEnd.DONE or result.exceptions:
                words = [result.error, *(f"{one.key}: {one.reason}" for one in result.exceptions[:1])]
                raise RuntimeError(f"{result.end}: {' '.join(words).strip()}")
        return results

    def _plan(self, shard: PlannedShard) -> None:
        files = shard_files(self.task.ledger, "forward", 1, shard.number)
        write_plan(files, shard)
        job = ShardJob(
            shard_id=str(shard.number),
            source=self.source,
            target=self.target,
            tag=f"bench-{shard.number}",
            plan_path=files.plan,
            copy_path=files.copy,
            verify_path=files.verify,
            progress_path=files.copy_progress,
            stop_path=f"{self.task.ledger}/stop",
            source_access=self.access,
            target_access=self.access,
            options=self.options,
        )
        self.jobs.append(job)

    def _opened(self, root: Root) -> Backend:
        return open_backend(root, self.access, timeouts=BULK, tag="bench")

    def _lap(self, name: str) -> None:
        now = time.monotonic()
        self.answer.phases[name] = now - self._since
        self._since = now


def _load() -> None:
    """Load what a process loads with the first bucket it opens."""
    for name in ("portal.backends.s3", "obstore.store"):
        import_module(name)


def _age_seconds() -> float:
    """Return how long ago this process was started."""
    began_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began_ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Read the task, do it, write the answer."""
    values: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    drive = Drive(Task(**values))
    drive.run()
    Path(drive.task.answer).write_text(json.dumps(asdict(drive.answer)))


if __name__ == "__main__":
    main()
