"""Registries (the own databases of attached instances), references to locations in them, and the log of a switch."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.account import Account
from portal.models.base import Base, UtcDateTime
from portal.models.host import Host
from portal.models.instance import Instance
from portal.models.storage import Storage


class Registry(Base):
    """How an instance is attached: the way into its own database, and what was found there last.

    `path` (with `host_id`) for SQLite, `url_encrypted` for PostgreSQL; `label` names either without a secret.
    `identity` tells one database from another whatever it is called: anonymous instances share their `instance_uid`,
    so (database, instance uid) is what is unique. `instance_uid` is LaminDB's own, which need not be the one that
    follows from the name here; `instance_uuid` is the id it derives from, None where only the uid is known.
    `is_read_only` was chosen; `why_read_only` is what the last check found, empty where the portal may write.
    `keeps_local` and `local_default_id` are LaminDB's `keep_artifacts_local`, which lies outside of its database.
    """

    __tablename__ = "registry"

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id", ondelete="CASCADE"), unique=True)
    kind: Mapped[str] = mapped_column(String(12))
    label: Mapped[str] = mapped_column(String(300))
    path: Mapped[str | None] = mapped_column(Text)
    host_id: Mapped[int | None] = mapped_column(ForeignKey("host.id"))
    url_encrypted: Mapped[str | None] = mapped_column(Text)
    identity: Mapped[str] = mapped_column(String(300))
    instance_uid: Mapped[str] = mapped_column(String(12))
    instance_uuid: Mapped[str | None] = mapped_column(String(36))
    is_read_only: Mapped[bool] = mapped_column(default=False)
    why_read_only: Mapped[str] = mapped_column(Text, default="")
    schema_version: Mapped[str] = mapped_column(String(100), default="")
    rights: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    difference_count: Mapped[int | None] = mapped_column()
    keeps_local: Mapped[bool] = mapped_column(default=False)
    local_default_id: Mapped[int | None] = mapped_column(ForeignKey("storage.id", ondelete="SET NULL"))
    attached_by_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    compared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    instance: Mapped[Instance] = relationship()
    host: Mapped[Host | None] = relationship()
    attached_by: Mapped[Account] = relationship()
    local_default: Mapped[Storage | None] = relationship()

    __table_args__ = (UniqueConstraint("identity", "instance_uid"),)

    @property
    def can_write(self) -> bool:
        """Tell whether the portal changes anything there."""
        return not self.is_read_only and not self.why_read_only


class Reference(Base):
    """An instance's own row for a location: its id there and its uid there, which for an unmanaged one is its own."""

    __tablename__ = "reference"

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id", ondelete="CASCADE"))
    storage_id: Mapped[int] = mapped_column(ForeignKey("storage.id", ondelete="CASCADE"), index=True)
    row_id: Mapped[int] = mapped_column()
    uid: Mapped[str] = mapped_column(String(12))
    root: Mapped[str] = mapped_column(String(255))
    artifact_count: Mapped[int] = mapped_column(BigInteger, default=0)
    total_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    instance: Mapped[Instance] = relationship()
    storage: Mapped[Storage] = relationship()

    __table_args__ = (UniqueConstraint("instance_id", "row_id"), UniqueConstraint("instance_id", "storage_id"))


class Intent(Base):
    """One step of a switch, written down before it is done, so that whoever comes after a crash knows where to go on.

    `part` is `decide` for the one write that decides, `open` for a database that moved along and is sealed until then,
    `follow` for other instances, `portal` for the portal's own row.
    `before` and `after` hold root, type and region. `done_at` None: intended, and perhaps done; the row there tells.
    """

    __tablename__ = "intent"

    id: Mapped[int] = mapped_column(primary_key=True)
    migration_id: Mapped[int] = mapped_column(ForeignKey("migration.id", ondelete="CASCADE"))
    direction: Mapped[str] = mapped_column(String(8))
    number: Mapped[int] = mapped_column()
    part: Mapped[str] = mapped_column(String(8))
    instance_id: Mapped[int | None] = mapped_column(ForeignKey("instance.id", ondelete="SET NULL"))
    row_id: Mapped[int | None] = mapped_column()
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    instance: Mapped[Instance | None] = relationship()

    __table_args__ = (Index("ix_intent_migration", "migration_id", "direction", "number"),)
