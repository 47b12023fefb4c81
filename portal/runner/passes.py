"""What each pass did, in the plan's summary: for the page, for the story, and for whoever weighs a cut-over."""

from typing import Any

from portal.planning.outcomes import Outcome
from portal.planning.watches import seconds_of
from portal.runner.drive import Held
from portal.services.migrations import ledger
from portal.services.migrations.ledger import FORWARD, Plan

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
        "watch": seconds_of((row.plan or {}).get("watch"), now),
    }
    others = [each for each in _passes(held) if each["number"] != row.pass_number]
    held.note(passes=[*others, entry][-_MOST_PASSES:])
    if kind != "first" and plan.shards:  # what it says is of the pass before
        row.progress = {
            "pass_count": sum(shard.object_count for shard in plan.shards),
            "pass_bytes": sum(shard.total_bytes for shard in plan.shards),
        }


def end_pass(held: Held, name: str) -> dict[str, object]:
    """Note that the present pass was copied (`copied_at`) or verified (`verified_at`); return its numbers."""
    row, now = held.migration, held.work.now
    passes = _passes(held)
    entry = next((each for each in passes if each["number"] == row.pass_number), None)
    if entry is None:
        return {"pass": row.pass_number}
    seconds = seconds_of((row.plan or {}).get("watch"), now) - entry.get("watch", 0)
    entry |= {name: now.isoformat(), "seconds": round(seconds, 3)}
    held.note(passes=passes)
    return {
        "pass": entry["number"],
        "objects": entry["object_count"],
        "bytes": entry["total_bytes"],
        "seconds": entry["seconds"],
        **_tally(held),
    }


def _tally(held: Held) -> dict[str, int]:
    """Return what became of the objects of the present pass."""
    rows = ledger.shards_of(held.work.session, held.migration.id, FORWARD, held.migration.pass_number)
    counts = [row.counts for row in rows]
    outcomes = (("copied", Outcome.COPIED), ("equal", Outcome.ALREADY_EQUAL), ("removed", Outcome.REMOVED))
    found = {name: sum(int(each.get(outcome.value, 0)) for each in counts) for name, outcome in outcomes}
    return found | {"open": sum(ledger.bad_count(each) for each in counts)}


def _passes(held: Held) -> list[dict[str, Any]]:
    return [dict(each) for each in (held.migration.plan or {}).get("passes", ())]
