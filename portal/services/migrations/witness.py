"""What stood around a move at the moment of its switch, kept with it: who was held off, what was changed where.

Instances are detached and renamed later; a certificate says what was true then.
"""

from typing import Any

from portal.models import Migration
from portal.services.migrations.doors import REPOINT, references_of
from portal.services.work import Work

REAL, SOFT = "real", "soft"


def witness_of(work: Work, migration: Migration) -> dict[str, Any]:
    """Return instances, fence and switch as they are now, for a JSON column.

    An instance is named by LaminDB's own uid: who may read the location need not have a role on every instance that
    refers to it. The writing instance has its name too, which the location's record shows to all its readers.
    """
    storage, plan = migration.storage, migration.plan or {}
    if storage is None:
        return {"instances": [], "fence": SOFT, "fence_until": None, "decided_by": "portal"}
    instances = []
    for reference, registry in references_of(work, storage.id):
        writes = bool(storage.instance_uid) and registry.instance_uid == storage.instance_uid
        instances.append(
            {
                "uid": registry.instance_uid,
                "name": registry.instance.slug if writes else None,
                "storage_uid": reference.uid,
                "part": _part(writes=writes, can_write=registry.can_write),
                "fence": REAL if registry.can_write else SOFT,
                "why_soft": "" if registry.can_write else _why(registry.is_read_only, registry.why_read_only),
                "artifact_count": reference.artifact_count,
            }
        )
    instances.sort(key=lambda entry: (entry["part"] != "decides", str(entry["uid"])))
    if storage.instance_uid and not any(entry["uid"] == storage.instance_uid for entry in instances):
        instances.insert(0, _unattached(storage.instance_uid, storage.instance_slug, storage.uid))
    held_off = bool(plan.get("fence_until")) and bool(instances) and all(row["fence"] == REAL for row in instances)
    return {
        "instances": instances,
        "fence": REAL if held_off else SOFT,
        "fence_until": plan.get("fence_until"),
        "decided_by": next((entry["uid"] for entry in instances if entry["part"] == "decides"), "portal"),
        "is_repoint": migration.strategy == REPOINT,
    }


def _part(*, writes: bool, can_write: bool) -> str:
    if not can_write:
        return "by_hand"
    return "decides" if writes else "follows"


def _why(is_read_only: bool, found: str) -> str:
    return "It is attached read-only." if is_read_only else found


def _unattached(uid: str, slug: str | None, storage_uid: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "name": slug,
        "storage_uid": storage_uid,
        "part": "by_hand",
        "fence": SOFT,
        "why_soft": "It is not attached to the portal.",
        "artifact_count": None,
    }
