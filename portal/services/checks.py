"""Checks: tried rights of a location, kept in batches, so that pages can show the latest and the history."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from portal.errors import PortalError
from portal.models import Check, Storage
from portal.models.ids import random_uid
from portal.permissions import Action
from portal.services.claims import is_moving
from portal.services.events import Change, record
from portal.services.placing import Settled
from portal.services.reach import Door, door_of
from portal.services.removals import end_broken
from portal.services.storages.find import find_storage
from portal.services.trials import Attempt, Trial, try_root
from portal.services.units import Units
from portal.services.work import Work
from portal.values import CheckResult, CheckStatus, Mode

#: Batches a tick strip shows.
MOST_BATCHES = 30

_WORST_FIRST = (CheckStatus.FAILED, CheckStatus.WARNING, CheckStatus.PASSED)


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of checks. `status` is the worst of its results; skipped only when nothing was tried."""

    uid: str
    at: datetime
    status: CheckStatus
    results: tuple[CheckResult, ...]

    def count(self, status: CheckStatus) -> int:
        """Return how many checks ended so."""
        return sum(result.status is status for result in self.results)


def overall(results: tuple[CheckResult, ...]) -> CheckStatus:
    """Return the worst status; skipped when nothing was tried."""
    seen = {result.status for result in results}
    return next((status for status in _WORST_FIRST if status in seen), CheckStatus.SKIPPED)


def keep_checks(work: Work, storage: Storage, results: tuple[CheckResult, ...]) -> Batch:
    """Keep one run of checks; the location remembers when and how the latest ended."""
    batch = Batch(random_uid(), work.now, overall(results), results)
    work.session.add_all(
        Check(
            storage_id=storage.id,
            batch=batch.uid,
            position=position,
            name=result.name,
            title=result.title,
            status=result.status,
            milliseconds=result.milliseconds,
            reason=result.reason,
            fix=result.fix,
            is_write=result.is_write,
            server_message=result.server_message,
            missing_action=result.missing_action,
            checked_at=work.now,
        )
        for position, result in enumerate(results)
    )
    work.session.flush()
    # Not through the object: a check is no change of the record, so its version stays and nobody's edit is refused.
    latest = {"last_check_at": work.now, "last_check_status": batch.status}
    work.session.execute(update(Storage).where(Storage.id == storage.id).values(latest))
    return batch


def list_batches(work: Work, storage: Storage, *, most: int = MOST_BATCHES) -> list[Batch]:
    """Return the latest runs of checks, newest first; none where none was run since the root or its host changed.

    The caller has found the location, so it may be read.
    """
    if storage.last_check_at is None:
        return []
    newest = (
        select(Check.batch, Check.checked_at)
        .where(Check.storage_id == storage.id, Check.position == 0)
        .order_by(Check.checked_at.desc(), Check.id.desc())
        .limit(most)
    )
    batches = [batch for batch, _ in work.session.execute(newest)]
    rows = select(Check).where(Check.storage_id == storage.id, Check.batch.in_(batches)).order_by(Check.position)
    kept: dict[str, list[Check]] = {batch: [] for batch in batches}
    for row in work.session.scalars(rows):
        kept[row.batch].append(row)
    return [_batch(uid, found) for uid, found in kept.items()]


def _batch(uid: str, rows: list[Check]) -> Batch:
    results = tuple(_result(row) for row in rows)
    return Batch(uid, rows[0].checked_at, overall(results), results)


def _result(row: Check) -> CheckResult:
    return CheckResult(
        name=row.name,
        title=row.title,
        status=row.status,
        milliseconds=row.milliseconds,
        reason=row.reason,
        fix=row.fix,
        is_write=row.is_write,
        server_message=row.server_message,
        missing_action=row.missing_action,
    )


def run_checks(units: Units, reference: str) -> Batch:
    """Try a location's rights now, keep what came of it and return it.

    A location that is not writable, or that is being moved, is not tried by writing. What a broken-off deletion has
    removed is put back first.

    Raises:
        NotFound, PermissionDenied: the actor has not the role write.
    """
    broken = end_broken(units, reference)
    with units.reading() as work:
        storage = find_storage(work, reference, Action.STORAGE_CHECK)
        attempt = attempt_of(work, storage)
    results = (*((broken,) if broken else ()), *try_again(attempt))
    with units.writing() as work:
        storage = find_storage(work, reference, Action.STORAGE_CHECK)
        batch = keep_checks(work, storage, results)
        record(work, "storage.checked", storage, Change(after={"status": str(batch.status), "batch": batch.uid}))
        return batch


def try_again(attempt: Attempt) -> tuple[CheckResult, ...]:
    """Return the checks of a registered location; what keeps it from being tried is a check too."""
    if not attempt.door.is_here:
        return (elsewhere(attempt.door),)
    try:
        trial = try_root(attempt)
    except PortalError as error:
        server_message = getattr(error, "server_message", None)
        reason, fix = error.message, error.hint
        return (
            CheckResult(
                "open", "Open the root", CheckStatus.FAILED, None, reason, fix=fix, server_message=server_message
            ),
        )
    drift = _drift(attempt, trial)
    return (*trial.checks, drift) if drift else trial.checks


def elsewhere(door: Door) -> CheckResult:
    """Return the check of a root on another host: skipped, since nobody here can try it."""
    return CheckResult(
        name="open",
        title="Open the root",
        status=CheckStatus.SKIPPED,
        milliseconds=None,
        reason=f"Not reachable from {door.here} until a runner on {door.host} reports.",
        fix=f"Start a runner there: portal runner --host {door.host}",
    )


def attempt_of(work: Work, storage: Storage) -> Attempt:
    """Return how a registered location is tried again."""
    writable = storage.mode is Mode.WRITABLE and not is_moving(work, storage)
    settled = Settled(
        owner_id=storage.owner_id,
        owner="",
        space_id=storage.space_id,
        space="",
        instance_id=storage.instance_id,
        instance_uid=storage.instance_uid,
        instance_uuid=None,
        instance_slug=storage.instance_slug,
        description="",
        is_default=False,
    )
    return Attempt(door_of(work, storage), settled, storage.uid, read_only=not writable, may_try_writing=writable)


def _drift(attempt: Attempt, trial: Trial) -> CheckResult | None:
    """Return a check where a writable root's marker is gone or carries another uid; None where all is as recorded."""
    unread = any(check.name in {"marker", "open"} and check.status is CheckStatus.FAILED for check in trial.checks)
    if not attempt.may_try_writing or unread:
        return None
    found = trial.marker.storage_uid if trial.marker else None
    if found == attempt.uid:
        return None
    return CheckResult(
        name="marker-uid",
        title="Compare the marker's uid",
        status=CheckStatus.WARNING,
        milliseconds=None,
        reason=f"The marker carries {found}, not {attempt.uid}." if found else f"The marker of {attempt.uid} is gone.",
        fix="Put .lamindb/storage_uid.txt back, so that nobody else claims the root.",
    )
