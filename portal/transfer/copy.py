"""Copy one shard, in a worker process. Nothing at the target is ever overwritten.

Every object is streamed once through SHA-256 and MD5 to a create-only write, or copied by the server that holds both
roots and whose checksums are proven. What is under the key already is compared. Only what this migration wrote, proven
by its hash, is taken away to make room for a newer version.

Both sides are looked at before, a request for many objects each, and the source after, where no ETag has told that what
was read is of one version: what it changed meanwhile is taken back at the end, for another pass.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from portal.backends.base import Backend, ObjectInfo
from portal.errors import ContentMismatch, ObjectExists, StorageError
from portal.planning.actions import PlannedObject, is_unchanged
from portal.planning.outcomes import THERE, Level, ObjectResult, Outcome
from portal.transfer import results as ends
from portal.transfer.control import FATAL, Control
from portal.transfer.copier import Copier
from portal.transfer.jobs import ShardJob, ShardOptions, ShardResult
from portal.transfer.journal import Journal, journal_path
from portal.transfer.looks import Looks
from portal.transfer.segments import read_plan
from portal.transfer.work import (
    DEFAULT_OPENER,
    Opener,
    at,
    failed,
    opened,
    run_objects,
    run_shard,
    with_retries,
)

#: So often what could not be published is looked at again.
_ROUNDS: Final = 3


def _is_one_version(result: ObjectResult) -> bool:
    """Tell whether the bytes copied are those of which the source told the ETag."""
    return result.etag is not None and result.md5 == result.etag


def copy_shard(job: ShardJob, opener: Opener = DEFAULT_OPENER) -> ShardResult:
    """Copy the objects of `job.plan_path` and write their results to `job.copy_path`.

    May be run again at any time, also after the worker was killed: it goes on where it was and ends the same. Storage
    errors come back in the result; they are not raised.
    """

    def step(control: Control) -> tuple[list[ObjectResult], bool]:
        plan = list(read_plan(job.plan_path))
        with opened(job, opener) as (source, target), Journal(journal_path(job.copy_path)) as journal:
            # What a killed run left, but for large uploads that can be gone on with.
            target.remove_temporaries(job.tag, keeps_uploads=True)
            copier = Copier(source, target, journal, control, job.options)
            copier.look(plan)
            is_local = source.capabilities.is_local and target.capabilities.is_local
            results = run_objects(plan, copier.handle, control, job.options.threads, is_local=is_local)
            shard = _Shard(source, target, copier, control, job.options)
            results = shard.publish(plan, results)
            if len(results) == len(plan):
                results = shard.settle(results)
                # A server that was away for a moment could not be told to drop what a failed try had begun.
                target.remove_temporaries(job.tag)
        return results, len(results) == len(plan)

    return run_shard(job, job.copy_path, step)


class _Shard:
    """What is done for all objects of a shard at once, after each was handled."""

    def __init__(
        self, source: Backend, target: Backend, copier: Copier, control: Control, options: ShardOptions
    ) -> None:
        self._source, self._target, self._copier = source, target, copier
        self._control, self._options = control, options

    def publish(self, plan: Sequence[PlannedObject], results: Sequence[ObjectResult]) -> list[ObjectResult]:
        """Have everything written appear at the target, also when the shard stops early; what cannot is told.

        Where something appeared there since the look, the two are compared.
        """
        again: dict[str, ObjectResult] = {}
        items = {at(item): item for item in plan}
        for _ in range(_ROUNDS):
            errors = self._target.flush()
            if not errors:
                return [again.get(result.key, result) for result in results]
            again.update({items[key].key: self._unpublished(items[key], error) for key, error in errors.items()})
        raise StorageError(f"{self._target.root} changes while it is written to.", hint="Find who writes there.")

    def _unpublished(self, item: PlannedObject, error: StorageError) -> ObjectResult:
        """Return the result of an object that could not appear: of what is there instead, or of the error."""
        if isinstance(error, ContentMismatch):
            return self._copier.handle(item)
        self._copier.forget(item)
        if isinstance(error, FATAL):
            raise error
        if isinstance(error, ObjectExists):
            return self._copier.handle(item)
        self._control.count_failure(error)
        return failed(self._copier.bad(item, Outcome.FAILED, ""), error)

    def settle(self, results: Sequence[ObjectResult]) -> list[ObjectResult]:
        """Look at the source again and take back what it changed while it was read.

        What is of one version, whenever that was, waits for `verify`, which looks at all of it.
        """
        keys = {result.key for result in results if result.outcome in THERE and not _is_one_version(result)}
        if not keys:
            return list(results)
        now = with_retries(lambda: Looks(self._source, list(keys)), self._control, self._options.retries)
        return [self._settled(result, now) if result.key in keys else result for result in results]

    def _settled(self, result: ObjectResult, now: Looks) -> ObjectResult:
        try:
            return with_retries(lambda: self._kept(result, now.info(result.key)), self._control, self._options.retries)
        except FATAL:
            raise
        except StorageError as error:
            self._control.count_failure(error)
            return failed(replace(result, level=Level.NONE), error, "It could not be looked at again. ")

    def _kept(self, result: ObjectResult, now: ObjectInfo | None) -> ObjectResult:
        if now is not None and is_unchanged(now, result):
            return result
        self._copier.take_back(result)
        return ends.changed(result, result.digest if result.is_ours else None)
