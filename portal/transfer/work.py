"""What copy and verify have in common: opening both roots, threads, retries, hashing, writing the result."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from hashlib import md5, sha256
from threading import Event, Lock
from time import monotonic
from typing import Protocol, TypeVar

from portal.backends import open_backend
from portal.backends.base import Backend, Readable, S3Access, Timeouts
from portal.errors import OutOfSpace, PortalError, StorageError
from portal.lamindb.hashes import MD5, WHOLE_BYTES, FileHasher, encode
from portal.planning.actions import PlannedObject
from portal.planning.listings import key_order
from portal.planning.outcomes import GOOD, ObjectResult, Outcome
from portal.planning.retries import RetryPolicy, is_passing, next_wait_seconds
from portal.transfer.control import FATAL, Control, Stopped
from portal.transfer.jobs import ShardEnd, ShardJob, ShardResult, exceptions_of, summarise
from portal.transfer.segments import Segment, write_segment
from portal.transfer.turns import Turns
from portal.values import Root

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Opener(Protocol):
    """Opens a root; `backends.open_backend` is one."""

    def __call__(self, root: Root, access: S3Access | None = None, *, timeouts: Timeouts, tag: str) -> Backend:
        """Return the root, opened."""
        ...


class Digests:
    """SHA-256 (ours), MD5 (the servers') and LaminDB's hash of one content, in one pass.

    `size_bytes` decides which hash LaminDB takes: up to 50 MiB it is the MD5. Without `needs_md5` a larger content has
    no MD5: twice as costly as SHA-256, and no use where nobody tells another one to compare it with.
    """

    def __init__(self, size_bytes: int = 0, *, needs_md5: bool = True) -> None:
        self._sha256, self._md5 = sha256(), md5(usedforsecurity=False)
        self._has_md5 = needs_md5
        self._ends = FileHasher(size_bytes) if size_bytes > WHOLE_BYTES else None

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(data)
        if self._has_md5:
            self._md5.update(data)
        if self._ends is not None:
            self._ends.update(data)

    @property
    def lamin(self) -> tuple[str, str]:
        """Return LaminDB's hash so far: (kind, value)."""
        if self._ends is not None:
            return self._ends.kind, self._ends.value
        return MD5, encode(self._md5.digest())

    def is_digest(self, digest: str | None) -> bool:
        """Tell whether `digest` (`ObjectResult.digest`) is this content's."""
        return digest is not None and digest in {self.sha256, f"md5:{self.md5}"}

    @property
    def sha256(self) -> str:
        """Return the hex SHA-256 so far."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str | None:
        """Return the hex MD5 so far; None where it was not needed."""
        return self._md5.hexdigest() if self._has_md5 else None


def at(item: PlannedObject | ObjectResult) -> str:
    """Return the key at the target."""
    return item.target_key or item.key


@contextmanager
def opened(job: ShardJob, opener: Opener) -> Iterator[tuple[Backend, Backend]]:
    """Open source and target."""
    timeouts = job.options.timeouts
    with ExitStack() as stack:
        source = stack.enter_context(closing(opener(job.source, job.source_access, timeouts=timeouts, tag=job.tag)))
        target = stack.enter_context(closing(opener(job.target, job.target_access, timeouts=timeouts, tag=job.tag)))
        yield source, target


def hashed_chunks(stream: Readable, digests: Digests, control: Control, chunk_bytes: int) -> Iterator[bytes]:
    """Yield a stream in chunks, hashing on the way.

    Raises:
        Stopped: between two chunks, when the shard is to end.
    """
    control.check()
    while data := stream.read(chunk_bytes):
        digests.update(data)
        control.add(total_bytes=len(data))
        yield data
        control.check()


def hash_object(
    backend: Backend, key: str, digests: Digests, control: Control, chunk_bytes: int, *, is_ahead: bool = False
) -> Digests:
    """Read an object to its end into `digests` and return them.

    A local file comes from the disk: what the system holds of it is dropped first, unless `Backend.read_ahead` did.
    """
    with backend.open_read(key) as stream:
        if not is_ahead:
            drop_cache(stream)
        for _ in hashed_chunks(stream, digests, control, chunk_bytes):
            pass
    return digests


def drop_cache(stream: Readable) -> None:
    """Make the system read a file from its disk; nothing happens to what is no file, or not yet written out."""
    fileno = getattr(stream, "fileno", None)
    if fileno is not None:
        with suppress(OSError):
            os.posix_fadvise(fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def with_retries(call: Callable[[], Answer], control: Control, policy: RetryPolicy) -> Answer:
    """Return what `call` returns, calling it again after errors that pass.

    Raises:
        StorageError: the last one, when it does not pass or the tries are used up.
        Stopped: the shard is to end.
    """
    attempt = 0
    while True:
        attempt += 1
        control.check()
        try:
            return call()
        except StorageError as error:
            wait = next_wait_seconds(error, attempt, secrets.randbelow(1001) / 1000, policy)
            if wait is None:
                raise
        control.wait(wait)


def failed(result: ObjectResult, error: StorageError, lead: str = "") -> ObjectResult:
    """Return the result of an object that met an error of its own: the kind of that error, and whether it passes."""
    return replace(
        result,
        outcome=Outcome.FAILED,
        reason=f"{lead}{error}",
        fault="" if type(error) is StorageError else error.code,
        is_passing=is_passing(error),
    )


def run_objects(
    items: Iterable[Item],
    work: Callable[[Item], ObjectResult],
    control: Control,
    threads: int,
    *,
    is_local: bool = False,
) -> list[ObjectResult]:
    """Return the results of all items, in order of keys; fewer when the shard ended early (`control` knows why).

    `is_local`: the work needs this host alone, so that threads take turns where that is faster.
    """
    left, lock, is_empty = iter(items), Lock(), Event()
    results: list[ObjectResult] = []
    turns = Turns(are_taken=is_local)

    def handle_next() -> bool:
        with lock:
            item = next(left, None)
        if item is None:
            is_empty.set()
            return False
        results.append(work(item))
        control.add(object_count=1)
        return True

    def run(number: int) -> None:
        while control.has_place(number, threads, is_empty):
            with turns.one() as goes_on:
                while handle_next() and goes_on():
                    pass

    most = control.most_threads(threads)
    with ThreadPoolExecutor(most, thread_name_prefix="shard") as pool:
        for future in [pool.submit(_guarded, control, run, number) for number in range(most)]:
            future.result()
    return sorted(results, key=lambda result: key_order(result.key))


def _guarded(control: Control, run: Callable[[int], None], number: int) -> None:
    """Run a thread of a shard; what ends it early ends the others too."""
    try:
        run(number)
    except Stopped:
        return
    except FATAL as error:
        control.halt(error)
    except BaseException:
        control.abandon()
        raise


def run_shard(job: ShardJob, path: str, step: Callable[[Control], tuple[Sequence[ObjectResult], bool]]) -> ShardResult:
    """Run a step over a shard, write its results to `path` when every object has one, and say what came of it.

    `step` returns the results and whether they are complete.
    """
    started = monotonic()
    control = Control(job.stop_path, job.progress_path, job.options.max_failures, job.limits_path)
    results: Sequence[ObjectResult] = ()
    segment: Segment | None = None
    try:
        results, is_complete = step(control)
        if is_complete and control.error is None:
            segment = write_segment(path, results)
    except PortalError as error:
        control.halt(error)
    except OSError as error:
        control.halt(ledger_fault(error))
    except Stopped:
        pass
    control.finish()
    return _result(job, results, segment, control.error, round((monotonic() - started) * 1000))


def ledger_fault(error: OSError) -> StorageError:
    """Return the error for a plan, journal or segment that cannot be read or written; roots have their own errors."""
    return StorageError(
        f"The portal's ledger cannot be read or written: {error.strerror or error}.",
        hint="Make room where the portal keeps its data, see to its rights and to the limit of open files.",
    )


def _result(
    job: ShardJob, results: Sequence[ObjectResult], segment: Segment | None, error: PortalError | None, wall_ms: int
) -> ShardResult:
    end = ShardEnd.DONE if segment else ShardEnd.STOPPED
    if error is not None:
        end = ShardEnd.OUT_OF_SPACE if isinstance(error, OutOfSpace) else ShardEnd.HALTED
    return ShardResult(
        shard_id=job.shard_id,
        end=end,
        counts=summarise(results),
        object_count=len(results),
        total_bytes=sum(result.size_bytes for result in results if result.outcome in GOOD),
        path=segment.path if segment else "",
        digest=segment.digest if segment else "",
        exceptions=exceptions_of(results),
        wall_ms=wall_ms,
        error=error.message if error else "",
        hint=(error.hint or "") if error else "",
        retryable=error.retryable if error else not segment,
    )


DEFAULT_OPENER: Opener = open_backend
