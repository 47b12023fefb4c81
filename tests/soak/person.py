"""A run: somebody moves a root from page to page while things go wrong around them."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import select

from portal.errors import PortalError
from portal.models import Migration
from portal.planning.states import WORKING, MigrationState
from portal.services import migrations
from portal.services.migrations import CutOver, MigrationView, NewMigration
from tests.integration.world import Portal
from tests.soak import invariants
from tests.soak.dice import KILLS, MUTATIONS, PRESS, Dice, Fault, Goal, Kind
from tests.soak.hold import Hold
from tests.soak.killer import Killer
from tests.soak.processes import CrashingS3, Runners, Web
from tests.soak.scene import Scene

#: How long a migration may take to come to rest while it is killed again and again, on a machine that others use too.
REST_SECONDS = 300.0

#: How often a person tries again before giving up: more than the faults of a run.
MOST_TRIES = 12

_S = MigrationState
_BEFORE_READY = frozenset({_S.COPYING, _S.VERIFYING, _S.READY, _S.PAUSED, _S.NEEDS_ATTENTION, _S.PLANNED})


#: Where the web process takes what a person presses.
_PATHS = {
    "start": "start",
    "pause": "pause",
    "resume": "resume",
    "retry": "retry",
    "cancel": "cancel",
    "request_cut_over": "cut-over",
    "request_rollback": "roll-back",
}


@dataclass
class Person:
    """Presses the buttons of one migration, looks at everything, and lets the faults of the dice happen."""

    dice: Dice
    scene: Scene
    portal: Portal
    runners: Runners
    s3: CrashingS3
    web: Web
    hold: Hold
    uid: str = ""
    happened: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    killers: tuple[Killer, ...] = ()
    _waiting: list[Fault] = field(default_factory=list)
    _at_press: list[Fault] = field(default_factory=list)
    _due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _state: MigrationState = _S.DRAFT
    _tries: int = 0
    _was_cancelled: bool = False
    _has_written: bool = False
    _has_straggled: bool = False
    _began_at: float = field(default_factory=time.monotonic)

    @property
    def kill_count(self) -> int:
        """Return how many processes were killed so far."""
        return sum(self.happened[kind.value] for kind in KILLS)

    def move(self, storage_uid: str, target: str) -> MigrationView:
        """Move the root as far as the dice say and return how it ended."""
        kills = [fault for fault in self.dice.faults if fault.kind in KILLS and fault.phase != PRESS]
        self.killers = (
            Killer([fault for fault in kills if fault.kind is not Kind.KILL_WEB], self._kill),
            Killer([fault for fault in kills if fault.kind is Kind.KILL_WEB], self._kill_web),
        )
        self._waiting = [fault for fault in self.dice.faults if fault.kind not in KILLS]
        self._at_press = [fault for fault in self.dice.faults if fault.phase == PRESS]
        self._hold()
        with self.portal.write_as("ada") as work:
            self.uid = migrations.create_migration(work, NewMigration(storage_uid, target)).id
        if self.dice.small_count % 3:
            self.press(migrations.start)
        while True:
            view = self._rest()
            self._note(f"at rest: {view.state} – {view.message}")
            self._check_at_rest(view)
            if not self._go_on(view):
                return view

    def press(self, service: Callable[..., object], *given: object) -> bool:
        """Press a button; False when the portal refused. The web process may die over it: then press again."""
        if self._at_press and self._press_and_kill(_PATHS[service.__name__], given):
            return True
        try:
            with self.portal.write_as("ada") as work:
                service(work, self.uid, *given)
        except PortalError as error:
            self._note(f"refused {service.__name__}: {error.message}")
            return False
        self._note(f"pressed {service.__name__}")
        return True

    def _rest(self) -> MigrationView:
        """Wait until the next step is the person's; faults happen meanwhile."""
        until = time.monotonic() + REST_SECONDS
        while True:
            self._let_happen()
            view = self._look()
            is_working = view.state in WORKING or view.state is _S.DRAFT or (view.wish and not view.state.is_final)
            is_working = is_working or is_swept(view)
            if not is_working and self.s3.is_up:
                return view
            assert time.monotonic() < until, f"no rest: {view.state}, {view.message}, wish {view.wish}"
            time.sleep(0.05)

    def _look(self) -> MigrationView:
        with self.portal.read_as("ada") as work:
            view = migrations.get_migration(work, self.uid)
            epoch = work.session.scalars(select(Migration.lease_epoch).where(Migration.uid == self.uid)).one()
        invariants.check_registry(self.portal, self.uid)
        self.runners.check()
        if view.state is not _S.SOAKING or self._is_straggler_under_way(view):
            for killer in self.killers:
                killer.look(view.state, epoch)
            self._hold()
        if view.state is not self._state:
            self._note(f"{view.state} – {view.message}")
            self._state = view.state
        for fault in [fault for fault in self._waiting if fault.phase == view.state]:
            self._waiting.remove(fault)
            self._due.append((time.monotonic() + fault.delay, lambda fault=fault: self._fire(fault)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        return view

    def _is_straggler_under_way(self, view: MigrationView) -> bool:
        is_there = not self.dice.is_held or self.hold.is_reached
        return self._has_straggled and is_swept(view) and is_there

    def _hold(self) -> None:
        """Let no phase end that a kill still waits for, where the dice say so."""
        if self.dice.is_held:
            self.hold.keep({fault.phase for killer in self.killers for fault in killer.waiting})

    def _let_happen(self) -> None:
        now = time.monotonic()
        ripe = [item for item in self._due if item[0] <= now]
        self._due = [item for item in self._due if item[0] > now]
        for _, act in ripe:
            act()

    def _fire(self, fault: Fault) -> None:
        if fault.kind in MUTATIONS:
            # In the fence nobody may write any more: it is soft, and the page says so.
            if self._state not in _BEFORE_READY:
                return
            self._happen(fault, self.scene.mutate(fault.kind))
        elif fault.kind is Kind.S3_DOWN:
            self._crash_s3(fault)
        elif fault.kind is Kind.PAUSE:
            if self.press(migrations.pause):
                self._happen(fault)
        elif self.press(migrations.cancel):
            self._happen(fault)
            self._was_cancelled = True

    def _kill(self, fault: Fault, state: MigrationState) -> bool:
        self.hold.begin_anew()
        if fault.kind in {Kind.KILL_RUNNER, Kind.KILL_BOTH}:
            self.runners.kill(len(self.log), with_workers=fault.kind is Kind.KILL_BOTH)
        elif not self.runners.kill_worker(len(self.log)):
            return False
        self._happen(fault, f"in {state}")
        self.happened[f"killed in {state}"] += 1
        return True

    def _kill_web(self, fault: Fault, state: MigrationState) -> bool:
        """Kill the web process while it writes something that changes nothing else."""
        if self.web.ask("GET", "/readyz") != 200:
            return False
        form = {"budget": str(1000 + len(self.log))}
        self.web.strike(f"/migrations/{self.uid}/limits", form, fault.delay / 10)
        invariants.check_limits(self.portal, self.uid)
        self._happen(fault, f"in {state}")
        self.happened[f"killed in {state}"] += 1
        return True

    def _press_and_kill(self, path: str, given: tuple[object, ...]) -> bool:
        """Press a button of the page while the web process dies; False when the portal did not take it."""
        fault, before = self._at_press.pop(0), self._stand()
        form = (
            {"confirm": given[0].confirmation, "registry_changed": "1"}
            if given and isinstance(given[0], CutOver)
            else {}
        )
        self.web.strike(f"/migrations/{self.uid}/{path}", form, fault.delay / 10)
        is_taken = self._stand() != before
        self._happen(fault, f"over {path}, which was {'' if is_taken else 'not '}taken")
        self.happened["killed over a button"] += 1
        return is_taken

    def _stand(self) -> tuple[MigrationState, str]:
        with self.portal.read_as("ada") as work:
            view = migrations.get_migration(work, self.uid)
        return view.state, view.wish

    def _crash_s3(self, fault: Fault) -> None:
        if not self.s3.is_up:
            return
        self._happen(fault, f"for {fault.seconds} s")
        self.s3.crash()
        self._due.append((time.monotonic() + fault.seconds, self._start_s3))

    def _start_s3(self) -> None:
        self.s3.start()
        self._note("S3 server up")

    def _happen(self, fault: Fault, detail: str = "") -> None:
        self.happened[fault.kind.value] += 1
        self._note(f"{fault.kind} {detail}".rstrip())

    def _note(self, words: str) -> None:
        self.log.append(f"{time.monotonic() - self._began_at:7.2f} {words}")

    def _check_at_rest(self, view: MigrationView) -> None:
        """Check what must hold wherever a migration waits for a person."""
        invariants.check_words(view)
        invariants.check_story(self.portal, self.uid, view.state)
        was_rolled_back = view.state is _S.ROLLED_BACK
        if self._has_written and not was_rolled_back:
            return  # a rollback that stopped may have brought some objects back already
        invariants.check_source(self.scene, was_rolled_back=was_rolled_back)
        invariants.check_target_honest(self.scene, is_half_way=view.state is _S.PAUSED)
        is_ready = view.state is _S.READY and not self.scene.is_dirty and "every" in view.message.lower()
        if is_ready or view.state is _S.SOAKING:
            invariants.check_target_equal(self.scene, with_marker=view.state is _S.SOAKING)

    def _go_on(self, view: MigrationView) -> bool:
        """Press the next button; False when there is none to press, or the person is content."""
        if self._was_cancelled:
            assert view.state in {_S.CANCELLED, _S.FAILED}, f"a cancel was taken, but it is {view.state}"
            return False
        assert self._tries < MOST_TRIES, f"{MOST_TRIES} tries, and still {view.state}: {view.message}"
        wants_more = {
            _S.PLANNED: lambda: self.press(migrations.start),
            _S.PAUSED: lambda: self.press(migrations.resume),
            _S.NEEDS_ATTENTION: self._try_again,
            _S.READY: self._at_ready,
            _S.SOAKING: self._at_soaking,
        }
        act = wants_more.get(view.state)
        return act is not None and act()

    def _try_again(self) -> bool:
        self._tries += 1
        if self.scene.has_conflict and self.exceptions():
            self.scene.resolve()
            self._note("the person moved the differing object away")
        assert self.press(migrations.retry)
        return True

    def exceptions(self) -> list[str]:
        """Return what the migration's page shows as in need of a look."""
        if not self.uid:
            return []
        with self.portal.read_as("ada") as work:
            page = migrations.get_page(work, self.uid)
        return [f"{row.kind} {row.key}: {row.reason}" for row in page.exceptions]

    def _at_ready(self) -> bool:
        self._tries += 1
        if self.dice.goal is Goal.READY and self._tries > 1:
            return False
        if self.dice.goal is Goal.READY:
            assert self.press(migrations.retry)  # a look for what is new: nothing may be written twice
            self.scene.is_dirty = False
            return True
        assert self.press(migrations.request_cut_over, CutOver(self.scene.old.name, registry_changed=True))
        return True

    def _at_soaking(self) -> bool:
        if self.dice.has_straggler and not self._is_swept_well():
            return True
        if self.dice.goal is not Goal.ROLLED_BACK:
            return False
        self._tries += 1
        if not self._has_written:
            self.scene.write_at_new()
            self._has_written = True
        assert self.press(migrations.request_rollback)
        return True

    def _is_swept_well(self) -> bool:
        """Tell whether what was written to the old root was brought over; else write it, or look again, at once."""
        with self.portal.write_as("ada") as work:
            row = work.session.scalars(select(Migration).where(Migration.uid == self.uid)).one()
            error = ((row.plan or {}).get("sweep") or {}).get("error", "")
            if self._has_straggled and not error:
                return True
            self._tries += 1
            if not self._has_straggled:
                self._note(f"written to the old root: {self.scene.straggle()}")
            row.sweep_at = work.now  # not in ten minutes
        self._has_straggled = True
        return False


def is_swept(view: MigrationView) -> bool:
    """Tell whether a look at the old root is due, or under way."""
    return view.state is _S.SOAKING and view.sweep_at is not None and view.sweep_at <= datetime.now(UTC)
