"""Both roots of a run, filled, its runners and its person."""

from pathlib import Path
from types import TracebackType
from typing import Self

from portal.config import Settings
from portal.values import Root
from tests.integration.moves import Moves
from tests.soak import invariants
from tests.soak.dice import Dice
from tests.soak.person import Person
from tests.soak.processes import CrashingS3, Runners
from tests.soak.scene import Scene


class Stage:
    """Everything of one run. Leave it by `with`: runners end, and the server is there for the next run."""

    def __init__(self, dice: Dice, moves: Moves, settings: Settings, s3: CrashingS3, folder: Path) -> None:
        self.dice, self._s3 = dice, s3
        ends = [_end(dice, moves, kind, name) for kind, name in zip(dice.way.split("-"), ("old", "new"), strict=True)]
        (old, old_folder), (new, new_folder) = ends
        self._target = str(new)
        self._buckets = [root.bucket for root in (old, new) if isinstance(root, Root)]
        self._storage_uid = moves.register(old)
        self.scene = Scene(dice, old_folder, new_folder, folder / "scratch")
        self.scene.set_up(self._storage_uid)
        self.runners = Runners(settings, dice.runner_count, folder / "runner.log")
        self.person = Person(dice, self.scene, moves.portal, self.runners, s3)

    def play(self) -> str:
        """Play the run; return the state it ended in."""
        view = self.person.move(self._storage_uid, self._target)
        self.runners.stop()
        invariants.check_tidy(self.scene, self._s3, self._buckets)
        return str(view.state)

    def report(self) -> str:
        """Say what happened, for a failure."""
        return "\n".join([str(self.dice), *self.person.log, *self.person.exceptions(), self.runners.log()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.runners.end()
        if not self._s3.is_up:
            self._s3.start()


def _end(dice: Dice, moves: Moves, kind: str, name: str) -> tuple[Root | Path, Path]:
    """Return a root of a kind, and its folder on disk."""
    if kind == "s3":
        return moves.bucket(f"soak-{dice.seed}-{name}")
    return moves.base / name, moves.base / name
