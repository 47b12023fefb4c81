"""Whether the old root has been quiet for long enough after a cut-over, so that it may be let go."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from portal.models import Migration
from portal.services.migrations.doors import REPOINT

#: Between two looks at the old root.
SWEEP: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Noise:
    """Why a location cannot be released yet.

    Attributes:
        until: when it can if nothing else is found; None: not known.
        when: the same in words, where it is not known.
    """

    message: str
    hint: str
    until: datetime | None
    when: str = ""


def noise_at(migration: Migration, now: datetime, quiet_hours: float) -> Noise | None:
    """Return what speaks against a release: sessions that have not noticed the move still write to the old root.

    None: nothing does. Where artifacts were re-pointed, the old root stays a location of its own.
    """
    if migration.strategy == REPOINT:
        return None
    sweep = (migration.plan or {}).get("sweep") or {}
    quiet = timedelta(hours=quiet_hours)
    if sweep.get("error"):
        return _failing(sweep, now, quiet)
    return _unfinished(sweep) or _overdue(sweep, now) or _noisy(migration, sweep, now, quiet)


def _failing(sweep: dict[str, Any], now: datetime, quiet: timedelta) -> Noise | None:
    """Return what a look that fails means: an old root that is gone for good does not hold up the end for ever."""
    until = _time(sweep["failing_since"]) + quiet
    if until <= now:
        return None
    return Noise(
        f"The last look at the old root did not work: {sweep['error']}",
        f"It is tried again. If no look works until {until:%Y-%m-%d %H:%M} UTC, release it without.",
        until,
    )


def _unfinished(sweep: dict[str, Any]) -> Noise | None:
    if sweep.get("is_open"):
        return Noise(
            "Something new was found at the old root and has not been brought over yet.",
            "A runner does so; then release it.",
            None,
            "when what was found at the old root is brought over",
        )
    if sweep.get("left"):
        noun = "object" if sweep["left"] == 1 else "objects"
        return Noise(
            f"{sweep['left']:,} {noun} written to the old root since could not be brought over.",
            "Mend what is in the way, or rename or remove them at the old root. The next look tries again.",
            None,
            "when all that was found at the old root is brought over",
        )
    return None


def _overdue(sweep: dict[str, Any], now: datetime) -> Noise | None:
    if "at" not in sweep:
        return Noise(
            "The old root has not been looked at since the cut-over.",
            "A runner does so within minutes; then release it.",
            None,
            "after the first look at the old root",
        )
    at = _time(sweep["at"])
    if now - at <= 2 * (SWEEP + timedelta(seconds=sweep.get("seconds", 0))):
        return None
    return Noise(
        f"The old root was last looked at on {at:%Y-%m-%d at %H:%M} UTC.",
        "See that a runner is alive: it looks within minutes; then release it.",
        None,
        "after the next look at the old root",
    )


def _noisy(migration: Migration, sweep: dict[str, Any], now: datetime, quiet: timedelta) -> Noise | None:
    found_at = _time(sweep["last_found_at"]) if sweep.get("last_found_at") else None
    until = max(filter(None, (found_at, migration.cut_over_at)), default=now) + quiet
    if until <= now:
        return None
    words = "The location was switched only a short time ago."
    if found_at is not None:
        words = f"Somebody still wrote to the old root at {found_at:%Y-%m-%d %H:%M} UTC."
    return Noise(words, f"Release it when nothing new is found there until {until:%Y-%m-%d %H:%M} UTC.", until)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
