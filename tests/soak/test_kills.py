"""A sample of the soak for `make test`: thirty kills of runners, workers and web processes, in all phases."""

from collections.abc import Callable

import pytest

from tests.soak.dice import PHASES, Dice, throw_kills
from tests.soak.seed import SAMPLE_SEED
from tests.soak.stage import Stage

pytestmark = pytest.mark.timeout(600)

#: Of each run at least, and of each of its phases; three runs make thirty.
KILLS, KILLS_OF_A_PHASE = 10, 2

#: Runs on both databases, between a folder and a bucket in both directions, and between buckets.
_DICE = [throw_kills(SAMPLE_SEED, number) for number in (0, 5, 6)]


@pytest.mark.parametrize("dice", _DICE, ids=[f"kills-{dice.way}-{dice.database}" for dice in _DICE])
def test_ten_kills_two_in_each_phase_break_no_promise(
    dice: Dice, new_stage: Callable[[Dice], Stage], request: pytest.FixtureRequest
) -> None:
    stage = new_stage(dice)
    stage.play(request.node)
    assert stage.person.kill_count >= KILLS
    happened = stage.person.happened
    struck = {phase: happened[f"killed in {phase}"] for phase in PHASES}
    struck["fenced"] += happened["killed in cut_over"]
    assert min(struck.values()) >= KILLS_OF_A_PHASE, struck
