"""Copy, verify, delta and rollback of single shards, in memory."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.backends import open_backend
from portal.backends.base import Backend, ObjectInfo, Proof, Readable, S3Access, Timeouts
from portal.backends.memory import MemoryBackend
from portal.errors import AccessRefused, CredentialsRefused, OutOfSpace, StorageError, Unreachable
from portal.planning.actions import Act, PlannedObject
from portal.transfer.control import read_progress
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardEnd
from portal.transfer.scan import Earlier, ScanOptions, scan_delta, scan_rollback
from portal.transfer.segments import latest_results, read_results
from portal.transfer.verify import verify_shard
from portal.values import Root
from tests.unit.transfer.worlds import Memory, Move, contents, fill, job_for, local, outcomes, single_threaded


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def move_in(world: Memory, tmp_path: Path) -> Move:
    return Move(world.roots["source"], world.roots["target"], tmp_path / "ledger", world.open)


class Meddler:
    """A backend with something that happens before its calls: `before[name](key)`."""

    def __init__(self, backend: Backend, **before: Any) -> None:
        self._backend, self._before = backend, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def info(self, key: str) -> ObjectInfo | None:
        self._before.get("info", lambda _: None)(key)
        return self._backend.info(key)

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        for key in keys:
            self._before.get("infos", lambda _: None)(key)
        return self._backend.infos(keys)

    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> AbstractContextManager[Readable]:
        self._before.get("open_read", lambda _: None)(key)
        return self._backend.open_read(key, seen=seen)

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        self._before.get("write", lambda _: None)(key)
        written = self._backend.write(key, chunks, size_bytes=size_bytes, in_bulk=in_bulk)
        self._before.get("after_write", lambda _: None)(key)
        return written


def meddle(world: Memory, name: str, **before: Any) -> None:
    chosen = getattr(world, name)
    world.wrap = lambda backend: Meddler(backend, **before) if backend is chosen else backend


def once(error: Exception) -> Any:
    seen: set[str] = set()

    def fail(key: str) -> None:
        if key not in seen:
            seen.add(key)
            raise error

    return fail


def test_every_outcome_of_a_plain_move(tmp_path: Path) -> None:
    world = Memory(
        {"new": b"1", "same": b"22", "other": b"333", "short": b"4"},
        {"same": b"22", "other": b"xxx", "short": b"55", "own": b"o"},
    )
    move = move_in(world, tmp_path)
    found = move.run()
    assert outcomes(found) == {
        "new": "copied",
        "same": "already_equal",
        "other": "conflict",
        "short": "conflict",
        "own": "left",
    }
    assert world.target.objects == {"new": b"1", "same": b"22", "other": b"xxx", "short": b"55", "own": b"o"}
    levels = {result.key: result.level.value for result in found}
    assert levels == {"new": "read_back", "same": "read_back", "other": "", "short": "", "own": ""}
    first, second = move.verified
    assert first.end is second.end is ShardEnd.DONE
    assert first.counts == {"copied": 1, "conflict": 1, "left": 1, "already_equal": 1, "read_back": 2}
    assert second.counts == {"conflict": 1}
    assert [exception.key for exception in (*first.exceptions, *second.exceptions)] == ["other", "short"]
    new = next(entry for entry in found if entry.key == "new")
    assert (new.sha256, new.md5, new.is_ours) == (sha(b"1"), hashlib.md5(b"1").hexdigest(), True)


def test_a_shard_run_twice_ends_the_same(tmp_path: Path) -> None:
    move = move_in(Memory({"a": b"1", "b": b"2"}, {"b": b"2"}), tmp_path)
    move.plan()
    first = move.copy()
    assert move.copy() == first
    assert [result.digest for result in move.copied] == [copy_shard(job, move.opener).digest for job in move.jobs]


class Noting(MemoryBackend):
    """Remembers of every write whether the MD5 of the whole was going to be compared."""

    told: list[bool]

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        self.told.append(compares_md5)
        return super().write(key, chunks, size_bytes=size_bytes, in_bulk=in_bulk)


@pytest.mark.parametrize(
    ("proof", "is_told"),
    [
        (Proof(), False),
        (Proof(has_md5=True), False),
        (Proof(has_md5=True, has_parts=True, is_composite=True), False),
        (Proof(has_md5=True, has_parts=True), True),
    ],
)
def test_only_a_target_proven_to_hash_the_whole_is_sent_parts_without_md5(
    tmp_path: Path, proof: Proof, is_told: bool
) -> None:
    world = Memory({"a": b"1"})
    noting = Noting(world.roots["target"])
    noting.told = []
    world.wrap = lambda backend: noting if backend is world.target else backend
    move = move_in(world, tmp_path)
    move.options = replace(move.options, proof=proof)
    move.plan()
    assert outcomes(move.copy()) == {"a": "copied"}
    assert noting.told == [is_told]


def test_an_object_begun_by_a_killed_run_is_ours(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()

    def die(key: str) -> None:
        raise KeyboardInterrupt

    meddle(world, "target", after_write=die)
    with pytest.raises(KeyboardInterrupt):
        copy_shard(single_threaded(move.jobs[0]), move.opener)
    world.wrap = lambda backend: backend
    assert "a" in world.target.objects
    assert outcomes(move.copy()) == {"a": "copied", "b": "copied"}
    assert all(result.is_ours for result in move.copy())


def killed_after_writing_a(tmp_path: Path) -> tuple[Memory, Move]:
    """Return a world where a worker was killed right after it had written `a`."""
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()

    def die(key: str) -> None:
        raise KeyboardInterrupt

    meddle(world, "target", after_write=die)
    with pytest.raises(KeyboardInterrupt):
        copy_shard(single_threaded(move.jobs[0]), move.opener)
    world.wrap = lambda backend: backend
    return world, move


def test_an_object_of_a_killed_run_that_changed_since_is_written_anew(tmp_path: Path) -> None:
    world, move = killed_after_writing_a(tmp_path)
    world.source.objects["a"] = b"longer"
    assert outcomes(move.copy()) == {"a": "copied", "b": "copied"}
    assert world.target.objects == {"a": b"longer", "b": b"2"}


def test_an_object_of_a_killed_run_that_the_source_deleted_since_goes_with_the_next_delta(tmp_path: Path) -> None:
    world, move = killed_after_writing_a(tmp_path)
    del world.source.objects["a"]
    assert outcomes(move.copy()) == {"a": "missing", "b": "copied"}
    assert run_delta(move, world, [[result.path for result in move.copied]]) == {"a": "removed"}
    assert world.target.objects == {"b": b"2"}


def test_an_object_of_a_killed_run_that_somebody_replaced_is_not_touched(tmp_path: Path) -> None:
    world, move = killed_after_writing_a(tmp_path)
    world.source.objects["a"] = b"longer"
    world.target.objects["a"] = b"theirs"
    assert outcomes(move.copy()) == {"a": "conflict", "b": "copied"}
    assert world.target.objects["a"] == b"theirs"


def test_an_object_that_appeared_after_the_plan_is_compared_not_claimed(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()
    world.target.objects.update({"a": b"1", "b": b"x"})
    found = move.copy()
    assert outcomes(found) == {"a": "already_equal", "b": "conflict"}
    assert not any(result.is_ours for result in found)
    assert outcomes(move.copy()) == {"a": "already_equal", "b": "conflict"}


class Untold(Meddler):
    """A source that tells no ETags, so that only times and sizes say what changed."""

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        return {key: replace(found, etag=None) for key, found in self._backend.infos(keys).items()}

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (replace(found, etag=None) for found in self._backend.list_objects(prefix))


def changing(world: Memory) -> Callable[[str], None]:
    def change(key: str) -> None:
        if key == "a":
            world.source.objects["a"] = b"new"

    return change


def test_a_source_that_changes_while_it_is_copied_is_noticed_and_our_copy_taken_back(tmp_path: Path) -> None:
    world = Memory({"a": b"11", "b": b"2"})
    world.source.capabilities = replace(world.source.capabilities, has_md5_etag=False)
    source, target = Untold(world.source), Meddler(world.target, after_write=changing(world))
    world.wrap = lambda backend: source if backend is world.source else target
    move = move_in(world, tmp_path)
    move.plan()
    assert outcomes(move.copy()) == {"a": "changed", "b": "copied"}
    assert world.target.objects == {"b": b"2"}


def test_a_change_after_a_version_was_copied_whole_is_found_by_verify_and_copied_next(tmp_path: Path) -> None:
    world = Memory({"a": b"11", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()
    meddle(world, "target", after_write=changing(world))
    assert outcomes(move.copy()) == {"a": "copied", "b": "copied"}
    assert outcomes(move.verify()) == {"a": "changed", "b": "copied"}
    world.wrap = lambda backend: backend
    assert run_delta(move, world, [[result.path for result in move.verified]]) == {"a": "copied"}
    assert world.target.objects == {"a": b"new", "b": b"2"}


@pytest.mark.parametrize("data", [b"22", b"longer"], ids=["same size", "longer"])
def test_a_source_changed_since_the_plan_is_copied_as_it_is_now(tmp_path: Path, data: bytes) -> None:
    world = Memory({"a": b"11", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()
    world.source.objects["a"] = data
    assert outcomes(move.run()) == {"a": "copied", "b": "copied"}
    assert world.target.objects == {"a": data, "b": b"2"}


def test_a_source_deleted_since_the_plan_is_missing(tmp_path: Path) -> None:
    world = Memory({"a": b"1"})
    move = move_in(world, tmp_path)
    move.plan()
    del world.source.objects["a"]
    assert outcomes(move.copy()) == {"a": "missing"}


def test_passing_errors_are_tried_again(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()
    meddle(world, "source", open_read=once(Unreachable("Gone for a moment.", retryable=True)))
    assert outcomes(move.copy()) == {"a": "copied", "b": "copied"}


def test_an_answer_lost_after_the_write_does_not_make_our_object_foreign(tmp_path: Path) -> None:
    world = Memory({"a": b"1"})
    move = move_in(world, tmp_path)
    move.plan()
    meddle(world, "target", after_write=once(Unreachable("No answer.", retryable=True)))
    (found,) = move.copy()
    assert (found.outcome, found.is_ours) == ("copied", True)


class Leaving(Meddler):
    """A backend whose writes leave something behind, as when a server is away that should drop an upload."""

    def __init__(self, backend: Backend) -> None:
        self.left: set[str] = set()
        super().__init__(backend, after_write=self.left.add)

    def remove_temporaries(self, tag: str, *, keeps_uploads: bool = False) -> int:
        count = len(self.left)
        self.left.clear()
        return count


def test_what_a_failed_try_could_not_drop_is_dropped_at_the_end_of_the_shard(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()
    leaving = Leaving(world.target)
    world.wrap = lambda backend: leaving if backend is world.target else backend
    assert outcomes(move.copy()) == {"a": "copied", "b": "copied"}
    assert leaving.left == set()


def test_permanent_errors_are_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()
    meddle(world, "source", open_read=once(AccessRefused("You may not read a.", hint="Ask.")))
    found = move.copy()
    assert set(outcomes(found).values()) == {"failed"}
    assert found[0].reason == "You may not read a. Ask."
    assert move.copied[0].end is ShardEnd.DONE


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (OutOfSpace("The disk is full.", hint="Make room."), ShardEnd.OUT_OF_SPACE),
        (CredentialsRefused("The key is unknown."), ShardEnd.HALTED),
    ],
)
def test_errors_that_every_object_would_meet_end_the_shard(tmp_path: Path, error: StorageError, end: ShardEnd) -> None:
    world = Memory({f"{number:03}": b"1" for number in range(4)})
    move = move_in(world, tmp_path)
    move.plan()

    def full(key: str) -> None:
        if key != "000":
            raise error

    meddle(world, "target", write=full)
    result = copy_shard(single_threaded(move.jobs[0]), move.opener)
    assert (result.end, result.error, result.path) == (end, error.message, "")
    assert set(world.target.objects) == {"000"}
    assert not Path(move.jobs[0].copy_path).exists()
    world.wrap = lambda backend: backend
    assert set(outcomes(move.copy()).values()) == {"copied"}


def test_too_many_failures_end_the_shard(tmp_path: Path) -> None:
    world = Memory({f"{number:03}": b"1" for number in range(4)})
    move = move_in(world, tmp_path)
    move.options = replace(move.options, max_failures=2, threads=1)
    move.plan()
    meddle(world, "source", open_read=once(AccessRefused("No.")))
    (result,) = [copy_shard(job, move.opener) for job in move.jobs]
    assert (result.end, len(result.exceptions)) == (ShardEnd.HALTED, 2)


def test_a_stop_file_ends_the_shard_between_objects_and_it_can_go_on(tmp_path: Path) -> None:
    world = Memory({f"{number:03}": b"1" for number in range(4)})
    move = move_in(world, tmp_path)
    move.plan()
    (tmp_path / "ledger" / "stop").touch()
    result = copy_shard(move.jobs[0], move.opener)
    assert (result.end, result.object_count, result.digest) == (ShardEnd.STOPPED, 0, "")
    assert world.target.objects == {}
    (tmp_path / "ledger" / "stop").unlink()
    assert set(outcomes(move.copy()).values()) == {"copied"}


def test_a_stop_file_ends_the_shard_between_chunks(tmp_path: Path) -> None:
    world = Memory({"big": b"x" * 64})
    move = move_in(world, tmp_path)
    move.options = replace(move.options, chunk_bytes=1)
    move.plan()

    # The stop file is looked for five times a second: the pause makes the next look due.
    def stop(key: str) -> None:
        time.sleep(0.3)
        (tmp_path / "ledger" / "stop").touch()

    meddle(world, "source", open_read=stop)
    result = copy_shard(move.jobs[0], move.opener)
    assert result.end is ShardEnd.STOPPED
    assert world.target.objects == {}


def test_progress_is_written_for_others_to_read(tmp_path: Path) -> None:
    move = move_in(Memory({"a": b"1", "b": b"22"}), tmp_path)
    move.plan()
    path = move.jobs[0].progress_path
    assert path is not None
    assert read_progress(path).object_count == 0
    move.copy()
    assert (read_progress(path).object_count, read_progress(path).total_bytes) == (2, 3)


def test_verification_finds_rot_deletion_and_change(tmp_path: Path) -> None:
    world = Memory(dict.fromkeys("abcde", b"1"))
    move = move_in(world, tmp_path)
    move.plan()
    move.copy()
    world.target.objects["a"] = b"2"
    del world.target.objects["b"]
    world.source.objects["c"] = b"new"
    del world.source.objects["d"]
    found = move.verify()
    assert outcomes(found) == {"a": "mismatch", "b": "mismatch", "c": "changed", "d": "missing", "e": "copied"}
    assert [result.level for result in found] == ["", "", "", "", "read_back"]


def test_what_cannot_be_read_back_is_not_verified(tmp_path: Path) -> None:
    world = Memory({"a": b"1"})
    move = move_in(world, tmp_path)
    move.plan()
    move.copy()
    meddle(world, "target", open_read=once(AccessRefused("No reading.")))
    (found,) = move.verify()
    assert (found.outcome, found.level) == ("failed", "")


def run_delta(move: Move, world: Memory, passes: list[list[str]]) -> dict[str, str]:
    number = len(passes) + 1
    known = latest_results(passes)
    scan_delta(world.source, world.target, known, ScanOptions(), move.writer("forward", number))
    move.copy()
    found = outcomes(move.verify())
    passes.append([result.path for result in move.verified])
    return found


def test_deltas_bring_the_target_up_to_date_without_touching_what_is_not_ours(tmp_path: Path) -> None:
    world = Memory(dict.fromkeys(("keep", "change", "gone", "equal"), b"1"), {"equal": b"1", "own": b"o"})
    move = move_in(world, tmp_path)
    move.run()
    passes = [[result.path for result in move.verified]]
    world.source.objects.update({"change": b"two", "new": b"n", "equal": b"not equal any more"})
    del world.source.objects["gone"]
    assert run_delta(move, world, passes) == {
        "change": "copied",
        "gone": "removed",
        "new": "copied",
        "equal": "conflict",
    }
    assert world.target.objects == {"keep": b"1", "change": b"two", "new": b"n", "equal": b"1", "own": b"o"}
    world.source.objects.update({"change": b"three", "gone": b"back"})
    world.source.objects["equal"] = b"1"
    assert run_delta(move, world, passes) == {"change": "copied", "equal": "already_equal", "gone": "copied"}
    assert world.target.objects == {
        "keep": b"1",
        "change": b"three",
        "new": b"n",
        "gone": b"back",
        "equal": b"1",
        "own": b"o",
    }
    assert run_delta(move, world, passes) == {}


def test_a_delta_never_replaces_ours_that_somebody_changed(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.run()
    passes = [[result.path for result in move.verified]]
    world.source.objects["a"] = b"new"
    del world.source.objects["b"]
    world.target.objects.update({"a": b"theirs", "b": b"theirs"})
    assert run_delta(move, world, passes) == {"a": "conflict", "b": "conflict"}
    assert world.target.objects == {"a": b"theirs", "b": b"theirs"}


class Replaced(Meddler):
    """A backend in which somebody writes an object right after it was looked at, or right after it was read."""

    def __init__(self, backend: MemoryBackend, when: str) -> None:
        super().__init__(backend)
        self._when = when

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        found = super().infos(keys)
        self._come("look")
        return found

    @contextmanager
    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> Iterator[Readable]:
        with super().open_read(key, seen=seen) as stream:
            yield stream
        self._come("read")

    def _come(self, when: str) -> None:
        if self._when == when:
            self._backend.replace("a", b"theirs")


#: So large that somebody may come while it is read.
OURS = b"ours" * 512 * 1024


@pytest.mark.parametrize(
    ("there", "when"),
    [({}, "look"), ({"a": OURS}, "look"), ({"a": OURS}, "read")],
    ids=["absent", "seen", "read"],
)
@pytest.mark.parametrize("act", [Act.REMOVE, Act.COPY])
def test_what_somebody_writes_while_ours_is_to_go_is_not_deleted(
    tmp_path: Path, there: dict[str, bytes], when: str, act: Act
) -> None:
    world = Memory({"a": b"new"} if act is Act.COPY else {}, there)
    target = Replaced(world.target, when)
    world.wrap = lambda backend: target if backend is world.target else backend
    move = move_in(world, tmp_path)
    copy_shard(job_for(move, PlannedObject("a", 3, act=act, ours_digest=sha(OURS))), move.opener)
    assert world.target.objects == {"a": b"theirs"}


def test_a_delta_killed_between_taking_away_and_writing_goes_on(tmp_path: Path) -> None:
    world = Memory({"a": b"new"}, {"a": b"old"})
    move = move_in(world, tmp_path)
    job = job_for(move, PlannedObject("a", 3, act=Act.COPY, ours_digest=sha(b"old")))

    def die(key: str) -> None:
        raise KeyboardInterrupt

    meddle(world, "target", write=die)
    with pytest.raises(KeyboardInterrupt):
        copy_shard(job, move.opener)
    assert world.target.objects == {}
    world.wrap = lambda backend: backend
    result = copy_shard(job, move.opener)
    assert outcomes(read_results(result.path)) == {"a": "copied"}
    assert world.target.objects == {"a": b"new"}


def test_a_rollback_brings_back_what_is_new_and_never_overwrites(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2", "c": b"3"}, {"own": b"o"})
    move = move_in(world, tmp_path)
    move.run()
    known = latest_results([[result.path for result in move.verified]])
    world.target.objects.update({"a": b"rewritten", "new": b"n", "both": b"x"})
    del world.target.objects["b"]
    world.source.objects["both"] = b"straggler"
    scan_rollback(world.target, world.source, Earlier(known, tag="r1"), ScanOptions(), move.writer("back", 1))
    move.copy()
    assert outcomes(move.verify()) == {"a": "copied", "new": "copied", "both": "conflict"}
    assert world.source.objects == {
        "a": b"1",
        "a.rewritten-r1": b"rewritten",
        "b": b"2",
        "c": b"3",
        "new": b"n",
        "both": b"straggler",
    }


def test_a_job_on_a_root_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    move = move_in(Memory({"a": b"1"}), tmp_path)
    move.plan()

    def refuse(*args: Any, **options: Any) -> Backend:
        raise CredentialsRefused("The key is unknown.", hint="Give another.")

    for step in (copy_shard, verify_shard):
        if step is verify_shard:
            move.copy()
        result = step(move.jobs[0], refuse)
        assert (result.end, result.error, result.hint) == (ShardEnd.HALTED, "The key is unknown.", "Give another.")


def test_memory_backends_are_what_the_tests_stand_on() -> None:
    assert isinstance(Memory({}).source, MemoryBackend)


class Late(Meddler):
    """A local root in which somebody else writes right before the shard's files get their names."""

    def __init__(self, backend: Backend, folder: Path, objects: dict[str, bytes]) -> None:
        super().__init__(backend)
        self._folder, self._objects = folder, objects

    def flush(self) -> dict[str, StorageError]:
        fill(self._folder, self._objects)
        self._objects = {}
        return self._backend.flush()


