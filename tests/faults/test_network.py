"""A server that fails, a line that lies: nothing corrupt is ever called verified, and a later try ends well."""

import random
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import pytest

from portal.backends.parts import PART_BYTES
from portal.transfer.jobs import ShardEnd
from tests.faults.draw import drawn
from tests.faults.proxy import FaultProxy
from tests.faults.script import Fault, Script
from tests.faults.trial import Trial, is_called_good

pytestmark = pytest.mark.timeout(300)

ROUTES = ("local-s3", "s3-local", "s3-s3")

#: Whether the server's checksums were found to be evidence before anything went wrong; else all is read back.
TRUST = ("trusted", "not-trusted")

#: Faults that only befall what is sent up have nothing to spoil on the way to a folder, nor where a server copies.
_UP = frozenset({Fault.CUT_UP, Fault.FLIP_UP, Fault.FLIP_UNSEEN})

#: Nor have those that only befall content coming down, where it goes up and the checksums are trusted.
_DOWN = frozenset({Fault.CUT_DOWN, Fault.SHORT_DOWN, Fault.FLIP_DOWN})

#: Objects of `objects` that each fault meets for sure, a small one and a large one; others as the dice say.
_SURE = ("well-01.bin", "images/0.tif")


def objects(seed: int) -> dict[str, bytes]:
    """Return small objects, empty ones, and some that are larger than what goes in one piece."""
    chance = random.Random(seed)
    found = {f"raw/plate {number % 3}/well-{number:02}.bin": chance.randbytes(2000) for number in range(20)}
    found |= {f"images/{number}.tif": chance.randbytes(1_500_000) for number in range(4)}
    return found | {"empty.txt": b"", "größe/#1 +%20.csv": chance.randbytes(300)}


def can_befall(fault: Fault, route: str, trust: str) -> bool:
    """Tell whether a fault has anything to spoil; listings have a test of their own."""
    if fault is Fault.STALE_LIST:
        return False
    if route == "local-s3":
        return not (fault in _DOWN and trust == "trusted")
    return fault not in _UP


def cases(faults: Iterable[Fault] = Fault) -> list[tuple[str, Fault, str]]:
    """Return what can go wrong where."""
    return [
        (route, fault, trust)
        for fault in faults
        for route in ROUTES
        for trust in TRUST
        if can_befall(fault, route, trust)
    ]


def begun(trial: Trial, found: dict[str, bytes], trust: str) -> Trial:
    """Return a move that is checked and planned, with nothing gone wrong yet."""
    trial.fill(found)
    trial.ask_once()
    if trust == "trusted":
        trial.prove()
    trial.plan()
    return trial


def a_route_each() -> list[Any]:
    """Return all cases, every fault once among those that are not left to `make soak`."""
    faults = {fault: [case for case in cases() if case[1] is fault] for fault in Fault}
    return [each for fault, found in faults.items() for each in drawn(f"now and then {fault}", found, 1)]


@pytest.mark.parametrize(("route", "fault", "trust"), a_route_each())
def test_a_fault_now_and_then_harms_nothing(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, route: str, fault: Fault, trust: str
) -> None:
    trial = begun(new_trial(route), objects(seed), trust)
    is_silent = fault is Fault.HANG
    if is_silent:
        trial.ask_once(read_seconds=1)
    proxy.play(Script((fault,), seed, part=10 if is_silent else 30, sure=_SURE))
    trial.run()
    assert proxy.done[fault] > 0
    trial.check_promises()
    trial.finish()
    trial.check_whole()


_LIES = (Fault.FLIP_DOWN, Fault.SHORT_DOWN, Fault.WRONG_ETAG, Fault.NO_ETAG)
LIES = cases(_LIES)


@pytest.mark.parametrize(("route", "fault", "trust"), drawn("lies", LIES, 5))
def test_a_lie_that_never_ends_is_never_believed(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, route: str, fault: Fault, trust: str
) -> None:
    trial = begun(new_trial(route), objects(seed), trust)
    proxy.play(Script((fault,), seed))
    trial.run()
    assert proxy.done[fault] > 0
    trial.check_promises()
    trial.finish()
    trial.check_whole()


@pytest.mark.parametrize("trust", TRUST)
@pytest.mark.parametrize("fault", [Fault.FLIP_UP, Fault.FLIP_UNSEEN])
def test_bytes_that_turn_on_the_way_up_are_found_in_every_object(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, fault: Fault, trust: str
) -> None:
    trial = begun(new_trial("local-s3"), {key: data for key, data in objects(seed).items() if data}, trust)
    proxy.play(Script((fault,), seed))
    trial.run()
    assert proxy.done[fault] > 0
    trial.check_promises()
    assert not [result.key for result in trial.results if is_called_good(result)]
    trial.finish()
    trial.check_whole()


@pytest.mark.parametrize(
    ("fault", "trust"), [(Fault.FLIP_DOWN, "not-trusted"), *((Fault.WRONG_ETAG, trust) for trust in TRUST)]
)
def test_lies_of_the_target_while_it_is_verified_are_never_believed(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, fault: Fault, trust: str
) -> None:
    trial = begun(new_trial("local-s3"), {key: data for key, data in objects(seed).items() if data}, trust)
    trial.copy()
    proxy.play(Script((fault,), seed))
    trial.verify()
    assert proxy.done[fault] > 0
    trial.check_promises()
    if fault is Fault.FLIP_DOWN:
        assert not [result.key for result in trial.results if is_called_good(result)]
    trial.finish()
    trial.check_whole()


REFUSALS = [(route, refusal) for route in ROUTES for refusal in ("AccessDenied", "InvalidAccessKeyId")]


