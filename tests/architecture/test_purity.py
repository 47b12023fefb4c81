"""Planning takes the time as an argument. Imports are import-linter's part; this is what imports cannot tell.

`datetime` is a value type planning may well use, so the module is allowed and its clocks are not.
"""

import ast
from pathlib import Path

import pytest

PORTAL = Path(__file__).parents[2] / "portal"
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}
PURE = sorted([*(PORTAL / "planning").rglob("*.py"), *(PORTAL / f"{room}.py" for room in ("permissions", "errors"))])
PURE += sorted([*PORTAL.glob("values.py"), *PORTAL.glob("values/*.py")])


def clock_reads(source: str) -> list[str]:
    """Return the calls in `source` that ask a clock, as written."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [ast.unparse(call) for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]


def test_the_reader_finds_each_way_to_ask_a_clock() -> None:
    source = "datetime.now(UTC); date.today(); time.time(); moved.at(now); self.now"
    assert clock_reads(source) == ["datetime.now", "date.today", "time.time"]


@pytest.mark.parametrize("module", PURE, ids=lambda path: str(path.relative_to(PORTAL)))
def test_a_pure_module_asks_no_clock(module: Path) -> None:
    assert clock_reads(module.read_text()) == []
