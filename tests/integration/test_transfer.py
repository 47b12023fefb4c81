"""Whole moves between real roots, in real worker processes, with a worker killed in the middle."""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest

from portal.backends.base import ObjectInfo, Proof, S3Access
from portal.engine import LocalExecutor, open_executor
from portal.lamindb.hashes import MD5, encode
from portal.planning.outcomes import Level, Outcome, needs_look
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardEnd, ShardResult
from portal.transfer.limits import Limits, write_limits
from portal.transfer.scan import Earlier, ScanOptions, scan_delta, scan_rollback
from portal.transfer.segments import digest_of, latest_results, read_plan, write_segment
from portal.transfer.verify import verify_shard
from portal.values import ConnectionKind, Root, StorageType
from tests.servers import S3Server
from tests.small_s3 import ACCESS, SmallS3
from tests.unit.transfer.worlds import Move, contents, fill, local, outcomes, results, tree

MEBIBYTE = 1024 * 1024

#: Laid out as LaminDB does, with names whose order as paths is not their order as keys.
OBJECTS = {
    ".lamindb/AbCdEfGhIjKlMnOp0000.h5ad": b"managed",
    ".lamindb/AbCdEfGhIjKlMnOq.zarr/.zgroup": b"{}",
    ".lamindb/AbCdEfGhIjKlMnOq.zarr/x/0.0": bytes(range(256)) * 40,
    "a": b"1",
    "a-b": b"2",
    "a.b/c": b"3",
    "ab": b"4",
    "data/empty": b"",
    "data/z": b"5",
    "data-2/z": b"6",
    "data.csv": b"7",
    "names/with space #1 +%20 é 😀.txt": b"8",
    "Z": b"9",
    **{f"many/{number:03}": str(number).encode() for number in range(8)},
}
MARKER = {".lamindb/storage_uid.txt": b"abcdefghijkl\ncreation info:"}


@dataclass
class Side:
    """A root and its folder on disk, which for a bucket lies below the server's."""

    root: Root
    folder: Path
    access: S3Access | None = None


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with open_executor(2) as opened:
        yield opened


def make_side(kind: str, name: str, tmp_path: Path, server: S3Server) -> Side:
    if kind == "local":
        return Side(local(tmp_path / name), tmp_path / name)
    bucket = f"{name}-{secrets.token_hex(6)}"
    folder = server.add_bucket(bucket) / "pre fix"
    text = f"s3://{bucket}/pre fix?endpoint_url={server.endpoint_url}"
    root = Root(StorageType.S3, text, bucket=bucket, path="pre fix", endpoint_url=server.endpoint_url)
    return Side(root, folder, S3Access(ConnectionKind.ACCESS_KEY, server.access_key, server.secret_key))


@pytest.fixture(params=["local-local", "local-s3", "s3-local", "s3-s3"])
def sides(request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server) -> tuple[Side, Side]:
    source, target = str(request.param).split("-")
    return make_side(source, "source", tmp_path, s3_server), make_side(target, "target", tmp_path, s3_server)


def move_between(sides: tuple[Side, Side], tmp_path: Path) -> Move:
    source, target = sides
    move = Move(source.root, target.root, tmp_path / "ledger")
    move.accesses = {side.root: side.access for side in sides if side.access is not None}
    return move


def run_all(executor: LocalExecutor, move: Move) -> list[ShardResult]:
    """Copy then verify every shard in worker processes; return the results of verifying."""
    copied = [future.result(120) for future in [executor.submit(copy_shard, job) for job in move.jobs]]
    assert {result.end for result in copied} <= {ShardEnd.DONE}
    move.verified = [future.result(120) for future in [executor.submit(verify_shard, job) for job in move.jobs]]
    return move.verified


