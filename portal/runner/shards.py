"""Run the shards of a pass through the executor, persist what came of them, report progress."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from portal import database
from portal.backends.base import Proof
from portal.models import Migration
from portal.planning.rates import RateLog, read_rates
from portal.runner import hanging
from portal.runner.controls import Sharing, forgiven_of
from portal.runner.drive import AFTER_DEATHS, LOOK_SECONDS, MOST_DEATHS, STOP_SECONDS, Drive, Held, Interrupted
from portal.runner.jobs import Ends
from portal.runner.meter import Meter
from portal.services.migrations import ledger
from portal.services.migrations.ledger import BACK, COPIED, COPYING, VERIFIED, ShardRow
from portal.transfer.control import read_progress
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardEnd, ShardJob, ShardOptions, ShardResult, halted
from portal.transfer.shards import ShardFiles, shard_files
from portal.transfer.verify import verify_shard


@dataclass(frozen=True, slots=True)
class Pass:
    """Which pass of which direction, and what is done with it."""

    ends: Ends
    direction: str
    number: int
    is_copy: bool
    takes_rot: bool = False
    proof: Proof = field(default_factory=Proof)

    @property
    def call(self) -> Callable[[ShardJob], ShardResult]:
        """Return what a worker runs."""
        return copy_shard if self.is_copy else verify_shard


class ShardRun:
    """One step over the open shards of a pass."""

    def __init__(self, drive: Drive, which: Pass, rows: list[ShardRow]) -> None:
        self._drive, self._which, self._meter = drive, which, Meter(rows)
        done = {COPIED, VERIFIED} if which.is_copy else {VERIFIED}
        self._waiting = [row for row in rows if row.state not in done]
        self._open: dict[Future[ShardResult], ShardRow] = {}
        self._finished: list[tuple[ShardRow, ShardResult]] = []
        self._broken_off: list[tuple[ShardRow, ShardResult]] = []
        self._deaths: dict[int, int] = {}
        self._fault: ShardResult | None = None
        self._sharing, self._rates = Sharing(drive), RateLog()

    def run(self) -> ShardResult | None:
        """Run every open shard; return the result that speaks of a fault no shard can get past, None for none.

        Raises:
            Interrupted: a person wishes something else, or the runner stops. What is done is persisted.
            LeaseLost: somebody else has the lease; nothing more is written.
        """
        self._drive.let_workers_work()
        with database.read() as session:
            row = session.get_one(Migration, self._drive.lease.migration_id, populate_existing=True)
            self._rates = read_rates(row.rates)
            self._meter.forgiven = forgiven_of(row.plan, self._which.direction, self._which.number)
        try:
            while (self._waiting or self._open) and self._fault is None:
                self._submit()
                self._collect(LOOK_SECONDS)
                self._sharing.tell(len(self._open), self._meter.error_count)
                if self._drive.tick(self._report):
                    raise Interrupted
                self._fault = self._sharing.over_budget(self._meter.error_count) or self._fault
                self._persist_sometimes()
        except Interrupted:
            self._drain()
            raise
        except BaseException:
            self._tell_to_stop()
            raise
        self._drain()
        return self._fault

    def _submit(self) -> None:
        """Keep the workers busy; what one that hangs was given waits until that ends."""
        room = max(0, self._sharing.room - len(self._open))
        free, held_back = self._drive.tools.hanging.split(self._waiting, lambda row: self._files(row).plan)
        if held_back and not free and not self._open:
            self._drive.put_off(hanging.MESSAGE, hanging.HINT, hanging.WAIT_SECONDS)
        rows, self._waiting = free[:room], [*free[room:], *held_back]
        if not rows:
            return
        if self._which.is_copy:
            with self._drive.writing() as held:
                ids = [row.id for row in rows]
                ledger.mark_copying(held.work.session, ids, self._drive.lease.epoch, held.work.now)
        self._sharing.tell(len(self._open) + len(rows), self._meter.error_count)
        for row in rows:
            self._go_on_counting(row)
            self._open[self._drive.tools.executor.submit(self._which.call, self._job(row))] = row

    def _go_on_counting(self, row: ShardRow) -> None:
        """Let the numbers of a shard that was broken off go on from there; its failures are counted anew."""
        path = self._progress_path(row)
        if row.state == COPYING or not self._which.is_copy:
            self._meter.go_on(row.id, read_progress(path))
        Path(path).unlink(missing_ok=True)

    def _collect(self, seconds: float) -> None:
        for future in wait(self._open, seconds, FIRST_COMPLETED).done:
            row = self._open.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool:
                self._take_death(row)
                continue
            if result.end is ShardEnd.DONE:
                self._take_result(row, result)
                continue
            self._broken_off.append((row, result))
            if result.end is ShardEnd.STOPPED:
                self._waiting.append(row)
            else:
                self._fault = result

    def _take_result(self, row: ShardRow, result: ShardResult) -> None:
        self._finished.append((row, result))
        counts = {**result.counts, "good_bytes": result.total_bytes}
        state = COPIED if self._which.is_copy else VERIFIED
        self._meter.update(ShardRow(row.id, row.number, state, row.object_count, row.total_bytes, counts))

    def _take_death(self, row: ShardRow) -> None:
        self._deaths[row.id] = self._deaths.get(row.id, 0) + 1
        if self._deaths[row.id] < MOST_DEATHS:
            self._waiting.append(row)
            return
        words = f"Worker processes died {MOST_DEATHS} times over the same {row.object_count} objects."
        self._fault = halted(str(row.id), words, AFTER_DEATHS)

    def _persist_sometimes(self) -> None:
        """Write results: when there are many, or nothing else is under way."""
        if len(self._finished) >= 4 * self._drive.tools.settings.workers or not self._open:
            self._persist()

    def _persist(self) -> None:
        if not self._finished and not self._broken_off:
            return
        is_copy = self._which.is_copy
        with self._drive.writing() as held:
            for row, result in self._broken_off:
                ledger.keep_exceptions(held.work.session, row.id, result, held.work.now)
            for row, result in self._finished:
                ledger.keep_result(
                    held.work.session, row.id, result, is_copy=is_copy, ledger=self._ledger, now=held.work.now
                )
            self._finished, self._broken_off = [], []
            self._report(held)

    def _drain(self) -> None:
        """Tell the workers to stop where anything is under way, take what they finished, and persist it."""
        if self._open:
            self._tell_to_stop()
        until = monotonic() + STOP_SECONDS
        while self._open and monotonic() < until:
            self._collect(LOOK_SECONDS)
        self._persist()

    def _tell_to_stop(self) -> None:
        self._drive.tell_workers_to_stop()
        for future, row in self._open.items():
            self._drive.tools.hanging.add(self._files(row).plan, future)

    def _report(self, held: Held) -> None:
        """Write how far the pass is, and its pace."""
        under_way = {row.id: self._progress_path(row) for row in self._open.values()}
        numbers = self._meter.report(under_way, is_copy=self._which.is_copy)
        held.migration.progress = numbers
        hanging.forget_message(held.migration)
        rates = self._rates.add(held.work.now.timestamp(), *self._meter.done)
        if rates.samples != self._rates.samples:
            held.migration.rates = rates.as_dict()
        self._rates = rates

    @property
    def _ledger(self) -> str:
        return str(self._drive.tools.settings.ledger_dir)

    def _files(self, row: ShardRow) -> ShardFiles:
        folder = f"{self._ledger}/{self._drive.folder}"
        return shard_files(folder, self._which.direction, self._which.number, row.number)

    def _progress_path(self, row: ShardRow) -> str:
        files = self._files(row)
        return files.copy_progress if self._which.is_copy else files.verify_progress

    def _job(self, row: ShardRow) -> ShardJob:
        files, ends = self._files(row), self._which.ends
        return ShardJob(
            shard_id=str(row.id),
            source=ends.source.root,
            target=ends.target.root,
            tag=shard_tag(self._drive.folder, self._which.direction, self._which.number, row.number),
            plan_path=files.plan,
            copy_path=files.copy,
            verify_path=files.verify,
            source_access=ends.source.access,
            target_access=ends.target.access,
            stop_path=str(self._drive.stop_path),
            progress_path=self._progress_path(row),
            limits_path=self._sharing.path,
            options=ShardOptions(
                takes_rot=self._which.takes_rot,
                proof=self._which.proof,
            ),
        )


def shard_tag(folder: str, direction: str, pass_number: int, number: int) -> str:
    """Return the tag of a shard's temporaries."""
    return f"{folder}-{'b' if direction == BACK else 'f'}{pass_number}-{number}"


def run_pass(drive: Drive, which: Pass) -> ShardResult | None:
    """Run what is open of a pass; the result that speaks of a fault, None for none.

    Raises:
        Interrupted, LeaseLost: as `ShardRun.run`.
    """
    with database.read() as session:
        rows = ledger.shards_of(session, drive.lease.migration_id, which.direction, which.number)
    return ShardRun(drive, which, rows).run()


def is_open(drive: Drive, direction: str, pass_number: int, *, is_copy: bool) -> bool:
    """Tell whether a shard of a pass is not copied (or, else, not verified) yet."""
    done = {COPIED, VERIFIED} if is_copy else {VERIFIED}
    with database.read() as session:
        rows = ledger.shards_of(session, drive.lease.migration_id, direction, pass_number)
    return any(row.state not in done for row in rows)
