"""The three kinds of empty: no artifacts that refer to a root, nothing of LaminDB's in it, nothing in it at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from portal.backends.base import INTERACTIVE, TEMPORARY_FOLDER, Backend
from portal.lamindb.marker import LEGACY_KEY
from portal.services.deletion.rows_there import RowThere
from portal.services.reach import Door, opened
from portal.values import MANAGED_FOLDER, MARKER_KEY

#: Blockers a page lists.
MOST_BLOCKERS = 20

#: Objects counted at most; a fuller root holds "10,000 or more".
MOST_COUNTED = 10_000

#: What the portal itself leaves for a moment: temporaries and probes.
_PORTALS_OWN = (f"{TEMPORARY_FOLDER}/", f"{MANAGED_FOLDER}/_probe/")


@dataclass(frozen=True, slots=True)
class Emptiness:
    """One of the three kinds of empty.

    Attributes:
        title: what is counted.
        count: how many there are; None: not known.
        is_more: whether counting stopped at `count`.
        blocks: whether it keeps the location from being deleted.
        examples: the first of them.
        text: what that means, one sentence.
        where: the tab that shows them all: `artifacts`, `contents`, or none.
    """

    title: str
    count: int | None
    is_more: bool
    blocks: bool
    examples: tuple[str, ...]
    text: str
    where: str = ""

    @property
    def count_label(self) -> str:
        """Return the count in words: where counting stopped it says so."""
        if self.count is None:
            return "not known"
        return f"{self.count:,} or more" if self.is_more else f"{self.count:,}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What lies in a root, as far as it was counted."""

    managed: tuple[str, ...]
    managed_more: bool
    others: int
    others_more: bool
    examples: tuple[str, ...]


def look(door: Door) -> Seen:
    """Count what lies in a root.

    Raises:
        Conflict, Refused, StorageError: it cannot be looked into.
    """
    with opened(door, timeouts=INTERACTIVE) as backend:
        own = {MARKER_KEY, LEGACY_KEY}
        managed = _keys(backend, f"{MANAGED_FOLDER}/", own)
        everything = _keys(backend, "", own)
    others = [key for key in everything if not key.startswith(f"{MANAGED_FOLDER}/")]
    return Seen(
        managed=tuple(managed),
        managed_more=len(managed) >= MOST_COUNTED,
        others=len(others),
        others_more=len(everything) >= MOST_COUNTED,
        examples=tuple(others[:MOST_BLOCKERS]),
    )


def _keys(backend: Backend, prefix: str, but: set[str]) -> list[str]:
    found = (
        entry.key
        for entry in backend.list_objects(prefix)
        if entry.key not in but and not entry.key.startswith(_PORTALS_OWN)
    )
    return list(islice(found, MOST_COUNTED))


def artifacts(rows: Sequence[RowThere]) -> Emptiness:
    """Return the artifacts that attached instances have in the location."""
    title = "Artifacts that refer to it"
    if not rows:
        text = "No attached instance refers to it, so the portal does not know. Look in LaminDB before you go on."
        return Emptiness(title, None, False, False, (), text)
    if any(row.problem for row in rows):
        told = " ".join(f"{row.label}: {row.problem}" for row in rows if row.problem)
        return Emptiness(title, None, False, True, (), told[:1].upper() + told[1:])
    count = sum(row.artifact_count or 0 for row in rows)
    names = [name for row in rows for name in row.names]
    counted = ", ".join(f"{row.label} {row.artifact_count:,}" for row in rows)
    text = f"Of every branch, trash and archive too: {counted}." if count else f"None of any branch: {counted}."
    return Emptiness(title, count, False, count > 0, tuple(names[:MOST_BLOCKERS]), text, "artifacts")


def managed(seen: Seen | None, is_ours: bool) -> Emptiness:
    """Return LaminDB's own objects beside the marker; they block where the location is its instance's own."""
    title = f"Managed objects under {MANAGED_FOLDER}/"
    if seen is None:
        return Emptiness(title, None, False, False, (), "The root could not be looked into.")
    count = len(seen.managed)
    blocks = is_ours and count > 0
    text = "These belong to artifacts of LaminDB." if count else "None, beside the marker."
    if count and not is_ours:
        text = "They belong to another instance, or to none: they stay, only the record here goes."
    if blocks and f"{MANAGED_FOLDER}/lamin.db" in seen.managed:
        text = "The database of a SQLite instance lies here: this is its default location."
    return Emptiness(title, count, seen.managed_more, blocks, seen.managed[:MOST_BLOCKERS], text, "contents")


def others(seen: Seen | None) -> Emptiness:
    """Return what is not LaminDB's: it stays."""
    title = "Any other object"
    if seen is None:
        return Emptiness(title, None, False, False, (), "The root could not be looked into.")
    text = "User files stay where they are." if seen.others else "None."
    return Emptiness(title, seen.others, seen.others_more, False, seen.examples, text)