@pytest.mark.parametrize(("route", "refusal"), drawn("refusals", REFUSALS, 2))
def test_a_key_that_is_rotated_in_mid_run_stops_the_move_with_words(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, route: str, refusal: str
) -> None:
    trial = begun(new_trial(route), objects(seed), "trusted")
    proxy.play(Script((Fault.FORBIDDEN,), seed, part=100, begin=12, refusal=refusal))
    trial.run()
    assert proxy.done[Fault.FORBIDDEN] > 0
    trial.check_promises()
    told = [ended.error for ended in trial.ended if ended.end is not ShardEnd.DONE]
    told += [result.reason for ended in trial.ended for result in ended.exceptions]
    assert told
    assert all(told)
    trial.finish()
    trial.check_whole()


@pytest.mark.parametrize("route", ["s3-local", "s3-s3"])
def test_archived_objects_are_told_apart_and_the_rest_arrives(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, route: str
) -> None:
    archived = ("images/1.tif", "raw/plate 1/well-01.bin")
    trial = begun(new_trial(route), objects(seed), "trusted")
    # As Glacier answers: such an object is listed and may be asked about, but neither read nor copied.
    quoted, reading = tuple(quote(key) for key in archived), frozenset({"get", "copy"})
    refusal = "InvalidObjectState"
    proxy.play(Script((Fault.FORBIDDEN,), seed, keys=quoted, operations=reading, refusal=refusal))
    trial.run()
    trial.check_promises()
    failed = {result.key: result for result in trial.results if not is_called_good(result)}
    assert sorted(failed) == sorted(archived)
    assert {result.fault for result in failed.values()} == {"object_archived"}
    assert all("is archived" in result.reason for result in failed.values()), failed
    assert proxy.asked["get"] + proxy.asked["copy"] < 3 * len(objects(seed)), "what is archived was asked for in vain"
    trial.finish()
    trial.check_whole()


@pytest.mark.parametrize("route", drawn("listings", ROUTES, 1))
def test_listings_from_earlier_lead_to_nothing_that_is_wrong(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, route: str
) -> None:
    trial = begun(new_trial(route), objects(seed), "trusted")
    trial.touch({"raw/plate 0/well-00.bin": b"now another, longer or shorter", "since.txt": b"new"}, {"empty.txt"})
    proxy.play(Script((Fault.STALE_LIST,), seed))
    trial.plan()
    trial.run()
    trial.check_promises()
    assert proxy.done[Fault.STALE_LIST] > 0
    trial.finish()
    trial.check_whole()


PLAN_FAULTS = [Fault.SLOW_DOWN, Fault.RESET_BEFORE, Fault.CUT_DOWN, Fault.FORBIDDEN, Fault.HANG]


@pytest.mark.parametrize("fault", drawn("plans", PLAN_FAULTS[:-1], 2) + drawn("plans", PLAN_FAULTS[-1:], 0))
def test_a_plan_that_meets_a_fault_is_whole_or_none(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, fault: Fault
) -> None:
    trial = new_trial("s3-local")
    trial.fill(objects(seed))
    proxy.play(Script((fault,), seed, operations=frozenset({"list"}), most=1))
    if trial.plan_error():
        trial.plan()
    assert proxy.done[fault] > 0
    trial.run()
    trial.finish()
    trial.check_whole()


@pytest.mark.parametrize("fault", drawn("no plans", PLAN_FAULTS, 1))
def test_a_plan_that_a_fault_never_lets_be_made_is_told(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, fault: Fault
) -> None:
    trial = new_trial("s3-local")
    trial.fill(objects(seed))
    proxy.play(Script((fault,), seed, operations=frozenset({"list"})))
    assert trial.plan_error() not in {"", "no words"}
    assert proxy.done[fault] > 0


@pytest.mark.full
@pytest.mark.parametrize("number", range(30))
def test_all_faults_together_harm_nothing(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, number: int
) -> None:
    chance = random.Random(f"{seed}-{number}")
    route, trust = chance.choice(ROUTES), chance.choice(TRUST)
    # A stale listing comes on top: alone it may find nothing to spoil.
    fitting = [fault for fault in Fault if fault is not Fault.HANG and can_befall(fault, route, trust)]
    faults = (*chance.sample(fitting, chance.randint(2, 5)), *([Fault.STALE_LIST] if chance.random() < 0.4 else []))
    trial = begun(new_trial(route), objects(seed + number), trust)
    proxy.play(Script(faults, seed + number, part=chance.choice((5, 15, 40)), sure=_SURE))
    trial.run()
    assert proxy.done.total() > 0
    trial.check_promises()
    trial.finish(takes_conflicts_away=Fault.FLIP_UNSEEN in faults)
    trial.check_whole()


_PART_FAULTS = [
    (fault, trust)
    for fault in (Fault.FLIP_UP, Fault.FLIP_UNSEEN, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT_UP, Fault.NO_ETAG)
    for trust in TRUST
]


@pytest.mark.parametrize(("fault", "trust"), drawn("parts", _PART_FAULTS, 1))
def test_objects_that_go_up_in_parts_arrive_whole(
    new_trial: Callable[[str], Trial], proxy: FaultProxy, seed: int, fault: Fault, trust: str
) -> None:
    trial = new_trial("local-s3")
    trial.fill({f"{number}.tif": random.Random(number).randbytes(3 * PART_BYTES + number) for number in range(2)})
    if trust == "trusted":
        trial.prove()
    trial.plan()
    proxy.play(Script((fault,), seed, part=40, operations=frozenset({"begin", "part", "complete"}), sure=("0.tif",)))
    trial.run()
    assert proxy.asked["part"] > 0
    assert proxy.done[fault] > 0
    trial.check_promises()
    trial.finish()
    trial.check_whole()
