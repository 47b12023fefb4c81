"""The runs: all tools in turn, round after round, each with a fresh target and a freshly started server."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.engine import tools
from bench.engine.checks import difference
from bench.engine.measure import Failed, Program, Usage, run_measured
from bench.engine.places import BenchServer, Place, Trip, fresh
from bench.engine.workloads import Workload, filled, warmed
from portal.planning.outcomes import Level
from portal.transfer.segments import read_results

#: Added to a peer's name where its own check was run after it.
CHECKED = " + check"

#: From so many files on what a run made stays until all runs are over: ext4 looks at each inode that was freed within
#: minutes before it gives one to a new file.
_MANY = 5000

#: How often a run of ours is begun at most. Now and then the server remembers, of an object that it took in while it
#: looked through the new folder, the temporary name, and answers 500 for it until it is started anew. Ours looks at
#: what arrived and so ends without a proof of that object; a peer that does not look notices nothing.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one tool.

    Attributes:
        levels: objects by the evidence at the target.
        phases: seconds inside ours.
        failure: why a tool did not do it; empty when it did.
    """

    workload: str
    route: str
    tool: str
    round: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    levels: dict[str, int] = field(default_factory=dict)
    read_back_bytes: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        root: folder for everything; sources stay there for the next run.
        wanted: the tools' names; empty for all.
    """

    root: Path
    rounds: int
    workers: int
    wanted: frozenset[str]

    def wants(self, tool: str) -> bool:
        """Tell whether a tool takes part."""
        return not self.wanted or tool in self.wanted


def run_row(plan: Plan, load: Workload, route: str) -> Iterator[Sample]:
    """Yield every run of one workload on one route, in turn. A peer that fails is not asked again.

    Raises:
        Failed: ours ended badly, or left something wrong, in each of its tries.
    """
    unable: set[str] = set()
    folder = plan.root / "served"
    source = filled(folder / "buckets", load)
    ends = route.split("-")
    for number in range(1, plan.rounds + 1):
        is_read_back = False
        done: set[str] = set()
        for name in (*_TRIES * (tools.OURS,), *tools.PEERS):
            if not plan.wants(name) or name in unable | done:
                continue
            target = Place(ends[-1], fresh(folder / "buckets" / "target"))
            trip = Trip(Place(ends[0], source), target, BenchServer(folder), fresh(plan.root / "scratch"))
            program = _program(plan, name, trip)
            if program is None:
                continue
            sample = _tried(trip, program, Sample(load.name, route, name, number, 0, 0, 0), load)
            yield sample
            if name == tools.OURS:
                done |= set() if sample.failure else {name}
                is_read_back = Level.READ_BACK.value in sample.levels
            elif sample.failure:
                unable.add(name)
            elif is_read_back and name != "s3fs":
                yield _checked(trip, sample)
            _put_away(plan, target.folder, load)
        if plan.wants(tools.OURS) and tools.OURS not in done:
            raise Failed(f"Ours failed {_TRIES} times on {load.name}, {route}.")


def _put_away(plan: Plan, folder: Path, load: Workload) -> None:
    """Remove what a run made; many files later, since ext4 is slow to make new ones for minutes after."""
    if load.count < _MANY:
        fresh(folder).rmdir()
        return
    away = plan.root / "done"
    away.mkdir(exist_ok=True)
    folder.rename(away / str(len(list(away.iterdir()))))


def run_listing(plan: Plan, load: Workload) -> Iterator[Sample]:
    """Yield every run of listing a bucket, in turn.

    Raises:
        Failed: a tool ended badly, or counted wrong.
    """
    folder = plan.root / "served"
    source = Place("s3", filled(folder / "buckets", load))
    for number in range(1, plan.rounds + 1):
        for name in (tools.OURS, *tools.LISTERS):
            if not plan.wants(name):
                continue
            trip = Trip(source, source, BenchServer(folder), fresh(plan.root / "scratch"))
            is_ours = name == tools.OURS
            program = tools.ours(trip, workers=1, is_listed=True) if is_ours else tools.LISTERS[name](trip)
            with trip.server:
                usage = run_measured(program, trip.scratch)
            if _listed_count(trip, is_ours=is_ours) != load.count:
                raise Failed(f"{name} listed another number than {load.count:,}.")
            phases = _answer(trip)["phases"] if is_ours else {}
            yield _with(Sample(load.name, "s3", name, number, 0, 0, 0), usage, phases=phases)


def _program(plan: Plan, name: str, trip: Trip) -> Program | None:
    return tools.ours(trip, workers=plan.workers) if name == tools.OURS else tools.PEERS[name](trip)


def _tried(trip: Trip, program: Program, sample: Sample, load: Workload) -> Sample:
    """Run a tool; what it can't do is told in its sample."""
    try:
        return _run(trip, program, sample, load)
    except Failed as error:
        return replace(sample, failure=str(error).strip().splitlines()[-1][:200])


