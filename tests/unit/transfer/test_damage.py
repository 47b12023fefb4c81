"""Bytes that change on the way, at the source's side and at the target's: never published as good, and healed later."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from portal.backends.base import Backend, ObjectInfo, Proof, Readable
from portal.errors import ContentMismatch
from portal.planning.shards import ShardLimits
from portal.transfer.doubts import Doubts
from portal.transfer.scan import ScanOptions, scan_delta
from portal.transfer.segments import latest_results
from portal.transfer.work import Digests
from tests.unit.transfer.test_copy import Meddler, move_in
from tests.unit.transfer.worlds import Memory, Move, outcomes


class Garbling(Meddler):
    """A backend whose contents are spoiled on the way down or up while `times` lasts."""

    def __init__(self, backend: Backend, *, down: int = 0, up: int = 0) -> None:
        super().__init__(backend)
        self._down, self._up, self._number = down, up, 0

    @contextmanager
    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> Iterator[Readable]:
        with self._backend.open_read(key) as stream:
            data = stream.read()
        if self._down:
            self._down -= 1
            data = self._spoiled(data)
        yield BytesIO(data)

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        data = b"".join(chunks)
        if self._up:
            self._up -= 1
            data = self._spoiled(data)
        return self._backend.write(key, [data], size_bytes=size_bytes)

    def _spoiled(self, data: bytes) -> bytes:
        self._number += 1
        return bytes([data[0] ^ self._number]) + data[1:]


class Untold(Garbling):
    """A backend that tells no ETags, though its kind does."""

    def info(self, key: str) -> ObjectInfo | None:
        found = super().info(key)
        return found and replace(found, etag=None)

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        return {key: replace(found, etag=None) for key, found in super().infos(keys).items()}

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (replace(found, etag=None) for found in self._backend.list_objects(prefix))


class InParts(Untold):
    """A backend whose objects were uploaded in parts, in sizes that nobody knows."""

    def info(self, key: str) -> ObjectInfo | None:
        found = super().info(key)
        return found and _in_parts(found)

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        return {key: _in_parts(found) for key, found in super().infos(keys).items()}

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (_in_parts(found) for found in super().list_objects(prefix))


def _in_parts(found: ObjectInfo) -> ObjectInfo:
    return replace(found, etag=f"{hashlib.md5(found.key.encode()).hexdigest()}-2")


class Encrypted(Untold):
    """A backend whose ETags look like MD5s and are others; one reading of one object is spoiled on its way."""

    def __init__(self, backend: Backend, spoiled: str) -> None:
        super().__init__(backend)
        self._spoilt = spoiled

    def info(self, key: str) -> ObjectInfo | None:
        found = super().info(key)
        return found and _encrypted(found)

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        return {key: _encrypted(found) for key, found in super().infos(keys).items()}

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (_encrypted(found) for found in super().list_objects(prefix))

    @contextmanager
    def open_read(self, key: str, *, seen: ObjectInfo | None = None) -> Iterator[Readable]:
        if key == self._spoilt:
            self._spoilt, self._down = "", 1
        with super().open_read(key) as stream:
            yield stream


def _encrypted(found: ObjectInfo) -> ObjectInfo:
    return replace(found, etag=hashlib.md5(b"salt" + found.key.encode()).hexdigest())


def garble(world: Memory, name: str, kind: type[Garbling] = Garbling, **times: int) -> None:
    chosen = getattr(world, name)
    garbling = kind(chosen, **times)
    world.wrap = lambda backend: garbling if backend is chosen else backend


def trusting(move: Move) -> Move:
    move.options = replace(move.options, proof=Proof(has_md5=True))
    return move


def test_a_bit_that_turned_on_the_way_down_is_read_again(tmp_path: Path) -> None:
    world = Memory({"a": b"content"})
    move = move_in(world, tmp_path)
    garble(world, "source", down=2)
    assert outcomes(move.run()) == {"a": "copied"}
    assert world.target.objects == {"a": b"content"}


def test_a_source_that_gives_other_bytes_each_time_is_not_copied(tmp_path: Path) -> None:
    world = Memory({"a": b"content"})
    move = move_in(world, tmp_path)
    garble(world, "source", down=100)
    (found,) = move.run()
    assert found.outcome == "failed"
    assert "the source's ETag is" in found.reason
    assert world.target.objects == {}


def test_what_a_server_tells_no_etag_of_counts_when_it_comes_the_same_twice(tmp_path: Path) -> None:
    world = Memory({"a": b"content", "b": b"other content"})
    move = move_in(world, tmp_path)
    garble(world, "source", Untold, down=1)
    assert outcomes(move.run()) == {"a": "copied", "b": "copied"}
    assert world.target.objects == {"a": b"content", "b": b"other content"}


@pytest.mark.parametrize(("is_protected", "readings"), [(False, 2), (True, 1)], ids=["http", "https"])
def test_what_came_in_parts_is_read_twice_where_no_tls_sees_a_turned_bit(
    tmp_path: Path, is_protected: bool, readings: int
) -> None:
    world = Memory({"a": b"content"})
    world.source.capabilities = replace(world.source.capabilities, is_protected=is_protected)
    asked: list[str] = []
    source = InParts(Meddler(world.source, open_read=asked.append))
    world.wrap = lambda backend: source if backend is world.source else backend
    assert outcomes(move_in(world, tmp_path).run()) == {"a": "copied"}
    assert asked == ["a"] * readings


def test_a_bit_that_turns_in_what_came_in_parts_is_found_without_tls(tmp_path: Path) -> None:
    world = Memory({"a": b"content", "b": b"other content"})
    world.source.capabilities = replace(world.source.capabilities, is_protected=False)
    move = move_in(world, tmp_path)
    garble(world, "source", InParts, down=1)
    assert outcomes(move.run()) == {"a": "copied", "b": "copied"}
    assert world.target.objects == {"a": b"content", "b": b"other content"}


def test_the_md5_that_lamindb_recorded_spares_the_second_reading() -> None:
    doubts, read = Doubts(tells_etags=True, is_protected=False), Digests()
    read.update(b"content")
    for etag in (None, "00000000000000000000000000000000-2"):
        doubts.check(ObjectInfo("a", 7, None, etag), read, is_recorded=True)


@pytest.mark.parametrize("prepare", [trusting, lambda move: move])
def test_bytes_that_arrived_damaged_are_healed(tmp_path: Path, prepare: Callable[[Move], Move]) -> None:
    world = Memory({"a": b"content"})
    move = prepare(move_in(world, tmp_path))
    garble(world, "target", up=1)
    found = move.run()
    if outcomes(found) == {"a": "mismatch"}:
        known = latest_results([[result.path for result in move.verified]])
        scan_delta(world.source, world.target, known, ScanOptions(), move.writer("forward", 2))
        move.copy()
        found = move.verify()
    assert outcomes(found) == {"a": "copied"}
    assert world.target.objects == {"a": b"content"}


def test_damage_that_somebody_else_made_is_left_to_a_person(tmp_path: Path) -> None:
    world = Memory({"a": b"content"})
    move = move_in(world, tmp_path)
    move.plan()
    move.copy()
    world.target.objects["a"] = b"theirs!"
    assert outcomes(move.verify()) == {"a": "mismatch"}
    known = latest_results([[result.path for result in move.verified]])
    scan_delta(world.source, world.target, known, ScanOptions(), move.writer("forward", 2))
    assert outcomes(move.copy()) == {"a": "conflict"}
    assert world.target.objects == {"a": b"theirs!"}


def test_a_bit_that_turns_after_many_etags_were_no_md5s_is_found_without_tls(tmp_path: Path) -> None:
    world = Memory({f"k{number}": b"content %d" % number for number in range(6)})
    world.source.capabilities = replace(world.source.capabilities, is_protected=False)
    source = Encrypted(world.source, "k5")
    world.wrap = lambda backend: source if backend is world.source else backend
    move = move_in(world, tmp_path)
    move.options = replace(move.options, threads=1)
    move.plan(ScanOptions(limits=ShardLimits(min_count=1000)))
    assert set(outcomes(move.copy()).values()) == {"copied"}
    assert world.target.objects == world.source.objects


@pytest.mark.parametrize(("is_protected", "is_recorded"), [(True, False), (False, True)], ids=["https", "recorded"])
def test_etags_that_are_no_md5s_cost_a_few_second_readings_only(is_protected: bool, is_recorded: bool) -> None:
    doubts, refused = Doubts(tells_etags=True, is_protected=is_protected), 0
    for number in range(6):
        seen = ObjectInfo(f"key-{number}", 1, None, "0" * 32)
        read = Digests(1)
        read.update(b"x")
        for _ in range(2):
            try:
                doubts.check(seen, read, is_recorded=is_recorded)
            except ContentMismatch:
                refused += 1
    assert refused == 3
