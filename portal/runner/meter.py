"""How far a pass is, and how fast it goes."""

from collections import Counter
from time import monotonic
from typing import Any

from portal.planning.estimates import Sample, estimate
from portal.planning.rates import RateLog
from portal.services.migrations import ledger
from portal.services.migrations.ledger import PLANNED, ShardRow
from portal.transfer.control import Progress, read_progress


class Meter:
    """How far a pass is: what is finished, and what the workers report of the shards under way.

    The numbers never fall while shards are under way: one that begins anew after its worker died counts again only
    where it comes further than before.

    Attributes:
        forgiven: objects of the pass that had failed when a person last said that it should go on.
        done: objects and bytes, copied and verified, for the pace: never falls.
    """

    def __init__(self, rows: list[ShardRow]) -> None:
        self.forgiven = 0
        self._rows: dict[int, ShardRow] = {}
        self._totals = Counter(ledger.numbers_of(ShardRow(0, 0, PLANNED, 0, 0, {})))
        for row in rows:
            self._keep(row)
        self._furthest: dict[int, Progress] = {}
        self._pace_log = RateLog()
        self._failing: dict[int, int] = {}
        self._most: dict[str, int] = {}
        self.done = (0, 0)

    def update(self, row: ShardRow) -> None:
        """Take a shard's new state."""
        self._keep(row)
        self._furthest.pop(row.id, None)
        self._failing.pop(row.id, None)

    @property
    def error_count(self) -> int:
        """Return how many objects have failed since and need more than another pass, as last told."""
        return max(0, self._totals["error_count"] + sum(self._failing.values()) - self.forgiven)

    def _keep(self, row: ShardRow) -> None:
        """Keep a shard's state in the place of the one before, in the totals too: there may be 100,000 shards."""
        if row.id in self._rows:
            self._totals.subtract(ledger.numbers_of(self._rows[row.id]))
        self._rows[row.id] = row
        self._totals.update(ledger.numbers_of(row))

    def report(self, under_way: dict[int, str], *, is_copy: bool) -> dict[str, Any]:
        """Return the numbers for the migration's row. `under_way`: progress files by shard."""
        numbers = {**self._totals, "error_count": self.error_count}
        name = "copied" if is_copy else "verified"
        for shard_id, path in under_way.items():
            seen = read_progress(path)
            self._furthest[shard_id] = self._further(shard_id, seen)
            self._failing[shard_id] = seen.failure_count
        for seen in self._furthest.values():
            numbers[f"{name}_count"] += seen.object_count
            numbers[f"{name}_bytes"] += seen.total_bytes
        # A shard that ends with objects that need a look takes these back: shown as soon as others make up for them.
        self._most = {key: max(numbers[key], self._most.get(key, 0)) for key in (f"{name}_count", f"{name}_bytes")}
        pace = self._pace(numbers | self._most)
        return {**numbers, **(self._most if under_way else {}), **pace}

    def go_on(self, shard_id: int, seen: Progress) -> None:
        """Take how far a shard was when it was broken off."""
        self._furthest[shard_id] = self._further(shard_id, seen)

    def _further(self, shard_id: int, seen: Progress) -> Progress:
        """Return what is known of a shard under way: never less than before, never more than it holds."""
        row, before = self._rows[shard_id], self._furthest.get(shard_id, Progress(0, 0))
        return Progress(
            max(before.object_count, min(seen.object_count, row.object_count)),
            max(before.total_bytes, min(seen.total_bytes, row.total_bytes)),
        )

    def _pace(self, numbers: dict[str, int]) -> dict[str, Any]:
        count, size = (numbers[f"copied_{unit}"] + numbers[f"verified_{unit}"] for unit in ("count", "bytes"))
        self.done, now = (count, size), Sample(monotonic(), count, size)
        self._pace_log = self._pace_log.add(now.at_seconds, now.object_count, now.total_bytes)
        samples = [*(each for each in self._pace_log.samples if each.at_seconds < now.at_seconds), now]
        found = estimate(samples, 2 * numbers["pass_count"], 2 * numbers["pass_bytes"])
        if found is None:
            return {}
        return {
            "low_seconds": round(found.low_seconds),
            "high_seconds": round(found.high_seconds),
            "bytes_per_second": round(found.bytes_per_second),
            "objects_per_second": round(found.objects_per_second, 1),
        }
