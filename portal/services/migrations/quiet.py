"""Whether the old root has been quiet for long enough after a cut-over, so that it may be let go."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.models import Migration
from portal.services.migrations.doors import REPOINT


@dataclass(frozen=True, slots=True)
class Noise:
    """Why a location cannot be released yet. `until`: when it can if nothing else is found; None: not known."""

    message: str
    hint: str
    until: datetime | None


def noise_at(migration: Migration, now: datetime, quiet_hours: float) -> Noise | None:
    """Return what speaks against a release: sessions that have not noticed the move still write to the old root.

    None: nothing does. Where artifacts were re-pointed, the old root stays a location of its own.
    """
    if migration.strategy == REPOINT:
        return None
    sweep = (migration.plan or {}).get("sweep") or {}
    if "is_clean" not in sweep:
        return Noise(
            "The old root has not been looked at since the cut-over.",
            "A runner does so within minutes; then release it.",
            None,
        )
    last = datetime.fromisoformat(sweep["last_found_at"]) if sweep.get("last_found_at") else None
    until = last + timedelta(hours=quiet_hours) if last else now
    if last is None or until <= now:
        return None
    return Noise(
        f"Somebody still wrote to the old root at {last:%Y-%m-%d %H:%M} UTC; it was brought over.",
        f"Release it after {quiet_hours} hours without anything new there.",
        until,
    )
