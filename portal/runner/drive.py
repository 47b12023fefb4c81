"""One migration under a lease: its facts, its writes, and waiting for workers without losing the lease."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from portal import database
from portal.backends.base import Proof
from portal.models import Connection, Host, Migration
from portal.planning.roots import parse_root
from portal.planning.schedules import opens_at
from portal.planning.states import MOVES, Event, MigrationState, move
from portal.planning.watches import stopped
from portal.runner import hanging, stops
from portal.runner.jobs import Answer, Ends, guarded
from portal.runner.tools import Tools
from portal.runner.words import MOVE_WORDS, TROUBLES
from portal.services.access import load_actor
from portal.services.events import Change, record
from portal.services.migrations.controls import Limits, limits_of, schedule_of
from portal.services.migrations.doors import REPOINT, REWRITE, RegistryDoor, doors_of
from portal.services.migrations.leases import Lease, advance, renew
from portal.services.migrations.waiting import WAITING
from portal.services.reach import Door, access_of, make_door
from portal.services.work import Work

#: How often a lease is renewed while workers work, and how often they are looked at.
RENEW_SECONDS = 1.0
LOOK_SECONDS = 0.1

#: How long workers of a runner that lost its lease get to leave their objects.
LEAVE_SECONDS = 1.0

#: How long workers get to leave their objects after they were told to stop.
STOP_SECONDS = 15.0

#: What a worker died over so often is not given to another one.
MOST_DEATHS = 3
AFTER_DEATHS = "Look at the runner's log and at the memory of its machine, then retry."

#: A fence that ends within this is not relied on any more.
FENCE_MARGIN = timedelta(seconds=20)

#: What stops workers in mid-shard; other wishes wait for the end of a step.
_URGENT = frozenset({Event.CANCEL, Event.PAUSE})


class Interrupted(Exception):
    """The step ends here: a person wishes something else, or the runner is to stop. What is done stays done."""


class Later(Interrupted):
    """The step cannot go on now: the lease is given back, so that others may have the runner, and it is tried again.

    Attributes:
        most_seconds: it waits longer each time, and so long at most.
    """

    def __init__(self, most_seconds: float) -> None:
        super().__init__()
        self.most_seconds = most_seconds


@dataclass(frozen=True, slots=True)
class Facts:
    """A migration's row as a step begins."""

    uid: str
    storage_uid: str
    state: MigrationState
    wish: str
    is_started: bool
    pass_number: int
    plan: dict[str, Any]
    ends: Ends
    doors: tuple[RegistryDoor, ...] = ()
    strategy: str = REWRITE
    leaves_unreferenced: bool = False
    target_uid: str | None = None
    takes_rot: bool = False
    is_sweep_due: bool = False
    has_times: bool = False
    is_waiting: bool = False

    @property
    def proof(self) -> Proof:
        """Return which checksums of the target are evidence; none before the checks told."""
        return Proof(**self.plan.get("proof", {}))

    @property
    def is_repoint(self) -> bool:
        """Tell whether artifacts are re-pointed, and the location's own root stays."""
        return self.strategy == REPOINT

    @property
    def writable_doors(self) -> tuple[RegistryDoor, ...]:
        """Return the registries that the portal changes."""
        return tuple(door for door in self.doors if door.can_write)


class Held:
    """A migration in a running transaction that has renewed its lease."""

    def __init__(self, work: Work, migration: Migration) -> None:
        self.work, self.migration = work, migration

    def move(self, event: Event, message: str = "", hint: str = "", facts: Mapping[str, object] | None = None) -> None:
        """Make a move, say what happened, and record it as an event of whoever made the migration.

        `facts`: numbers for the event.
        """
        row, before = self.migration, self.migration.state
        row.state = move(MigrationState(before), event).value
        row.message, row.hint = message, hint
        watch = (row.plan or {}).get("watch")
        if watch and row.state not in WAITING:
            self.note(watch=stopped(watch, self.work.now))
        after = {"state": row.state, **(facts or {})} | ({"message": message} if message else {})
        record(self.work, f"migration.{MOVE_WORDS[event]}", row, Change({"state": before}, after))

    def note(self, **values: object) -> None:
        """Keep values in the plan's summary."""
        self.migration.plan = {**(self.migration.plan or {}), **values}


