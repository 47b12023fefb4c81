"""A stopwatch as a small JSON value: how long work has gone on, without the hours in which it stood. Time is given."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def is_running(watch: Mapping[str, Any] | None) -> bool:
    """Tell whether it runs; None is one that was never started."""
    return bool(watch and watch["since"])


def seconds_of(watch: Mapping[str, Any] | None, now: datetime) -> float:
    """Return how long it has run in all."""
    if not watch:
        return 0.0
    since = watch["since"]
    running = max((now - datetime.fromisoformat(since)).total_seconds(), 0.0) if since else 0.0
    return round(float(watch["seconds"]) + running, 3)


def started(watch: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    """Return it running; one that runs goes on."""
    if watch and watch["since"]:
        return dict(watch)
    return {"seconds": seconds_of(watch, now), "since": now.isoformat()}


def stopped(watch: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    """Return it standing still."""
    return {"seconds": seconds_of(watch, now), "since": None}
