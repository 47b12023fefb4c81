"""Real moves with a runner that dies between any two of its deeds, and people who wish and write meanwhile.

Each example moves one small directory to another. A runner dies before or after a job, before, in and after each
transaction; the next one has nothing but the database and the disk. STATEFUL_EXAMPLES sets how many examples are tried,
each time others; without it few are, and always the same.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, ClassVar, cast

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from portal import database
from portal.config import Settings
from portal.errors import PortalError
from portal.models import Migration, Storage
from portal.planning.states import MOVES, SWITCHED, Event, MigrationState
from portal.runner.drive import Drive, Held, Interrupted
from portal.runner.steps import step
from portal.services import migrations
from portal.services.migrations import Limits, Times
from portal.services.migrations.leases import give_back
from portal.services.work import Work
from tests.integration.moves import Moves, contents, fill
from tests.integration.world import Portal, World

pytestmark = pytest.mark.timeout(0 if "STATEFUL_EXAMPLES" in os.environ else 300)

S, E = MigrationState, Event

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "25"))

KEYS = ("README.md", "raw/a b.txt", "raw/größe.csv", ".lamindb/0123456789abcdef.zarr/0.0", "late/new.txt")

#: What somebody else may put at the target, and what late sessions write to the old root.
THEIRS = {"README.md": b"theirs"}
LATE_KEYS = ("since/1.txt", "since/2.txt", "README.md", "raw/a b.txt")

#: In which the final copy has been made, so that what somebody still writes is a matter of the sweeps.
_CLOSED = SWITCHED | {S.FENCED, S.RELEASED, S.ROLLED_BACK}


class Died(BaseException):
    """The runner's process is gone. No handler of the portal's may catch it."""


class Dice:
    """Lets a runner die at the n-th place it passes; never while it is not armed."""

    def __init__(self) -> None:
        self.left: int | None = None

    def passes(self) -> None:
        """Count one place.

        Raises:
            Died: it was the last.
        """
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                raise Died


class Here(Executor):
    """Runs jobs in this process, one after the other; the runner may die before and after each."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Do it now."""
        self._dice.passes()
        future: Future[Any] = Future()
        future.set_result(call(*arguments, **named))
        self._dice.passes()
        return future


