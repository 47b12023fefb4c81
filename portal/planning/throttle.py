"""The arithmetic of limits on a running copy: a token bucket in bytes, and each worker's share. Time is an argument.

The bucket may be overdrawn: whoever moved bytes takes them out at once, and waits until the bucket is no longer below
zero. So a chunk larger than a second's worth needs no special case, and a raised limit shortens a wait under way.
"""

import re
from dataclasses import dataclass, replace

from portal.errors import InputError

#: What may be moved at once after a rest, in seconds' worth of the rate.
BURST_SECONDS = 0.25

#: Least and most that people may set. Below a kilobyte a second nothing would seem to move.
LEAST_BANDWIDTH, MOST_BANDWIDTH = 1_000, 10**12
MOST_CONCURRENCY = 64

_UNITS = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
_BANDWIDTH = re.compile(r"(?i)(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]i?|)b?(?:/s|ps)?")


@dataclass(frozen=True, slots=True)
class Bucket:
    """How much may be moved now.

    Attributes:
        bytes_per_second: at which it fills; None: no limit.
        level_bytes: what is in it at `at_seconds`; below zero while it is overdrawn.
        at_seconds: on any clock that only goes forward.
    """

    bytes_per_second: float | None = None
    level_bytes: float = 0.0
    at_seconds: float = 0.0

    def filled(self, at_seconds: float) -> "Bucket":
        """Return the bucket at a later moment."""
        if self.bytes_per_second is None:
            return replace(self, level_bytes=0.0, at_seconds=at_seconds)
        gained = max(0.0, at_seconds - self.at_seconds) * self.bytes_per_second
        most = self.bytes_per_second * BURST_SECONDS
        return replace(self, level_bytes=min(most, self.level_bytes + gained), at_seconds=at_seconds)

    def take(self, total_bytes: int, at_seconds: float) -> "Bucket":
        """Return the bucket after so many bytes were moved."""
        filled = self.filled(at_seconds)
        if self.bytes_per_second is None:
            return filled
        return replace(filled, level_bytes=filled.level_bytes - total_bytes)

    def limited(self, bytes_per_second: float | None, at_seconds: float) -> "Bucket":
        """Return the bucket with another rate from now on."""
        return replace(self.filled(at_seconds), bytes_per_second=bytes_per_second).filled(at_seconds)

    def wait_seconds(self, at_seconds: float, later_bytes: int = 0) -> float:
        """Return how long whoever took before the last `later_bytes` were taken has to wait; 0.0 for not at all.

        So many threads go on one after the other, at the pace of the limit, and not all at once.
        """
        filled = self.filled(at_seconds)
        missing_bytes = -(filled.level_bytes + later_bytes)
        if filled.bytes_per_second is None or missing_bytes <= 0:
            return 0.0
        return missing_bytes / filled.bytes_per_second


def share(bytes_per_second: int | None, worker_count: int) -> float | None:
    """Return what each of the running workers may move; None: no limit."""
    return None if bytes_per_second is None else bytes_per_second / max(1, worker_count)


def parse_bandwidth(text: str) -> int | None:
    """Return bytes per second: `50MiB/s`, `20 MB`, `800k`; None for `none` and for nothing.

    Raises:
        InputError: it is no rate, or one beyond what can be set.
    """
    cleaned = text.strip()
    if cleaned.lower() in {"", "none"}:
        return None
    found = _BANDWIDTH.fullmatch(cleaned)
    if found is None:
        raise InputError(
            f"{cleaned} is no rate.", hint="Write one such as 50MiB/s or 20 MB/s, or none.", field="bandwidth"
        )
    rate = round(float(found[1]) * _UNITS[found[2].lower()])
    if not LEAST_BANDWIDTH <= rate <= MOST_BANDWIDTH:
        raise InputError("A limit lies between 1 kB/s and 1 TB/s.", hint="Or write none.", field="bandwidth")
    return rate


def words_for_bandwidth(bytes_per_second: int | None) -> str:
    """Return a rate as it can be typed again: `50MiB/s`, `1500000B/s`, `none`."""
    if bytes_per_second is None:
        return "none"
    for unit in ("Ti", "Gi", "Mi", "Ki", "T", "G", "M", "k"):
        size = _UNITS[unit.lower()]
        if bytes_per_second >= size and bytes_per_second % size == 0:
            return f"{bytes_per_second // size}{unit}B/s"
    return f"{bytes_per_second}B/s"
