"""The states of a migration and every legal move between them, as one table.

Who may trigger a move is part of it: a person presses, the runner reports. Everything before the decision at cut-over
only goes back, everything after it only forward.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from portal.errors import Conflict


class MigrationState(StrEnum):
    """Where a migration stands. Stored as it is."""

    DRAFT = "draft"
    PREFLIGHT = "preflight"
    PLANNED = "planned"
    COPYING = "copying"
    PAUSED = "paused"
    VERIFYING = "verifying"
    READY = "ready"
    FENCED = "fenced"
    CUT_OVER = "cut_over"
    SOAKING = "soaking"
    ROLLING_BACK = "rolling_back"
    CANCELLING = "cancelling"
    NEEDS_ATTENTION = "needs_attention"
    RELEASED = "released"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"

    @property
    def label(self) -> str:
        """Return the state in words for people."""
        return _LABELS.get(self, self.value.replace("_", " "))

    @property
    def is_final(self) -> bool:
        """Tell whether no move leads on from here."""
        return self in FINAL

    @property
    def is_live(self) -> bool:
        """Tell whether the migration still holds its storage location, so that no second one may start."""
        return self not in FINAL


class Trigger(StrEnum):
    """Who may cause a move."""

    PERSON = "person"
    RUNNER = "runner"


class Event(StrEnum):
    """What causes a move."""

    CHECK = "check"
    PLAN_MADE = "plan_made"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    COPY_DONE = "copy_done"
    CHANGES_FOUND = "changes_found"
    VERIFY_DONE = "verify_done"
    CUT_OVER = "cut_over"
    FENCE_LIFTED = "fence_lifted"
    SWITCHED = "switched"
    SOAK = "soak"
    RELEASE = "release"
    ROLL_BACK = "roll_back"
    ROLLBACK_STUCK = "rollback_stuck"
    ROLLBACK_DONE = "rollback_done"
    CANCEL = "cancel"
    CANCEL_DONE = "cancel_done"
    TROUBLE = "trouble"
    FAIL = "fail"
    RETRY = "retry"

    @property
    def trigger(self) -> Trigger:
        """Return who may cause it."""
        return Trigger.PERSON if self in _BY_PERSON else Trigger.RUNNER


_S, _E = MigrationState, Event

_BY_PERSON = frozenset(
    {_E.CHECK, _E.START, _E.PAUSE, _E.RESUME, _E.CUT_OVER, _E.RELEASE, _E.ROLL_BACK, _E.CANCEL, _E.RETRY}
)

_WORKING_EXITS = {_E.CANCEL: _S.CANCELLING, _E.TROUBLE: _S.NEEDS_ATTENTION, _E.FAIL: _S.FAILED}

#: State and event → next state. What is not here is refused.
MOVES: Mapping[MigrationState, Mapping[Event, MigrationState]] = MappingProxyType(
    {
        _S.DRAFT: {_E.CHECK: _S.PREFLIGHT, _E.CANCEL: _S.CANCELLED},
        _S.PREFLIGHT: {_E.PLAN_MADE: _S.PLANNED, **_WORKING_EXITS},
        _S.PLANNED: {_E.START: _S.COPYING, _E.CHECK: _S.PREFLIGHT, _E.CANCEL: _S.CANCELLING},
        _S.COPYING: {_E.COPY_DONE: _S.VERIFYING, _E.PAUSE: _S.PAUSED, **_WORKING_EXITS},
        _S.PAUSED: {_E.RESUME: _S.COPYING, _E.CANCEL: _S.CANCELLING},
        _S.VERIFYING: {
            _E.VERIFY_DONE: _S.READY,
            _E.CHANGES_FOUND: _S.COPYING,
            _E.PAUSE: _S.PAUSED,  # resumed by way of copying, which has nothing left to do
            **_WORKING_EXITS,
        },
        _S.READY: {_E.CUT_OVER: _S.FENCED, _E.RETRY: _S.COPYING, _E.CANCEL: _S.CANCELLING},
        _S.FENCED: {_E.SWITCHED: _S.CUT_OVER, _E.FENCE_LIFTED: _S.READY, _E.CANCEL: _S.CANCELLING},
        _S.CUT_OVER: {_E.SOAK: _S.SOAKING},
        _S.SOAKING: {_E.RELEASE: _S.RELEASED, _E.ROLL_BACK: _S.ROLLING_BACK},
        _S.ROLLING_BACK: {_E.ROLLBACK_DONE: _S.ROLLED_BACK, _E.ROLLBACK_STUCK: _S.SOAKING},
        _S.NEEDS_ATTENTION: {_E.RETRY: _S.COPYING, _E.CHECK: _S.PREFLIGHT, _E.CANCEL: _S.CANCELLING},
        _S.CANCELLING: {_E.CANCEL_DONE: _S.CANCELLED},
        _S.RELEASED: {},
        _S.FAILED: {},
        _S.CANCELLED: {},
        _S.ROLLED_BACK: {},
    }
)

#: No move leads on from these.
FINAL = frozenset(state for state, moves in MOVES.items() if not moves)

#: The runner has something to do in these; in all others a person has, or nobody.
WORKING = frozenset({_S.PREFLIGHT, _S.COPYING, _S.VERIFYING, _S.FENCED, _S.CUT_OVER, _S.ROLLING_BACK, _S.CANCELLING})

#: The registry names the new root in these.
SWITCHED = frozenset({_S.CUT_OVER, _S.SOAKING, _S.ROLLING_BACK, _S.RELEASED})

_LABELS = {
    _S.PREFLIGHT: "checking",
    _S.READY: "ready to cut over",
    _S.CUT_OVER: "cut over",
}

_DEEDS = {
    _E.CHECK: "checked again",
    _E.START: "started",
    _E.PAUSE: "paused",
    _E.RESUME: "resumed",
    _E.CUT_OVER: "cut over",
    _E.RELEASE: "released",
    _E.ROLL_BACK: "rolled back",
    _E.CANCEL: "cancelled",
    _E.RETRY: "tried again",
}


def move(state: MigrationState, event: Event) -> MigrationState:
    """Return the state that `event` leads to.

    Raises:
        Conflict: the present state knows no such move.
    """
    following = MOVES[state].get(event)
    if following is None:
        deed = _DEEDS.get(event, event.value.replace("_", " "))
        stand = state.label if state is _S.NEEDS_ATTENTION else f"is {state.label}"
        raise Conflict(f"A migration that {stand} cannot be {deed}.", hint=_hint(state))
    return following


def events_for(state: MigrationState, trigger: Trigger = Trigger.PERSON) -> tuple[Event, ...]:
    """Return what may happen next in a state, in the order of the table; for the buttons of a page."""
    return tuple(event for event in MOVES[state] if event.trigger is trigger)


def _hint(state: MigrationState) -> str:
    if state.is_final:
        return "It is over: start a new migration."
    possible = [_DEEDS[event] for event in events_for(state)]
    return f"It can be {' or '.join(possible)}." if possible else "Wait until the runner has finished this step."
