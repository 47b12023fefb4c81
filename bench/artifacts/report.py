"""The measurements as a table."""

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.artifacts.measure import Measured

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- artifacts: begin -->\n", "<!-- artifacts: end -->\n"

MOST_MS = 100.0
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def table(found: Mapping[str, Sequence[Measured]]) -> str:
    """Return the measurements as a Markdown table; milliseconds."""
    head = f"| page | {' | '.join(NAMES[kind] for kind in found)} |\n|---|{'--:|' * len(found)}\n"
    rows = zip(*found.values(), strict=True)
    return head + "".join(f"| {row[0].page} | {' | '.join(f'{each.ms:.1f}' for each in row)} |\n" for row in rows)


def write(found: Mapping[str, Sequence[Measured]], count: int, rounds: int) -> None:
    """Put the table into docs/benchmarks.md, between the marks."""
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    machine = (
        f"{count:,} artifacts, measured on {os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}. Milliseconds, medians of {rounds}.\n"
    )
    DOCUMENT.write_text(f"{before}{BEGIN}{machine}\n{table(found)}{END}{after}")
