"""A move between real roots, the bucket reached through the faulty proxy, driven as by a runner; and what must hold."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from portal.backends.base import Proof, S3Access, Timeouts
from portal.engine import LocalExecutor
from portal.errors import StorageError
from portal.planning.outcomes import Level, ObjectResult, Outcome, needs_look
from portal.planning.retries import RetryPolicy
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardEnd, ShardJob, ShardOptions, ShardResult
from portal.transfer.scan import ScanOptions, scan_delta
from portal.transfer.segments import latest_results
from portal.transfer.verify import verify_shard
from portal.values import ConnectionKind, Root, StorageType
from tests.faults.proxy import FaultProxy
from tests.servers import S3Server
from tests.unit.transfer.worlds import Move, contents, fill, local, tree

#: Tries again soon; a loaded machine is slow, not silent.
OPTIONS = ShardOptions(retries=RetryPolicy(attempts=3, first_seconds=0.01, max_seconds=0.05), max_failures=1000)

_SECONDS = 100

#: How the names begin that rclone keeps for itself and hides from every listing.
_OF_THE_SERVER = ".rclone_temp_"

#: A server that is only slow, on a loaded machine, is not one that says nothing: what arrived there damaged while
#: nobody waited for the answer any more would stay.
_READ_SECONDS = 30


def planned(move: Move) -> list[ShardJob]:
    """Plan the first pass; for a worker."""
    move.plan()
    return move.jobs


def proof_of(move: Move) -> Proof:
    """Try what the target's checksums prove, as a move's checks do; for a worker."""
    return move.backend(move.target).prove("trial")


def planned_delta(move: Move, passes: Sequence[Sequence[str]]) -> list[ShardJob]:
    """Plan what is left after the passes so far; for a worker."""
    known = latest_results([list(paths) for paths in passes])
    source, target = move.backend(move.source), move.backend(move.target)
    scan_delta(source, target, known, ScanOptions(), move.writer("forward", len(passes) + 1))
    return move.jobs


#: Says what a worker runs for a shard: a function and its arguments.
Hardship = Callable[[ShardJob], tuple[Any, ...]]


#: What becomes of an object that the source has no more.
_GONE = frozenset({Outcome.MISSING, Outcome.REMOVED})


class Trial:
    """One move under faults.

    Attributes:
        source: folder of the source on disk; for a bucket below the server's.
        target: likewise.
        passes: paths of the verified segments, pass by pass.
        results: what was found of every object so far, the latest pass last.
        ended: every shard's result, copies and verifications.
    """

    def __init__(self, route: str, server: S3Server, proxy: FaultProxy, executor: LocalExecutor, folder: Path) -> None:
        self._server, self._executor, self.proxy = server, executor, proxy
        kinds = route.split("-")
        (source_root, self.source), (target_root, self.target) = (
            self._side(kind, name, folder) for kind, name in zip(kinds, ("source", "target"), strict=True)
        )
        self.move = Move(source_root, target_root, folder / "ledger")
        access = S3Access(ConnectionKind.ACCESS_KEY, server.access_key, server.secret_key)
        self.move.accesses = {root: access for root in (source_root, target_root) if root.type is StorageType.S3}
        self.move.options = OPTIONS
        self.passes: list[list[str]] = []
        self.ended: list[ShardResult] = []
        self._copied: list[ShardJob] = []
        self._before: dict[str, tuple[str, int]] = {}

    def _side(self, kind: str, name: str, folder: Path) -> tuple[Root, Path]:
        if kind == "local":
            return local(folder / name), folder / name
        bucket = f"{name}-{secrets.token_hex(6)}"
        endpoint_url = self.proxy.endpoint_url
        text = f"s3://{bucket}/data?endpoint_url={endpoint_url}"
        root = Root(StorageType.S3, text, bucket=bucket, path="data", endpoint_url=endpoint_url)
        return root, self._server.add_bucket(bucket) / "data"

    @property
    def results(self) -> list[ObjectResult]:
        """Return the latest result of every object."""
        return list(latest_results(self.passes))

    def fill(self, objects: dict[str, bytes]) -> None:
        """Put objects at the source, and remember how it looks."""
        fill(self.source, objects)
        self.look_again()
        if self.move.target.type is StorageType.S3:
            self._keep_folders(objects)

    def _keep_folders(self, keys: Iterable[str]) -> None:
        """Keep the server from taking folders away.

        With the last object of a folder rclone removes the folder, also while it takes another object in: then it
        says that it failed, and keeps what it was sent. That is one fault more than a test ordered.
        """
        for folder in {self.target, *((self.target / key).parent for key in keys)}:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{_OF_THE_SERVER}keep").touch()

    def look_again(self) -> None:
        """Take how the source looks now for how it must stay: the test itself changed it."""
        self._before = tree(self.source)

    def moved_to(self, folder: Path) -> Self:
        """Take folders below `folder` for both ends and the ledger; for a move between folders."""
        self.source, self.target = folder / "source", folder / "target"
        self.move = Move(local(self.source), local(self.target), folder / "ledger")
        self.move.options = OPTIONS
        return self

    def ask_once(self, read_seconds: float = _READ_SECONDS) -> None:
        """Ask every question once, and wait so long for an answer."""
        timeouts = Timeouts(connect_seconds=2, read_seconds=read_seconds, attempts=1)
        self.move.options = replace(self.move.options, timeouts=timeouts)

    def give_to_all(self) -> None:
        """Let any account write the target and the ledger."""
        for folder in (self.target, *self.target.rglob("*"), *self.move.folder.rglob("*"), self.move.folder):
            folder.chmod(0o777)

    def prove(self) -> None:
        """Find out what the target's checksums are worth; without it everything is read back."""
        proof = self._executor.submit(proof_of, self.move).result(_SECONDS)
        self.move.options = replace(self.move.options, proof=proof)

    def plan(self) -> None:
        """Plan the first pass."""
        self.move.jobs = self._executor.submit(planned, self.move).result(_SECONDS)

    def plan_error(self) -> str:
        """Plan the first pass; return what the portal says where it can't, empty where it can."""
        try:
            self.plan()
        except StorageError as error:
            return error.message or "no words"
        return ""

    def touch(self, changed: dict[str, bytes], gone: set[str]) -> None:
        """Change and delete at the source, as somebody else does."""
        for key in gone:
            (self.source / key).unlink()
        self.fill(changed)

    def run(self) -> None:
        """Copy the planned shards and verify those that were copied, once each."""
        self.copy()
        self.verify()

    def copy(self, hard: Hardship | None = None) -> None:
        """Copy the planned shards, once each; `hard` says by which function with which arguments."""
        copied = self._all(hard or (lambda job: (copy_shard, job)), self.move.jobs)
        self._copied = [job for job, result in zip(self.move.jobs, copied, strict=True) if result.end is ShardEnd.DONE]

    def verify(self, hard: Hardship | None = None) -> None:
        """Verify the shards that were copied, once each; `hard` as with `copy`."""
        verified = self._all(hard or (lambda job: (verify_shard, job)), self._copied)
        self.passes.append([result.path for result in verified if result.end is ShardEnd.DONE])

    def finish(self, *, takes_conflicts_away: bool = False) -> None:
        """Let the faults end and try again as a person does: open shards first, then what was not good.

        A write that was damaged and whose answer was lost leaves something that nobody can prove to be ours: a person
        must take such a conflict away.
        """
        self.proxy.stop_faults()
        self.passes.pop()
        self.run()
        for _ in range(3):
            if not any(needs_look(result) for result in self.results):
                break
            if takes_conflicts_away:
                for found in self.results:
                    if found.outcome is Outcome.CONFLICT:
                        (self.target / found.key).unlink(missing_ok=True)
            self.move.jobs = self._executor.submit(planned_delta, self.move, self.passes).result(_SECONDS)
            self.run()

    def held(self) -> dict[str, bytes]:
        """Return what objects the target holds."""
        found = contents(self.target)
        return {key: data for key, data in found.items() if not Path(key).name.startswith(_OF_THE_SERVER)}

    def check_promises(self) -> None:
        """Fail where something corrupt counts as good, the source was touched, or a fault has no words."""
        assert tree(self.source) == self._before, "the source was changed"
        for result in self.results:
            if is_called_good(result):
                here, there = (self.source / result.key).read_bytes(), self.target / result.key
                assert there.is_file(), f"{result.key} counts as good and is not there"
                assert there.read_bytes() == here, f"{result.key} counts as {result.level}, and is corrupt"
            elif needs_look(result):
                assert result.reason, f"{result.key} is {result.outcome} without a reason"
        for ended in self.ended:
            assert ended.end is ShardEnd.DONE or ended.error, f"a shard is {ended.end} without a word"

    def check_whole(self) -> None:
        """Fail unless everything was brought over and proven."""
        self.check_promises()
        there = contents(self.source)
        bad = [
            (found.key, found.outcome, found.reason)
            for found in self.results
            if not is_called_good(found) and (found.key in there or found.outcome not in _GONE)
        ]
        assert not bad, f"{bad[:4]} {[ended.error for ended in self.ended if ended.error][:3]}"
        found = self.held()
        other = {key: (len(found.get(key, b"")), len(there.get(key, b""))) for key in found.keys() ^ there.keys()}
        other |= {
            key: (len(found[key]), len(there[key])) for key in found.keys() & there.keys() if found[key] != there[key]
        }
        assert not other, f"bytes at the target, and at the source: {other}; {self.results}"

    def _all(self, words: Hardship, jobs: Iterable[ShardJob]) -> list[ShardResult]:
        futures = [self._executor.submit(*words(replace(job, options=self.move.options))) for job in jobs]
        ended = [future.result(_SECONDS) for future in futures]
        self.ended += ended
        return ended


def is_called_good(result: ObjectResult) -> bool:
    """Tell whether a result says that the target holds the object, proven."""
    return result.outcome in {Outcome.COPIED, Outcome.ALREADY_EQUAL} and result.level is not Level.NONE
