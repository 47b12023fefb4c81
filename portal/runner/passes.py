"""What each pass did, in the plan's summary: for the page, for the story, and for whoever weighs a cut-over."""

from datetime import datetime
from typing import Any

from portal.runner.drive import Held
from portal.services.migrations.ledger import Plan

#: Passes kept; the oldest go first.
_MOST_PASSES = 20


def begin_pass(held: Held, plan: Plan, kind: str) -> None:
    """Note a planned pass. `kind`: first, changes or chosen."""
    row, now = held.migration, held.work.now
    entry = {
        "number": row.pass_number,
        "kind": kind,
        "object_count": plan.summary.object_count,
        "total_bytes": plan.summary.total_bytes,
        "began_at": now.isoformat(),
    }
    others = [each for each in _passes(held) if each["number"] != row.pass_number]
    held.note(passes=[*others, entry][-_MOST_PASSES:])


def end_pass(held: Held, name: str) -> dict[str, object]:
    """Note that the present pass was copied (`copied_at`) or verified (`verified_at`); return its numbers."""
    row, now = held.migration, held.work.now
    passes = _passes(held)
    entry = next((each for each in passes if each["number"] == row.pass_number), None)
    if entry is None:
        return {"pass": row.pass_number}
    began = datetime.fromisoformat(entry["began_at"])
    if entry["kind"] == "first" and row.started_at is not None:
        began = max(began, row.started_at)  # a plan may wait for days
    entry |= {name: now.isoformat(), "seconds": round((now - began).total_seconds(), 1)}
    held.note(passes=passes)
    return {
        "pass": entry["number"],
        "objects": entry["object_count"],
        "bytes": entry["total_bytes"],
        "seconds": entry["seconds"],
    }


def _passes(held: Held) -> list[dict[str, Any]]:
    return [dict(each) for each in (held.migration.plan or {}).get("passes", ())]
