"""Fixtures of the soak: one seeded run a test, on real processes, servers and databases; a table at the end."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from portal.config import Settings
from portal.engine import open_executor
from tests.integration.conftest import app, local_base, new_app, portal, settings, world
from tests.integration.moves import Moves
from tests.integration.world import Portal, World
from tests.soak.dice import Dice
from tests.soak.processes import CrashingS3
from tests.soak.seed import RUNS, SEED
from tests.soak.stage import Stage
from tests.soak.table import table_of

__all__ = ["app", "local_base", "new_app", "portal", "settings", "world"]

_BEGAN_AT = time.monotonic()


def pytest_report_header() -> str:
    """Say how to do the same again."""
    return (
        f"soak: SOAK_SEED={SEED} SOAK_RUNS={RUNS}; one run again: SOAK_SEED={SEED} pytest tests/soak -k 'run-NUMBER-'"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of what was run, and write it to the file that SOAK_TABLE names."""
    if hasattr(terminalreporter.config, "workerinput"):
        return
    reports = [report for found in terminalreporter.stats.values() for report in found]
    calls = [report for report in reports if getattr(report, "when", "") == "call"]
    runs = [value for report in calls for name, value in report.user_properties if name == "soak"]
    if not runs:
        return
    text = table_of(SEED, runs, time.monotonic() - _BEGAN_AT)
    terminalreporter.write_line(text)
    if path := os.environ.get("SOAK_TABLE"):
        Path(path).write_text(text + "\n", encoding="utf-8")


@pytest.fixture
def database_kind(dice: Dice) -> str:
    """The database of this run."""
    return dice.database


@pytest.fixture(scope="session")
def crashing_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashingS3]:
    """An S3 server that runs crash and start again."""
    with CrashingS3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def moves(portal: Portal, world: World, crashing_s3: CrashingS3, local_base: Path) -> Moves:
    """The portal with its bucket server. Its own executor stays unused: the runners are processes."""
    return Moves(portal, open_executor(1), crashing_s3, local_base)


@pytest.fixture
def new_stage(
    moves: Moves, settings: Settings, crashing_s3: CrashingS3, tmp_path: Path
) -> Iterator[Callable[[Dice], Stage]]:
    """A function that gives both roots of a run, filled, and its runners."""
    with ExitStack() as stack:
        yield lambda dice: stack.enter_context(Stage(dice, moves, settings, crashing_s3, tmp_path))
