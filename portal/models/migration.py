"""Migrations (moving a root), their shards and exceptions, and the runners that drive them.

The objects themselves are not rows: they live in immutable segments in the ledger folder, one a shard (design.md,
"Ledger"). States and their legal moves are a table in `planning/states.py`; here they are plain text.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.account import Account
from portal.models.base import Base, EnumText, UtcDateTime
from portal.models.connection import Connection
from portal.models.host import Host
from portal.models.ids import random_uid
from portal.models.storage import Storage
from portal.values import StorageType


class Migration(Base):
    """One move of a storage location to another root.

    `lease_*` belong to the runner that works on it now; a runner writes only while its epoch is the row's.
    `wish` is what a person asked for and the runner has not done yet: cancel, cut_over, rollback …; empty for nothing.
    `strategy`: `rewrite` the root of the location's record, or `repoint` its artifacts to `target_storage_uid`.
    `sweep_at`: when the old root is looked at next for what was written there since the cut-over; None: never.
    `leaves_unreferenced`: objects that no attached registry refers to stay behind. `takes_rot`: objects whose bytes
    are not those LaminDB recorded are copied all the same; a person looked at them.
    Limits are None where there is none: `concurrency` is objects at a time per worker, `worker_count` workers at once,
    `max_errors` failing objects before it stops for attention (None: the setting's).
    `start_at`: nothing is copied before; `hours` as `20:00-06:00` of `zone`: nothing outside. `waits_until` is when a
    runner looks again because of them; None: it does not wait.
    `rates` is a bounded log of the pace (`planning.rates`), loaded only where it is drawn.
    `plan` and `progress` are small JSON summaries (counts, bytes, first examples), never lists of objects.
    """

    __tablename__ = "migration"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(12), unique=True, default=random_uid)
    storage_id: Mapped[int | None] = mapped_column(ForeignKey("storage.id", ondelete="SET NULL"), index=True)
    state: Mapped[str] = mapped_column(String(20), index=True)
    wish: Mapped[str] = mapped_column(String(20), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    hint: Mapped[str] = mapped_column(Text, default="")

    source_root: Mapped[str] = mapped_column(String(255))
    source_type: Mapped[StorageType] = mapped_column(EnumText(StorageType))
    source_region: Mapped[str | None] = mapped_column(String(64))
    source_host_id: Mapped[int | None] = mapped_column(ForeignKey("host.id"))
    source_connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))
    target_root: Mapped[str] = mapped_column(String(255))
    target_type: Mapped[StorageType] = mapped_column(EnumText(StorageType))
    target_region: Mapped[str | None] = mapped_column(String(64))
    target_host_id: Mapped[int | None] = mapped_column(ForeignKey("host.id"))
    target_connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))

    strategy: Mapped[str] = mapped_column(String(12), default="rewrite", server_default="rewrite")
    target_storage_uid: Mapped[str | None] = mapped_column(String(12))
    leaves_unreferenced: Mapped[bool] = mapped_column(default=False, server_default=false())
    takes_rot: Mapped[bool] = mapped_column(default=False, server_default=false())

    bandwidth_bytes_per_second: Mapped[int | None] = mapped_column(BigInteger)
    concurrency: Mapped[int | None]
    worker_count: Mapped[int | None]
    max_errors: Mapped[int | None]
    start_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hours: Mapped[str | None] = mapped_column(String(11))
    zone: Mapped[str | None] = mapped_column(String(64))
    waits_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rates: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)

    pass_number: Mapped[int] = mapped_column(default=1)
    planned_count: Mapped[int] = mapped_column(BigInteger, default=0)
    planned_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    manifest_digest: Mapped[str | None] = mapped_column(String(64))

    lease_owner: Mapped[str | None] = mapped_column(String(120))
    lease_epoch: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    created_by_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cut_over_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    soak_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sweep_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    storage: Mapped[Storage | None] = relationship()
    created_by: Mapped[Account] = relationship()
    source_host: Mapped[Host | None] = relationship(foreign_keys=[source_host_id])
    target_host: Mapped[Host | None] = relationship(foreign_keys=[target_host_id])
    source_connection: Mapped[Connection | None] = relationship(foreign_keys=[source_connection_id])
    target_connection: Mapped[Connection | None] = relationship(foreign_keys=[target_connection_id])


class Shard(Base):
    """A slice of a migration's plan that one worker handles at a time.

    `direction` is `forward` for the move and its deltas, `back` for what a rollback copies back. Counts and digests
    are None until the step that makes them is done.
    """

    __tablename__ = "shard"

    id: Mapped[int] = mapped_column(primary_key=True)
    migration_id: Mapped[int] = mapped_column(ForeignKey("migration.id", ondelete="CASCADE"))
    direction: Mapped[str] = mapped_column(String(8), default="forward")
    pass_number: Mapped[int]
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    lease_epoch: Mapped[int] = mapped_column(default=0)
    object_count: Mapped[int] = mapped_column(BigInteger)
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    counts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    plan_path: Mapped[str] = mapped_column(String(255))
    plan_digest: Mapped[str] = mapped_column(String(64))
    copy_path: Mapped[str | None] = mapped_column(String(255))
    copy_digest: Mapped[str | None] = mapped_column(String(64))
    verify_path: Mapped[str | None] = mapped_column(String(255))
    verify_digest: Mapped[str | None] = mapped_column(String(64))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("migration_id", "direction", "pass_number", "number"),
        Index("ix_shard_migration_state", "migration_id", "state"),
    )


class ShardException(Base):
    """One object that needs a person's look: a conflict, a failure, a change during copying.

    `kind` is its outcome, or the kind of error it met. `is_passing`: another try, unchanged, may help. `is_chosen`: a
    person asked to try it alone.
    """

    __tablename__ = "shard_exception"

    id: Mapped[int] = mapped_column(primary_key=True)
    migration_id: Mapped[int] = mapped_column(ForeignKey("migration.id", ondelete="CASCADE"))
    shard_id: Mapped[int | None] = mapped_column(ForeignKey("shard.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    is_passing: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_chosen: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_shard_exception_migration_kind", "migration_id", "kind", "id"),
        Index("ix_shard_exception_migration", "migration_id", "id"),
    )


class Runner(Base):
    """A running reconciler, as it last reported."""

    __tablename__ = "runner"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    host_id: Mapped[int] = mapped_column(ForeignKey("host.id"), index=True)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    host: Mapped[Host] = relationship()
