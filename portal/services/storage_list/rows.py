"""What the list gives: frozen rows, which cannot query."""

from dataclasses import dataclass
from datetime import datetime

from portal.values import Branch, CheckStatus, Mode, ModeReason, Role, StorageType, initials


@dataclass(frozen=True, slots=True)
class StorageRow:
    """A storage location in the list.

    Attributes:
        place: the host of a local root, else the region; None when unknown.
        instance: the writing instance as `owner/name`, or the uid its marker names; None for unmanaged locations.
        last_check_status, last_check_at: None when never checked.
        migration_state: of the move under way; None when there is none.
        role: what the actor may do with it.
    """

    uid: str
    root: str
    type: StorageType
    place: str | None
    space: str
    instance: str | None
    mode: Mode
    mode_reason: ModeReason
    is_default: bool
    creator: str
    creator_name: str
    last_check_status: CheckStatus | None
    last_check_at: datetime | None
    created_at: datetime
    branch_id: int
    migration_state: str | None
    role: Role | None

    @property
    def is_put_away(self) -> bool:
        """Tell whether it lies in the archive or the trash."""
        return self.branch_id in {Branch.ARCHIVE, Branch.TRASH}

    @property
    def branch(self) -> str:
        """Return the name of the branch; `branch N` for one that is none of LaminDB's fixed three."""
        return branch_name(self.branch_id)

    @property
    def creator_initials(self) -> str:
        """Return one or two letters for the avatar."""
        return initials(self.creator_name or self.creator)


@dataclass(frozen=True, slots=True)
class StoragePage:
    """One page of the list.

    Attributes:
        match_count: how many match; a lower bound when `is_more_counted`.
        total: how many there are without search and filters; a lower bound when `is_more_in_total`.
        next_after, previous_before: cursors of the neighbour pages; None where there is none.
    """

    rows: tuple[StorageRow, ...]
    match_count: int
    is_more_counted: bool
    total: int
    is_more_in_total: bool
    next_after: str | None
    previous_before: str | None


def branch_name(branch_id: int) -> str:
    """Return the name of a branch."""
    try:
        return Branch(branch_id).label
    except ValueError:
        return f"branch {branch_id}"
