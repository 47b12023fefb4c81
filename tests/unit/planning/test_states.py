from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Conflict
from portal.planning.states import FINAL, MOVES, SWITCHED, WORKING, Event, MigrationState, Trigger, events_for, move

S, E = MigrationState, Event
HAPPY = [
    (E.CHECK, S.PREFLIGHT),
    (E.PLAN_MADE, S.PLANNED),
    (E.START, S.COPYING),
    (E.PAUSE, S.PAUSED),
    (E.RESUME, S.COPYING),
    (E.COPY_DONE, S.VERIFYING),
    (E.VERIFY_DONE, S.READY),
    (E.CUT_OVER, S.FENCED),
    (E.SWITCHED, S.CUT_OVER),
    (E.SOAK, S.SOAKING),
    (E.RELEASE, S.RELEASED),
]


def test_the_whole_way_from_draft_to_released_is_legal() -> None:
    state = S.DRAFT
    for event, expected in HAPPY:
        state = move(state, event)
        assert state is expected


def test_every_state_has_a_row_and_a_label_without_underscores() -> None:
    assert set(MOVES) == set(S)
    assert all("_" not in state.label and state.label for state in S)
    assert all(len(state.value) <= 20 for state in S)


def test_final_states_are_these_four() -> None:
    assert {S.RELEASED, S.FAILED, S.CANCELLED, S.ROLLED_BACK} == FINAL
    assert all(state.is_final is not state.is_live for state in S)


def test_a_final_state_refuses_with_a_sentence() -> None:
    with pytest.raises(Conflict, match="A migration that is cancelled cannot be started") as caught:
        move(S.CANCELLED, E.START)
    assert caught.value.hint == "It is over: start a new migration."


def test_the_refusal_names_what_is_possible() -> None:
    with pytest.raises(Conflict) as caught:
        move(S.SOAKING, E.CANCEL)
    assert caught.value.hint == "It can be released or rolled back."


def test_a_step_under_way_says_to_wait() -> None:
    with pytest.raises(Conflict) as caught:
        move(S.CUT_OVER, E.ROLL_BACK)
    assert caught.value.hint == "Wait until the runner has finished this step."


def test_nothing_can_be_cancelled_once_the_registry_is_switched() -> None:
    assert not [state for state in SWITCHED if E.CANCEL in MOVES[state]]


def test_a_cancel_is_tidied_up_after_wherever_a_look_has_been() -> None:
    ways = {state: moves[E.CANCEL] for state, moves in MOVES.items() if E.CANCEL in moves}
    assert {state for state, after in ways.items() if after is S.CANCELLED} == {S.DRAFT}
    assert set(ways.values()) == {S.CANCELLED, S.CANCELLING}


def test_what_takes_hours_can_be_paused_and_gone_on_with() -> None:
    assert {state for state, moves in MOVES.items() if E.PAUSE in moves} == {S.COPYING, S.VERIFYING}
    assert move(S.PAUSED, E.RESUME) is S.COPYING


def test_nothing_can_be_rolled_back_before() -> None:
    assert not [state for state in set(S) - SWITCHED if E.ROLL_BACK in MOVES[state]]


def test_every_working_state_can_be_left_by_the_runner() -> None:
    assert all(events_for(state, Trigger.RUNNER) for state in WORKING)


def test_a_state_in_which_nobody_works_is_left_by_a_person() -> None:
    waiting = set(S) - WORKING - FINAL
    assert all(events_for(state) and not events_for(state, Trigger.RUNNER) for state in waiting)


def test_every_state_can_reach_an_end() -> None:
    ends = set(FINAL)
    for _ in S:
        ends |= {state for state, moves in MOVES.items() if set(moves.values()) & ends}
    assert ends == set(S)


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_whatever_happens_the_decision_is_passed_only_through_the_fence(events: list[Event]) -> None:
    state, seen = S.DRAFT, [S.DRAFT]
    for event in events:
        if event in MOVES[state]:
            state = move(state, event)
            seen.append(state)
        else:
            with pytest.raises(Conflict, match=r"cannot be"):
                move(state, event)
    for before, after in pairwise(seen):
        assert after not in SWITCHED or before in SWITCHED | {S.FENCED}
        assert before not in SWITCHED or after in SWITCHED | {S.ROLLED_BACK}
