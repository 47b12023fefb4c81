"""The engine beside s5cmd, rclone, plain s3fs, cp and rsync: seconds, CPU, memory, evidence, and ratios.

All tools move the same files between the same places with one server, in turn, round after round, each into an empty
target; after each run files, sizes and a sample of the bytes are compared on the disk. The goal: no row slower than its
fastest peer, which verifies nothing; where ours reads everything back, than its fastest peer with its own check.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.engine import report, tools
from bench.engine.places import ROUTES
from bench.engine.rounds import Plan, Sample, run_listing, run_row
from bench.engine.workloads import WORKLOADS, Workload

#: Where the samples of the latest run are kept unless --json says otherwise.
LATEST = Path(tempfile.gettempdir()) / "portal-bench-engine.json"


def run(words: Sequence[str]) -> int:
    """Measure, print and, with --write, put the tables into docs/benchmarks.md; 1 when the goal is missed."""
    options = _parser().parse_args(words)
    loads = [WORKLOADS[name].scaled(options.scale) for name in options.workload or WORKLOADS]
    samples: list[Sample] = []
    with _root(options.keep_root) as root:
        plan = Plan(root, options.rounds, options.workers, frozenset(options.tool or ()))
        for load in loads:
            samples += _measured(plan, load, options.route or ROUTES)
    earlier = report.load(options.compare) if options.compare else []
    report.save(samples, options.json)
    print(report.compared(samples, earlier), end="\n" if earlier else "")
    if options.write:
        report.write(samples, [str(load) for load in loads])
    faults = report.faults(samples)
    print("\n".join(faults) or "No row is slower than its fastest peer, and none takes more memory than it may.")
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench engine", description=__doc__)
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="may be repeated (default: all)")
    parser.add_argument("--route", action="append", choices=ROUTES, help="may be repeated (default: all)")
    names = sorted({tools.OURS, *tools.PEERS, *tools.LISTERS})
    parser.add_argument("--tool", action="append", choices=names, help="may be repeated (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each tool runs in each row (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the files (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="our worker processes (default 2, as PORTAL_WORKERS)")
    parser.add_argument("--keep-root", type=Path, help="work there and keep the sources for the next run")
    parser.add_argument("--json", type=Path, default=LATEST, help=f"where the samples go (default {LATEST})")
    parser.add_argument("--compare", type=Path, help="print ours beside the samples of an earlier run")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    return parser


def _measured(plan: Plan, load: Workload, routes: Sequence[str]) -> list[Sample]:
    """Run one workload on its routes, and print each row when it is done."""
    print(f"{load} …", flush=True)
    found: list[Sample] = []
    for route in ("s3",) if load.is_listed else routes:
        samples = []
        for sample in run_listing(plan, load) if load.is_listed else run_row(plan, load, route):
            print(
                f"  {route} {sample.round}: {sample.tool} {sample.failure or f'{sample.wall_seconds:.2f} s'}",
                flush=True,
            )
            samples.append(sample)
        for row in report.rows(samples):
            print(f"\n{report.table(*row)}\n{report.phases(row[2])}", flush=True)
        found += samples
    return found


@contextmanager
def _root(kept: Path | None) -> Iterator[Path]:
    """Give the folder to work in; without a wish, one that is removed at the end."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        shutil.rmtree(kept / "done", ignore_errors=True)
        return
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        yield Path(name).resolve()
