"""A shard as planned, and where its files lie in a migration's folder of the ledger."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from portal.planning.actions import Act, PlannedObject
from portal.transfer.segments import Segment, write_segment


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """A slice of a plan; `number` counts from 0 within a pass."""

    number: int
    objects: tuple[PlannedObject, ...]

    @property
    def object_count(self) -> int:
        """Return how many objects a worker handles."""
        return sum(1 for item in self.objects if item.act is not Act.LEAVE)

    @property
    def total_bytes(self) -> int:
        """Return how many bytes lie at the source under its keys."""
        return sum(item.size_bytes for item in self.objects if item.act not in {Act.LEAVE, Act.REMOVE})


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """The files of one shard. All of a pass lie in one folder and sort by number."""

    plan: str
    copy: str
    verify: str
    copy_progress: str
    verify_progress: str


def shard_files(folder: str, direction: str, pass_number: int, number: int) -> ShardFiles:
    """Return where a shard's files lie below a migration's `folder`; `direction` is `forward` or `back`."""
    base = PurePosixPath(folder) / f"{direction}-{pass_number:03}"
    segments = (f"{base / kind}-{number:07}.jsonl.gz" for kind in ("plan", "copy", "verify"))
    progress = (f"{base / kind}-{number:07}.json" for kind in ("progress-copy", "progress-verify"))
    return ShardFiles(*segments, *progress)


def write_plan(files: ShardFiles, shard: PlannedShard) -> Segment:
    """Write a shard's plan segment."""
    return write_segment(files.plan, shard.objects)
