"""Plans and copies that know what a registry recorded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from portal.lamindb.hashes import encode
from portal.planning.manifest import Manifest, Recorded, Wanted
from portal.planning.outcomes import ObjectResult, Outcome
from portal.transfer.jobs import summarise
from portal.transfer.scan import Earlier, ScanOptions, scan_stragglers
from portal.transfer.segments import decode_result, read_plan
from portal.transfer.segments import encode as encode_line
from portal.transfer.summary import summary_from
from portal.transfer.work import Digests
from tests.unit.transfer.worlds import Memory, Move


def recorded(data: bytes) -> tuple[Recorded, ...]:
    digests = Digests(len(data))
    digests.update(data)
    return (Recorded(*digests.lamin),)


def move_in(world: Memory, tmp_path: Path) -> Move:
    return Move(world.roots["source"], world.roots["target"], tmp_path / "ledger", world.open)


def wanting(*wanted: Wanted, leaves: bool = False) -> ScanOptions:
    return ScanOptions(manifest=Manifest(iter(wanted)), leaves_unreferenced=leaves)


def test_a_plan_tells_what_is_referenced_unreferenced_and_missing(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "f/1": b"22", "f/2": b"333", "notes": b"4444"})
    move = move_in(world, tmp_path)
    summary = move.plan(wanting(Wanted("a", False, recorded(b"1"), "uid1"), Wanted("f", True), Wanted("gone", False)))
    assert (summary.referenced.count, summary.referenced.total_bytes) == (3, 6)
    assert (summary.unreferenced.count, summary.unreferenced.examples) == (1, ("notes",))
    assert (summary.missing.count, summary.missing.examples) == (1, ("gone ()",))
    assert summary.object_count == 4
    assert summary_from(json.loads(json.dumps(summary.as_dict()))) == summary
    planned = {item.key: item.recorded for item in read_plan(move.jobs[0].plan_path)}
    assert planned["a"] == (("md5", encode(bytes.fromhex("c4ca4238a0b923820dcc509a6f75849b"))),)
    assert planned["f/1"] == ()


def test_unreferenced_objects_stay_behind_when_a_person_says_so(tmp_path: Path) -> None:
    world = Memory({"a": b"1", "notes": b"4444"})
    summary = move_in(world, tmp_path).plan(wanting(Wanted("a", False), leaves=True))
    assert summary.object_count == 1
    assert summary.excluded["no artifact refers to it"].examples == ("notes",)
    assert not summary.lost


@pytest.mark.parametrize("there", [None, b"rotten"])
def test_bytes_that_are_not_those_recorded_are_not_copied(tmp_path: Path, there: bytes | None) -> None:
    world = Memory({"a": b"rotten", "b": b"sound"}, {"a": there} if there else {})
    move = move_in(world, tmp_path)
    move.plan(wanting(Wanted("a", False, recorded(b"once it was sound")), Wanted("b", False, recorded(b"sound"))))
    by_key = {result.key: result for result in move.copy()}
    assert by_key["a"].outcome is Outcome.ROTTEN
    assert "Nothing was copied" in by_key["a"].reason
    assert by_key["b"].outcome is Outcome.COPIED
    assert (world.target.info("a") is None) == (there is None)
    assert {result.key: result.outcome for result in move.verify()}["a"] is Outcome.ROTTEN


def test_a_person_may_take_them_as_they_are_which_does_not_make_them_as_recorded(tmp_path: Path) -> None:
    world = Memory({"a": b"rotten", "b": b"sound"})
    move = move_in(world, tmp_path)
    move.options = replace(move.options, takes_rot=True)
    move.plan(wanting(Wanted("a", False, recorded(b"once it was sound")), Wanted("b", False, recorded(b"sound"))))
    found = [(result.outcome, result.is_as_recorded) for result in move.copy()]
    assert found == [(Outcome.COPIED, False), (Outcome.COPIED, True)]


def test_only_what_has_the_recorded_hash_counts_as_recorded(tmp_path: Path) -> None:
    world = Memory({"a": b"sound", "b": b"x", "c": b"c", "d": b"there"}, {"d": b"there"})
    move = move_in(world, tmp_path)
    other_kind = (Recorded("sha1-fl", "x" * 22),)
    sound, there = Wanted("a", False, recorded(b"sound")), Wanted("d", False, recorded(b"there"))
    move.plan(wanting(sound, Wanted("b", False, other_kind), Wanted("c", False), there))
    for results in (move.copy(), move.verify()):
        assert {result.key for result in results if result.is_as_recorded} == {"a", "d"}
        assert summarise(results)["as_recorded"] == 2
    assert decode_result(encode_line(results[0])).is_as_recorded
    world.target.replace("a", b"Sound")
    [lost, *_] = move.verify()
    assert (lost.outcome, summarise([lost])) == (Outcome.MISMATCH, {"mismatch": 1})


def test_one_of_several_recorded_hashes_is_enough_and_other_kinds_say_nothing(tmp_path: Path) -> None:
    world = Memory({"a": b"second", "b": b"x"})
    move = move_in(world, tmp_path)
    first_or_second = (*recorded(b"first"), *recorded(b"second"))
    other_kind = (Recorded("sha1-fl", "x" * 22),)
    move.plan(wanting(Wanted("a", False, first_or_second), Wanted("b", False, other_kind)))
    assert {result.outcome for result in move.copy()} == {Outcome.COPIED}


def test_a_large_file_is_compared_by_its_two_ends(tmp_path: Path) -> None:
    data = b"begin" + bytes(51 * 1024 * 1024) + b"end"
    world = Memory({"a": data, "b": data[:-1] + b"!"})
    move = move_in(world, tmp_path)
    assert recorded(data)[0].kind == "sha1-fl"
    move.plan(wanting(Wanted("a", False, recorded(data)), Wanted("b", False, recorded(data))))
    by_key = {result.key: result for result in move.copy()}
    assert (by_key["a"].outcome, by_key["b"].outcome) == (Outcome.COPIED, Outcome.ROTTEN)
    assert by_key["a"].lamin_hash == recorded(data)[0].value


def test_only_new_keys_of_the_old_root_are_brought_over(tmp_path: Path) -> None:
    world = Memory({"kept": b"1", "changed": b"1", "deleted": b"1"})
    move = move_in(world, tmp_path)
    move.plan()
    known: list[ObjectResult] = move.copy()
    world.source.delete("deleted")
    world.source.replace("changed", b"22")
    world.source.replace("straggler", b"333")
    summary = scan_stragglers(world.source, world.target, Earlier(known), ScanOptions(), move.writer("forward", 2))
    assert [str(item) for item in read_plan(move.jobs[0].plan_path)] == ["copy straggler"]
    assert summary.acts["conflict"].examples == ("changed",)
    assert summary.acts["remove"].examples == ("deleted",)
