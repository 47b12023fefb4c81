"""Storage locations and the checks that were run on them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.account import Account
from portal.models.base import Base, EnumText, UtcDateTime
from portal.models.connection import Connection
from portal.models.host import Host
from portal.models.ids import new_uuid, random_uid
from portal.models.instance import Instance
from portal.models.space import Space
from portal.values import Branch, CheckStatus, Mode, ModeReason, StorageType


class Storage(Base):
    """A root with its record, in the fields of LaminDB's `lamindb_storage` and those the portal adds.

    `instance_id` is the writing instance the portal knows; `instance_uid` the one LaminDB's marker names, which may be
    unknown here (`__unknown__`: the marker names none). Both None: unmanaged. `host_id` only for local roots.
    `run` is the uid of the migration or import that made the record.

    The columns `sort_*` repeat, in lower case, what other tables say, so that the list can be read in that order from
    one index. The database's own triggers fill them (revision 0002), whoever writes; nothing in Python sets them.
    """

    __tablename__ = "storage"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    uid: Mapped[str] = mapped_column(String(12), unique=True, default=random_uid)
    root: Mapped[str] = mapped_column(String(255))
    type: Mapped[StorageType] = mapped_column(EnumText(StorageType))
    region: Mapped[str | None] = mapped_column(String(64))
    host_id: Mapped[int | None] = mapped_column(ForeignKey("host.id"))
    description: Mapped[str] = mapped_column(Text, default="")
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    instance_id: Mapped[int | None] = mapped_column(ForeignKey("instance.id"))
    instance_uid: Mapped[str | None] = mapped_column(String(12))
    instance_slug: Mapped[str | None] = mapped_column(String(140))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"), index=True)
    mode: Mapped[Mode] = mapped_column(EnumText(Mode))
    mode_reason: Mapped[ModeReason] = mapped_column(EnumText(ModeReason), default=ModeReason.NONE)
    is_default: Mapped[bool] = mapped_column(default=False)
    is_locked: Mapped[bool] = mapped_column(default=False)
    branch_id: Mapped[int] = mapped_column(SmallInteger, default=int(Branch.MAIN))
    created_on_id: Mapped[int] = mapped_column(SmallInteger, default=int(Branch.MAIN))
    run: Mapped[str | None] = mapped_column(String(20))
    last_check_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_check_status: Mapped[CheckStatus | None] = mapped_column(EnumText(CheckStatus))
    created_by_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)
    sort_place: Mapped[str] = mapped_column(String(64), server_default="")
    sort_space: Mapped[str] = mapped_column(String(140), server_default="")
    sort_instance: Mapped[str] = mapped_column(String(140), server_default="")
    sort_creator: Mapped[str] = mapped_column(String(39), server_default="")

    host: Mapped[Host | None] = relationship()
    owner: Mapped[Account] = relationship(foreign_keys=[owner_id])
    created_by: Mapped[Account] = relationship(foreign_keys=[created_by_id])
    space: Mapped[Space] = relationship()
    instance: Mapped[Instance | None] = relationship()
    connection: Mapped[Connection | None] = relationship()

    # Two people who edit one record: the second one's UPDATE finds another version and is told so.
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("uq_storage_default", "instance_id", unique=True, sqlite_where=text("is_default"),
              postgresql_where=text("is_default")),
        # Who sees few locations has them found and sorted within this index alone: it repeats every key of an order.
        Index("ix_storage_access", "space_id", "instance_id", "branch_id", "root", "type", "sort_place", "sort_space",
              "sort_instance", "mode", "is_default", "sort_creator", "last_check_at", "created_at"),
        Index("ix_storage_owner", "owner_id", "instance_id"),
        Index("ix_storage_host", "host_id"),
        # One an order of the list: key, then root, then id. The order by last check is in revision 0002.
        Index("ix_storage_by_root", "root", "id"),
        Index("ix_storage_by_type", "type", "root", "id"),
        Index("ix_storage_by_place", "sort_place", "root", "id"),
        Index("ix_storage_by_space", "sort_space", "root", "id"),
        Index("ix_storage_by_instance", "sort_instance", "root", "id"),
        Index("ix_storage_by_mode", "mode", "root", "id"),
        Index("ix_storage_by_default", "is_default", "root", "id"),
        Index("ix_storage_by_creator", "sort_creator", "root", "id"),
        Index("ix_storage_by_created", "created_at", "root", "id"),
    )  # fmt: skip


# (root, host) is unique; NULL hosts must count as equal, so the index is over an expression.
Index("uq_storage_root_host", Storage.root, func.coalesce(Storage.host_id, 0), unique=True)


class Check(Base):
    """One tried right, as it ended in one run of checks (`batch`)."""

    __tablename__ = "check_result"

    id: Mapped[int] = mapped_column(primary_key=True)
    storage_id: Mapped[int] = mapped_column(ForeignKey("storage.id", ondelete="CASCADE"))
    batch: Mapped[str] = mapped_column(String(12))
    position: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(120))
    status: Mapped[CheckStatus] = mapped_column(EnumText(CheckStatus))
    milliseconds: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text)
    fix: Mapped[str | None] = mapped_column(Text)
    is_write: Mapped[bool] = mapped_column(default=False)
    server_message: Mapped[str | None] = mapped_column(Text)
    missing_action: Mapped[str | None] = mapped_column(String(80))
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_check_result_storage_at", "storage_id", "checked_at"),)
