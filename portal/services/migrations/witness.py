"""What stood around a move at the moment of its switch, kept with it: who was held off, what was changed where.

Instances are detached and renamed later; a certificate says what was true then.
"""

from typing import Any

from portal.models import Migration, Registry
from portal.services.migrations.doors import REPOINT, references_of
from portal.services.work import Work

REAL, SOFT = "real", "soft"


def witness_of(work: Work, migration: Migration) -> dict[str, Any]:
    """Return instances, fence and switch as they are now, for a JSON column.

    Held off is who is on the list of those whose fence was raised: an instance attached since is not.

    An instance is named by LaminDB's own uid: who may read the location need not have a role on every instance that
    refers to it. The writing instance has its name too, which the location's record shows to all its readers.
    """
    storage, plan = migration.storage, migration.plan or {}
    if storage is None:
        return {"instances": [], "fence": SOFT, "fence_until": None, "decided_by": "portal"}
    instances = []
    for reference, registry in references_of(work, storage.id):
        writes = bool(storage.instance_uid) and registry.instance_uid == storage.instance_uid
        is_held = registry.can_write and registry.instance_id in (plan.get("fenced") or ())
        instances.append(
            {
                "uid": registry.instance_uid,
                "name": registry.instance.slug if writes else None,
                "storage_uid": reference.uid,
                "part": _part(writes=writes, is_held=is_held),
                "fence": REAL if is_held else SOFT,
                "why_soft": "" if is_held else _why_soft(registry),
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


def _part(*, writes: bool, is_held: bool) -> str:
    if not is_held:
        return "by_hand"
    return "decides" if writes else "follows"


def _why_soft(registry: Registry) -> str:
    if registry.can_write:
        return "It was attached after writers were held off."
    return "It is attached read-only." if registry.is_read_only else registry.why_read_only


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
