"""Nothing in the portal grows past what can be read in one go: a module splits into a package of the same name."""

import ast
from pathlib import Path

import pytest

PORTAL = Path(__file__).parents[2] / "portal"
MODULE_LINES = 320
FUNCTION_LINES = 50
MODULES = sorted(PORTAL.rglob("*.py"))


def long_functions(source: str, limit: int) -> list[str]:
    """Return `name (lines)` of each function in `source` that is longer than `limit` lines, decorators not counted."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > limit:
                found.append(f"{node.name} ({lines} lines)")
    return found


def test_the_ruler_sees_a_long_function_and_passes_a_short_one() -> None:
    source = "def short():\n    return 1\n\nclass A:\n    async def long(self):\n" + "        x = 1\n" * 3
    assert long_functions(source, 3) == ["long (4 lines)"]


def test_there_are_modules_to_measure() -> None:
    assert PORTAL / "values.py" in MODULES


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PORTAL)))
def test_a_module_and_its_functions_stay_short(module: Path) -> None:
    source = module.read_text()
    assert len(source.splitlines()) <= MODULE_LINES, "make it a package of the same name"
    assert long_functions(source, FUNCTION_LINES) == []
