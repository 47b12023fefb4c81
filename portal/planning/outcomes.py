"""What became of each object of a plan: the values that result segments, the ledger and the certificate speak in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How the copy of one object ended."""

    #: We wrote it, from bytes hashed on the way.
    COPIED = "copied"
    #: The target held the same bytes already; both sides were hashed.
    ALREADY_EQUAL = "already_equal"
    #: The target holds something else; nothing was changed there.
    CONFLICT = "conflict"
    #: A permanent error, or one that did not pass in time; `reason` says which.
    FAILED = "failed"
    #: The source changed while it was read; the next pass takes it.
    CHANGED = "changed"
    #: The source has no such object any more.
    MISSING = "missing"
    #: We wrote it in an earlier pass, the source has deleted it since, so it was taken away again.
    REMOVED = "removed"
    #: The target's own, which the source never had; not touched.
    LEFT = "left"
    #: The bytes at the source are not those LaminDB recorded; nothing was written.
    ROTTEN = "rotten"
    #: Read back at the target, and the bytes are not those of the source.
    MISMATCH = "mismatch"


class Level(StrEnum):
    """How strong the evidence at the target is; equal size is no evidence and has no level."""

    NONE = ""
    #: Bytes read again at the target and hashed.
    READ_BACK = "read_back"
    #: A checksum of the whole object that the server computed.
    SERVER = "server"
    #: A composite checksum, recomputed from our parts.
    PARTS = "parts"


#: The content lies at the target, because the move put it there or proved it equal.
THERE = frozenset({Outcome.COPIED, Outcome.ALREADY_EQUAL})

#: The object lies at the target as it should.
GOOD = frozenset({Outcome.COPIED, Outcome.ALREADY_EQUAL, Outcome.REMOVED, Outcome.LEFT})

#: A person has to look, or another pass is needed.
BAD = frozenset(Outcome) - GOOD


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """One object after a pass.

    `size_bytes`, `modified_at` and `etag` describe the source as it was copied, so a result can stand in a merge for
    the source's listing of that time; the `target_` fields describe what lay at the target after it.

    Attributes:
        sha256: hex digest of the content read at the source; None when it was not read.
        md5: likewise; of a copy that the server made, the server's own.
        level: evidence at the target; none before verification.
        reason: one sentence for whatever is not good; empty else.
        is_ours: whether this migration wrote what lies at the target under this key, to be proven by `digest` again.
        target_key: where it lies at the target, when not under `key` itself.
        lamin_hash: LaminDB's hash of the content, where it is not the MD5: of files above 50 MiB.
        fault: the kind of error that a failed object met (`portal.errors`, its code); empty where it met none.
        is_passing: whether that error may pass by itself, so that trying again unchanged may help.
        is_as_recorded: whether the content has a hash that LaminDB recorded, worked out again from the bytes read, or
            by the server whose MD5 is evidence. False also where none was recorded, or none of a kind that can be.
    """

    key: str
    size_bytes: int
    outcome: Outcome
    modified_at: datetime | None = None
    etag: str | None = None
    sha256: str | None = None
    md5: str | None = None
    target_modified_at: datetime | None = None
    target_etag: str | None = None
    level: Level = Level.NONE
    reason: str = ""
    is_ours: bool = False
    target_key: str | None = None
    lamin_hash: str | None = None
    fault: str = ""
    is_passing: bool = False
    is_as_recorded: bool = False

    @property
    def digest(self) -> str | None:
        """Return what the content is known by again: its hex SHA-256, else `md5:` and its MD5; None for neither."""
        return self.sha256 or (f"md5:{self.md5}" if self.md5 else None)


def needs_look(result: ObjectResult) -> bool:
    """Tell whether a verified pass leaves this object for a person: not good, or copied but without evidence."""
    if result.outcome in THERE:
        return result.level is Level.NONE
    return result.outcome in BAD
