"""The values that travel between the runner and the workers: a shard to do, and what came of it. All picklable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from portal.backends.base import BULK, Proof, S3Access, Timeouts
from portal.planning.outcomes import BAD, GOOD, Level, ObjectResult
from portal.planning.retries import RetryPolicy
from portal.values import Root


@dataclass(frozen=True, slots=True)
class ShardOptions:
    """How a worker does a shard.

    Attributes:
        threads: objects at a time; memory is about `threads` times what a backend holds of one object.
        chunk_bytes: read at a time.
        max_failures: so many failed objects end the shard, where no limits say another number.
        retries: for errors that pass.
        timeouts: of each request.
        takes_rot: copy also what is not as LaminDB recorded it.
        proof: which checksums of the target are evidence, as tried there.
    """

    threads: int = 24
    chunk_bytes: int = 256 * 1024
    max_failures: int = 50
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = BULK
    takes_rot: bool = False
    proof: Proof = field(default_factory=Proof)


@dataclass(frozen=True, slots=True)
class ShardJob:
    """One shard for a worker. For a rollback, `source` is the new root and `target` the old one.

    Attributes:
        shard_id: comes back in the result.
        tag: marks temporaries; 1 to 64 letters, digits, `_`, `-`. One tag a shard, kept when it is run again, never
            shared: leftovers of its earlier run are removed at the start.
        plan_path: plan segment to read.
        copy_path: result segment that `copy_shard` writes and `verify_shard` reads; its journal lies beside it, so
            running a shard again must name the same path.
        verify_path: result segment that `verify_shard` writes.
        stop_path: the worker stops as soon as this file exists; None: it can't be stopped.
        progress_path: where counters are written at most once a second (see `read_progress`); None: nowhere.
        limits_path: limits that may change while the shard runs (see `transfer.limits`); None: none.
    """

    shard_id: str
    source: Root
    target: Root
    tag: str
    plan_path: str
    copy_path: str
    verify_path: str = ""
    source_access: S3Access | None = None
    target_access: S3Access | None = None
    stop_path: str | None = None
    progress_path: str | None = None
    limits_path: str | None = None
    options: ShardOptions = field(default_factory=ShardOptions)


class ShardEnd(StrEnum):
    """How a worker left a shard."""

    #: Every object has a result and the result segment is written.
    DONE = "done"
    #: Told to stop; no segment. Run it again to go on where it was.
    STOPPED = "stopped"
    #: The target is full; no segment.
    OUT_OF_SPACE = "out_of_space"
    #: Something that would fail every object alike: credentials, bucket, too many failures; no segment.
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What came of one shard.

    Attributes:
        end: how it ended; only `done` has a segment.
        counts: objects by outcome (`planning.outcomes.Outcome`), by level for those proven at the target, and
            `as_recorded`: those there whose content has the hash LaminDB recorded.
        object_count: objects with a result.
        total_bytes: bytes of objects that lie at the target as they should.
        path: of the segment; empty when there is none.
        digest: of the segment; empty when there is none.
        exceptions: every object that is not good.
        wall_ms: how long it took.
        error: why it did not end well, for people; empty when it did.
        hint: what to do about that.
        retryable: whether running it again later may help, unchanged.
    """

    shard_id: str
    end: ShardEnd
    counts: dict[str, int]
    object_count: int
    total_bytes: int
    path: str = ""
    digest: str = ""
    exceptions: tuple[ObjectResult, ...] = ()
    wall_ms: int = 0
    error: str = ""
    hint: str = ""
    retryable: bool = False


def halted(shard_id: str, error: str, hint: str) -> ShardResult:
    """Return the result of a shard that ended over something no object of it can get past."""
    return ShardResult(shard_id, ShardEnd.HALTED, {}, 0, 0, error=error, hint=hint)


def summarise(results: Sequence[ObjectResult]) -> dict[str, int]:
    """Return how many objects there are of each outcome, of each level, and as LaminDB recorded them."""
    counts = Counter(result.outcome.value for result in results)
    levels = Counter(result.level for result in results)
    found = {level.value: levels[level] for level in Level if level is not Level.NONE}
    found["as_recorded"] = sum(result.is_as_recorded and result.outcome in GOOD for result in results)
    return {**counts, **{name: count for name, count in found.items() if count}}


def exceptions_of(results: Sequence[ObjectResult]) -> tuple[ObjectResult, ...]:
    """Return what a person has to look at, or another pass."""
    return tuple(result for result in results if result.outcome in BAD)
