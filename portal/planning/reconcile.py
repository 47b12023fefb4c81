"""Compare what an instance says of its storage locations with what the portal knows, and propose what to take over.

Nothing here decides to overwrite: each difference is shown, with both sides, and a person takes it over or leaves it.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from portal.planning.overlaps import Place, is_same
from portal.values import Root

_HIDDEN: Final = "The portal has this root already, as a location you have no role on. Ask a portal admin for one."


class Kind(StrEnum):
    """What is different.

    `new`: the portal knows no such location. `linked`: it does, only the reference to the instance's row is missing.
    `changed`: both know it and say different things. `gone`: a reference whose row is no longer there.
    """

    NEW = "new"
    LINKED = "linked"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Theirs:
    """A location as the instance's own row says it.

    Attributes:
        root: verbatim; `normal` is what it means, None where the portal takes no such root, and `problem` says why.
        host: of a local root; None where the row names none.
        space_key: what stands for its space on both sides: the portal's uid for it, or the name of one to be made.
        branch: its name there; `known_branch` the one of the portal's three that stands for it.
        is_own: whether the instance itself writes to it.
    """

    row_id: int
    uid: str
    root: str
    normal: Root | None
    problem: str
    region: str | None
    host: str | None
    description: str
    instance_uid: str | None
    space_key: str
    space: str
    branch: str
    known_branch: str
    is_locked: bool
    is_own: bool

    @property
    def is_unmanaged(self) -> bool:
        """Tell whether no instance writes to it."""
        return self.instance_uid is None


@dataclass(frozen=True, slots=True)
class Ours:
    """A location as the portal knows it.

    Attributes:
        row_id, ref_uid: of the reference to this instance's row; None where there is none.
        other_references: how many other attached instances refer to it.
        is_visible: whether the person who compares may know of it.
        may_change: whether that person may change its record.
        why_fixed: why its record cannot be changed now; empty where it can.
    """

    storage_id: int
    uid: str
    root: Root
    host: str | None
    region: str | None
    description: str
    instance_uid: str | None
    instance_id: int | None
    space_key: str
    space: str
    branch: str
    is_locked: bool
    row_id: int | None = None
    ref_uid: str | None = None
    other_references: int = 0
    is_visible: bool = True
    may_change: bool = True
    why_fixed: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing both sides say differently, in words for people; None: nothing is said."""

    name: str
    theirs: str | None
    ours: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Something to take over, or to leave.

    Attributes:
        row_id, uid, root: of the instance's row, or of the reference that lost it.
        storage_id: the portal's location; None for a new one.
        fields: both sides; empty for a new, linked or gone one.
        notes: what else should be known before it is taken.
        why_not: why it cannot be taken over; empty where it can.
    """

    kind: Kind
    row_id: int
    uid: str
    root: str
    storage_id: int | None = None
    fields: tuple[Field, ...] = ()
    notes: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def key(self) -> str:
        """Return a name for exactly this difference: what somebody changes meanwhile has another one."""
        said = repr((self.kind, self.row_id, self.uid, self.root, self.storage_id, self.fields))
        return f"{self.kind}-{self.row_id}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"

    @property
    def can_take(self) -> bool:
        """Tell whether it can be taken over."""
        return not self.why_not


@dataclass(frozen=True, slots=True)
class Comparing:
    """What a comparison needs beside the two sides.

    Attributes:
        here: name of the portal's machine, which stands in where a local root names no host.
        instance_uid: of the instance, as LaminDB has it.
        instance_id: of the instance, in the portal.
    """

    here: str
    instance_uid: str
    instance_id: int


def reconcile(theirs: Iterable[Theirs], ours: Sequence[Ours], comparing: Comparing) -> tuple[Difference, ...]:
    """Return every difference, in the order of the instance's rows, references without a row last.

    A row is matched by its reference, else by its uid, else by its root (and host): unmanaged locations have another
    uid in every instance. Two rows never match one location.
    """
    rows = list(theirs)
    pairs = _pair(rows, ours, comparing)
    taken = {each.storage_id for each in pairs.values()}
    found_there = [_difference(row, pairs.get(row.row_id), ours, comparing) for row in rows]
    gone = [_gone(each) for each in ours if each.row_id is not None and each.storage_id not in taken]
    return tuple(each for each in [*found_there, *gone] if each is not None)


def _pair(rows: Sequence[Theirs], ours: Sequence[Ours], comparing: Comparing) -> dict[int, Ours]:
    """Return the location of each row that has one, by row id."""
    referred = {(each.row_id, each.ref_uid): each for each in ours if each.row_id is not None}
    named = {each.uid: each for each in ours}
    pairs: dict[int, Ours] = {}
    left = {each.storage_id: each for each in ours}
    rules: tuple[Callable[[Theirs], Ours | None], ...] = (
        lambda row: referred.get((row.row_id, row.uid)),
        lambda row: named.get(row.uid),
        lambda row: next((each for each in left.values() if _has_root(row, each, comparing)), None),
    )
    for rule in rules:
        for row in rows:
            found = rule(row) if row.row_id not in pairs else None
            if found is not None and found.storage_id in left:
                pairs[row.row_id] = left.pop(found.storage_id)
    return pairs


def _has_root(row: Theirs, each: Ours, comparing: Comparing) -> bool:
    if row.normal is None:
        return False
    return is_same(Place(row.normal, host=host_of(row, comparing)), Place(each.root, host=each.host))


def host_of(row: Theirs, comparing: Comparing) -> str | None:
    """Return the host of a row's local root: what it names, else the portal's own; None for every other root."""
    if row.normal is None or row.normal.type != "local":
        return None
    return row.host or comparing.here


def _difference(row: Theirs, ours: Ours | None, everything: Sequence[Ours], comparing: Comparing) -> Difference | None:
    notes = _notes(row, ours, comparing)
    if ours is None:
        notes += _elsewhere(row, everything)
        return Difference(Kind.NEW, row.row_id, row.uid, row.root, notes=notes, why_not=row.problem)
    is_linked = ours.row_id == row.row_id and ours.ref_uid == row.uid
    if not ours.is_visible and not is_linked and ours.uid != row.uid:
        # A root can be guessed, and a reference makes moves of the location depend on this instance; a uid cannot.
        return Difference(Kind.NEW, row.row_id, row.uid, row.root, why_not=_HIDDEN)
    fields = _fields(row, ours, comparing) if ours.is_visible else ()
    if not fields:
        if is_linked:
            return None
        return Difference(Kind.LINKED, row.row_id, row.uid, row.root, ours.storage_id, notes=notes)
    return Difference(Kind.CHANGED, row.row_id, row.uid, row.root, ours.storage_id, fields, notes, _why_not(row, ours))


def _elsewhere(row: Theirs, everything: Sequence[Ours]) -> tuple[str, ...]:
    """Return where else the same path is a root: LaminDB takes each root once, the portal once on each host."""
    same = [each for each in everything if each.is_visible and row.normal and each.root.text == row.normal.text]
    return tuple(
        f"The portal knows this path on the host {each.host} too, as another location. LaminDB takes each root once, "
        "whatever the host, so only one of them can be in this instance."
        for each in same
        if each.host is not None
    )


def _gone(ours: Ours) -> Difference:
    root = ours.root.text if ours.is_visible else "a location you have no role on"
    return Difference(
        Kind.GONE, ours.row_id or 0, ours.ref_uid or "", root, ours.storage_id,
        notes=("Only the reference goes; the location stays in the portal.",),
    )  # fmt: skip


def _why_not(row: Theirs, ours: Ours) -> str:
    if row.problem:
        return row.problem
    if not _speaks_for(row, ours):
        return "Another instance writes to this location; what that one says counts."
    if not ours.may_change:
        return "This needs the role admin on the location."
    return ours.why_fixed


def _speaks_for(row: Theirs, ours: Ours) -> bool:
    return row.is_own or (row.is_unmanaged and ours.instance_uid is None)


def _fields(row: Theirs, ours: Ours, comparing: Comparing) -> tuple[Field, ...]:
    pairs = _where(row, ours, comparing)
    if row.is_own or (_speaks_for(row, ours) and not ours.other_references):
        pairs += [
            ("description", row.description, ours.description),
            ("branch", row.known_branch, ours.branch),
            ("locked", _yes(row.is_locked), _yes(ours.is_locked)),
        ]
        if row.space_key != ours.space_key:
            pairs.append(("space", row.space, ours.space))
    if row.is_own:
        is_known = ours.instance_uid == row.instance_uid and ours.instance_id == comparing.instance_id
        by_this = "written by this instance"
        pairs.append(("instance", by_this, by_this if is_known else _writer(ours)))
    return tuple(
        Field(name, here or None, there or None) for name, here, there in pairs if (here or "") != (there or "")
    )


def _where(row: Theirs, ours: Ours, comparing: Comparing) -> list[tuple[str, str | None, str | None]]:
    """Return what both say of the place. A region or host that one side does not name is no difference."""
    if row.normal is None:
        return [("root", row.root, ours.root.text)]
    pairs: list[tuple[str, str | None, str | None]] = []
    if not is_same(Place(row.normal), Place(ours.root)):
        pairs.append(("root", row.root, ours.root.text))
    if row.normal.type != ours.root.type:
        pairs.append(("type", row.normal.type.value, ours.root.type.value))
    elif row.normal.type == "local":
        pairs.append(("host", host_of(row, comparing) if row.host else ours.host, ours.host))
    elif row.region and ours.region:
        pairs.append(("region", row.region, ours.region))
    return pairs


def _writer(ours: Ours) -> str:
    return "no instance" if ours.instance_uid is None else "another instance"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _notes(row: Theirs, ours: Ours | None, comparing: Comparing) -> tuple[str, ...]:
    notes = []
    if row.normal is not None and row.normal.text != row.root:
        notes.append(f"Its root is not in LaminDB's normal form, which is {row.normal.text}.")
    if row.normal is not None and row.normal.type == "local" and not row.host:
        notes.append(f"Its row names no host; {ours.host if ours and ours.is_visible else comparing.here} is assumed.")
    if row.branch != row.known_branch:
        notes.append(f"It is on the branch {row.branch} there, which the portal shows as {row.known_branch}.")
    if ours is not None and ours.is_visible and ours.uid != row.uid:
        notes.append(f"Its uid there is {row.uid}; here it is {ours.uid}.")
    if ours is not None and not ours.is_visible:
        notes.append("The portal knows it, and you have no role on it there: only the reference is kept.")
    return tuple(notes)
