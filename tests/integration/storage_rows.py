"""Storage locations put straight into the tables, as many and as odd as a test of the list needs."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from portal.models import Host, Storage
from portal.models.ids import new_uuid, random_uid
from portal.services.work import Work
from portal.values import ALL_SPACE_ID, CheckStatus, Mode, ModeReason, StorageType
from tests.integration.world import World

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOPICS = ("atlas", "Screens", "imaging", "proteomics")


def add_storage(work: Work, world: World, root: str, **values: Any) -> str:
    """Add one location of ada's in `imaging`, of the instance lab/atlas, changed by `values`; return its uid."""
    row = {**_defaults(world), "root": root, **values}
    if root.startswith("/") and "type" not in values:
        row |= {"type": StorageType.LOCAL, "region": None}
    work.session.execute(insert(Storage), [row])
    return str(row["uid"])


def add_many(work: Work, world: World, count: int, seed: int = 1) -> None:
    """Add `count` locations with duplicates and gaps in every column that can be sorted by."""
    draw = random.Random(seed)
    hosts = [host_id(work, name) for name in ("hpc-1", "hpc-2")]
    people = [world.accounts[handle] for handle in ("ada", "erik", "rita")]
    rows = []
    for number in range(count):
        is_local = draw.random() < 0.4
        is_managed = draw.random() < 0.8
        path = f"{draw.choice(TOPICS)}/{draw.randrange(count)}-{number}"
        rows.append(
            {
                **_defaults(world),
                "root": f"/data/{path}" if is_local else f"s3://bucket/{path}",
                "type": StorageType.LOCAL if is_local else StorageType.S3,
                "region": None if is_local or draw.random() < 0.3 else draw.choice(("eu-central-1", "us-east-1")),
                "host_id": draw.choice(hosts) if is_local else None,
                "description": draw.choice(("", "Raw reads", "of Maria's project")),
                "space_id": draw.choice((ALL_SPACE_ID, world.clinical_id, world.imaging_id)),
                "instance_id": world.instance_id if is_managed else None,
                "instance_uid": None if is_managed or draw.random() < 0.5 else "foreign12345",
                "instance_slug": draw.choice((None, "other/Instance")),
                "mode": draw.choice(list(Mode)),
                "mode_reason": draw.choice(list(ModeReason)),
                "branch_id": draw.choices((1, 0, -1, 7), (85, 5, 5, 5))[0],
                "last_check_at": None if draw.random() < 0.3 else NOW - timedelta(hours=draw.randrange(20)),
                "last_check_status": draw.choice(list(CheckStatus)),
                "created_by_id": draw.choice(people),
                "created_at": NOW - timedelta(days=draw.randrange(10)),
            }
        )
    work.session.execute(insert(Storage), rows)


def host_id(work: Work, name: str) -> int:
    """Return the row id of a host, made if absent."""
    found = work.session.scalar(select(Host.id).where(Host.name == name))
    if found is None:
        host = Host(name=name, created_at=NOW)
        work.session.add(host)
        work.session.flush()
        found = host.id
    return found


def _defaults(world: World) -> dict[str, Any]:
    return {
        "uuid": new_uuid(),
        "uid": random_uid(),
        "type": StorageType.S3,
        "region": "eu-central-1",
        "host_id": None,
        "description": "",
        "owner_id": world.accounts["ada"],
        "space_id": world.imaging_id,
        "instance_id": world.instance_id,
        "instance_uid": None,
        "instance_slug": None,
        "mode": Mode.WRITABLE,
        "mode_reason": ModeReason.NONE,
        "branch_id": 1,
        "last_check_at": None,
        "last_check_status": None,
        "created_by_id": world.accounts["ada"],
        "created_at": NOW,
        "updated_at": NOW,
    }
