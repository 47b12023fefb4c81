"""The reconciler: report, take a migration that is due, do its steps, give it back."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from time import monotonic

import structlog

from portal import database
from portal.config import Settings
from portal.errors import PortalError
from portal.planning.states import MOVES, Event, MigrationState
from portal.runner.drive import Drive, Interrupted, Later
from portal.runner.resting import Resting
from portal.runner.steps import step
from portal.runner.switching import has_open_decision
from portal.runner.tools import Tools
from portal.services.migrations.leases import Lease, LeaseLost, give_back, take_next
from portal.services.migrations.runners import DatabaseTrouble, report_alive, sign_off
from portal.services.vault import Vault

log = structlog.get_logger("portal.runner")

#: How often a runner reports.
BEAT_SECONDS = 5.0

#: How long to leave a migration alone whose step broke unexpectedly and cannot be stopped over it.
BACK_OFF_SECONDS = 10.0

IDLE_SECONDS = 0.5


def _now() -> datetime:
    return datetime.now(UTC)


class Reconciler:
    """One runner. Needs an app context around every call; safe beside any number of others."""

    def __init__(
        self, settings: Settings, vault: Vault, name: str, executor: Executor, clock: Callable[[], datetime] = _now
    ) -> None:
        self.stopping = threading.Event()
        self._tools = Tools(settings, vault, name, executor, clock, self._beat, self.stopping)
        # Intervals by a clock that nobody sets back.
        self._beaten_at: float | None = None
        self._host_id = 0
        self._resting = Resting()

    def run(self) -> None:
        """Drive migrations until `stopping` is set."""
        while not self.stopping.is_set():
            try:
                had_work = self.run_once()
            except DatabaseTrouble:
                log.exception("the database does not answer")
                had_work = False
            if not had_work:
                self.stopping.wait(IDLE_SECONDS)

    def run_once(self) -> bool:
        """Take one migration and drive it until the next step is a person's; False when none is due."""
        self._beat()
        lease = self._take()
        if lease is None:
            return False
        drive = Drive(self._tools, lease)
        if lease.is_taken_over:
            drive.stop_others()
        try:
            while not self.stopping.is_set() and self._step(drive):
                pass
        except LeaseLost:
            drive.tell_workers_to_stop()
            log.warning("lease lost", migration=lease.migration_uid, epoch=drive.lease.epoch)
            return True
        with database.write() as session:
            give_back(session, drive.lease)
        return True

    def _step(self, drive: Drive) -> bool:
        try:
            goes_on = step(drive)
            self._resting.forget(drive.lease.migration_id)
            return goes_on
        except Later as later:
            self._resting.put_off(drive.lease.migration_id, later.most_seconds)
            return False
        except Interrupted:
            return True
        except (LeaseLost, DatabaseTrouble):
            raise
        except PortalError as error:
            self._stop_over(drive, error.message, error.hint or "")
            return False
        except Exception:
            log.exception("a step broke", migration=drive.lease.migration_uid)
            self._stop_over(drive, "Something broke in the runner; nothing was lost.", "Look at its log, then retry.")
            return False

    def _stop_over(self, drive: Drive, message: str, hint: str) -> None:
        """Stop a migration over a fault; where its state cannot stop, try again later."""
        self._resting.leave(drive.lease.migration_id, BACK_OFF_SECONDS)
        state = drive.state()
        if state is MigrationState.FENCED and has_open_decision(drive.lease.migration_id):
            return  # it may have been decided: nothing goes back before that is known
        events = {MigrationState.FENCED: Event.FENCE_LIFTED, MigrationState.ROLLING_BACK: Event.ROLLBACK_STUCK}
        if events.get(state, Event.TROUBLE) in MOVES[state]:
            drive.trouble(message, hint)

    def _take(self) -> Lease | None:
        with database.write() as session:
            return take_next(session, self._tools.clock(), self._host_id, self._tools.name, self._resting.ids())

    def _beat(self) -> None:
        """Report this runner and its host as alive."""
        if self._beaten_at is not None and monotonic() - self._beaten_at < BEAT_SECONDS:
            return
        with database.write() as session:
            self._host_id = report_alive(session, self._tools.name, self._tools.settings.host, self._tools.clock())
        self._beaten_at = monotonic()

    def sign_off(self) -> None:
        """Take this runner's row away: it ends in order."""
        with database.write() as session:
            sign_off(session, self._tools.name)
