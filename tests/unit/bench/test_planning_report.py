"""What the planning benchmark says of its numbers, and where it writes them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.planning import report
from bench.planning.report import MEBIBYTE, Kept, faults, kept_faults, kept_table, write

KEPT = Kept(
    shard_count=100_000,
    object_count=100_000_000,
    plan_seconds=1.5,
    write_seconds=3.25,
    replace_seconds=4.0,
    read_seconds=1.0,
    meter_seconds=2.0,
    count_seconds=0.0004,
    peak_bytes=176 * MEBIBYTE,
)


def test_shards_are_a_row() -> None:
    row = kept_table([KEPT]).splitlines()[-1]
    assert row == "| 100,000 | 100,000,000 | 1.50 | 3.25 | 4.00 | 1.00 | 2.00 | 0.40 | 176 |"


def test_too_much_counting_and_memory_miss_the_goal() -> None:
    assert kept_faults([KEPT]) == []
    missed = kept_faults([replace(KEPT, count_seconds=0.5, peak_bytes=568 * MEBIBYTE)])
    assert missed == ["100,000 shards: counting takes 0.500 s of each second.", "100,000 shards: 568 MiB are held."]


def test_nothing_measured_misses_nothing() -> None:
    assert faults([]) == kept_faults([]) == []


def test_a_table_is_written_in_its_own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(
        "".join(f"{name}\n<!-- {name}: begin -->\nold\n<!-- {name}: end -->\n" for name in "ab") + "end\n"
    )
    monkeypatch.setattr(report, "DOCUMENT", document)
    write("b", "new\n")
    text = document.read_text()
    assert text.startswith("a\n<!-- a: begin -->\nold\n<!-- a: end -->\nb\n<!-- b: begin -->\nMeasured ")
    assert text.endswith("One run a size.\n\nnew\n<!-- b: end -->\nend\n")
