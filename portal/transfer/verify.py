"""Verify one shard: see that both sides still are as they were copied, and read back what has no evidence yet.

Equal size is never called verified. What the copy left in a bad state stays in it; what the source changed since is
found here, so that another pass takes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from portal.backends.base import Backend, ObjectInfo
from portal.errors import ObjectNotFound, StorageError
from portal.planning.actions import is_target_unchanged, is_unchanged
from portal.planning.outcomes import THERE, Level, ObjectResult, Outcome
from portal.transfer.control import FATAL, Control
from portal.transfer.jobs import ShardJob, ShardOptions, ShardResult
from portal.transfer.looks import Looks
from portal.transfer.segments import read_results
from portal.transfer.work import (
    DEFAULT_OPENER,
    Digests,
    Opener,
    at,
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
            there = [result for result in copied if result.outcome in THERE]
            verifier.look(there)
            is_local = target.capabilities.is_local
            results = run_objects(copied, verifier.handle, control, job.options.threads, is_local=is_local)
        return results, len(results) == len(copied)

    return run_shard(job, job.verify_path, step)


_PROVEN: Final = frozenset({Level.SERVER, Level.PARTS})

#: Files that come from the disk together, and how much of them at most; a large one comes ahead of itself.
_SMALL_BYTES: Final = 1024 * 1024
_AHEAD_BYTES: Final = 64 * 1024 * 1024

_GONE: Final = "The target has no such object any more."


class _Verifier:
    """Verifies single objects; used by many threads at once."""

    def __init__(self, source: Backend, target: Backend, control: Control, options: ShardOptions) -> None:
        self._source, self._target = source, target
        self._control, self._options = control, options

    def look(self, copied: Sequence[ObjectResult]) -> None:
        """Ask what both sides hold now, for all objects at once."""
        control, retries = self._control, self._options.retries
        keys, target_keys = [one.key for one in copied], [at(one) for one in copied]
        self._sources = with_retries(lambda: Looks(self._source, keys), control, retries)
        self._targets = with_retries(lambda: Looks(self._target, target_keys), control, retries)
        self._ahead = self._target.read_ahead(list(_small_ones(copied)))

    def handle(self, copied: ObjectResult) -> ObjectResult:
        """Return the result of one object with what was found now."""
        if copied.outcome not in THERE:
            return copied
        try:
            return with_retries(lambda: self._verify(copied), self._control, self._options.retries)
        except FATAL:
            raise
        except StorageError as error:
            self._control.count_failure(error)
            return failed(replace(copied, level=Level.NONE), error, "It could not be read back. ")

    def _verify(self, copied: ObjectResult) -> ObjectResult:
        now = self._sources.info(copied.key)
        if now is None:
            return replace(
                copied, outcome=Outcome.MISSING, level=Level.NONE, reason="The source has deleted the object since."
            )
        if not is_unchanged(now, copied):
            return replace(
                copied, outcome=Outcome.CHANGED, level=Level.NONE, reason="The source changed after it was copied."
            )
        there = self._targets.info(at(copied))
        if there is None:
            return _bad(copied, Outcome.MISMATCH, _GONE)
        if copied.level in _PROVEN and is_target_unchanged(there, copied):
            return copied
        return self._read_back(copied, there)

    def _read_back(self, copied: ObjectResult, there: ObjectInfo) -> ObjectResult:
        key = at(copied)
        try:
            digests = Digests(needs_md5=not copied.sha256)
            is_ahead = key in self._ahead
            self._ahead.discard(key)  # another try is another reading
            found = hash_object(self._target, key, digests, self._control, self._options.chunk_bytes, is_ahead=is_ahead)
        except ObjectNotFound:
            return _bad(copied, Outcome.MISMATCH, _GONE)
        if not found.is_digest(copied.digest):
            name, value = ("SHA-256", found.sha256) if copied.sha256 else ("MD5", found.md5)
            words = f"The target's bytes have the {name} {value}, the source's {copied.sha256 or copied.md5}."
            if copied.is_ours and is_target_unchanged(there, copied):
                # Nobody has touched it since we wrote it: by this hash the next pass knows that it may be replaced.
                copied = replace(copied, sha256=found.sha256, md5=found.md5)
            return _bad(copied, Outcome.MISMATCH, words)
        return replace(copied, level=Level.READ_BACK, target_modified_at=there.modified_at, target_etag=there.etag)


def _small_ones(copied: Sequence[ObjectResult]) -> Iterator[str]:
    """Yield the target's keys of small objects that must be read back, as far as memory may hold them all."""
    left_bytes = _AHEAD_BYTES
    for one in copied:
        if one.level not in _PROVEN and one.size_bytes <= _SMALL_BYTES:
            left_bytes -= one.size_bytes
            if left_bytes < 0:
                return
            yield at(one)


def _bad(copied: ObjectResult, outcome: Outcome, reason: str) -> ObjectResult:
    return replace(copied, outcome=outcome, reason=reason, level=Level.NONE)
