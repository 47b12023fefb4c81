"""The table of states against a model: wherever a runner dies, what was decided stays decided."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from portal.planning.states import FINAL, MOVES, SWITCHED, WORKING, Event, MigrationState, Trigger, events_for, move

S, E = MigrationState, Event


class Moving(RuleBasedStateMachine):
    """One migration: the row that outlives a runner, and the runner's memory that does not.

    The model knows only three things: whether the registry names the new root, whether the way back was gone, and
    whether it is over.
    """

    @initialize()
    def begin(self) -> None:
        self.row = S.DRAFT
        self.wish: Event | None = None
        self.memory: MigrationState | None = None
        self.is_switched = self.is_back = self.is_over = False

    @rule(event=st.sampled_from([event for event in E if event.trigger is Trigger.PERSON]))
    def a_person_wishes(self, event: Event) -> None:
        """A wish is written down where the table allows it; a cancel replaces another one."""
        if event in MOVES[self.row] and (self.wish is None or event is E.CANCEL):
            self.wish = event

    @precondition(lambda self: self.row in {S.DRAFT, S.PLANNED})
    @rule()
    def a_person_cancels_what_left_nothing(self) -> None:
        """Without a runner; one that looked before finds that its lease is gone."""
        self.row = move(self.row, E.CANCEL)
        if self.row is S.CANCELLING:
            self.row = move(self.row, E.CANCEL_DONE)
        self.wish = self.memory = None
        self.is_over = True

    @precondition(lambda self: self.memory is None and not self.is_over)
    @rule()
    def a_runner_looks(self) -> None:
        self.memory = self.row

    @precondition(lambda self: self.memory is not None)
    @rule()
    def it_fulfils_the_wish(self) -> None:
        if self.wish is not None and self.wish in MOVES[self.row]:
            self._persist(self.wish)
        self.wish = None

    @precondition(lambda self: self.memory in WORKING)
    @rule(data=st.data())
    def it_does_its_step(self, data: st.DataObject) -> None:
        """A runner persists what came of a step only while the row is as it read it: the lease sees to that."""
        if self.memory is not self.row:
            self.memory = None
            return
        self._persist(data.draw(st.sampled_from(events_for(self.row, Trigger.RUNNER))))

    @rule()
    def it_dies(self) -> None:
        """Nothing but its memory is lost."""
        self.memory = None

    def _persist(self, event: Event) -> None:
        self.row = self.memory = move(self.row, event)
        self.is_switched |= event is E.SWITCHED
        self.is_back |= event is E.ROLLBACK_DONE
        self.is_over = self.row in FINAL

    @invariant()
    def the_registry_names_one_root_and_the_state_says_which(self) -> None:
        names_new_root = self.is_switched and not self.is_back
        assert (self.row in SWITCHED) is names_new_root

    @invariant()
    def nothing_is_cancelled_or_fails_after_the_decision(self) -> None:
        if self.is_switched:
            assert self.row not in {S.CANCELLED, S.CANCELLING, S.FAILED, S.READY, S.COPYING}
        if self.row is S.RELEASED:
            assert self.is_switched

    @invariant()
    def what_is_over_stays_over(self) -> None:
        if self.is_over:
            assert not MOVES[self.row]

    @invariant()
    def somebody_can_always_go_on(self) -> None:
        if not self.is_over:
            assert events_for(self.row, Trigger.PERSON) or events_for(self.row, Trigger.RUNNER)


TestMoving = Moving.TestCase
TestMoving.settings = settings(max_examples=200, stateful_step_count=60, deadline=None, derandomize=True)
