"""Verify one shard: read every object back at the target and compare its bytes' hash with the source's.

Equal size is never called verified. What the copy left in a bad state stays in it; what the source changed since is
found here, so that another pass takes it.
"""

from dataclasses import replace

from portal.backends.base import Backend
from portal.errors import ObjectNotFound, StorageError
from portal.planning.actions import is_unchanged
from portal.planning.outcomes import Level, ObjectResult, Outcome
from portal.transfer.control import FATAL, Control
from portal.transfer.jobs import ShardJob, ShardOptions, ShardResult
from portal.transfer.segments import read_results
from portal.transfer.work import (
    DEFAULT_OPENER,
    Opener,
    failed,
    hash_object,
    opened,
    run_objects,
    run_shard,
    with_retries,
)


def verify_shard(job: ShardJob, opener: Opener = DEFAULT_OPENER) -> ShardResult:
    """Verify the results of `job.copy_path` and write them, with the level reached, to `job.verify_path`.

    Changes nothing but that file; may be run again at any time. Storage errors come back in the result.
    """

    def step(control: Control) -> tuple[list[ObjectResult], bool]:
        copied = list(read_results(job.copy_path))
        with opened(job, opener) as (source, target):
            verifier = _Verifier(source, target, control, job.options)
            results = run_objects(copied, verifier.handle, control, job.options.threads)
        return results, len(results) == len(copied)

    return run_shard(job, job.verify_path, step)


class _Verifier:
    """Verifies single objects; used by many threads at once."""

    def __init__(self, source: Backend, target: Backend, control: Control, options: ShardOptions) -> None:
        self._source, self._target = source, target
        self._control, self._options = control, options

    def handle(self, copied: ObjectResult) -> ObjectResult:
        """Return the result of one object with what was found now."""
        if copied.outcome not in {Outcome.COPIED, Outcome.ALREADY_EQUAL}:
            return copied
        try:
            return with_retries(lambda: self._verify(copied), self._control, self._options.retries)
        except FATAL:
            raise
        except StorageError as error:
            self._control.count_failure(error)
            return failed(copied, error, "It could not be read back. ")

    def _verify(self, copied: ObjectResult) -> ObjectResult:
        now = self._source.info(copied.key)
        if now is None:
            return replace(copied, outcome=Outcome.MISSING, reason="The source has deleted the object since.")
        if not is_unchanged(now, copied):
            return replace(copied, outcome=Outcome.CHANGED, reason="The source changed after it was copied.")
        return self._read_back(copied)

    def _read_back(self, copied: ObjectResult) -> ObjectResult:
        key = copied.target_key or copied.key
        there = self._target.info(key)
        if there is None:
            return replace(copied, outcome=Outcome.MISMATCH, reason="The target has no such object any more.")
        try:
            found = hash_object(self._target, key, self._control, self._options.chunk_bytes)
        except ObjectNotFound:
            return replace(copied, outcome=Outcome.MISMATCH, reason="The target has no such object any more.")
        if found.sha256 != copied.sha256:
            words = f"The target's bytes have the SHA-256 {found.sha256}, the source's {copied.sha256}."
            return replace(copied, outcome=Outcome.MISMATCH, reason=words)
        return replace(copied, level=Level.READ_BACK, target_modified_at=there.modified_at, target_etag=there.etag)