class Drive:
    """The lease on one migration and what can be done under it.

    Attributes:
        limits: as the row said when it was last read.
    """

    def __init__(self, tools: Tools, lease: Lease) -> None:
        self.tools, self.lease, self.limits = tools, lease, Limits()
        self._ticked_at = monotonic()  # the time of the day may be set back
        self._is_wanted_elsewhere = False

    @property
    def folder(self) -> str:
        """Return the migration's folder below the ledger."""
        return self.lease.migration_uid

    @property
    def stop_path(self) -> Path:
        """Return the file that stops the workers of this very epoch."""
        return stops.stop_file(self._ledger_folder, self.lease.epoch)

    @property
    def _ledger_folder(self) -> Path:
        return self.tools.settings.ledger_dir / self.folder

    def stop_others(self) -> None:
        """Stop workers of runners that lost this lease without knowing yet, and give them a moment to leave."""
        stops.tell_before(self._ledger_folder, self.lease.epoch)
        self.tools.stopping.wait(LEAVE_SECONDS)

    def state(self) -> MigrationState:
        """Read the state alone."""
        with database.read() as session:
            row = session.get_one(Migration, self.lease.migration_id, populate_existing=True)
            return MigrationState(row.state)

    def facts(self) -> Facts:
        """Read the row."""
        with database.read() as session:
            row = session.get_one(Migration, self.lease.migration_id, populate_existing=True)
            work, self.limits = self._work(session, row), limits_of(row)
            return Facts(
                uid=row.uid,
                storage_uid=row.storage.uid if row.storage else "",
                state=MigrationState(row.state),
                wish=row.wish,
                is_started=row.started_at is not None,
                pass_number=row.pass_number,
                plan=dict(row.plan or {}),
                ends=Ends(
                    _door(work, row.source_root, row.source_connection, row.source_host, row.source_region),
                    _door(work, row.target_root, row.target_connection, row.target_host, row.target_region),
                ),
                doors=doors_of(work, row),
                strategy=row.strategy,
                leaves_unreferenced=row.leaves_unreferenced,
                target_uid=row.target_storage_uid,
                takes_rot=row.takes_rot,
                is_sweep_due=row.sweep_at is not None and row.sweep_at <= self.tools.clock(),
                has_times=not schedule_of(row).is_empty,
                is_waiting=row.waits_until is not None,
            )

    @contextmanager
    def writing(self) -> Iterator[Held]:
        """Give the row in a writing transaction that holds the lease.

        Raises:
            LeaseLost: somebody else has it; nothing is written.
        """
        with database.write() as session:
            now = self.tools.clock()
            renew(session, self.lease, now)
            row = session.get_one(Migration, self.lease.migration_id, populate_existing=True)
            yield Held(self._work(session, row), row)
            self.limits = limits_of(row)
            self._is_wanted_elsewhere = _is_to_leave(row, now)

    def _work(self, session: database.Session, row: Migration) -> Work:
        actor = load_actor(session, row.created_by, via="runner", address=self.tools.name[:64])
        return Work(session, actor, self.tools.clock(), self.tools.settings, self.tools.vault)

    def run(self, call: Callable[..., Any], *arguments: Any, is_short: bool = False) -> Answer:
        """Run one job in a worker process and wait for it. A short one is waited for whatever is wished.

        A job whose worker died is run again: every job may be.

        Raises:
            Interrupted: a person wishes something else, or the runner stops; the job was told to end. `Later`, where
                one that was told so before has not ended.
            LeaseLost: somebody else has the lease.
        """
        if not is_short and self.tools.hanging.has(self.folder):
            self.put_off(hanging.MESSAGE, hanging.HINT, hanging.WAIT_SECONDS)
        for _ in range(MOST_DEATHS):
            try:
                return self._run_once(call, *arguments, is_short=is_short)
            except BrokenProcessPool:
                continue
        return Answer(None, f"Worker processes died {MOST_DEATHS} times over the same step.", AFTER_DEATHS)

    def _run_once(self, call: Callable[..., Any], *arguments: Any, is_short: bool) -> Answer:
        future: Future[Answer] = self.tools.executor.submit(guarded, call, *arguments)
        try:
            while not wait([future], LOOK_SECONDS).done:
                if self.tick() and not is_short:
                    raise Interrupted
        except BaseException:
            # It must not go on writing segments that a later step writes too.
            self.tell_workers_to_stop()
            if not future.cancel():
                wait([future], STOP_SECONDS)
                self.tools.hanging.add(self.folder, future)
            raise
        return future.result()

    def tick(self, report: Callable[[Held], None] | None = None) -> bool:
        """Keep lease and heartbeat alive, and tell whether to leave the step. Writes at most once a second.

        `report` writes how far the step is.

        Raises:
            LeaseLost: somebody else has the lease.
        """
        self.tools.beat()
        if self.tools.stopping.is_set():
            return True
        now = monotonic()
        if now - self._ticked_at >= RENEW_SECONDS:
            self._ticked_at = now
            with self.writing() as held:
                if report is not None:
                    report(held)
        return self._is_wanted_elsewhere

    def tell_workers_to_stop(self) -> None:
        """Make the stop file of this epoch."""
        stops.tell(self.stop_path)

    def let_workers_work(self) -> None:
        """Go on under another epoch where workers were told to stop: one that hangs finds its stop file when it wakes.

        Raises:
            LeaseLost: somebody else has the lease, and told them.
        """
        if self.stop_path.exists():
            with database.write() as session:
                self.lease = advance(session, self.lease, self.tools.clock())

    def put_off(self, message: str, hint: str, most_seconds: float) -> NoReturn:
        """Say what does not work yet, and leave the migration for a while.

        Raises:
            Later: always.
        """
        with self.writing() as held:
            held.migration.message, held.migration.hint = message, hint
        raise Later(most_seconds)

    def trouble(self, message: str, hint: str = "", *, is_final: bool = False) -> None:
        """Stop the migration where it is and say why; `is_final` ends it."""
        with self.writing() as held:
            state = MigrationState(held.migration.state)
            event = TROUBLES.get(state, Event.FAIL if is_final else Event.TROUBLE)
            held.move(event, message, hint)
            if event is Event.FAIL:
                held.migration.finished_at = held.work.now

    def trouble_of(self, answer: Answer, *, may_end: bool = False) -> None:
        """Stop the migration with the error of a job."""
        self.trouble(answer.error, answer.hint, is_final=may_end and answer.is_refused)


def _is_to_leave(row: Migration, now: datetime) -> bool:
    """Tell whether a step ends before its time: a person wishes so, its hours are over, or its fence is."""
    state = MigrationState(row.state)
    if row.wish and Event(row.wish) in _URGENT & set(MOVES[state]):
        return True
    if state in WAITING - {MigrationState.PLANNED}:
        return opens_at(schedule_of(row), now) is not None
    until = (row.plan or {}).get("fence_until") if state is MigrationState.FENCED else None
    return until is not None and datetime.fromisoformat(until) - now <= FENCE_MARGIN


def _door(work: Work, text: str, connection: Connection | None, host: Host | None, region: str | None) -> Door:
    access = None if connection is None else access_of(work, connection, region)
    return make_door(work.settings, parse_root(text, home="/", cwd="/"), access, host.name if host else None)
