"""The rows of a migration's shards."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from sqlalchemy import event, select

from portal.models import Migration, Shard, ShardException
from portal.services.migrations import ledger
from portal.services.migrations.ledger import BACK, FORWARD, PLANNED, Plan, ShardPlan
from portal.services.work import Work
from portal.transfer.summary import PlanSummary, Tally
from portal.values import StorageType

As = Callable[..., AbstractContextManager[Work]]

pytestmark = pytest.mark.dialects


def plan_of(count: int, digest: str) -> Plan:
    shards = (ShardPlan(number, 10, 2**40, f"move/plan-{number}", digest) for number in range(count))
    return Plan(PlanSummary({}, {}, Tally(), count, "", 0, None), tuple(shards))


def new_migration(work: Work) -> Migration:
    migration = Migration(
        state="preflight",
        source_root="/old",
        source_type=StorageType.LOCAL,
        target_root="/new",
        target_type=StorageType.LOCAL,
        created_by_id=work.actor.account_id,
        created_at=work.now,
        updated_at=work.now,
    )
    work.session.add(migration)
    work.session.flush()
    return migration


def test_a_plan_is_written_in_batches_and_held_by_no_session(work_as: As) -> None:
    """A hundred thousand shards would be half a gigabyte of objects."""
    statements: list[str] = []
    with work_as("ada") as work:
        migration = new_migration(work)
        bind = work.session.get_bind()
        event.listen(bind, "before_cursor_execute", lambda *given: statements.append(given[2]))
        ledger.replace_plan(work.session, migration, FORWARD, 1, plan_of(2_500, "a" * 64), work.now)
        assert not any(isinstance(held, Shard) for held in work.session)
        rows = ledger.shards_of(work.session, migration.id, FORWARD, 1)
    assert [(row.number, row.state, row.object_count, row.total_bytes, row.counts) for row in rows] == [
        (number, PLANNED, 10, 2**40, {}) for number in range(2_500)
    ]
    assert len([text for text in statements if text.startswith("INSERT INTO shard ")]) <= 10


def test_a_plan_replaces_its_own_pass_and_no_other(work_as: As) -> None:
    with work_as("ada") as work:
        migration = new_migration(work)
        for direction, number, count in ((FORWARD, 1, 3), (FORWARD, 2, 4), (BACK, 1, 2)):
            ledger.replace_plan(work.session, migration, direction, number, plan_of(count, "a" * 64), work.now)
        first = ledger.shards_of(work.session, migration.id, FORWARD, 1)[0]
        for is_chosen in (True, False):
            work.session.add(
                ShardException(
                    migration_id=migration.id,
                    shard_id=first.id,
                    kind="conflict",
                    key="a",
                    reason="",
                    is_chosen=is_chosen,
                    created_at=work.now,
                )
            )
        chosen = replace(plan_of(1, "b" * 64), is_chosen=True)
        ledger.replace_plan(work.session, migration, FORWARD, 3, chosen, work.now)
        assert list(work.session.scalars(select(ShardException.is_chosen))) == [False]
        ledger.replace_plan(work.session, migration, FORWARD, 2, plan_of(1, "c" * 64), work.now)
        assert list(work.session.scalars(select(ShardException.id))) == []
        digests = {
            (direction, number): ledger.plan_digests(work.session, migration.id, direction, number)
            for direction, number in ((FORWARD, 1), (FORWARD, 2), (FORWARD, 3), (BACK, 1))
        }
    a, b, c = ("abc"[index] * 64 for index in range(3))
    assert digests == {(FORWARD, 1): [a] * 3, (FORWARD, 2): [c], (FORWARD, 3): [b], (BACK, 1): [a] * 2}


def test_a_pass_without_shards_is_written_too(work_as: As) -> None:
    with work_as("ada") as work:
        migration = new_migration(work)
        ledger.replace_plan(work.session, migration, FORWARD, 1, plan_of(2, "a" * 64), work.now)
        ledger.replace_plan(work.session, migration, FORWARD, 1, plan_of(0, ""), work.now)
        assert ledger.shards_of(work.session, migration.id, FORWARD, 1) == []
