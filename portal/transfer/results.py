"""The results of a copy: what a shard's result segment says of one object, for each way it can end."""

from portal.backends.base import ObjectInfo
from portal.lamindb.hashes import MD5, WHOLE_BYTES, encode
from portal.planning.actions import PlannedObject
from portal.planning.outcomes import Level, ObjectResult, Outcome
from portal.transfer.work import Digests


def hashes(digest: str | None) -> tuple[str | None, str | None]:
    """Return SHA-256 and MD5 of what `ObjectResult.digest` was made of; one of them at most."""
    if digest is not None and digest.startswith("md5:"):
        return None, digest.removeprefix("md5:")
    return digest, None


def left(item: PlannedObject) -> ObjectResult:
    """Return the result of the target's own object, which is not touched."""
    return ObjectResult(
        item.key, item.size_bytes, Outcome.LEFT, target_modified_at=item.modified_at, target_etag=item.etag
    )


def changed(item: PlannedObject | ObjectResult, digest: str | None) -> ObjectResult:
    """Return a result for a source that changed; `digest` is of what we may have left at the target."""
    sha256, md5 = hashes(digest)
    return ObjectResult(
        item.key,
        item.size_bytes,
        Outcome.CHANGED,
        sha256=sha256,
        md5=md5,
        reason="The source changed while it was copied.",
        is_ours=digest is not None,
        target_key=item.target_key,
    )


def conflict(item: PlannedObject, source: ObjectInfo, there: ObjectInfo, reason: str) -> ObjectResult:
    """Return the result of an object whose key holds something else at the target."""
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


def by_etag(item: PlannedObject, source: ObjectInfo, there: ObjectInfo, outcome: Outcome) -> ObjectResult:
    """Return the result of an object that nobody here has read: the server's checksums say that both are equal."""
    return ObjectResult(
        item.key,
        source.size_bytes,
        outcome,
        modified_at=source.modified_at,
        etag=source.etag,
        md5=source.etag,
        target_modified_at=there.modified_at,
        target_etag=there.etag,
        level=Level.SERVER,
        is_ours=outcome is Outcome.COPIED,
        target_key=item.target_key,
        is_as_recorded=(MD5, encode(bytes.fromhex(source.etag or ""))) in item.recorded if item.recorded else False,
    )


def same(
    item: PlannedObject, source: ObjectInfo, there: ObjectInfo, digests: Digests, *, outcome: Outcome, level: Level
) -> ObjectResult:
    """Return the result of an object that was read and lies at the target; `level` is what is known of that so far."""
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
        level=level,
        is_ours=outcome is Outcome.COPIED,
        target_key=item.target_key,
        lamin_hash=digests.lamin[1] if source.size_bytes > WHOLE_BYTES else None,
        is_as_recorded=digests.lamin in item.recorded if item.recorded else False,
    )
