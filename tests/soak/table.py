"""Counts what was run, as a Markdown table."""

import os
import platform
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.soak.dice import Dice


@dataclass
class Table:
    """What all runs of a session did."""

    seed: int
    began_at: float = field(default_factory=time.monotonic)
    runs: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def count(self, dice: Dice, end: str, happened: Counter[str], seconds: float) -> None:
        """Count one run."""
        self.runs[dice.way] += 1
        self.runs[dice.database] += 1
        self.runs[f"{dice.runner_count} runner(s)"] += 1
        self.ends[end] += 1
        self.happened += happened
        self.seconds.append(seconds)

    def text(self) -> str:
        """Return the table."""
        rows = [("runs", len(self.seconds)), *sorted(self.runs.items())]
        rows += [(f"ended {name}", count) for name, count in sorted(self.ends.items())]
        rows += sorted(self.happened.items())
        spent = round(time.monotonic() - self.began_at)
        lines = ["| What | Count |", "| --- | ---: |", *(f"| {name} | {count} |" for name, count in rows)]
        longest = max(self.seconds, default=0)
        took = f"Seed {self.seed}, {spent // 60} min {spent % 60} s, the longest run {longest:.0f} s"
        return "\n".join([*lines, "", f"{took}; {os.cpu_count()} cores, Python {platform.python_version()}."])
