"""Counts what was run, as a Markdown table."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.soak.dice import KILLS, Dice


def row_of(dice: Dice, end: str, happened: Mapping[str, int], seconds: float) -> dict[str, Any]:
    """Return what counts of one run, as plain values that pass between processes."""
    traits = [dice.way, dice.database, f"runners at once: {dice.runner_count}", f"target before: {dice.foreign}"]
    return {"traits": traits, "end": f"ended {end}", "happened": dict(happened), "seconds": seconds}


def table_of(seed: int, runs: Sequence[Mapping[str, Any]], seconds: float) -> str:
    """Return the table of all runs; `seconds` is how long they took together."""
    traits = Counter(trait for run in runs for trait in run["traits"])
    ends = Counter(run["end"] for run in runs)
    happened: Counter[str] = Counter()
    for run in runs:
        happened.update(run["happened"])
    kills = sum(happened[kind.value] for kind in KILLS)
    rows = [
        ("runs", len(runs)),
        ("kills", kills),
        *sorted(traits.items()),
        *sorted(ends.items()),
        *sorted(happened.items()),
    ]
    longest = max((run["seconds"] for run in runs), default=0)
    took = f"Seed {seed}, {seconds // 60:.0f} min {seconds % 60:.0f} s, the longest run {longest:.0f} s"
    lines = ["", "| What | Count |", "| --- | ---: |", *(f"| {name} | {count} |" for name, count in rows), ""]
    return "\n".join([*lines, f"{took}; {os.cpu_count()} cores, Python {platform.python_version()}."])
