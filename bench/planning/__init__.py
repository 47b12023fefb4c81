"""Planning a pass over 100,000 to 10,000,000 objects: the memory should stay flat and the time grow in step.

Two listings are merged, each key decided, the plan cut into shards and written to disk as segments, as in a real pass;
only the listings are made up, so that no storage is measured. Then what a runner does with the shards of such plans, up
to 100,000,000 objects. One process a size.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.planning.report import Kept, Planned, faults, kept_faults, kept_table, table, write

MAIN = Path(__file__).parents[2]


def run(words: Sequence[str]) -> int:
    """Measure, print and, with --write, put the tables into docs/benchmarks.md; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench planning", description=__doc__)
    sizes, shards = "100000,1000000,10000000", "10000,100000"
    parser.add_argument("--entries", default=sizes, help=f"sizes with commas between, or none (default {sizes})")
    parser.add_argument("--shards", default=shards, help=f"numbers of shards to keep, or none (default {shards})")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args(words)
    planned, kept = [], []
    for count in _numbers(options.entries):
        planned.append(Planned(**_measured("child", count)))
        print(table(planned[-1:]), flush=True)
    for count in _numbers(options.shards):
        kept.append(Kept(**_measured("keeping", count)))
        print(kept_table(kept[-1:]), flush=True)
    if options.write and planned:
        write("planning", table(planned))
    if options.write and kept:
        write("planning-shards", kept_table(kept))
    missed = [*faults(planned), *kept_faults(kept)]
    print("\n".join(missed) or "Memory stays flat and time grows in step.")
    return 1 if missed else 0


def _numbers(text: str) -> list[int]:
    return [] if text == "none" else [int(number) for number in text.split(",")]


def _measured(module: str, count: int) -> dict[str, Any]:
    """Measure in a process of its own, whose memory is then the measured step's."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        words = [sys.executable, "-m", f"bench.planning.{module}", str(count), name]
        answer = subprocess.run(words, cwd=MAIN, stdout=subprocess.PIPE, check=True).stdout
    values: dict[str, Any] = json.loads(answer)
    return values
