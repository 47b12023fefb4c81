"""Decide per key what a pass does: first copy, final delta, or rollback. Deciding only; `transfer` acts.

An act never overwrites: at most it takes away what this migration wrote itself, proven by hash, before writing anew.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal.planning.keys import KeyRules, Reason, exclusion_of
from portal.planning.listings import Entry
from portal.planning.outcomes import THERE, ObjectResult, Outcome


class Act(StrEnum):
    """What a worker does with one object."""

    #: The target has nothing under the key: write it.
    COPY = "copy"
    #: The target has an object of the same size, or one that an earlier pass wrote: hash both sides.
    PROVE = "prove"
    #: The target has an object of another size: not overwritten, reported.
    CONFLICT = "conflict"
    #: Ours at the target, gone at the source: take it away if it still is what we wrote.
    REMOVE = "remove"
    #: The target's own: left alone, remembered so that a rollback does not take it for new.
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """One line of a plan segment: the source's object as the plan saw it, and what to do.

    Attributes:
        ours_digest: of what this migration wrote under the key in an earlier pass (`ObjectResult.digest`), which may be
            replaced or removed when the bytes there still have it; None when it wrote nothing.
        target_key: where to write, when not under `key` itself: a rollback puts rewritten objects beside.
        recorded: hashes in LaminDB's form, (kind, value), any of which the bytes should have; none where none is known.
    """

    key: str
    size_bytes: int
    modified_at: datetime | None = None
    etag: str | None = None
    act: Act = Act.COPY
    ours_digest: str | None = None
    target_key: str | None = None
    recorded: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        beside = f" as {self.target_key}" if self.target_key else ""
        ours = " over ours" if self.ours_digest and self.act is not Act.REMOVE else ""
        return f"{self.act} {self.key}{beside}{ours}"


@dataclass(frozen=True, slots=True)
class Excluded:
    """An object of the source that stays where it is; `detail` says what exactly the target cannot hold."""

    key: str
    size_bytes: int
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"exclude {self.key}: {self.reason}"


Action = PlannedObject | Excluded


def decide(source: Entry | None, target: Entry | None, rules: KeyRules) -> Action | None:
    """Return what the first pass does with one key of the merged listings; None for nothing to do or to say."""
    if source is None:
        if target is None or exclusion_of(target.key, rules) is not None:
            return None
        return _planned(target, Act.LEAVE)
    if excluded := _excluded(source, rules):
        return excluded
    if target is None:
        return _planned(source, Act.COPY)
    return _planned(source, Act.PROVE if target.size_bytes == source.size_bytes else Act.CONFLICT)


def decide_delta(known: ObjectResult | None, source: Entry | None, rules: KeyRules) -> Action | None:
    """Return what the final delta does with one key: `known` is its latest result, `source` its listing now.

    None where nothing changed since and the object is in good order.
    """
    ours = known.digest if known is not None and known.is_ours else None
    if source is None:
        return _planned(known, Act.REMOVE, ours) if known is not None and ours else None
    if excluded := _excluded(source, rules):
        return excluded
    if known is None or known.outcome in {Outcome.LEFT, Outcome.REMOVED}:
        return _planned(source, Act.COPY)
    if is_unchanged(source, known) and known.outcome in THERE:
        return None
    return _planned(source, Act.COPY, ours)


def decide_rollback(
    known: ObjectResult | None, now: Entry | None, back: ObjectResult | None, rules: KeyRules, tag: str
) -> Action | None:
    """Return what a rollback copies from the new root back to the old one.

    `known` is the latest result of the move, `now` the new root's listing, `back` the latest result of the way back,
    which may have stopped before. What was written since is copied back under its key; what was rewritten since goes
    beside (see `beside_key`), for a person to decide. What was deleted since stays at the old root, unless the way back
    has brought it there. `tag` tells this rollback's objects from others'.
    """
    ours = back.digest if back is not None and back.is_ours else None
    if now is None:
        return _planned(back, Act.REMOVE, ours, target_key=back.target_key) if back is not None and ours else None
    if excluded := _excluded(now, rules):
        return excluded
    if back is not None and back.outcome in THERE and is_unchanged(now, back):
        return _planned(now, Act.PROVE, ours, target_key=back.target_key)
    if known is None or known.outcome is Outcome.REMOVED:
        return _planned(now, Act.COPY, ours)
    if is_target_unchanged(now, known):
        return None
    if known.outcome in THERE:
        beside = back.target_key if back is not None and back.target_key else beside_key(known.key, tag)
        return _planned(now, Act.COPY, ours, target_key=beside)
    return _planned(now, Act.COPY, ours)


def beside_key(key: str, tag: str) -> str:
    """Return the key next to `key` under which a rollback puts what was rewritten since the cut-over."""
    return f"{key}.rewritten-{tag}"


def is_beside(key: str, migration_uid: str) -> bool:
    """Tell whether a rollback of this migration has made the key; its tags begin with the migration's uid."""
    return f".rewritten-{migration_uid}-" in key


def is_unchanged(now: Entry, then: Entry) -> bool:
    """Tell whether an object looks as it did: same size, same ETag where both have one, else same time of change."""
    return now.size_bytes == then.size_bytes and _is_same_version(
        now.etag, now.modified_at, then.etag, then.modified_at
    )


def is_target_unchanged(now: Entry, known: ObjectResult) -> bool:
    """Tell whether the target still looks as the result says it was left."""
    if known.outcome in THERE and now.size_bytes != known.size_bytes:
        return False
    return _is_same_version(now.etag, now.modified_at, known.target_etag, known.target_modified_at)


def _is_same_version(
    etag: str | None, modified_at: datetime | None, then_etag: str | None, then_modified_at: datetime | None
) -> bool:
    if etag is not None and then_etag is not None:
        return etag == then_etag
    return modified_at == then_modified_at


def _excluded(entry: Entry, rules: KeyRules) -> Excluded | None:
    found = exclusion_of(entry.key, rules)
    if found is None:
        return None
    reason, detail = found
    if reason is Reason.FOLDER_KEY and entry.size_bytes:
        reason, detail = Reason.NAME, "it ends in / and has content"
    return Excluded(entry.key, entry.size_bytes, reason, detail)


def _planned(entry: Entry, act: Act, ours_digest: str | None = None, *, target_key: str | None = None) -> PlannedObject:
    return PlannedObject(
        key=entry.key,
        size_bytes=entry.size_bytes,
        modified_at=entry.modified_at,
        etag=entry.etag,
        act=act,
        ours_digest=ours_digest,
        target_key=target_key,
    )
