"""How fast a migration was over time: a bounded list of samples, thinned as it grows, and what a chart shows of it.

Samples are cumulative, so that leaving some out loses no byte. A pass that begins anew counts from zero again; what was
moved before it is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portal.planning.estimates import Sample

#: Samples kept at most; then every second one goes, and they are taken half as often from then on.
MOST_SAMPLES = 240

#: Between two samples at first.
FIRST_STEP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RateLog:
    """Samples in order of time.

    Attributes:
        step_seconds: between two samples, at least.
        samples: bytes and objects are of the whole log, over all its passes.
        lead_count: objects of the passes before the present one, likewise `lead_bytes`.
        seen_count: objects of the present pass as last told, likewise `seen_bytes`.
    """

    step_seconds: float = FIRST_STEP_SECONDS
    samples: tuple[Sample, ...] = ()
    lead_count: int = 0
    lead_bytes: int = 0
    seen_count: int = 0
    seen_bytes: int = 0

    def add(self, at_seconds: float, object_count: int, total_bytes: int) -> "RateLog":
        """Return the log with how far the present pass is; a lower number than before means that another one began."""
        lead_count, lead_bytes = self.lead_count, self.lead_bytes
        if total_bytes < self.seen_bytes or object_count < self.seen_count:
            lead_count, lead_bytes = lead_count + self.seen_count, lead_bytes + self.seen_bytes
        samples, step = self.samples, self.step_seconds
        if not samples or at_seconds - samples[-1].at_seconds >= step:
            samples = (*samples, Sample(at_seconds, lead_count + object_count, lead_bytes + total_bytes))
        if len(samples) > MOST_SAMPLES:
            # The last one stays: the next step counts from it.
            samples, step = samples[::-2][::-1], step * 2
        return RateLog(step, samples, lead_count, lead_bytes, object_count, total_bytes)

    def as_dict(self) -> dict[str, Any]:
        """Return the log for JSON."""
        points = [[round(each.at_seconds, 1), each.object_count, each.total_bytes] for each in self.samples]
        lead = [self.lead_count, self.lead_bytes, self.seen_count, self.seen_bytes]
        return {"step": self.step_seconds, "samples": points, "lead": lead}


def read_rates(values: dict[str, Any] | None) -> RateLog:
    """Return the log of such JSON; an empty one for None."""
    if not values:
        return RateLog()
    samples = tuple(Sample(float(at), int(count), int(size)) for at, count, size in values["samples"])
    return RateLog(float(values["step"]), samples, *(int(number) for number in values["lead"]))


@dataclass(frozen=True, slots=True)
class RateChart:
    """Bytes a second over time, in equal steps.

    Attributes:
        begins_at_seconds: where the first step begins; `ends_at_seconds` where the last one ends.
        rates: bytes a second of each step.
        top: a round number no rate is above.
    """

    begins_at_seconds: float
    ends_at_seconds: float
    rates: tuple[float, ...]
    top: float

    @property
    def mean(self) -> float:
        """Return the mean rate."""
        return sum(self.rates) / len(self.rates)


def chart(log: RateLog, step_count: int = 60) -> RateChart | None:
    """Return a chart of at most `step_count` steps; None while fewer than three samples say too little."""
    samples = log.samples
    if len(samples) < 3 or samples[-1].at_seconds <= samples[0].at_seconds:
        return None
    begins, ends = samples[0].at_seconds, samples[-1].at_seconds
    count = max(1, min(step_count, int((ends - begins) / log.step_seconds)))
    step = (ends - begins) / count
    edges = [_bytes_at(samples, begins + step * at) for at in range(count + 1)]
    rates = tuple(max(0.0, edges[at + 1] - edges[at]) / step for at in range(count))
    return RateChart(begins, ends, rates, _round_up(max(rates)))


def _bytes_at(samples: Sequence[Sample], at_seconds: float) -> float:
    """Return the bytes at a moment, between two samples on the line that joins them."""
    low, high = 0, len(samples) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if samples[middle].at_seconds <= at_seconds else (low, middle)
    first, last = samples[low], samples[high]
    span = last.at_seconds - first.at_seconds
    part = min(1.0, max(0.0, (at_seconds - first.at_seconds) / span)) if span > 0 else 1.0
    return first.total_bytes + (last.total_bytes - first.total_bytes) * part


def _round_up(value: float) -> float:
    """Return the next number of the form 1, 2 or 5 times a power of ten; at least 1,000."""
    power = 1000.0
    while True:
        for digit in (1, 2, 5):
            if value <= digit * power:
                return digit * power
        power *= 10
