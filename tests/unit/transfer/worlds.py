"""Roots, jobs and whole moves for the tests of this folder and of tests/integration."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from portal.backends import open_backend
from portal.backends.base import BULK, Backend, S3Access, Timeouts
from portal.backends.memory import MemoryBackend
from portal.planning.actions import PlannedObject
from portal.planning.outcomes import ObjectResult
from portal.planning.retries import RetryPolicy
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardJob, ShardOptions, ShardResult
from portal.transfer.scan import ScanOptions, scan
from portal.transfer.segments import read_results, write_segment
from portal.transfer.shards import PlannedShard, shard_files, write_plan
from portal.transfer.summary import PlanSummary
from portal.transfer.verify import verify_shard
from portal.transfer.work import Opener
from portal.values import Root, StorageType

QUICK = ShardOptions(retries=RetryPolicy(attempts=3, first_seconds=0.001, max_seconds=0.002))


def local(path: Path) -> Root:
    path.mkdir(parents=True, exist_ok=True)
    return Root(StorageType.LOCAL, str(path), path=str(path))


def fill(folder: Path, objects: dict[str, bytes]) -> None:
    for key, data in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def tree(folder: Path) -> dict[str, tuple[str, int]]:
    """Return hash and time of every file below a folder, temporaries included."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Memory:
    """Two roots in memory and an opener for them; `wrap` may put something between the worker and a backend."""

    def __init__(self, source: dict[str, bytes], target: dict[str, bytes] | None = None) -> None:
        self.roots = {name: Root(StorageType.LOCAL, f"/{name}", path=f"/{name}") for name in ("source", "target")}
        self.source = MemoryBackend(self.roots["source"], dict(source))
        self.target = MemoryBackend(self.roots["target"], dict(target or {}))
        self.wrap: Callable[[Backend], Backend] = lambda backend: backend

    def open(self, root: Root, access: S3Access | None = None, *, timeouts: Timeouts, tag: str) -> Backend:
        return self.wrap(self.source if root == self.roots["source"] else self.target)


class Move:
    """A move driven the way a runner drives it, in this process."""

    def __init__(self, source: Root, target: Root, folder: Path, opener: Opener = open_backend) -> None:
        self.source, self.target, self.folder, self.opener = source, target, folder, opener
        self.accesses: dict[Root, S3Access] = {}
        self.options = QUICK
        self.jobs: list[ShardJob] = []
        self.copied: list[ShardResult] = []
        self.verified: list[ShardResult] = []

    def backend(self, root: Root) -> Backend:
        return self.opener(root, self.accesses.get(root), timeouts=BULK, tag="scan")

    def job(self, number: int, *, direction: str = "forward", pass_number: int = 1) -> ShardJob:
        source, target = (self.source, self.target) if direction == "forward" else (self.target, self.source)
        files = shard_files(str(self.folder), direction, pass_number, number)
        return ShardJob(
            shard_id=f"{direction}-{pass_number}-{number}",
            source=source,
            target=target,
            tag=f"{direction}-{pass_number}-{number}",
            plan_path=files.plan,
            copy_path=files.copy,
            verify_path=files.verify,
            progress_path=files.copy_progress,
            stop_path=str(self.folder / "stop"),
            source_access=self.accesses.get(source),
            target_access=self.accesses.get(target),
            options=self.options,
        )

    def plan(self, options: ScanOptions | None = None) -> PlanSummary:
        return scan(
            self.backend(self.source), self.backend(self.target), options or ScanOptions(), self.writer("forward", 1)
        )

    def writer(self, direction: str, pass_number: int) -> Callable[[PlannedShard], None]:
        self.jobs = []

        def write(shard: PlannedShard) -> None:
            job = self.job(shard.number, direction=direction, pass_number=pass_number)
            write_plan(shard_files(str(self.folder), direction, pass_number, shard.number), shard)
            self.jobs.append(job)

        return write

    def copy(self) -> list[ObjectResult]:
        self.copied = [copy_shard(job, self.opener) for job in self.jobs]
        return results(result.path for result in self.copied)

    def verify(self) -> list[ObjectResult]:
        self.verified = [verify_shard(job, self.opener) for job in self.jobs]
        return results(result.path for result in self.verified)

    def run(self) -> list[ObjectResult]:
        self.plan()
        self.copy()
        return self.verify()


def results(paths: Iterable[str]) -> list[ObjectResult]:
    return [result for path in paths for result in read_results(path)]


def outcomes(found: Iterable[ObjectResult]) -> dict[str, str]:
    return {result.key: result.outcome.value for result in found}


def job_for(move: Move, *items: PlannedObject) -> ShardJob:
    job = move.job(0)
    write_segment(job.plan_path, items)
    return job


def single_threaded(job: ShardJob) -> ShardJob:
    return replace(job, options=replace(job.options, threads=1))
