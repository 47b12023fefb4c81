"""Keep the shards of one plan and print what it took as JSON: `python -m bench.planning.keeping COUNT FOLDER`."""

import json
import pickle
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, create_engine, insert
from sqlalchemy.orm import Session

from bench.planning.report import Kept
from portal import database
from portal.models import Account, Migration
from portal.models.ids import new_uuid
from portal.runner.meter import Meter
from portal.services.migrations import ledger
from portal.services.migrations.ledger import COPIED, FORWARD, Plan, ShardPlan, ShardRow
from portal.transfer.scan import SHARD_LIMITS
from portal.transfer.shards import shard_files
from portal.transfer.summary import PlanSummary, Tally
from portal.values import StorageType

T = TypeVar("T")

_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_OBJECTS = SHARD_LIMITS.max_count

#: Shards under way, and seconds that are played of a pass: in each a shard ends, the page is told once, and the runner
#: looks twenty times whether too many objects have failed.
_UNDER_WAY, _SECONDS, _LOOKS = 4, 100, 20


def keep(count: int, folder: Path) -> Kept:
    """Hand a plan over as a worker does, write its rows, read them again, and count the pass."""
    plan, plan_seconds = _received(pickle.dumps(_plan(count)))
    url = f"sqlite:///{folder}/portal.db"
    database.upgrade(url)
    engine = database.prepare_engine(create_engine(url))
    write_seconds, replace_seconds = _written(engine, plan)
    del plan
    with Session(engine) as session:
        rows, read_seconds = _timed(lambda: ledger.shards_of(session, 1, FORWARD, 1))
    meter, meter_seconds = _timed(lambda: Meter(rows))
    _, count_seconds = _timed(lambda: _count(meter, rows, folder))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Kept(
        shard_count=len(rows),
        object_count=sum(row.object_count for row in rows),
        plan_seconds=plan_seconds,
        write_seconds=write_seconds,
        replace_seconds=replace_seconds,
        read_seconds=read_seconds,
        meter_seconds=meter_seconds,
        count_seconds=count_seconds / _SECONDS,
        peak_bytes=peak_bytes,
    )


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return what a call gives, and the seconds it took."""
    started = time.monotonic()
    given = call()
    return given, time.monotonic() - started


def _received(sent: bytes) -> tuple[Plan, float]:
    return _timed(lambda: pickle.loads(sent))


def _plan(count: int) -> Plan:
    """Return a plan of so many full shards, as `runner.jobs.make_plan` puts it together."""
    shards = []
    for number in range(count):
        path = shard_files("move-abcdefghijkl", "forward", 1, number).plan
        shards.append(ShardPlan(number, _OBJECTS, _OBJECTS * 4096, path, sha256(path.encode()).hexdigest()))
    return Plan(PlanSummary({}, {}, Tally(), count, "", 0, None), tuple(shards))


def _migration(session: Session) -> Migration:
    """Put a migration and whoever made it into an empty database."""
    session.execute(
        insert(Account).values(
            id=1, uuid=new_uuid(), uid="acc00001", handle="ada", name="Ada", created_at=_NOW, updated_at=_NOW
        )
    )
    migration = Migration(
        state="preflight",
        source_root="/nfs/old",
        source_type=StorageType.LOCAL,
        target_root="/nfs/new",
        target_type=StorageType.LOCAL,
        created_by_id=1,
        created_at=_NOW,
        updated_at=_NOW,
    )
    session.add(migration)
    session.commit()
    return migration


def _written(engine: Engine, plan: Plan) -> tuple[float, float]:
    """Write a plan, then again in its own place; return how long each took."""

    def write() -> None:
        ledger.replace_plan(session, migration, FORWARD, 1, plan, _NOW)
        session.commit()

    with Session(engine) as session:
        migration = _migration(session)
        return _timed(write)[1], _timed(write)[1]


def _count(meter: Meter, rows: list[ShardRow], folder: Path) -> None:
    """Ask a meter what the runner's loop asks of it."""
    under_way = {}
    for row in rows[:_UNDER_WAY]:
        path = folder / f"{row.id}.json"
        path.write_text(json.dumps({"object_count": 5, "total_bytes": 5, "failure_count": 1}))
        under_way[row.id] = str(path)
    for row in rows[_UNDER_WAY : _UNDER_WAY + _SECONDS]:
        failed = {meter.error_count for _ in range(_LOOKS)}
        if len(failed) != 1:
            raise RuntimeError("The number of errors changes by itself.")
        done = {"copied": row.object_count, "good_bytes": row.total_bytes}
        meter.update(ShardRow(row.id, row.number, COPIED, row.object_count, row.total_bytes, done))
        meter.report(under_way, is_copy=True)


if __name__ == "__main__":
    print(json.dumps(asdict(keep(int(sys.argv[1]), Path(sys.argv[2])))))