def _run(trip: Trip, program: Program, sample: Sample, load: Workload) -> Sample:
    os.sync()  # what an earlier run wrote is not this one's burden
    warmed(trip.source.folder)  # nor what the system has dropped from its memory meanwhile
    with trip.server:
        usage = run_measured(program, trip.scratch)
    usage = replace(usage, wall_seconds=usage.wall_seconds + _seconds_to_disk(trip.target))
    if wrong := difference(trip.source.folder, trip.target.folder, sample.round):
        raise Failed(f"{sample.tool} left {sample.workload} {sample.route} wrong: {wrong}")
    if sample.tool != tools.OURS:
        return _with(sample, usage)
    answer = _answer(trip)
    if answer["object_count"] != load.count:
        raise Failed(f"Ours handled {answer['object_count']} objects of {load.count}.")
    levels = {level.value: answer["counts"].get(level.value, 0) for level in Level if level is not Level.NONE}
    levels = {name: count for name, count in levels.items() if count}
    if sum(levels.values()) != load.count:
        raise Failed(f"Ours verified {levels} of {load.count}.")
    return _with(sample, usage, levels=levels, read_back_bytes=_read_back_bytes(trip), phases=answer["phases"])


def _seconds_to_disk(target: Place) -> float:
    """Return how long it takes until a folder's bytes are on the disk: a copy that a power cut undoes is none.

    Ours waits for that by itself. A bucket's bytes are the server's matter, whoever sent them.
    """
    started = time.monotonic()
    if target.is_local:
        os.sync()
    return time.monotonic() - started


def _checked(trip: Trip, copied: Sample) -> Sample:
    """Run a peer's own check after it; both together are one sample."""
    with trip.server:
        usage = run_measured(tools.rclone_check(trip), trip.scratch)
    return Sample(
        copied.workload,
        copied.route,
        copied.tool + CHECKED,
        copied.round,
        copied.wall_seconds + usage.wall_seconds,
        copied.cpu_seconds + usage.cpu_seconds,
        max(copied.peak_bytes, usage.peak_bytes),
    )


def _with(sample: Sample, usage: Usage, **more: Any) -> Sample:
    return replace(sample, **asdict(usage), **more)


def _answer(trip: Trip) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((trip.scratch / "answer.json").read_text())
    return values


def _read_back_bytes(trip: Trip) -> int:
    paths = sorted((trip.scratch / "ledger").rglob("verify-*.jsonl.gz"))
    found = (result for path in paths for result in read_results(str(path)))
    return sum(result.size_bytes for result in found if result.level is Level.READ_BACK)


def _listed_count(trip: Trip, *, is_ours: bool) -> int:
    if is_ours:
        return int(_answer(trip)["object_count"])
    lines = (trip.scratch / "out").read_text().splitlines()
    return int(lines[0]) if len(lines) == 1 else len(lines)
