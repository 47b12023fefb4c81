"""Roots move there and back while processes die, servers vanish and people change their minds."""

import os
import time
from pathlib import Path

import pytest

from tests.soak.stage import Stage
from tests.soak.table import row_of


@pytest.mark.timeout(900)
def test_a_move_keeps_every_promise(stage: Stage, request: pytest.FixtureRequest) -> None:
    began_at, end = time.monotonic(), "with a broken promise"
    try:
        end = stage.play()
    except BaseException as error:
        stage.person.log.append(repr(error))
        raise
    finally:
        report = stage.report()
        request.node.add_report_section("call", "soak", report)
        if folder := os.environ.get("SOAK_LOGS"):
            Path(folder, f"{stage.dice.seed}.log").write_text(f"{end}\n{report}\n")
        row = row_of(stage.dice, end, stage.person.happened, time.monotonic() - began_at)
        request.node.user_properties.append(("soak", row))
