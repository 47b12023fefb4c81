"""The sizes as a table, and what is missing from the goal."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- {}: end -->\n"

MEBIBYTE = 1024 * 1024
#: The goal: what a size may take more of than the smallest one, of CPU an object or of memory altogether.
MOST_TIME_GROWTH, MOST_MEMORY_GROWTH = 1.3, 1.2
#: The goal of keeping shards: of each second a runner may spend so much on counting, and hold so much altogether.
MOST_COUNTING, MOST_BYTES = 0.01, 300 * MEBIBYTE

HEAD = (
    "| objects | shards | wall s | CPU s | of it listings s | objects/s | peak memory MiB | ledger bytes an object |\n"
    "|--:|--:|--:|--:|--:|--:|--:|--:|\n"
)

KEPT_HEAD = (
    "| shards | objects | plan received s | rows written s | replaced s | read s | meter begun s "
    "| counting ms a second | peak memory MiB |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
)


@dataclass(frozen=True, slots=True)
class Planned:
    """What planning one size took. `listing_seconds`: CPU to make up both listings, which is in the rest too."""

    count: int
    shard_count: int
    wall_seconds: float
    cpu_seconds: float
    listing_seconds: float
    peak_bytes: int
    ledger_bytes: int

    @property
    def per_second(self) -> float:
        """Return how many objects were planned a second."""
        return self.count / self.wall_seconds


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeping so many shards took. `count_seconds`: of a runner, for each second that a pass lasts."""

    shard_count: int
    object_count: int
    plan_seconds: float
    write_seconds: float
    replace_seconds: float
    read_seconds: float
    meter_seconds: float
    count_seconds: float
    peak_bytes: int


def table(found: Sequence[Planned]) -> str:
    """Return the sizes as a Markdown table."""
    return HEAD + "".join(
        f"| {each.count:,} | {each.shard_count:,} | {each.wall_seconds:.1f} | {each.cpu_seconds:.1f} "
        f"| {each.listing_seconds:.1f} | {each.per_second:,.0f} | {each.peak_bytes / MEBIBYTE:.0f} "
        f"| {each.ledger_bytes / each.count:.1f} |\n"
        for each in found
    )


def kept_table(found: Sequence[Kept]) -> str:
    """Return the numbers of shards as a Markdown table."""
    return KEPT_HEAD + "".join(
        f"| {each.shard_count:,} | {each.object_count:,} | {each.plan_seconds:.2f} | {each.write_seconds:.2f} "
        f"| {each.replace_seconds:.2f} | {each.read_seconds:.2f} | {each.meter_seconds:.2f} "
        f"| {each.count_seconds * 1000:.2f} | {each.peak_bytes / MEBIBYTE:.0f} |\n"
        for each in found
    )


def kept_faults(found: Sequence[Kept]) -> list[str]:
    """Return one sentence for each way in which a number of shards misses the goal."""
    return [
        f"{each.shard_count:,} shards: {what}."
        for each in found
        for what, is_missed in (
            (f"counting takes {each.count_seconds:.3f} s of each second", each.count_seconds > MOST_COUNTING),
            (f"{each.peak_bytes / MEBIBYTE:.0f} MiB are held", each.peak_bytes > MOST_BYTES),
        )
        if is_missed
    ]


def faults(found: Sequence[Planned]) -> list[str]:
    """Return one sentence for each way in which a size misses the goal."""
    if not found:
        return []
    first = min(found, key=lambda each: each.count)
    missed = []
    for each in found:
        slower = (each.cpu_seconds / each.count) / (first.cpu_seconds / first.count)
        larger = each.peak_bytes / first.peak_bytes
        if slower > MOST_TIME_GROWTH:
            missed.append(f"{each.count:,}: an object takes {slower:.2f} times as long as of {first.count:,}.")
        if larger > MOST_MEMORY_GROWTH:
            missed.append(f"{each.count:,}: {larger:.2f} times the memory of {first.count:,}.")
    return missed


def write(name: str, text: str) -> None:
    """Put a table into docs/benchmarks.md, between the marks of its name."""
    begin, end = BEGIN.format(name), END.format(name)
    document = DOCUMENT.read_text()
    before, after = document.split(begin)[0], document.split(end)[1]
    machine = (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}. One run a size.\n"
    )
    DOCUMENT.write_text(f"{before}{begin}{machine}\n{text}{end}{after}")
