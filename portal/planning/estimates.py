"""How fast a migration goes and how long it may still take: a range, since a single number would be a lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the work was at one moment; `at_seconds` on any clock that only goes forward."""

    at_seconds: float
    object_count: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be expected.

    Attributes:
        low_seconds: the rest takes at least about so long.
        high_seconds: and at most about so long.
        bytes_per_second: over the last samples.
        objects_per_second: likewise.
    """

    low_seconds: float
    high_seconds: float
    bytes_per_second: float
    objects_per_second: float

    def __str__(self) -> str:
        return words_for_range(self.low_seconds, self.high_seconds)


#: The later half of the samples is cut into so many parts at most; the quartiles of their rates widen the range.
_PARTS = 8

#: Slow and fast cases measured on one machine and one network link; only for the time before anything moved.
_SLOW_BYTES, _FAST_BYTES = 20e6, 200e6
_SLOW_OBJECTS, _FAST_OBJECTS = 50.0, 1000.0


def guess(object_count: int, total_bytes: int) -> Estimate:
    """Return what a plan of this size may take before anything was measured: copy and verify together."""
    fast = max(object_count / _FAST_OBJECTS, total_bytes / _FAST_BYTES)
    slow = max(object_count / _SLOW_OBJECTS, total_bytes / _SLOW_BYTES)
    return Estimate(fast * 2, slow * 2, 0.0, 0.0)


def estimate(samples: Sequence[Sample], object_count: int, total_bytes: int) -> Estimate | None:
    """Return what the rest of `object_count` and `total_bytes` takes, from samples in order of time.

    None while fewer than two samples, or no progress between them, give no rate. The range spans the rates of the whole
    time, of its later half, and the quartiles of the parts of that half, by objects and by bytes: a pace that changes
    much gives a wide range.
    """
    if len(samples) < 2:
        return None
    last, later = samples[-1], samples[(len(samples) - 1) // 2 :]
    rates = [_rates(samples[0], last), _rates(later[0], last), *_quartiles(later)]
    rests = [rest for rate in rates for rest in _rests(last, rate, object_count, total_bytes)]
    if not rests:
        return None
    bytes_rate, objects_rate = rates[1]
    return Estimate(min(rests), max(rests), bytes_rate, objects_rate)


def words_for_range(low_seconds: float, high_seconds: float) -> str:
    """Return a range in words: “4 to 7 minutes”, “about 2 hours”, “up to 1 hour”, “under a minute”."""
    if high_seconds < 60:
        return "under a minute"
    unit_seconds, unit = next(
        (size, name) for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")) if high_seconds >= size
    )
    low, high = round(low_seconds / unit_seconds), max(1, round(high_seconds / unit_seconds))
    if low < 1 and low_seconds < high_seconds / 2:
        return f"up to {high} {unit}{'' if high == 1 else 's'}"
    low = max(1, low)
    plural = "" if high == 1 else "s"
    return f"about {high} {unit}{plural}" if low >= high else f"{low} to {high} {unit}{plural}"


def _rates(first: Sample, last: Sample) -> tuple[float, float]:
    seconds = last.at_seconds - first.at_seconds
    if seconds <= 0:
        return 0.0, 0.0
    return (last.total_bytes - first.total_bytes) / seconds, (last.object_count - first.object_count) / seconds


def _quartiles(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Return the lower and the upper quartile of the rates of equal parts; none where there are fewer than four."""
    size = max(1, (len(samples) - 1) // _PARTS)
    edges = samples[::-size][::-1]
    parts = [_rates(first, last) for first, last in pairwise(edges)]
    if len(parts) < 4:
        return []
    columns = [sorted(column) for column in zip(*parts, strict=True)]
    return [(columns[0][at], columns[1][at]) for at in (len(parts) // 4, (3 * len(parts)) // 4)]


def _rests(last: Sample, rates: tuple[float, float], object_count: int, total_bytes: int) -> list[float]:
    by_kind = ((total_bytes - last.total_bytes, rates[0]), (object_count - last.object_count, rates[1]))
    if all(rest <= 0 for rest, _ in by_kind):
        return [0.0]
    return [rest / rate for rest, rate in by_kind if rest > 0 and rate > 0]