def test_what_appears_at_the_target_before_the_files_get_their_names_is_compared(tmp_path: Path) -> None:
    source, target = local(tmp_path / "source"), local(tmp_path / "target")
    fill(tmp_path / "source", {"a": b"1", "same": b"22", "other": b"333", "folder/inner": b"4"})
    late = {"same": b"22", "other": b"xxx", "folder": b"a file"}

    def opener(root: Root, access: S3Access | None = None, *, timeouts: Timeouts, tag: str) -> Backend:
        opened = open_backend(root, access, timeouts=timeouts, tag=tag)
        return Late(opened, tmp_path / "target", late) if root == target and tag != "scan" else opened

    move = Move(source, target, tmp_path / "ledger", opener)
    move.plan()
    found = {result.key: result for result in move.copy()}
    assert outcomes(found.values()) == {
        "a": "copied",
        "same": "already_equal",
        "other": "conflict",
        "folder/inner": "failed",
    }
    assert not found["same"].is_ours
    assert (tmp_path / "target" / "other").read_bytes() == b"xxx"
    assert sorted(contents(tmp_path / "target")) == ["a", "folder", "other", "same"]


class Refusing(Meddler):
    """A target whose server will not copy by itself; while it is asked, somebody writes what we would have."""

    def shares_server(self, other: Backend) -> bool:
        return True

    def copy_from(self, source: Backend, seen: ObjectInfo, key: str, *, in_bulk: bool = False) -> ObjectInfo | None:
        self._backend.replace(key, b"content")
        return None


def test_an_equal_object_that_came_while_the_server_refused_to_copy_is_not_ours(tmp_path: Path) -> None:
    world = Memory({"a": b"content"})
    target = Refusing(world.target)
    world.wrap = lambda backend: target if backend is world.target else backend
    move = move_in(world, tmp_path)
    move.options = replace(move.options, proof=Proof(has_md5=True))
    move.plan()
    (found,) = move.copy()
    assert (found.outcome, found.is_ours) == ("already_equal", False)
