"""The tab Artifacts of a location that holds 1,000,000 artifacts, and of one that holds 10 of them.

The instance is made by the real lamindb (`make clients` installs it); its artifacts are added by SQL. Whole pages
through the app, middleware included; whether objects exist is asked later by another request and is not measured.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from bench.artifacts.data import fill_postgres, fill_sqlite
from bench.artifacts.measure import Measured, measure
from bench.artifacts.report import MOST_MS, table, write
from tests.servers import PostgresServer


def run(words: Sequence[str]) -> int:
    """Measure, print and perhaps write the table; 1 when a page takes longer than the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench artifacts", description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="measure an instance on PostgreSQL too")
    parser.add_argument("--artifacts", type=int, default=1_000_000, help="how many (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each page is asked for (default 7)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args(words)
    found: dict[str, list[Measured]] = {}
    for kind in ("sqlite", "postgresql") if options.postgres else ("sqlite",):
        with (
            tempfile.TemporaryDirectory(prefix="portal-bench-") as name,
            PostgresServer() if kind == "postgresql" else nullcontext() as server,
        ):
            folder = Path(name).resolve()
            way = (
                fill_sqlite(folder, options.artifacts)
                if server is None
                else fill_postgres(folder, server, options.artifacts)
            )
            found[kind] = measure(folder, way, options.rounds)
    print(table(found))
    if options.write:
        write(found, options.artifacts, options.rounds)
    slow = [
        f"{kind}, {each.page}: {each.ms:.0f} ms" for kind, rows in found.items() for each in rows if each.ms > MOST_MS
    ]
    print("Within the goal." if not slow else f"Above {MOST_MS:.0f} ms: {'; '.join(slow)}.")
    return 1 if slow else 0
