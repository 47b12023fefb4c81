"""Kills one process after another, each a random moment after somebody began to work in the phase it waits for."""

import time
from collections.abc import Callable, Sequence

from portal.planning.states import MigrationState
from tests.soak.dice import PHASES, SOAK, Fault

_S = MigrationState

#: States in which a runner works, by the phase they belong to.
_ORDER = {_S(phase): place for place, phase in enumerate(PHASES)}
_ORDER |= {_S.CUT_OVER: _ORDER[_S.FENCED], _S.CANCELLING: _ORDER[_S.ROLLING_BACK]}

#: When to go on though nobody took the lease anew: the one who was killed did not have it.
_MOST_WAIT_SECONDS = 3.0


class Killer:
    """A queue of kills. One that comes too late for its phase hits the next phase in which somebody works.

    `strike` kills, and returns whether there was anybody to kill.
    """

    def __init__(self, faults: Sequence[Fault], strike: Callable[[Fault, MigrationState], bool]) -> None:
        self.waiting = sorted(faults, key=lambda fault: PHASES.index(fault.phase))
        self._strike = strike
        self._due_at: float | None = None
        self._epoch, self._state = -1, _S.DRAFT
        self._struck_at = 0.0

    def look(self, state: MigrationState, epoch: int) -> None:
        """Do what is due. `epoch` is that of the migration's lease: another one says that a runner took it anew."""
        if not self.waiting or state not in _ORDER:
            self._due_at = None
            return
        now, fault = time.monotonic(), self.waiting[0]
        if self._due_at is None:
            # Whoever moved it on is at work; a sweep begins by itself, with a lease of its own.
            has_moved = state is not self._state and state != SOAK
            is_at_work = epoch != self._epoch or has_moved or now - self._struck_at > _MOST_WAIT_SECONDS
            if is_at_work and _ORDER[state] >= PHASES.index(fault.phase):
                self._due_at = now + fault.delay
        elif now >= self._due_at:
            self._due_at = None
            if self._strike(fault, state):
                self.waiting.pop(0)
                self._epoch, self._state, self._struck_at = epoch, state, now
