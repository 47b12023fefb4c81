"""The infrastructure page beside Flask-Admin's table: milliseconds and queries, 1,000 and 100,000 locations.

Both answer whole pages through the same app, sign-in and database, in turns, so that what else the machine does falls
on both. The goal: ours ahead in every row, none growing more than twofold, none above 50 ms.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.infrastructure import data, measure, report
from portal.database import upgrade
from tests.servers import PostgresServer

COUNTS = (1_000, 100_000)


def run(words: Sequence[str]) -> int:
    """Measure, print and, with --write, put the table into docs/benchmarks.md; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench infrastructure", description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="measure on PostgreSQL too")
    parser.add_argument("--rounds", type=int, default=21, help="times each page is asked for (default 21)")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args(words)
    sections = []
    for kind in ("sqlite", "postgresql") if options.postgres else ("sqlite",):
        with _databases(kind) as urls:
            samples = measure.measure(urls, options.rounds)
        sections.append(report.Section(kind, samples[COUNTS[0]], samples[COUNTS[1]]))
        print(report.table(sections[-1]))
    if options.write:
        report.write(sections, options.rounds)
    faults = [fault for section in sections for fault in report.faults(section)]
    print("\n".join(faults) or "Ours is ahead in every row, none grows more than twofold, none passes 50 ms.")
    return 1 if faults else 0


@contextmanager
def _databases(kind: str) -> Iterator[dict[int, str]]:
    """Give the URL of a filled database for each number of locations."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portal-bench-")))
        server = stack.enter_context(PostgresServer()) if kind == "postgresql" else None
        urls = {}
        for count in COUNTS:
            urls[count] = server.new_database() if server else f"sqlite:///{folder}/{count}.db"
            upgrade(urls[count])
            print(f"Filling {kind} with {count:,} locations …", flush=True)
            data.fill(urls[count], count)
        yield urls
