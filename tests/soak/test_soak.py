"""Roots move there and back while processes die, servers vanish and people change their minds."""

from collections.abc import Callable

import pytest

from tests.soak.dice import Dice, throw
from tests.soak.seed import RUNS, SEED
from tests.soak.stage import Stage

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

_DICE = [throw(SEED, number) for number in range(RUNS)]


@pytest.mark.parametrize(
    "dice", _DICE, ids=[f"run-{number}-{dice.way}-{dice.database}" for number, dice in enumerate(_DICE)]
)
def test_a_move_keeps_every_promise(
    dice: Dice, new_stage: Callable[[Dice], Stage], request: pytest.FixtureRequest
) -> None:
    new_stage(dice).play(request.node)