def test_a_move_forth_and_back_in_every_direction(
    sides: tuple[Side, Side], tmp_path: Path, executor: LocalExecutor
) -> None:
    source, target = sides
    fill(source.folder, {**OBJECTS, **MARKER})
    before = tree(source.folder)
    fill(target.folder, {"a": b"1", "ab": b"x", "Z": b"other size", "theirs/x": b"own"})
    move = move_between(sides, tmp_path)

    summary = move.plan()
    assert summary.object_count == len(OBJECTS)
    verified = run_all(executor, move)
    forward = [[result.path for result in verified]]
    found = results(forward[0])
    expected = dict.fromkeys(OBJECTS, "copied") | {"a": "already_equal", "ab": "conflict", "Z": "conflict"}
    assert outcomes(found) == {**expected, "theirs/x": "left"}
    assert {result.key for result in found if needs_look(result)} == {"ab", "Z"}
    assert tree(source.folder) == before
    kept = {"ab": b"x", "Z": b"other size", "theirs/x": b"own"}
    assert contents(target.folder) == {**OBJECTS, **kept}
    assert [digest_of(path) for path in forward[0]] == [result.digest for result in verified]

    time.sleep(1.1)  # rclone tells times by the second
    fill(source.folder, {"data/z": b"changed", "new": b"new"})
    (source.folder / "a-b").unlink()
    at_delta = tree(source.folder)
    source_backend, target_backend = move.backend(source.root), move.backend(target.root)
    scan_delta(source_backend, target_backend, latest_results(forward), ScanOptions(), move.writer("forward", 2))
    forward.append([result.path for result in run_all(executor, move)])
    delta = {"data/z": "copied", "new": "copied", "a-b": "removed", "ab": "conflict", "Z": "conflict"}
    assert outcomes(results(forward[1])) == delta
    wanted = {**OBJECTS, **kept, "data/z": b"changed", "new": b"new"}
    del wanted["a-b"]
    assert contents(target.folder) == wanted
    assert tree(source.folder) == at_delta

    time.sleep(1.1)
    fill(target.folder, {"since": b"written at the new root", "data/z": b"rewritten at the new root"})
    known = latest_results(forward)
    scan_rollback(target_backend, source_backend, Earlier(known, tag="r1"), ScanOptions(), move.writer("back", 1))
    back = results(result.path for result in run_all(executor, move))
    assert outcomes(back) == {"since": "copied", "data/z": "copied"}
    after = tree(source.folder)
    assert {key: after[key] for key in at_delta} == at_delta
    assert set(after) - set(at_delta) == {"since", "data/z.rewritten-r1"}


def test_a_worker_killed_in_the_middle_loses_nothing(sides: tuple[Side, Side], tmp_path: Path) -> None:
    source, target = sides
    # Smaller ones get their names together at the end of a shard.
    fill(source.folder, {f"many/{number:03}": secrets.token_bytes(MEBIBYTE + 1) for number in range(24)})
    before = tree(source.folder)
    move = move_between(sides, tmp_path)
    move.options = replace(move.options, threads=2)
    scanned = move.plan(one_shard())
    assert scanned.shard_count == 1
    # Slowed down until it is killed, so that it is caught in the middle however slow this process is.
    limits = str(tmp_path / "limits.json")
    write_limits(limits, Limits(bytes_per_second=3 * MEBIBYTE))
    with open_executor(1) as executor:
        pid = executor.submit(os.getpid).result(60)
        first = executor.submit(copy_shard, replace(move.jobs[0], limits_path=limits))
        kill_after_some_objects(pid, target.folder, first)
        with pytest.raises(BrokenProcessPool):
            first.result(60)
        reached = len([path for path in target.folder.rglob("many/*") if path.is_file()])
        assert 0 < reached < 24
        again = executor.submit(copy_shard, move.jobs[0]).result(120)
        assert (again.end, again.counts["copied"]) == (ShardEnd.DONE, 24)
        verified = executor.submit(verify_shard, move.jobs[0]).result(120)
    assert verified.counts == {"copied": 24, "read_back": 24}
    assert all(result.is_ours for result in results([verified.path]))
    hashes = {key: digest for key, (digest, _) in before.items()}
    assert {key: digest for key, (digest, _) in tree(target.folder).items()} == hashes
    assert tree(source.folder) == before


