"""How far a pass is."""

import json
from pathlib import Path

import pytest

from portal.runner.shards import Meter
from portal.services.migrations.ledger import COPIED, PLANNED, VERIFIED, ShardRow
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
