"""Plans and manifests hold a few entries at a time, however many a root has."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.backends.base import ObjectInfo
from portal.backends.memory import MemoryBackend
from portal.planning.outcomes import Level, ObjectResult, Outcome
from portal.planning.shards import ShardLimits
from portal.transfer.manifest import ManifestJob, write_manifest
from portal.transfer.scan import Earlier, ScanOptions, scan, scan_delta, scan_rollback, scan_stragglers
from portal.transfer.segments import decode_result, write_segment
from portal.transfer.shards import PlannedShard
from portal.transfer.summary import PlanSummary
from portal.values import Root, StorageType

#: Objects of each root, and how many keys may be held at once: two shards of 50, and what is looked at.
COUNT, MOST = 5000, 150

LIMITS = ShardLimits(min_count=50, max_count=50)
THEN = datetime(2026, 1, 1, tzinfo=UTC)


class Key(str):
    """A key that is counted while anybody holds it: in an entry, a planned object, or a result."""

    alive = most = 0

    def __new__(cls, text: str) -> "Key":
        Key.alive += 1
        Key.most = max(Key.most, Key.alive)
        return super().__new__(cls, text)

    def __del__(self) -> None:
        Key.alive -= 1


@pytest.fixture(autouse=True)
def nobody_holds_a_key() -> None:
    Key.alive = Key.most = 0


class Long(MemoryBackend):
    """A root with many objects, listed one by one; `changed` tells of other content in each."""

    def __init__(self, path: str, *, changed: bool = False) -> None:
        super().__init__(Root(StorageType.LOCAL, path, path=path))
        self._size_bytes = 9 if changed else 1

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object, made when it is asked for."""
        for number in range(COUNT):
            yield ObjectInfo(Key(f"k{number:05}"), self._size_bytes, THEN, "etag")


def results() -> Iterator[ObjectResult]:
    """Yield what an earlier pass found: every second object."""
    for number in range(0, COUNT, 2):
        yield ObjectResult(
            Key(f"k{number:05}"), 1, Outcome.COPIED, THEN, "etag", sha256="ab" * 32, level=Level.READ_BACK
        )


def forget(shard: PlannedShard) -> None:
    """Keep nothing of a shard."""


OLD, NEW = Long("/old"), Long("/new", changed=True)
OPTIONS = ScanOptions(limits=LIMITS)

SCANS: dict[str, Callable[[], PlanSummary]] = {
    "the first pass": lambda: scan(OLD, NEW, OPTIONS, forget),
    "a later pass": lambda: scan_delta(OLD, NEW, results(), OPTIONS, forget),
    "the way back": lambda: scan_rollback(NEW, OLD, Earlier(results(), results(), "tag"), OPTIONS, forget),
    "stragglers": lambda: scan_stragglers(OLD, NEW, Earlier(results(), results(), "tag"), OPTIONS, forget),
}


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_holds_few_entries_however_many_there_are(name: str) -> None:
    assert SCANS[name]().shard_count >= COUNT // 2 // LIMITS.max_count
    assert Key.most <= MOST


@pytest.mark.parametrize("has_base", [False, True])
def test_a_manifest_is_written_with_few_results_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_base: bool
) -> None:
    def counted(line: bytes) -> ObjectResult:
        result = decode_result(line)
        return replace(result, key=Key(result.key))

    monkeypatch.setattr("portal.transfer.segments.decode_result", counted)
    paths = tuple(str(tmp_path / f"{number}.jsonl.gz") for number in range(2))
    for path in paths:
        write_segment(path, results())
    base = None
    if has_base:
        base = write_manifest(ManifestJob(str(tmp_path), "m", 1, ((paths[0],),), most_lines=100)).path
    Key.most = Key.alive
    newer = ((paths[1],),) if base else ()
    job = ManifestJob(str(tmp_path), "m", 2, tuple((path,) for path in paths), base, newer, most_lines=100)
    assert write_manifest(job).count == COUNT // 2
    assert Key.most <= MOST