class Moving(RuleBasedStateMachine):
    """One migration, the objects people have put at its source, and the root that its location has to name.

    Attributes:
        theirs: what lies at the target and is somebody else's.
        kept: what the new root holds of objects that were changed at the old one after the switch.
        pending: what was written to the old root after the switch, and not brought over for sure yet.
    """

    moves: ClassVar[Moves]
    dice: ClassVar[Dice]
    numbers: ClassVar[Iterator[int]] = count()

    @initialize(
        keys=st.sets(st.sampled_from(KEYS), min_size=1),
        wishes=st.integers(0, 4).map(lambda left: 4 - left),
        has_folder=st.booleans(),
    )
    def begin(self, keys: set[str], wishes: int, has_folder: bool) -> None:
        """Make a move and go a part of the way: planned, started, ready, about to be cut over, or soaking."""
        base = self.moves.base / f"case-{next(self.numbers)}"
        self.source, self.target = base / "source", base / "target"
        self.objects = {key: f"{key} at first".encode() for key in sorted(keys)}
        self.theirs: dict[str, bytes] = {}
        self.kept: dict[str, bytes] = {}
        self.pending: set[str] = set()
        fill(self.source, self.objects)
        self.has_folder = has_folder
        if has_folder:
            self.target.mkdir()
        self.storage = self.moves.register(self.source)
        with self.moves.portal.write_as("ada") as work:
            new = migrations.NewMigration(self.storage, str(self.target))
            self.uid = migrations.create_migration(work, new).id
        # The last pass began after whatever people did at the source; and one was asked for that will.
        self.is_listed, self.is_asked = True, False
        if wishes:
            self._work(60)
            self._wish(migrations.start)
        if wishes == 1:
            self.something_stands_in_the_way()
        if wishes > 1:
            self._work(60)
        if wishes > 2:
            self.a_person_cuts_over()
        if wishes > 3:
            self._work(60)

    # What people do

    @rule(
        wish=st.sampled_from(
            [
                migrations.start,
                migrations.start,
                migrations.pause,
                migrations.resume,
                migrations.retry,
                migrations.retry,
                migrations.request_rollback,
                migrations.request_rollback,
                migrations.check_again,
                migrations.release,
                migrations.cancel,
            ]
        )
    )
    def a_person_wishes(self, wish: Callable[[Work, str], object]) -> None:
        self._wish(wish)
        if wish is migrations.retry:
            with self.moves.row(self.uid) as row:
                self.is_asked = row.state == S.READY and row.wish == E.RETRY

    @rule()
    def a_person_cuts_over(self) -> None:
        self._take_away()
        self._wish(lambda work, uid: migrations.request_cut_over(work, uid, migrations.CutOver("source", True)))

    @rule(workers=st.sampled_from([None, 1]), errors=st.sampled_from([None, 1, 50]), is_night=st.booleans())
    def a_person_changes_limits_and_times(self, workers: int | None, errors: int | None, is_night: bool) -> None:
        limits = Limits(workers=workers, errors=errors, concurrency=2 if workers else None)
        self._wish(lambda work, uid: migrations.set_limits(work, uid, limits))
        soon = datetime.now(UTC) + timedelta(hours=2)
        between = f"{soon:%H:%M}-{soon + timedelta(hours=1):%H:%M}" if is_night else ""
        self._wish(lambda work, uid: migrations.set_times(work, uid, Times(None, between, "UTC")))

    @precondition(lambda self: self.state in {S.PLANNED, S.COPYING, S.PAUSED, S.NEEDS_ATTENTION})
    @rule()
    def something_stands_in_the_way(self) -> None:
        if self.target.exists() and not any((self.target / key).exists() for key in THEIRS):
            self.theirs = dict(THEIRS)
            fill(self.target, THEIRS)

    @precondition(lambda self: self.theirs and self.state not in _CLOSED)
    @rule()
    def a_person_takes_it_away_and_tries_it_alone(self) -> None:
        self._take_away()
        self._wish(lambda work, uid: migrations.retry_objects(work, uid, kinds=("conflict",)))

    @precondition(lambda self: self.state is S.FENCED)
    @rule()
    def a_fence_is_over(self) -> None:
        with self.moves.row(self.uid) as row:
            if (row.plan or {}).get("fence_until"):
                row.plan = {**(row.plan or {}), "fence_until": datetime.now(UTC).isoformat()}

    @precondition(lambda self: self.state is S.SOAKING)
    @rule(key=st.sampled_from(LATE_KEYS), text=st.sampled_from(["late", "later"]), is_due=st.booleans())
    def somebody_writes_at_the_old_root(self, key: str, text: str, is_due: bool) -> None:
        if key in self.pending:
            return  # whether it was brought over already, nobody knows
        if key in self.objects:
            self.kept.setdefault(key, self.objects[key])
        else:
            self.pending.add(key)
        self.objects[key] = text.encode()
        fill(self.source, {key: self.objects[key]})
        if is_due:
            with self.moves.row(self.uid) as row:
                row.sweep_at = datetime.now(UTC)

    @precondition(lambda self: self.state is S.SOAKING)
    @rule()
    def the_old_root_is_looked_at(self) -> None:
        # The first look may be one that a runner died in, made before the last late writing.
        for _ in range(2):
            with self.moves.row(self.uid) as row:
                if row.wish or row.state != S.SOAKING:
                    return
                row.sweep_at = datetime.now(UTC)
            self._work(60)
        view = self.moves.view(self.uid)
        assert not (view.plan or {})["sweep"]["error"]
        self.pending.clear()

    @precondition(lambda self: self.state not in _CLOSED)
    @rule(key=st.sampled_from(KEYS), text=st.sampled_from(["again", "changed", ""]))
    def somebody_writes_at_the_source(self, key: str, text: str) -> None:
        self.objects[key] = text.encode()
        fill(self.source, {key: self.objects[key]})
        self.is_listed = self.is_asked = False

    @precondition(lambda self: self.state not in _CLOSED and len(self.objects) > 1)
    @rule(data=st.data())
    def somebody_deletes_at_the_source(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.objects)))
        del self.objects[key]
        (self.source / key).unlink()
        self.is_listed = self.is_asked = False

    # What a runner does

    @rule(most=st.integers(1, 30))
    def a_runner_works(self, most: int) -> None:
        self._work(most)

    @rule(places=st.integers(1, 40))
    def a_runner_works_and_dies(self, places: int) -> None:
        self.dice.left = places
        try:
            self._work(60)
        except Died:
            pass
        finally:
            self.dice.left = None

    def _work(self, most: int) -> None:
        with self.moves.portal.app.app_context():
            runner = self.moves.runner()
            runner._beat()
            lease = runner._take()
            if lease is None:
                return
            drive = Drive(runner._tools, lease)
            for _ in range(most):
                try:
                    if not step(drive):
                        break
                except Interrupted:
                    continue
            with database.write() as session:
                give_back(session, lease)

    def _wish(self, service: Callable[[Work, str], object]) -> None:
        try:
            with self.moves.portal.write_as("ada") as work:
                service(work, self.uid)
        except PortalError:
            return  # the table says no, and says it in words

    def _take_away(self) -> None:
        for key in self.theirs:
            (self.target / key).unlink()
        self.theirs = {}

    # What holds at any time

    @property
    def state(self) -> MigrationState:
        with self.moves.row(self.uid) as row:
            return MigrationState(row.state)

    @invariant()
    def the_location_names_the_root_that_the_state_says(self) -> None:
        with self.moves.portal.read_as("ada") as work:
            row = work.session.scalars(select(Migration).where(Migration.uid == self.uid)).one()
            state, plan = MigrationState(row.state), row.plan or {}
            root = work.session.scalar(select(Storage.root).where(Storage.uid == self.storage))
        # A rollback tidies up after it has switched back.
        is_back = state is S.ROLLING_BACK and plan.get("switched_back") == plan.get("back")
        assert root == str(self.target if state in SWITCHED and not is_back else self.source), state

    @invariant()
    def the_source_is_as_people_left_it(self) -> None:
        assert contents(self.source) == self.objects

    @invariant()
    def what_is_ready_or_cut_over_is_there(self) -> None:
        with self.moves.row(self.uid) as row:
            state, has_wish = MigrationState(row.state), bool(row.wish)
        if state is S.READY and self.is_asked and not has_wish:
            self.is_listed, self.is_asked = True, False
        if state is S.READY and self.is_listed:
            assert contents(self.target) == self.theirs | self.objects
        if state in {S.CUT_OVER, S.SOAKING, S.RELEASED}:
            self._check_new_root()

    @invariant()
    def what_is_somebody_elses_stays_as_it_is(self) -> None:
        assert {key: (self.target / key).read_bytes() for key in self.theirs} == self.theirs

    def _check_new_root(self) -> None:
        """Check that the new root holds what was moved, and what was brought over since as it lies at the old one."""
        there, wanted = contents(self.target), self.objects | self.kept
        assert {key: data for key, data in wanted.items() if key in there or key not in self.pending} == there

    def teardown(self) -> None:
        """Bring it to an end from wherever it is: then nothing of the portal's own is left on either side."""
        if not hasattr(self, "uid"):
            return
        self.dice.left = None
        self._take_away()
        self._wish(lambda work, uid: migrations.set_times(work, uid, Times()))
        self._wish(lambda work, uid: migrations.set_limits(work, uid, Limits()))
        for _ in range(20):
            self._work(100)
            state = self.state
            if state in {S.SOAKING, S.RELEASED, S.CANCELLED, S.ROLLED_BACK, S.FAILED}:
                break
            events = MOVES[state]
            if E.CUT_OVER in events:
                self.a_person_cuts_over()
            elif E.START in events:
                self._wish(migrations.start)
            else:
                self._wish(migrations.resume if E.RESUME in events else migrations.retry)
        view = self.moves.view(self.uid)
        assert view.state in {S.SOAKING, S.RELEASED, S.CANCELLED, S.ROLLED_BACK}, (view.state, view.wish, view.message)
        self.the_location_names_the_root_that_the_state_says()
        assert contents(self.source) == self.objects
        if view.state is S.SOAKING:
            self.the_old_root_is_looked_at()
        there = contents(self.target) if self.target.exists() else {}
        if view.state is S.CANCELLED and view.started_at is None:
            assert self.target.exists() is self.has_folder
            assert not self.has_folder or list(self.target.iterdir()) == [], "what the checks made was left"
        elif view.state is S.CANCELLED:
            assert set(there) <= set(KEYS), "the portal's own temporaries were left"
        else:
            self._check_new_root()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A portal that lets a move be released as soon as a look at the old root has found nothing."""
    return replace(settings, quiet_hours=0)


@pytest.fixture
def database_kind() -> str:
    """One database is enough here: what differs between them is below the services."""
    return "sqlite"


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> Dice:
    """Dice that every transaction of a runner passes three times."""
    made, writing = Dice(), Drive.writing

    @contextmanager
    def dangerous(drive: Drive) -> Iterator[Held]:
        made.passes()
        with writing(drive) as held:
            yield held
            made.passes()
        made.passes()

    monkeypatch.setattr(Drive, "writing", dangerous)
    return made


def test_a_runner_that_dies_again_and_again_gets_there_and_back(
    portal: Portal, world: World, local_base: Path, dice: Dice
) -> None:
    moves, chance, deaths = Moves(portal, Here(dice), cast(Any, None), local_base), Random(20261123), 0
    objects = {key: f"{key} at first".encode() for key in KEYS}
    fill(local_base / "source", objects)
    storage = moves.register(local_base / "source")
    with portal.write_as("ada") as work:
        uid = migrations.create_migration(work, migrations.NewMigration(storage, str(local_base / "target"))).id
    cut_over = migrations.CutOver("source", True)
    for wish, state in (
        (lambda work: None, S.PLANNED),
        (lambda work: migrations.start(work, uid), S.READY),
        (lambda work: migrations.request_cut_over(work, uid, cut_over), S.SOAKING),
        (lambda work: migrations.request_rollback(work, uid), S.ROLLED_BACK),
    ):
        with portal.write_as("ada") as work:
            wish(work)
        for _ in range(200):
            if moves.state(uid) is state:
                break
            dice.left = chance.randint(2, 14)
            try:
                moves.drive()
            except Died:
                deaths += 1
            dice.left = None
        assert moves.state(uid) is state, moves.view(uid).message
        root = local_base / ("target" if state is S.SOAKING else "source")
        assert moves.storage(storage).root == str(root)
        assert contents(local_base / "source") == objects
    assert contents(local_base / "target") == objects
    assert deaths >= 15, "it died too seldom to say anything"


def test_whatever_people_wish_and_wherever_runners_die_a_move_ends_whole(
    portal: Portal, world: World, local_base: Path, dice: Dice
) -> None:
    Moving.moves = Moves(portal, Here(dice), cast(Any, None), local_base)
    Moving.dice = dice
    run_state_machine_as_test(
        Moving,
        settings=examples(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            deadline=None,
            derandomize="STATEFUL_EXAMPLES" not in os.environ,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
