"""What stands in the way of looking at all objects at once stops only the object it is about."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from portal.backends.base import ObjectInfo
from portal.errors import AccessRefused
from portal.transfer.jobs import ShardEnd
from tests.unit.transfer.test_copy import Meddler, Untold, move_in
from tests.unit.transfer.worlds import Memory, outcomes


class OneClosed(Untold):
    """A backend that may look at every object but `closed`, and refuses a look at all of them because of it."""

    closed = ""

    def infos(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        if self.closed in keys:
            raise AccessRefused("You may not look there.")
        return super().infos(keys)

    def info(self, key: str) -> ObjectInfo | None:
        if key == self.closed:
            raise AccessRefused("You may not look there.")
        return self._backend.info(key)


def test_one_object_that_cannot_be_looked_at_fails_alone(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2", "c": b"3"})
    world.source.capabilities = replace(world.source.capabilities, has_md5_etag=False)
    move = move_in(world, tmp_path)
    closed = OneClosed(world.source)
    world.wrap = lambda backend: closed if backend is world.source else backend
    move.plan()
    closed.closed = "b"
    assert outcomes(move.copy()) == {"a": "copied", "b": "failed", "c": "copied"}
    assert [result.end for result in move.copied] == [ShardEnd.DONE]
    assert outcomes(move.verify()) == {"a": "copied", "b": "failed", "c": "copied"}


def test_one_object_that_is_closed_after_it_was_read_fails_alone(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"})
    move = move_in(world, tmp_path)
    move.plan()
    move.copy()
    closed = OneClosed(world.source)
    closed.closed = "b"
    world.wrap = lambda backend: closed if backend is world.source else backend
    found = {result.key: result for result in move.verify()}
    assert (found["a"].outcome, found["b"].outcome, found["b"].level) == ("copied", "failed", "")
    assert found["b"].reason


def test_what_the_plan_tells_the_md5_of_is_not_looked_at_before_it_is_read(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "b": b"2"}, {"b": b"2"})
    asked: list[str] = []
    source = Meddler(world.source, infos=asked.append)
    world.wrap = lambda backend: source if backend is world.source else backend
    move = move_in(world, tmp_path)
    move.plan()
    assert outcomes(move.copy()) == {"a": "copied", "b": "already_equal"}
    assert asked == ["b"]
