"""The measurements as a table, and what is missing from the goal."""

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.infrastructure.measure import Sample

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- infrastructure: begin -->\n", "<!-- infrastructure: end -->\n"

MOST_MS = 50.0
MOST_GROWTH = 2.0
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

HEAD = (
    "| page | who | ours, 1,000 | Flask-Admin | ours, 100,000 | Flask-Admin | times faster | ours grows | queries |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|\n"
)


@dataclass(frozen=True, slots=True)
class Section:
    """The samples on one kind of database, with few locations and with many."""

    kind: str
    few: Mapping[tuple[str, str], Sample]
    many: Mapping[tuple[str, str], Sample]


def table(section: Section) -> str:
    """Return the measurements as a Markdown table; milliseconds."""
    lines = []
    for key, many in section.many.items():
        few = section.few[key]
        lines.append(
            f"| {key[0]} | {key[1]} | {few.ours_ms:.1f} | {few.their_ms:.1f} "
            f"| {many.ours_ms:.1f} | {many.their_ms:.1f} "
            f"| {many.their_ms / many.ours_ms:.1f} | {many.ours_ms / few.ours_ms:.2f} "
            f"| {many.ours_queries} / {many.their_queries} |\n"
        )
    return f"### {NAMES[section.kind]}\n\n{HEAD}{''.join(lines)}"


def faults(section: Section) -> list[str]:
    """Return one sentence for each way in which a row misses the goal."""
    found = []
    for key, many in section.many.items():
        few, name = section.few[key], f"{NAMES[section.kind]}, {', '.join(key)}"
        for sample, count in ((few, "1,000"), (many, "100,000")):
            if sample.ours_ms >= sample.their_ms:
                found.append(f"{name}, {count}: {sample.ours_ms:.1f} ms, theirs {sample.their_ms:.1f} ms.")
            if sample.ours_ms > MOST_MS:
                found.append(f"{name}, {count}: {sample.ours_ms:.1f} ms is above {MOST_MS:.0f} ms.")
        if many.ours_ms > MOST_GROWTH * few.ours_ms:
            found.append(f"{name}: grows {many.ours_ms / few.ours_ms:.2f} times.")
    return found


def write(sections: Sequence[Section], rounds: int) -> None:
    """Put the tables into docs/benchmarks.md, between the marks."""
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    body = "\n".join(table(section) for section in sections)
    DOCUMENT.write_text(f"{before}{BEGIN}{_machine(rounds)}\n{body}{END}{after}")


def _machine(rounds: int) -> str:
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("Flask", "SQLAlchemy", "Jinja2", "Flask-Admin"))
    return (
        f"Measured on {os.cpu_count()} cores and {memory_gb:.0f} GB of memory, {platform.system()}, Python "
        f"{platform.python_version()}, {packages}, SQLite {sqlite3.sqlite_version}. "
        f"Milliseconds, medians of {rounds}.\n"
    )
