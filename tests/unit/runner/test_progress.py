"""How far a pass is."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from portal.planning.outcomes import BAD, Outcome
from portal.runner.meter import Meter
from portal.services.migrations import ledger
from portal.services.migrations.ledger import COPIED, COPYING, PLANNED, VERIFIED, ShardRow
from portal.transfer.control import read_progress


def write_progress(path: Path, object_count: int, total_bytes: int) -> str:
    path.write_text(json.dumps({"object_count": object_count, "total_bytes": total_bytes}))
    return str(path)


def planned(shard_id: int) -> ShardRow:
    return ShardRow(shard_id, shard_id, PLANNED, 10, 1_000, {})


def test_a_finished_shard_counts_before_it_is_persisted(tmp_path: Path) -> None:
    meter = Meter([planned(1), planned(2)])
    path = write_progress(tmp_path / "1", 9, 900)
    assert meter.report({1: path}, is_copy=True)["copied_count"] == 9

    meter.update(ShardRow(1, 1, COPIED, 10, 1_000, {"good_bytes": 1_000}))
    numbers = meter.report({}, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == (10, 1_000)


@pytest.mark.parametrize("text", ["", "{", '{"object_count": 1, "total_bytes": 5}'])
def test_numbers_never_fall(tmp_path: Path, text: str) -> None:
    """A file read in the middle of a write, or of a shard that began anew, takes nothing back."""
    meter, path = Meter([planned(1)]), tmp_path / "1"
    meter.report({1: write_progress(path, 6, 600)}, is_copy=True)
    path.write_text(text)
    numbers = meter.report({1: str(path)}, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == (6, 600)
    numbers = meter.report({}, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == (6, 600)


def test_a_shard_under_way_never_counts_more_than_it_holds(tmp_path: Path) -> None:
    meter = Meter([planned(1)])
    numbers = meter.report({1: write_progress(tmp_path / "1", 12, 5_000)}, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == (10, 1_000)


def test_verifying_counts_beside_what_is_copied(tmp_path: Path) -> None:
    done = {"good_bytes": 1_000}
    meter = Meter([ShardRow(1, 1, VERIFIED, 10, 1_000, done), ShardRow(2, 2, COPIED, 10, 1_000, done)])
    numbers = meter.report({2: write_progress(tmp_path / "2", 4, 400)}, is_copy=False)
    assert (numbers["copied_count"], numbers["verified_count"]) == (20, 14)
    assert (numbers["copied_bytes"], numbers["verified_bytes"]) == (2_000, 1_400)


def test_a_shard_with_objects_that_need_a_look_is_no_pace_backwards(tmp_path: Path) -> None:
    meter = Meter([planned(1), planned(2)])
    meter.report({1: write_progress(tmp_path / "1", 10, 1_000)}, is_copy=True)
    before = meter.done
    meter.update(ShardRow(1, 1, COPIED, 10, 1_000, {"good_bytes": 600, "conflict": 4}))
    numbers = meter.report({}, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == (6, 600)
    assert meter.done == before == (10, 1_000)
    assert numbers.get("bytes_per_second", 0) >= 0
    under_way = {2: write_progress(tmp_path / "2", 3, 300)}
    numbers = meter.report(under_way, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == meter.done == (10, 1_000)
    write_progress(tmp_path / "2", 5, 500)
    numbers = meter.report(under_way, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == meter.done == (11, 1_100)


def test_a_shard_that_was_broken_off_goes_on_counting_and_its_failures_begin_anew(tmp_path: Path) -> None:
    meter, path = Meter([planned(1)]), tmp_path / "1"
    path.write_text(json.dumps({"object_count": 6, "total_bytes": 600, "failure_count": 3}))
    meter.go_on(1, read_progress(str(path)))
    numbers = meter.report({1: str(tmp_path / "none")}, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"], meter.error_count) == (6, 600, 0)
    numbers = meter.report({1: write_progress(path, 2, 200)}, is_copy=True)
    assert (numbers["copied_count"], numbers["copied_bytes"]) == (6, 600)


def some_row(random: Random, shard_id: int) -> ShardRow:
    state = random.choice([PLANNED, COPYING, COPIED, VERIFIED])
    counts = {outcome.value: random.randrange(4) for outcome in Outcome if random.random() < 0.5}
    if random.random() < 0.8:
        counts["good_bytes"] = random.randrange(5_000)
    return ShardRow(shard_id, shard_id, state, random.randrange(50, 100), random.randrange(9_000), counts)


def added_up(rows: list[ShardRow]) -> dict[str, int]:
    """Return the numbers of a pass the slow way."""
    copied = [row for row in rows if row.state in {COPIED, VERIFIED}]
    verified = [row for row in rows if row.state == VERIFIED]
    numbers = {
        "pass_count": sum(row.object_count for row in rows),
        "pass_bytes": sum(row.total_bytes for row in rows),
        "equal_count": sum(int(row.counts.get("already_equal", 0)) for row in copied),
        "attention_count": sum(ledger.bad_count(row.counts) for row in copied),
        "error_count": sum(ledger.error_count(row.counts) for row in rows),
    }
    for name, done in (("copied", copied), ("verified", verified)):
        numbers[f"{name}_count"] = sum(row.object_count - ledger.bad_count(row.counts) for row in done)
        numbers[f"{name}_bytes"] = sum(int(row.counts.get("good_bytes", 0)) for row in done)
    return numbers


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("is_copy", [True, False])
def test_running_totals_are_what_adding_up_gives(seed: int, is_copy: bool) -> None:
    random = Random(seed)
    rows = {shard_id: some_row(random, shard_id) for shard_id in range(1, random.randrange(2, 40))}
    meter = Meter(list(rows.values()))
    for _ in range(100):
        numbers = meter.report({}, is_copy=is_copy)
        expected = added_up(list(rows.values()))
        assert {name: numbers[name] for name in expected} == expected
        assert meter.error_count == expected["error_count"]
        row = some_row(random, random.choice(list(rows)))
        rows[row.id] = row
        meter.update(row)


def test_what_is_under_way_and_forgiven_counts_in_the_totals(tmp_path: Path) -> None:
    failed = {next(outcome for outcome in BAD if outcome.value not in ledger.PASSING).value: 3}
    meter = Meter([ShardRow(1, 1, COPIED, 10, 1_000, failed), planned(2)])
    path = tmp_path / "2"
    path.write_text(json.dumps({"object_count": 4, "total_bytes": 40, "failure_count": 2}))
    assert meter.report({2: str(path)}, is_copy=True)["error_count"] == 3
    assert meter.error_count == 5
    meter.forgiven = 4
    assert meter.error_count == 1
    meter.update(planned(2))
    assert meter.error_count == 0


def test_a_pass_without_shards_has_numbers() -> None:
    assert set(Meter([]).report({}, is_copy=True).values()) == {0}


def test_reports_of_many_shards_read_none_that_did_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner asks ten times a second, of 100,000 shards where there are a hundred million objects."""
    meter = Meter([planned(shard_id) for shard_id in range(1_000)])
    read: list[dict[str, Any]] = []

    def counted(counts: dict[str, Any]) -> int:
        read.append(counts)
        return 0

    monkeypatch.setattr(ledger, "error_count", counted)
    monkeypatch.setattr(ledger, "bad_count", counted)
    meter.report({}, is_copy=True)
    assert meter.error_count == 0
    assert read == []
    meter.update(ShardRow(1, 1, COPIED, 10, 1_000, {}))
    assert len(read) <= 4
