"""Planning a pass over 100,000 to 10,000,000 objects: the memory should stay flat and the time grow in step.

Two listings are merged, each key decided, the plan cut into shards and written to disk as segments, as in a real pass;
only the listings are made up, so that no storage is measured. One process a size.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.planning.report import Planned, faults, table, write

MAIN = Path(__file__).parents[2]


def run(words: Sequence[str]) -> int:
    """Measure, print and, with --write, put the table into docs/benchmarks.md; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench planning", description=__doc__)
    sizes = "100000,1000000,10000000"
    parser.add_argument("--entries", default=sizes, help=f"sizes with commas between (default {sizes})")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args(words)
    found = []
    for count in map(int, options.entries.split(",")):
        found.append(_planned(count))
        print(table(found[-1:]), flush=True)
    print(table(found))
    if options.write:
        write(found)
    missed = faults(found)
    print("\n".join(missed) or "Memory stays flat and time grows in step.")
    return 1 if missed else 0


def _planned(count: int) -> Planned:
    """Plan in a process of its own, whose memory is then planning's."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        words = [sys.executable, "-m", "bench.planning.child", str(count), name]
        answer = subprocess.run(words, cwd=MAIN, stdout=subprocess.PIPE, check=True).stdout
    return Planned(**json.loads(answer))
