"""Copy one shard, in a worker process. Nothing at the target is ever overwritten.

Every object is streamed once through SHA-256 and MD5 to a create-only write. What is under the key already is compared
by hash. Only what this migration wrote, proven by its hash, is taken away to make room for a newer version.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from portal.backends.base import Backend, ObjectInfo
from portal.errors import ObjectExists, ObjectNotFound, StorageError
from portal.lamindb.hashes import WHOLE_BYTES
from portal.planning.actions import Act, PlannedObject, is_target_unchanged, is_unchanged
from portal.planning.outcomes import ObjectResult, Outcome
from portal.transfer.control import FATAL, Control
from portal.transfer.jobs import ShardJob, ShardOptions, ShardResult
from portal.transfer.journal import Journal, journal_path
from portal.transfer.segments import read_plan
from portal.transfer.work import (
    DEFAULT_OPENER,
    Digests,
    Opener,
    failed,
    hash_object,
    hashed_chunks,
    opened,
    run_objects,
    run_shard,
    with_retries,
)


class _Rotten(StorageError):
    """What was read is not what LaminDB recorded. Ends a write before it is published; never leaves this file."""


def copy_shard(job: ShardJob, opener: Opener = DEFAULT_OPENER) -> ShardResult:
    """Copy the objects of `job.plan_path` and write their results to `job.copy_path`.

    May be run again at any time, also after the worker was killed: it goes on where it was and ends the same. Storage
    errors come back in the result; they are not raised.
    """

    def step(control: Control) -> tuple[list[ObjectResult], bool]:
        plan = list(read_plan(job.plan_path))
        with opened(job, opener) as (source, target), Journal(journal_path(job.copy_path)) as journal:
            target.remove_temporaries(job.tag)
            copier = _Copier(source, target, journal, control, job.options)
            results = run_objects(plan, copier.handle, control, job.options.threads)
            if len(results) == len(plan):
                # A server that was away for a moment could not be told to drop what a failed try had begun.
                target.remove_temporaries(job.tag)
        return results, len(results) == len(plan)

    return run_shard(job, job.copy_path, step)


class _Copier:
    """Copies single objects; used by many threads at once."""

    def __init__(
        self, source: Backend, target: Backend, journal: Journal, control: Control, options: ShardOptions
    ) -> None:
        self._source, self._target = source, target
        self._journal, self._control, self._options = journal, control, options

    def handle(self, item: PlannedObject) -> ObjectResult:
        """Return the result of one object; errors that are its own become a result too."""
        acts: dict[Act, Callable[[PlannedObject], ObjectResult]] = {Act.LEAVE: _left, Act.REMOVE: self._remove}
        try:
            result = with_retries(lambda: acts.get(item.act, self._copy)(item), self._control, self._options.retries)
        except FATAL:
            raise
        except StorageError as error:
            self._control.count_failure(error)
            return failed(self._bad(item, Outcome.FAILED, ""), error)
        self._journal.finish(result)
        return result

    def _copy(self, item: PlannedObject) -> ObjectResult:
        before = self._source.info(item.key)
        if before is None:
            return self._bad(item, Outcome.MISSING, "The source has no such object any more.")
        earlier = self._finished_earlier(item, before)
        if earlier is not None:
            return earlier
        if item.ours_sha256:
            self._make_room(item)
        there = self._target.info(_at(item)) if item.act is not Act.COPY else None
        if there is not None:
            return self._compare(item, before, there, is_ours=self._journal.was_tried(_at(item)))
        return self._write(item, before)

    def _write(self, item: PlannedObject, before: ObjectInfo) -> ObjectResult:
        """Stream the object over, create-only; take it back if the source changed meanwhile."""
        key, digests = _at(item), Digests(before.size_bytes)
        was_tried = self._journal.was_tried(key)
        self._journal.begin(key)
        try:
            with self._source.open_read(item.key) as stream:
                chunks = hashed_chunks(stream, digests, self._control, self._options.chunk_bytes)
                noted = self._noted(item, chunks, digests)
                written = self._target.write(key, noted, size_bytes=before.size_bytes)
        except _Rotten:
            return _changed(item, None) if self._is_changed(before) else self._rotten(item, before, digests)
        except ObjectExists:
            return self._compare_existing(item, before, is_ours=was_tried)
        except ObjectNotFound:
            if self._source.info(item.key) is not None:
                raise
            return self._bad(item, Outcome.MISSING, "The source deleted the object while it was read.")
        if self._is_changed(before):
            self._take_back(written)
            return _changed(item, digests.sha256)
        return _copied(item, before, written, digests)

    def _noted(self, item: PlannedObject, chunks: Iterable[bytes], digests: Digests) -> Iterator[bytes]:
        """Yield chunks; after the last, before the target publishes them, note what a kill would leave there.

        Raises:
            _Rotten: the bytes are not those LaminDB recorded, so that they are not published.
        """
        yield from chunks
        if self._is_rotten(item, digests):
            raise _Rotten("as recorded, the bytes are others")
        self._journal.stream(_at(item), digests.sha256)

    def _is_rotten(self, item: PlannedObject, digests: Digests) -> bool:
        """Tell whether hashes of this kind were recorded, and this is none of them."""
        kind, value = digests.lamin
        same_kind = [recorded for recorded_kind, recorded in item.recorded if recorded_kind == kind]
        return bool(same_kind) and value not in same_kind and not self._options.takes_rot

    def _rotten(self, item: PlannedObject, before: ObjectInfo, digests: Digests) -> ObjectResult:
        kind, value = digests.lamin
        recorded = " or ".join(text for _, text in item.recorded)
        words = f"LaminDB recorded the {kind} {recorded}; the bytes at the source have {value}. Nothing was copied."
        bad = self._bad(item, Outcome.ROTTEN, words)
        return replace(bad, size_bytes=before.size_bytes, modified_at=before.modified_at, etag=before.etag)

    def _compare_existing(self, item: PlannedObject, before: ObjectInfo, *, is_ours: bool) -> ObjectResult:
        key = _at(item)
        if not is_ours:
            self._journal.disown(key)
        there = self._target.info(key)
        if there is None:
            raise StorageError(f"The target refused {key} as taken, then had no such object.", retryable=True)
        return self._compare(item, before, there, is_ours=is_ours)

    def _compare(self, item: PlannedObject, before: ObjectInfo, there: ObjectInfo, *, is_ours: bool) -> ObjectResult:
        """Hash both sides; the target stays as it is whatever comes out."""
        if there.size_bytes != before.size_bytes:
            self._drop_stale(there.key)
            words = f"The target holds {there.size_bytes:,} bytes under this key, the source {before.size_bytes:,}."
            return _conflict(item, before, there, words)
        read = (self._control, self._options.chunk_bytes)
        here = hash_object(self._source, item.key, *read, before.size_bytes)
        other = hash_object(self._target, there.key, *read)
        if self._is_changed(before):
            return _changed(item, self._journal.streamed(there.key))
        if self._is_rotten(item, here):
            return self._rotten(item, before, here)
        if here.sha256 != other.sha256:
            self._drop_stale(there.key)
            return _conflict(item, before, there, "The target holds other bytes of the same length under this key.")
        if is_ours:
            return _copied(item, before, there, here)
        return _equal(item, before, there, here)

    def _drop_stale(self, key: str) -> None:
        """Delete what an interrupted try of ours left under a key whose source has changed since, if it still is that.

        Raises:
            StorageError: it was deleted; try again.
        """
        digest = self._journal.streamed(key)
        if digest is not None and self._holds(key, digest):
            self._target.delete(key)
            raise StorageError(f"{key} was left by an interrupted try and has changed since.", retryable=True)

    def _make_room(self, item: PlannedObject) -> None:
        """Delete what an earlier pass wrote, if it still is that."""
        key = _at(item)
        if self._target.info(key) is not None and self._holds(key, item.ours_sha256):
            self._target.delete(key)

    def _remove(self, item: PlannedObject) -> ObjectResult:
        """Take away at the target what we wrote and the source has deleted since."""
        if self._source.info(item.key) is not None:
            return _changed(item, item.ours_sha256)
        key = _at(item)
        there = self._target.info(key)
        if there is None or self._holds(key, item.ours_sha256):
            self._target.delete(key)
            return ObjectResult(item.key, item.size_bytes, Outcome.REMOVED)
        return _conflict(item, there, there, "Deleted at the source; the target's object is not what was copied.")

    def _holds(self, key: str, digest: str | None) -> bool:
        return hash_object(self._target, key, self._control, self._options.chunk_bytes).sha256 == digest

    def _take_back(self, written: ObjectInfo) -> None:
        """Delete what this very call wrote, unless somebody has replaced it already."""
        there = self._target.info(written.key)
        if there is not None and is_unchanged(there, written):
            self._target.delete(written.key)

    def _is_changed(self, before: ObjectInfo) -> bool:
        after = self._source.info(before.key)
        return after is None or not is_unchanged(after, before)

    def _bad(self, item: PlannedObject, outcome: Outcome, reason: str) -> ObjectResult:
        """Return a result for an object that is not at the target as it should; what is ours stays known as ours."""
        digest = self._journal.streamed(_at(item)) or item.ours_sha256
        return ObjectResult(
            item.key,
            item.size_bytes,
            outcome,
            sha256=digest,
            reason=reason,
            is_ours=digest is not None,
            target_key=item.target_key,
        )

    def _finished_earlier(self, item: PlannedObject, before: ObjectInfo) -> ObjectResult | None:
        """Return the result of an earlier run of this shard, if both sides still look as they did then."""
        done = self._journal.finished.get(item.key)
        if done is None or done.outcome not in {Outcome.COPIED, Outcome.ALREADY_EQUAL}:
            return None
        there = self._target.info(_at(item)) if is_unchanged(before, done) else None
        return done if there is not None and is_target_unchanged(there, done) else None


def _at(item: PlannedObject) -> str:
    return item.target_key or item.key


def _left(item: PlannedObject) -> ObjectResult:
    return ObjectResult(
        item.key, item.size_bytes, Outcome.LEFT, target_modified_at=item.modified_at, target_etag=item.etag
    )


def _changed(item: PlannedObject, wrote_sha256: str | None) -> ObjectResult:
    """Return a result for a source that changed; `wrote_sha256` is what we may have left at the target."""
    digest = wrote_sha256 or item.ours_sha256
    return ObjectResult(
        item.key,
        item.size_bytes,
        Outcome.CHANGED,
        sha256=digest,
        reason="The source changed while it was copied.",
        is_ours=digest is not None,
        target_key=item.target_key,
    )


def _conflict(item: PlannedObject, source: ObjectInfo, there: ObjectInfo, reason: str) -> ObjectResult:
    return ObjectResult(
        item.key,
        source.size_bytes,
        Outcome.CONFLICT,
        modified_at=source.modified_at,
        etag=source.etag,
        target_modified_at=there.modified_at,
        target_etag=there.etag,
        reason=reason,
        target_key=item.target_key,
    )


def _copied(item: PlannedObject, source: ObjectInfo, there: ObjectInfo, digests: Digests) -> ObjectResult:
    return _same(item, source, there, digests, outcome=Outcome.COPIED)


def _equal(item: PlannedObject, source: ObjectInfo, there: ObjectInfo, digests: Digests) -> ObjectResult:
    return _same(item, source, there, digests, outcome=Outcome.ALREADY_EQUAL)


def _same(
    item: PlannedObject, source: ObjectInfo, there: ObjectInfo, digests: Digests, *, outcome: Outcome
) -> ObjectResult:
    return ObjectResult(
        item.key,
        source.size_bytes,
        outcome,
        modified_at=source.modified_at,
        etag=source.etag,
        sha256=digests.sha256,
        md5=digests.md5,
        target_modified_at=there.modified_at,
        target_etag=there.etag,
        is_ours=outcome is Outcome.COPIED,
        target_key=item.target_key,
        lamin_hash=digests.lamin[1] if source.size_bytes > WHOLE_BYTES else None,
    )
