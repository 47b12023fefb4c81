"""What a plan will do, counted: small enough for a page and a JSON column, whatever the plan's size."""

from dataclasses import asdict, dataclass
from typing import Any

from portal.planning.actions import Act, Excluded, PlannedObject
from portal.planning.keys import HARMLESS, Reason

#: First examples kept of each kind.
_EXAMPLES = 20

#: Free space asked for beyond the bytes themselves: folders, blocks, the temporary of the object under way.
_SPARE_PART, _SPARE_BYTES = 0.01, 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tally:
    """Objects of one kind: how many, how large, the first few."""

    count: int = 0
    total_bytes: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A plan in numbers.

    Attributes:
        acts: what is planned, by `planning.actions.Act`; acts without objects are missing.
        excluded: what stays where it is, by `planning.keys.Reason`; examples of names say what is wrong with them.
        skipped: what lies below the source but is no object (devices, links that lead out), as “key: reason”.
        shard_count: shards written.
        largest_key: key of the largest object to move; empty for none.
        largest_bytes: its size.
        free_bytes: what the target says it has left; None when it does not say.
        referenced: objects that an attached registry refers to; nothing where none is known.
        unreferenced: objects that none refers to, and that are moved all the same.
        missing: what a registry refers to and the source does not have, as “key (artifact)”.
    """

    acts: dict[str, Tally]
    excluded: dict[str, Tally]
    skipped: Tally
    shard_count: int
    largest_key: str
    largest_bytes: int
    free_bytes: int | None
    referenced: Tally = Tally()
    unreferenced: Tally = Tally()
    missing: Tally = Tally()

    @property
    def object_count(self) -> int:
        """Return how many objects the plan handles: copied, proven equal or in conflict."""
        return sum(self.act(act).count for act in (Act.COPY, Act.PROVE, Act.CONFLICT))

    @property
    def total_bytes(self) -> int:
        """Return their size at the source."""
        return sum(self.act(act).total_bytes for act in (Act.COPY, Act.PROVE, Act.CONFLICT))

    @property
    def needed_bytes(self) -> int:
        """Return how much room the target needs, with a reserve; 0 when nothing is copied."""
        copied = self.act(Act.COPY).total_bytes
        return copied + int(copied * _SPARE_PART) + _SPARE_BYTES if self.act(Act.COPY).count else 0

    @property
    def has_room(self) -> bool:
        """Tell whether the target has room, as far as it says."""
        return self.free_bytes is None or self.free_bytes >= self.needed_bytes

    @property
    def lost(self) -> dict[str, Tally]:
        """Return what would be missing at the target after the move: excluded, and not without loss."""
        return {reason: tally for reason, tally in self.excluded.items() if Reason(reason) not in HARMLESS}

    def act(self, act: Act) -> Tally:
        """Return the objects planned for one act."""
        return self.acts.get(act.value, Tally())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON column; `summary_from` reads them."""
        return asdict(self)


def summary_from(values: dict[str, Any]) -> PlanSummary:
    """Return the summary that `as_dict` gave, also after a trip through JSON."""

    def tally(part: dict[str, Any]) -> Tally:
        return Tally(part["count"], part["total_bytes"], tuple(part["examples"]))

    kinds = {name: {key: tally(part) for key, part in values[name].items()} for name in ("acts", "excluded")}
    tallies = ("skipped", "referenced", "unreferenced", "missing")
    return PlanSummary(**{**values, **kinds, **{name: tally(values[name]) for name in tallies if name in values}})


class Counter:
    """Counts while a scan runs; `summary` freezes the numbers."""

    def __init__(self) -> None:
        self._acts: dict[str, Tally] = {}
        self._excluded: dict[str, Tally] = {}
        self._skipped = Tally()
        self._referenced, self._unreferenced, self._missing = Tally(), Tally(), Tally()
        self._largest = ("", 0)
        self.shard_count = 0

    def plan(self, item: PlannedObject) -> None:
        """Count one planned object."""
        self._acts[item.act.value] = _more(self._acts.get(item.act.value), item.size_bytes, item.key)
        if item.act not in {Act.LEAVE, Act.REMOVE} and (not self._largest[0] or item.size_bytes > self._largest[1]):
            self._largest = (item.key, item.size_bytes)

    def exclude(self, item: Excluded) -> None:
        """Count one object that stays."""
        words = f"{item.key}: {item.detail}" if item.detail else item.key
        self._excluded[item.reason.value] = _more(self._excluded.get(item.reason.value), item.size_bytes, words)

    def skip(self, key: str, reason: str) -> None:
        """Count one thing that is no object."""
        self._skipped = _more(self._skipped, 0, f"{key}: {reason}")

    def reference(self, key: str, size_bytes: int) -> None:
        """Count one object that a registry refers to."""
        self._referenced = _more(self._referenced, size_bytes, key)

    def unreferenced(self, key: str, size_bytes: int) -> None:
        """Count one object that no registry refers to."""
        self._unreferenced = _more(self._unreferenced, size_bytes, key)

    def miss(self, words: str, size_bytes: int) -> None:
        """Count one thing that a registry refers to and that is not there."""
        self._missing = _more(self._missing, size_bytes, words)

    def summary(self, free_bytes: int | None) -> PlanSummary:
        """Return what was counted."""
        return PlanSummary(
            dict(self._acts),
            dict(self._excluded),
            self._skipped,
            self.shard_count,
            *self._largest,
            free_bytes,
            self._referenced,
            self._unreferenced,
            self._missing,
        )


def _more(tally: Tally | None, size_bytes: int, example: str) -> Tally:
    old = tally or Tally()
    examples = (*old.examples, example) if len(old.examples) < _EXAMPLES else old.examples
    return Tally(old.count + 1, old.total_bytes + size_bytes, examples)
