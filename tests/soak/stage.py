"""Both roots of a run, filled, its runners and its person."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from portal.config import Settings
from portal.values import Root
from tests.integration.moves import Moves
from tests.soak import invariants
from tests.soak.dice import Dice
from tests.soak.hold import Hold
from tests.soak.person import Person
from tests.soak.processes import CrashingS3, Runners, Web
from tests.soak.scene import Scene
from tests.soak.table import row_of


class Stage:
    """Everything of one run. Leave it by `with`: runners end, and the server is there for the next run."""

    def __init__(self, dice: Dice, moves: Moves, settings: Settings, s3: CrashingS3, folder: Path) -> None:
        self.dice, self._s3 = dice, s3
        ends = [_end(dice, moves, kind, name) for kind, name in zip(dice.way.split("-"), ("old", "new"), strict=True)]
        (old, old_folder), (new, new_folder) = ends
        self._target = str(new)
        self._buckets = [root.bucket for root in (old, new) if isinstance(root, Root)]
        self._storage_uid = moves.register(old)
        folder = folder / dice.seed
        folder.mkdir()
        self.scene = Scene(dice, old_folder, new_folder, folder / "scratch")
        self.scene.set_up(self._storage_uid)
        self.hold = Hold(folder)
        runner_hold = self.hold if dice.is_held else None
        self.runners = Runners(settings, dice.runner_count, folder / "runner.log", runner_hold)
        self.web = Web(settings, _cookie(moves), folder / "web.log")
        if dice.has_web:
            self.web.start()
        self.person = Person(dice, self.scene, moves.portal, self.runners, s3, self.web, self.hold)

    def play(self, node: pytest.Item) -> None:
        """Play the run and tell the test's report what happened."""
        began_at, end = time.monotonic(), "with a broken promise"
        try:
            end = self._play()
        except BaseException as error:
            self.person.log.append(repr(error))
            raise
        finally:
            report = self.report()
            node.add_report_section("call", "soak", report)
            if folder := os.environ.get("SOAK_LOGS"):
                Path(folder, f"{self.dice.seed}.log").write_text(f"{end}\n{report}\n")
            row = row_of(self.dice, end, self.person.happened, time.monotonic() - began_at)
            node.user_properties.append(("soak", row))

    def _play(self) -> str:
        view = self.person.move(self._storage_uid, self._target)
        self.runners.stop()
        assert not [status for status in self.web.answers if status >= 500], self.web.log()
        invariants.check_tidy(self.scene, self._s3, self._buckets)
        return str(view.state)

    def report(self) -> str:
        """Say what happened, for a failure."""
        logs = (self.runners.log(), self.web.log())
        return "\n".join([str(self.dice), *self.person.log, *self.person.exceptions(), *logs])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hold.keep(())
        self.runners.end()
        self.web.kill()
        if not self._s3.is_up:
            self._s3.start()


def _end(dice: Dice, moves: Moves, kind: str, name: str) -> tuple[Root | Path, Path]:
    """Return a root of a kind, and its folder on disk."""
    if kind == "s3":
        return moves.bucket(f"soak-{dice.seed}-{name}")
    folder = moves.base / f"{dice.seed}-{name}"
    return folder, folder


def _cookie(moves: Moves) -> str:
    """Return the cookie of ada's browser."""
    name = moves.portal.app.config["SESSION_COOKIE_NAME"]
    cookie = moves.portal.client_as("ada").get_cookie(name)
    assert cookie is not None
    return f"{name}={cookie.value}"