@pytest.mark.parametrize("sides", ["s3-s3"], indirect=True)
@pytest.mark.parametrize("is_recorded", [False, True], ids=["unrecorded", "recorded"])
def test_what_the_server_copies_of_a_source_that_changes_is_known(
    sides: tuple[Side, Side], tmp_path: Path, is_recorded: bool
) -> None:
    source, target = sides
    olds = {f"many/{number:02}": f"old {number:02}".encode() for number in range(20)}
    fill(source.folder, olds)
    move = move_between(sides, tmp_path)
    move.options = replace(move.options, threads=1, proof=Proof(has_md5=True))
    move.plan(one_shard())
    if is_recorded:
        plan = list(read_plan(move.jobs[0].plan_path))
        recorded = [replace(item, recorded=((MD5, encode(md5(olds[item.key]).digest())),)) for item in plan]
        write_segment(move.jobs[0].plan_path, recorded)
    opened = move.opener

    def opening(root: Root, access: S3Access | None = None, **options: Any) -> Any:
        backend: Any = opened(root, access, **options)
        if root == target.root:
            copy_from = backend.copy_from
            backend.copy_from = lambda source, seen, key, **how: change_then(copy_from, source, seen, key, **how)
        return backend

    def change_then(copy_from: Any, backend: Any, seen: ObjectInfo, key: str, **how: bool) -> Any:
        if seen.key == "many/07":
            fill(source.folder, {seen.key: b"new 07"})
        return copy_from(backend, seen, key, **how)

    move.opener = opening
    (changed,) = [result for result in move.copy() if result.key == "many/07"]
    assert move.copied[0].end is ShardEnd.DONE
    assert {result.level for result in results([move.copied[0].path]) if result.key != "many/07"} == {Level.SERVER}
    assert contents(target.folder) == olds | {"many/07": b"new 07"}
    assert changed.is_ours, "nobody would take it away when the move is cancelled"
    assert changed.outcome is (Outcome.ROTTEN if is_recorded else Outcome.COPIED)
    assert changed.digest in {sha256(b"new 07").hexdigest(), f"md5:{md5(b'new 07').hexdigest()}"}
    assert changed.level is (Level.NONE if is_recorded else Level.SERVER)


def move_to(server: SmallS3, tmp_path: Path, objects: dict[str, bytes]) -> Move:
    """Plan a move into a bucket whose checksums are proven."""
    fill(tmp_path / "source", objects)
    move = Move(local(tmp_path / "source"), server.root(), tmp_path / "ledger")
    move.accesses = {move.target: ACCESS}
    move.options = replace(move.options, proof=Proof(has_md5=True, has_parts=True, is_composite=True))
    move.plan()
    return move


def test_a_paused_upload_goes_on_from_its_parts(tmp_path: Path) -> None:
    data = secrets.token_bytes(40 * MEBIBYTE)
    with SmallS3() as server, ThreadPoolExecutor(1) as pool:
        move = move_to(server, tmp_path, {"large": data})
        (job,) = move.jobs
        limits = str(tmp_path / "limits.json")
        write_limits(limits, Limits(bytes_per_second=20 * MEBIBYTE))
        paused = pool.submit(copy_shard, replace(job, limits_path=limits))
        while server.part_count() < 2 and not paused.done():
            time.sleep(0.01)
        Path(str(job.stop_path)).touch()
        assert paused.result(60).end is ShardEnd.STOPPED
        sent = server.part_count()
        assert [len(upload.parts) for upload in server.uploads.values()] == [sent]
        Path(str(job.stop_path)).unlink()
        assert outcomes(move.copy()) == {"large": "copied"}
        assert (server.part_count(), server.objects) == (5, {"data/large": data})


def test_a_record_that_cannot_be_read_ends_a_shard_that_is_then_run_again(tmp_path: Path) -> None:
    with SmallS3() as server:
        move = move_to(server, tmp_path, {"a": b"content"})
        (job,) = move.jobs
        record = f"data/.lamindb/_portal/{job.tag}/left"
        server.put(record, b'{"key": "data/large", "upload_id": "gone"}')
        server.breaks_off[record] = 0
        result = copy_shard(job, move.opener)
        assert (result.end, result.retryable) == (ShardEnd.HALTED, True)
        server.breaks_off.clear()
        assert outcomes(move.copy()) == {"a": "copied"}
        assert list(server.objects) == ["data/a"]


def one_shard() -> ScanOptions:
    from portal.planning.shards import ShardLimits

    return ScanOptions(limits=ShardLimits(min_count=1000))


def kill_after_some_objects(pid: int, folder: Path, running: Future[ShardResult]) -> None:
    """Kill the worker as soon as three objects are there."""
    deadline = time.monotonic() + 60
    while len([path for path in folder.rglob("many/*") if path.is_file()]) < 3:
        assert time.monotonic() < deadline, "nothing was copied"
        assert not running.done()
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)


def test_a_cold_read_is_possible_for_local_files(tmp_path: Path) -> None:
    fill(tmp_path / "source", {"a": b"1"})
    move = Move(local(tmp_path / "source"), local(tmp_path / "target"), tmp_path / "ledger")
    with move.backend(move.source).open_read("a") as stream:
        assert isinstance(getattr(stream, "fileno")(), int)  # noqa: B009 - not every stream has one
