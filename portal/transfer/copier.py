"""Copies single objects of a shard (`transfer.copy`): whether to, by which way, and what to say of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from portal.backends.base import CHUNK_BYTES, Backend, ObjectInfo
from portal.errors import ContentMismatch, ObjectExists, ObjectNotFound, StorageError
from portal.lamindb.hashes import MD5, WHOLE_BYTES
from portal.planning.actions import Act, PlannedObject, is_target_unchanged, is_unchanged
from portal.planning.outcomes import THERE, Level, ObjectResult, Outcome
from portal.transfer import results as ends
from portal.transfer.control import FATAL, Control
from portal.transfer.doubts import Doubts
from portal.transfer.evidence import Evidence
from portal.transfer.jobs import ShardOptions
from portal.transfer.journal import Journal
from portal.transfer.looks import Looks
from portal.transfer.room import Room
from portal.transfer.work import (
    Digests,
    at,
    failed,
    hash_object,
    hashed_chunks,
    with_retries,
)
from portal.values import is_md5


class _Rotten(StorageError):
    """What was read is not what LaminDB recorded. Ends a write before it is published; never leaves this file."""


def _has_recorded_md5(item: PlannedObject, read: Digests) -> bool:
    """Tell whether the MD5 of all that was read is one that LaminDB recorded."""
    return bool(item.recorded) and read.lamin[0] == MD5 and read.lamin in item.recorded


class Copier:
    """Copies single objects; used by many threads at once."""

    def __init__(
        self, source: Backend, target: Backend, journal: Journal, control: Control, options: ShardOptions
    ) -> None:
        self._source, self._target = source, target
        self._journal, self._control, self._options = journal, control, options
        self._evidence = Evidence(options.proof, speaks_for_source=target.shares_server(source))
        can = source.capabilities
        self._room, self._doubts = Room(), Doubts(tells_etags=can.has_md5_etag, is_protected=can.is_protected)
        self._written: dict[str, ObjectInfo] = {}

    def look(self, plan: Sequence[PlannedObject]) -> None:
        """Ask what both sides hold, for all objects at once.

        Not for what will be read in any case, and of which the plan has an MD5: by that it is seen to be another now.
        """
        control, retries = self._control, self._options.retries
        asked = [item for item in plan if item.act is not Act.LEAVE]
        keys, target_keys = [item.key for item in asked], [at(item) for item in asked]
        self._targets = targets = with_retries(lambda: Looks(self._target, target_keys), control, retries)
        read = (item for item in asked if item.act is Act.COPY and is_md5(item.etag) and not targets.has(at(item)))
        known = {item.key: ObjectInfo(item.key, item.size_bytes, item.modified_at, item.etag) for item in read}
        self._sources = with_retries(lambda: Looks(self._source, keys, known), control, retries)

    def forget(self, item: PlannedObject) -> None:
        """Note that what was written of an object did not come to be."""
        self._written.pop(item.key, None)
        self._journal.disown(at(item))

    def take_back(self, result: ObjectResult) -> None:
        """Delete what this shard wrote of an object, unless somebody has replaced it already."""
        written = self._written.get(result.key)
        if written is not None:
            self._take_back(written)

    def handle(self, item: PlannedObject) -> ObjectResult:
        """Return the result of one object; errors that are its own become a result too."""
        acts: dict[Act, Callable[[PlannedObject], ObjectResult]] = {Act.LEAVE: ends.left, Act.REMOVE: self._remove}
        try:
            result = with_retries(lambda: acts.get(item.act, self._copy)(item), self._control, self._options.retries)
        except FATAL:
            raise
        except StorageError as error:
            self._control.count_failure(error)
            return failed(self.bad(item, Outcome.FAILED, ""), error)
        self._journal.finish(result)
        return result

    def _copy(self, item: PlannedObject) -> ObjectResult:
        before, there = self._sources.info(item.key), self._targets.info(at(item))
        if before is None:
            return self.bad(item, Outcome.MISSING, "The source has no such object any more.")
        earlier = self._finished_earlier(item, before, there)
        if earlier is not None:
            return earlier
        if there is not None and item.act is Act.PROVE and item.ours_digest:
            return self._compare(item, before, there, is_ours=True)
        if there is not None and item.ours_digest and self._delete_ours(there, item.ours_digest):
            # An earlier pass wrote it, and it still was that: it made room.
            there = None
        if there is not None:
            return self._compare(item, before, there, is_ours=self._journal.was_tried(at(item)))
        copied = self._copy_on_server(item, before)
        if copied is not None:
            return copied
        with self._room.held(before.size_bytes):
            return self._write(item, before)

    def _copy_on_server(self, item: PlannedObject, before: ObjectInfo) -> ObjectResult | None:
        """Have the server copy, where its checksum of the source is evidence and says all that was recorded.

        None where that is not so: then the bytes are read.
        """
        if not self._evidence.are_equal(item, before, before):
            return None
        key = at(item)
        was_tried = self._journal.was_tried(key)
        self._journal.stream(key, f"md5:{before.etag}")
        try:
            written = self._target.copy_from(self._source, before, key, in_bulk=True)
        except ObjectExists:
            return self._compare_existing(item, before, is_ours=was_tried)
        if written is not None and written.etag == before.etag:
            self._written[item.key] = written
            return ends.by_etag(item, before, written, Outcome.COPIED)
        if written is not None:
            # The buckets are encrypted in different ways, or the copy is damaged: it is read from now on.
            self._evidence.distrust_source()
            self._target.delete(key)
        if not was_tried:
            # Nothing of ours is there, so what comes before it is streamed is somebody else's.
            self._journal.disown(key)
        return None

    def _write(self, item: PlannedObject, before: ObjectInfo) -> ObjectResult:
        """Stream the object over, create-only; take it back if the source changed meanwhile."""
        key, digests = at(item), Digests(before.size_bytes, needs_md5=self._needs_md5(before))
        was_tried = self._journal.was_tried(key)
        try:
            with self._source.open_read(item.key, seen=before) as stream:
                chunks = hashed_chunks(stream, digests, self._control, self._options.chunk_bytes)
                noted = self._noted(item, before, chunks, digests)
                written = self._target.write(
                    key, noted, size_bytes=before.size_bytes, in_bulk=True, compares_md5=self._options.proof.is_whole
                )
        except _Rotten:
            return ends.changed(item, None) if self._is_changed(before) else self._rotten(item, before, digests)
        except ObjectExists:
            return self._compare_existing(item, before, is_ours=was_tried)
        except ObjectNotFound:
            if self._source.info(item.key) is not None:
                raise
            return self.bad(item, Outcome.MISSING, "The source deleted the object while it was read.")
        level = self._evidence.level(written, digests)
        if level is Level.NONE and self._evidence.is_damaged(written, digests):
            self._take_back(written)
            raise ContentMismatch(
                f"{key} arrived with the MD5 {written.etag}, but {digests.md5} was sent.",
                hint="Something on the way changes bytes. Try again.",
                retryable=True,
            )
        self._written[item.key] = written
        return ends.same(item, before, written, digests, outcome=Outcome.COPIED, level=level)

    def _needs_md5(self, before: ObjectInfo) -> bool:
        """Tell whether anybody else tells the MD5 of this object: LaminDB, the source, or the target."""
        proof = self._options.proof
        is_told = proof.has_md5 and not proof.is_composite
        return before.size_bytes <= WHOLE_BYTES or is_md5(before.etag) or is_told

    def _noted(
        self, item: PlannedObject, before: ObjectInfo, chunks: Iterable[bytes], digests: Digests
    ) -> Iterator[bytes]:
        """Yield chunks; after the last, before the target publishes them, note what a kill would leave there.

        Raises:
            ContentMismatch: the source's ETag says that they are others, so that they are not published.
            _Rotten: the bytes are not those LaminDB recorded, so that they are not published.
        """
        yield from chunks
        self._doubts.check(before, digests, is_recorded=_has_recorded_md5(item, digests))
        if self._is_rotten(item, digests):
            raise _Rotten("as recorded, the bytes are others")
        self._journal.stream(at(item), digests.sha256)

    def _is_rotten(self, item: PlannedObject, digests: Digests) -> bool:
        """Tell whether hashes of this kind were recorded, and this is none of them."""
        if not item.recorded:
            return False
        kind, value = digests.lamin
        same_kind = [recorded for recorded_kind, recorded in item.recorded if recorded_kind == kind]
        return bool(same_kind) and value not in same_kind and not self._options.takes_rot

    def _rotten(self, item: PlannedObject, before: ObjectInfo, digests: Digests) -> ObjectResult:
        kind, value = digests.lamin
        recorded = " or ".join(text for _, text in item.recorded)
        words = f"LaminDB recorded the {kind} {recorded}; the bytes at the source have {value}. Nothing was copied."
        bad = self.bad(item, Outcome.ROTTEN, words)
        return replace(bad, size_bytes=before.size_bytes, modified_at=before.modified_at, etag=before.etag)

    def _compare_existing(self, item: PlannedObject, before: ObjectInfo, *, is_ours: bool) -> ObjectResult:
        key = at(item)
        if not is_ours:
            self._journal.disown(key)
        there = self._target.info(key)
        if there is None:
            raise StorageError(f"The target refused {key} as taken, then had no such object.", retryable=True)
        return self._compare(item, before, there, is_ours=is_ours)

    def _compare(self, item: PlannedObject, before: ObjectInfo, there: ObjectInfo, *, is_ours: bool) -> ObjectResult:
        """Compare both sides by hash, the server's own where it is evidence; the target stays as it is."""
        if there.size_bytes != before.size_bytes:
            self._drop_stale(there)
            words = f"The target holds {there.size_bytes:,} bytes under this key, the source {before.size_bytes:,}."
            return ends.conflict(item, before, there, words)
        outcome = Outcome.COPIED if is_ours else Outcome.ALREADY_EQUAL
        if self._evidence.are_equal(item, before, there):
            return ends.by_etag(item, before, there, outcome)
        read = (self._control, self._options.chunk_bytes)
        here = hash_object(self._source, item.key, Digests(before.size_bytes), *read)
        self._doubts.check(before, here, is_recorded=_has_recorded_md5(item, here))
        if self._is_rotten(item, here):
            return self._rotten_there(item, before, there, here)
        level = self._evidence.level(there, here)
        if level is Level.NONE and hash_object(self._target, there.key, Digests(), *read).sha256 == here.sha256:
            level = Level.READ_BACK
        if level is not Level.NONE:
            return ends.same(item, before, there, here, outcome=outcome, level=level)
        if self._is_changed(before):
            return ends.changed(item, self._journal.streamed(there.key))
        self._drop_stale(there)
        return ends.conflict(item, before, there, "The target holds other bytes of the same length under this key.")

    def _rotten_there(self, item: PlannedObject, before: ObjectInfo, there: ObjectInfo, here: Digests) -> ObjectResult:
        """Return the result of an object whose bytes are not as recorded, where something lies at the target, too."""
        if self._journal.was_tried(there.key) and self._evidence.level(there, here) is not Level.NONE:
            # The server copied a newer version than was seen: that is what is ours there.
            self._journal.stream(there.key, here.sha256)
        if self._is_changed(before):
            return ends.changed(item, self._journal.streamed(there.key))
        return self._rotten(item, before, here)

    def _drop_stale(self, there: ObjectInfo) -> None:
        """Delete what an interrupted try of ours left under a key whose source has changed since, if it still is that.

        Raises:
            StorageError: it was deleted; try again.
        """
        digest = self._journal.streamed(there.key)
        if digest is not None and self._delete_ours(there, digest):
            raise StorageError(f"{there.key} was left by an interrupted try and has changed since.", retryable=True)

    def _remove(self, item: PlannedObject) -> ObjectResult:
        """Take away at the target what we wrote and the source has deleted since."""
        if self._sources.info(item.key) is not None:
            return ends.changed(item, item.ours_digest)
        there = self._targets.info(at(item))
        if there is None or self._delete_ours(there, item.ours_digest):
            return ObjectResult(item.key, item.size_bytes, Outcome.REMOVED)
        return ends.conflict(item, there, there, "Deleted at the source; the target's object is not what was copied.")

    def _delete_ours(self, there: ObjectInfo, digest: str | None) -> bool:
        """Delete what is ours, proven by its hash, unless somebody replaced it meanwhile; tell whether it is gone."""
        read = hash_object(self._target, there.key, Digests(), self._control, self._options.chunk_bytes)
        if not read.is_digest(digest):
            return False
        # Reading a small one takes no longer than another look.
        now = self._target.info(there.key) if there.size_bytes > CHUNK_BYTES else there
        if now is not None and is_unchanged(now, there):
            self._target.delete(there.key)
            return True
        return now is None

    def _take_back(self, written: ObjectInfo) -> None:
        """Delete what this very call wrote, unless somebody has replaced it already."""
        there = self._target.info(written.key)
        if there is not None and is_unchanged(there, written):
            self._target.delete(written.key)

    def _is_changed(self, before: ObjectInfo) -> bool:
        after = self._source.info(before.key)
        return after is None or not is_unchanged(after, before)

    def bad(self, item: PlannedObject, outcome: Outcome, reason: str) -> ObjectResult:
        """Return a result for an object that is not at the target as it should; what is ours stays known as ours."""
        digest = self._journal.streamed(at(item)) or item.ours_digest
        sha256, md5 = ends.hashes(digest)
        return ObjectResult(
            item.key,
            item.size_bytes,
            outcome,
            sha256=sha256,
            md5=md5,
            reason=reason,
            is_ours=digest is not None,
            target_key=item.target_key,
        )

    def _finished_earlier(
        self, item: PlannedObject, before: ObjectInfo, there: ObjectInfo | None
    ) -> ObjectResult | None:
        """Return the result of an earlier run of this shard, if both sides still look as they did then."""
        done = self._journal.finished.get(item.key)
        if done is None or done.outcome not in THERE:
            return None
        is_same = there is not None and is_unchanged(before, done) and is_target_unchanged(there, done)
        return done if is_same else None
