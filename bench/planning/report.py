"""The sizes as a table, and what is missing from the goal."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- planning: begin -->\n", "<!-- planning: end -->\n"

MEBIBYTE = 1024 * 1024
#: The goal: what a size may take more of than the smallest one, of CPU an object or of memory altogether.
MOST_TIME_GROWTH, MOST_MEMORY_GROWTH = 1.3, 1.2

HEAD = (
    "| objects | shards | wall s | CPU s | of it listings s | objects/s | peak memory MiB | ledger bytes an object |\n"
    "|--:|--:|--:|--:|--:|--:|--:|--:|\n"
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


def table(found: Sequence[Planned]) -> str:
    """Return the sizes as a Markdown table."""
    return HEAD + "".join(
        f"| {each.count:,} | {each.shard_count:,} | {each.wall_seconds:.1f} | {each.cpu_seconds:.1f} "
        f"| {each.listing_seconds:.1f} | {each.per_second:,.0f} | {each.peak_bytes / MEBIBYTE:.0f} "
        f"| {each.ledger_bytes / each.count:.1f} |\n"
        for each in found
    )


def faults(found: Sequence[Planned]) -> list[str]:
    """Return one sentence for each way in which a size misses the goal."""
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


def write(found: Sequence[Planned]) -> None:
    """Put the table into docs/benchmarks.md, between the marks."""
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    machine = (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}. One run a size.\n"
    )
    DOCUMENT.write_text(f"{before}{BEGIN}{machine}\n{table(found)}{END}{after}")
