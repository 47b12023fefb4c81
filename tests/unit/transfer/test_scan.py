import json
from pathlib import Path

from portal.planning.actions import Act
from portal.planning.shards import ShardLimits
from portal.transfer.scan import ScanOptions, scan
from portal.transfer.segments import read_plan
from portal.transfer.shards import PlannedShard
from portal.transfer.summary import summary_from
from tests.unit.transfer.worlds import Memory, Move, fill, local


def test_a_scan_counts_what_it_plans_and_what_stays(tmp_path: Path) -> None:
    world = Memory(
        {"a": b"1", "b": b"22", "c": b"333", ".lamindb/storage_uid.txt": b"m", ".lamindb/lamin.db": b"d", "in/x": b"n"},
        {"b": b"xx", "c": b"4", "theirs": b"t"},
    )
    shards: list[PlannedShard] = []
    options = ScanOptions(nested=("in/",), limits=ShardLimits(min_count=2, max_count=2))
    summary = scan(world.source, world.target, options, shards.append)
    assert [str(item) for shard in shards for item in shard.objects] == [
        "copy a",
        "prove b",
        "conflict c",
        "leave theirs",
    ]
    assert (summary.object_count, summary.total_bytes, summary.shard_count) == (3, 6, 2)
    assert summary.act(Act.CONFLICT).examples == ("c",)
    assert summary.act(Act.LEAVE).count == 1
    assert summary.excluded["marker, copied at cut-over"].count == 1
    assert set(summary.lost) == {"LaminDB's database", "belongs to a root inside this one"}
    assert (summary.largest_key, summary.largest_bytes) == ("c", 3)
    assert (shards[1].object_count, shards[1].total_bytes) == (1, 3)
    assert summary_from(json.loads(json.dumps(summary.as_dict()))) == summary


def test_a_bucket_may_hold_what_a_directory_cannot(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "a-b": b"1", "a/b": b"1", "folder/": b"", "x//y": b"1"})
    move = Move(world.roots["source"], local(tmp_path / "target"), tmp_path / "ledger")
    target = move.backend(move.target)
    summary = scan(world.source, target, ScanOptions(), move.writer("forward", 1))
    assert [item.key for item in read_plan(move.jobs[0].plan_path)] == ["a", "a-b"]
    assert summary.excluded["empty folder key"].count == 1
    names = summary.lost["name the target cannot hold"]
    assert names.examples == (
        "a/b: a is an object, so it can be no folder",
        "x//y: it has an empty part between slashes",
    )


def test_it_sees_whether_the_target_has_room(tmp_path: Path) -> None:
    fill(tmp_path / "source", {"a": b"1"})
    move = Move(local(tmp_path / "source"), local(tmp_path / "target"), tmp_path / "ledger")
    summary = move.plan()
    assert summary.free_bytes is not None
    assert summary.has_room
    assert summary.needed_bytes > 1


def test_it_reports_what_is_no_object(tmp_path: Path) -> None:
    fill(tmp_path / "source", {"a": b"1"})
    (tmp_path / "source" / "out").symlink_to("/etc/hostname")
    move = Move(local(tmp_path / "source"), local(tmp_path / "target"), tmp_path / "ledger")
    summary = move.plan()
    assert summary.skipped.count == 1
    assert summary.skipped.examples[0].startswith("out: ")


def test_an_empty_root_is_a_plan_without_shards(tmp_path: Path) -> None:
    world = Memory({})
    summary = scan(world.source, world.target, ScanOptions(), lambda shard: None)
    assert (summary.object_count, summary.shard_count, summary.needed_bytes, summary.has_room) == (0, 0, 0, True)
