"""What a certificate states of a move: values read from its rows, nothing that was not recorded when it happened."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal import __version__
from portal.models import Event, Migration
from portal.planning.certificates import weakest
from portal.planning.states import MigrationState
from portal.services.migrations.doors import REPOINT
from portal.services.work import Work

_S = MigrationState

#: When and by whom each step was done: the event of the step, and the one by which somebody asked for it.
_STEPS = {
    "planned": ("migration.planned", "migration.created"),
    "started": ("migration.started", "migration.start-requested"),
    "ready": ("migration.verified", "migration.start-requested"),
    "cut_over": ("migration.cut-over", "migration.cut-over-requested"),
    "rolled_back": ("migration.rolled-back", "migration.rollback-requested"),
    "released": ("migration.released", "migration.released"),
}

_STANDING = {
    _S.CUT_OVER: "The registry names the new root; other instances are following.",
    _S.SOAKING: "Cut over. The old root is kept, and the move can be rolled back.",
    _S.ROLLING_BACK: "Cut over, and being rolled back.",
    _S.RELEASED: "Cut over and released. The objects at the old root were left where they were.",
    _S.ROLLED_BACK: "Rolled back after the cut-over: the old root is the location's again.",
}


def standing(state: MigrationState) -> str:
    """Return in one sentence where a move stands that was cut over."""
    return _STANDING.get(state, "Not cut over.")


def statement_of(work: Work, migration: Migration) -> dict[str, Any]:
    """Return everything a certificate states, as plain values. The migration was cut over and has a manifest."""
    state, plan = MigrationState(migration.state), migration.plan or {}
    manifest = plan["manifest"]
    return {
        "issued_at": _time(work.now),
        "portal": {"address": work.settings.url, "version": __version__},
        "migration": {
            "id": migration.uid,
            "state": state.value,
            "standing": standing(state),
            "is_rolled_back": state is _S.ROLLED_BACK,
            "strategy": migration.strategy,
            "from": _side(migration, "source"),
            "to": _side(migration, "target"),
            "passes": manifest["pass_number"],
        },
        "location": {
            "uid": migration.storage.uid if migration.storage else None,
            "artifacts_now_in": migration.target_storage_uid if migration.strategy == REPOINT else None,
        },
        "steps": _steps(work, migration),
        "switch": plan.get("witness"),
        "objects": _objects(manifest),
        "left_out": _left_out(plan),
        "lamindb": {
            "rot_taken_as_is": migration.takes_rot,
            "hash_checked_count": _checked_count(manifest),
            "folders_checked_count": plan.get("folders_checked"),
            "rehearsed_count": (plan.get("rehearsal") or {}).get("count"),
        },
        "after_cut_over": _after(plan),
        "manifest": {
            "root": manifest["root"],
            "count": manifest["count"],
            "segments": manifest["segment_count"],
            "hash": "SHA-256",
            "tree": "RFC 6962 over the lines of each segment, and over the segments",
        },
        "target_checksums": plan.get("proof"),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _side(migration: Migration, side: str) -> dict[str, Any]:
    host = getattr(migration, f"{side}_host")
    return {
        "root": getattr(migration, f"{side}_root"),
        "type": str(getattr(migration, f"{side}_type")),
        "region": getattr(migration, f"{side}_region"),
        "host": host.name if host else None,
    }


def _steps(work: Work, migration: Migration) -> dict[str, Any]:
    """Return when each step was done last, and who asked for it; None where it was not done."""
    wanted = {action for pair in _STEPS.values() for action in pair}
    query = (
        select(Event.action, Event.at, Event.actor_handle)
        .where(Event.target_type == "migration", Event.target_uid == migration.uid, Event.action.in_(sorted(wanted)))
        .order_by(Event.id)
    )
    if migration.storage_id is not None:  # the index is by location
        query = query.where(Event.storage_id == migration.storage_id)
    last = {action: (at, handle) for action, at, handle in work.session.execute(query)}
    return {
        name: {"at": _time(last[done][0]), "by": last.get(asked, last[done])[1]} if done in last else None
        for name, (done, asked) in _STEPS.items()
    }


def _objects(manifest: dict[str, Any]) -> dict[str, Any]:
    counts = _counts(manifest)
    levels = counts["level"]
    return {
        "count": manifest["count"],
        "outcomes": counts["outcome"],
        "levels": levels,
        "hashes": counts["hash"],
        "level": weakest({name: entry["count"] for name, entry in levels.items()}),
        "moved_count": sum(entry["count"] for entry in levels.values()),
        "moved_bytes": sum(entry["bytes"] for entry in levels.values()),
    }


def _counts(manifest: dict[str, Any]) -> dict[str, dict[str, dict[str, int]]]:
    """Return a manifest's numbers by kind (outcome, level, hash, recorded) and value."""
    counts: dict[str, dict[str, dict[str, int]]] = {"outcome": {}, "level": {}, "hash": {}, "recorded": {}}
    for name, (count, size) in sorted(manifest["counts"].items()):
        kind, _, value = name.partition(" ")
        counts[kind][value] = {"count": count, "bytes": size}
    return counts


def _checked_count(manifest: dict[str, Any]) -> int | None:
    """Return how many moved objects have the hash LaminDB recorded; None: an earlier version did not count them."""
    found = _counts(manifest)["recorded"]
    return found.get("equal", {"count": 0})["count"] if found else None


def _left_out(plan: dict[str, Any]) -> dict[str, Any]:
    """Return what the first plan left out, and what was registered and not there."""
    summary = plan.get("summary") or {}
    return {
        "excluded": {reason: _tally(tally) for reason, tally in sorted((summary.get("excluded") or {}).items())},
        "no_objects": _tally(summary.get("skipped")),
        "registered_and_missing": _tally(summary.get("missing")),
        "moved_though_unreferenced": _tally(summary.get("unreferenced")),
    }


def _tally(tally: dict[str, Any] | None) -> dict[str, int]:
    return {"count": int(tally["count"]), "bytes": int(tally["total_bytes"])} if tally else {"count": 0, "bytes": 0}


def _after(plan: dict[str, Any]) -> dict[str, Any]:
    """Return what was found at the old root since the cut-over; it is not in the manifest."""
    swept, back = plan.get("sweep") or {}, plan.get("back_summary") or {}
    return {
        "old_root_looked_at": swept.get("at"),
        "brought_over_count": int(swept.get("brought", 0)),
        "copied_back_count": int(back.get("count", 0)),
    }
