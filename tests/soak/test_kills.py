"""A sample of the soak for `make test`: thirty kills of runners, workers and web processes, in all phases."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.soak.dice import Dice, throw_kills
from tests.soak.seed import SAMPLE_SEED
from tests.soak.stage import Stage

pytestmark = pytest.mark.timeout(600)

#: Of each run at least; three runs make thirty.
KILLS = 10

#: Runs on both databases, between a folder and a bucket in both directions, and between buckets.
_DICE = [throw_kills(SAMPLE_SEED, number) for number in (0, 5, 6)]


@pytest.mark.parametrize("dice", _DICE, ids=[f"kills-{dice.way}-{dice.database}" for dice in _DICE])
def test_ten_kills_in_all_phases_break_no_promise(
    dice: Dice, new_stage: Callable[[Dice], Stage], request: pytest.FixtureRequest
) -> None:
    count = 0
    for more in range(4):
        stage = new_stage(replace(dice, seed=f"{dice.seed}-{more}"))
        stage.play(request.node)
        count += stage.person.kill_count
        if count >= KILLS:
            return
    pytest.fail(f"only {count} kills in four moves")
