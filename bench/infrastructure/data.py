"""The benchmark's world: 200 spaces, 20 instances, an admin with every role and a member of three spaces."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import create_engine, insert, text
from sqlalchemy.orm import Session

from portal.database import prepare_engine
from portal.models import Account, Collaborator, Host, Instance, Space, SpaceMember, Storage
from portal.models.ids import new_uuid
from portal.values import CheckStatus, Mode, ModeReason, Role, StorageType

SPACES = 200
SPACES_OF_AN_INSTANCE = 10
PEOPLE = 40
HOSTS = 10
MEMBER_SPACES = (17, 101, 170)
RARE_ROWS = 5

#: What is searched for: `rare` is in five locations whatever their number, `common` in every one.
TERMS = {"rare": "novaseq-x-plus", "common": "lab-data", "two letters": "ex", "nothing": "there-is-no-such"}

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2", "ap-south-1")
TOPICS = ("atlas", "screens", "imaging", "proteomics", "flow", "spatial", "sequencing", "models", "registry", "archive")


def fill(url: str, location_count: int) -> None:
    """Put the world and `location_count` locations into an empty database.

    PostgreSQL learns its statistics, as it does by itself in time; SQLite has none in the portal, so none here.
    """
    draw = random.Random(20_261_120)
    engine = prepare_engine(create_engine(url))
    with Session(engine) as session:
        if engine.dialect.name == "sqlite":
            session.execute(text("PRAGMA cache_size = -400000"))  # kB; else filling takes minutes
        session.execute(insert(Account), list(_accounts()))
        session.execute(
            insert(Host), [{"id": i, "name": f"hpc-{i:02}", "created_at": NOW} for i in range(1, HOSTS + 1)]
        )
        session.execute(insert(Instance), list(_instances()))
        session.execute(insert(Space), list(_spaces()))
        session.execute(insert(Collaborator), list(_collaborators()))
        session.execute(insert(SpaceMember), list(_members()))
        for start in range(0, location_count, 5_000):
            numbers = range(start, min(start + 5_000, location_count))
            session.execute(insert(Storage), [_location(number, location_count, draw) for number in numbers])
        session.commit()
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _accounts() -> Iterator[dict[str, Any]]:
    for number in range(1, PEOPLE + 1):
        handle = {1: "admin", 2: "member"}.get(number, f"person-{number:02}")
        yield {"id": number, "uuid": new_uuid(), "uid": f"acc{number:05}", "handle": handle, "name": f"Name {number}",
               "is_portal_admin": number == 1, "created_at": NOW, "updated_at": NOW}  # fmt: skip


def _instances() -> Iterator[dict[str, Any]]:
    for number in range(1, SPACES // SPACES_OF_AN_INSTANCE + 1):
        name = f"{TOPICS[number % len(TOPICS)]}-{number:02}"
        yield {"id": number, "uuid": new_uuid(), "uid": f"instance{number:04}", "owner_id": 1, "name": name,
               "slug": f"admin/{name}", "created_by_id": 1, "created_at": NOW, "updated_at": NOW}  # fmt: skip


def _spaces() -> Iterator[dict[str, Any]]:
    for number in range(SPACES):
        yield {"id": _space_id(number), "uid": f"space{number:07}", "uuid": new_uuid(), "owner_id": 1,
               "name": f"{TOPICS[number % len(TOPICS)]}-{number:03}", "created_by_id": 1, "created_at": NOW,
               "updated_at": NOW}  # fmt: skip


def _space_id(number: int) -> int:
    return number + 2


def _instance_id(space: int) -> int:
    return space // SPACES_OF_AN_INSTANCE + 1


def _collaborators() -> Iterator[dict[str, Any]]:
    for number in range(SPACES // SPACES_OF_AN_INSTANCE):
        yield {"instance_id": number + 1, "account_id": 1, "role": Role.ADMIN, "created_at": NOW}
    for space in MEMBER_SPACES:
        yield {"instance_id": _instance_id(space), "account_id": 2, "role": Role.READ, "created_at": NOW}


def _members() -> Iterator[dict[str, Any]]:
    for number in range(SPACES):
        yield {"space_id": _space_id(number), "account_id": 1, "role": Role.ADMIN, "created_at": NOW}
    for number in MEMBER_SPACES:
        yield {"space_id": _space_id(number), "account_id": 2, "role": Role.WRITE, "created_at": NOW}


def _location(number: int, location_count: int, draw: random.Random) -> dict[str, Any]:
    space = number % SPACES
    topic = draw.choice(TOPICS)
    is_local = draw.random() < 0.3
    # Spread over the list, one of them in a space of the member.
    is_rare = number in {MEMBER_SPACES[0], *range(3, location_count, location_count // (RARE_ROWS - 1))}
    folder = f"{topic}/{draw.randrange(16**6):06x}-{number}" + (f"/{TERMS['rare']}" if is_rare else "")
    root = f"/lab-data/{folder}" if is_local else f"s3://lab-data-{number % 97:02}/{folder}"
    is_writable = draw.random() < 0.8
    is_default = number < SPACES and number % SPACES_OF_AN_INSTANCE == 0
    is_checked = draw.random() < 0.8
    return {
        "id": number + 1,
        "uuid": new_uuid(),
        "uid": f"loc{number:09}",
        "root": root,
        "type": StorageType.LOCAL if is_local else StorageType.S3,
        "region": None if is_local else draw.choice(REGIONS),
        "host_id": draw.randint(1, HOSTS) if is_local else None,
        "description": f"{topic} of experiment {draw.randrange(1000)}",
        "owner_id": 1,
        "space_id": _space_id(space),
        "instance_id": _instance_id(space),
        "mode": Mode.WRITABLE if is_writable else Mode.READ_ONLY,
        "mode_reason": ModeReason.NONE if is_writable else draw.choice((ModeReason.NO_PUT, ModeReason.BY_CHOICE)),
        "is_default": is_default,
        "branch_id": 1 if is_default or is_rare else draw.choices((1, 0, -1), (96, 3, 1))[0],
        "last_check_at": NOW - timedelta(minutes=draw.randrange(50_000)) if is_checked else None,
        "last_check_status": draw.choice(list(CheckStatus)) if is_checked else None,
        "created_by_id": draw.randint(1, PEOPLE),
        "created_at": NOW - timedelta(minutes=draw.randrange(500_000)),
        "updated_at": NOW,
    }
