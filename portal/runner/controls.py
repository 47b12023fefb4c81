"""What a person may change while a migration runs, as the runner heeds it: limits, the error budget, and its hours."""

from dataclasses import dataclass
from typing import Any

from portal.planning.schedules import opens_at
from portal.planning.throttle import share
from portal.planning.watches import is_running, started, stopped
from portal.runner.drive import Drive, Facts, Held
from portal.services.events import Change, record
from portal.services.migrations import ledger
from portal.services.migrations.controls import schedule_of
from portal.services.migrations.waiting import is_starting, is_working
from portal.transfer.jobs import ShardResult, halted
from portal.transfer.limits import LIMITS_NAME, Limits, write_limits


def waits(drive: Drive, facts: Facts) -> bool:
    """Tell whether the migration has to wait for its hours or its start; note until when, and tell it once.

    Its stopwatch runs while it need not: it counts copying and verifying, and no time in which that stood still.
    """
    works = is_working(facts.state, facts.wish)
    begins = works and not is_running(facts.plan.get("watch"))
    if not (works or is_starting(facts.state, facts.wish)) or not (facts.has_times or facts.is_waiting or begins):
        return False
    with drive.writing() as held:
        row, now = held.migration, held.work.now
        until, before = opens_at(schedule_of(row), now), row.waits_until
        row.waits_until = until
        if works:
            held.note(watch=(started if until is None else stopped)((row.plan or {}).get("watch"), now))
        if until is not None and before is None:
            after = {"until": until.isoformat(), "between": row.hours, "zone": row.zone}
            record(held.work, "migration.waiting", row, Change(after=after))
        elif until is None and before is not None and works:
            record(held.work, "migration.went-on", row)
    return until is not None


def forgive(held: Held, direction: str, pass_number: int) -> None:
    """Let the error budget of a pass begin anew: a person has said that it should go on."""
    rows = ledger.shards_of(held.work.session, held.migration.id, direction, pass_number)
    count = sum(ledger.error_count(row.counts) for row in rows)
    held.note(forgiven={"direction": direction, "pass": pass_number, "count": count})


def forgiven_of(plan: dict[str, Any] | None, direction: str, pass_number: int) -> int:
    """Return how many failed objects of a pass do not count against the error budget any more."""
    noted = (plan or {}).get("forgiven") or {}
    is_same = (noted.get("direction"), noted.get("pass")) == (direction, pass_number)
    return int(noted["count"]) if is_same else 0


@dataclass(slots=True)
class Sharing:
    """Hands a migration's limits on to the workers of one pass, whenever they change."""

    drive: Drive
    told: Limits | None = None

    @property
    def path(self) -> str:
        """Return the file that the workers read."""
        return str(self.drive.tools.settings.ledger_dir / self.drive.folder / LIMITS_NAME)

    @property
    def worker_count(self) -> int:
        """Return how many workers the migration may have at a time."""
        workers, limit = self.drive.tools.settings.workers, self.drive.limits.workers
        return workers if limit is None else min(workers, limit)

    @property
    def room(self) -> int:
        """Return how many shards may be handed over: two for each worker, so that none waits for the next."""
        is_all = self.worker_count == self.drive.tools.settings.workers
        return 2 * self.worker_count if is_all else self.worker_count

    @property
    def budget(self) -> int:
        """Return how many objects may fail."""
        return self.drive.limits.errors or self.drive.tools.settings.max_errors

    def tell(self, open_count: int, error_count: int) -> None:
        """Write the share of each worker, where `open_count` shards are handed over and so many objects have failed."""
        limits = self.drive.limits
        now = Limits(
            share(limits.bandwidth, min(open_count, self.worker_count)),
            limits.concurrency,
            max(1, self.budget - error_count + 1),
        )
        if now != self.told:
            write_limits(self.path, now)
            self.told = now

    def over_budget(self, error_count: int) -> ShardResult | None:
        """Return the fault of a pass with too many failing objects; None while there are few enough."""
        if error_count <= self.budget:
            return None
        return halted(
            "",
            f"{error_count:,} objects failed; the error budget is {self.budget:,}. What is good is kept.",
            "Look at the errors, mend their cause or raise the budget, then retry: it goes on where it was.",
        )
