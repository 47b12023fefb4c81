"""The audit log: one row for every change, written in the transaction of the change itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime


class Event(Base):
    """Who did what, when, from where, with the values before and after.

    `storage_id`, `space_id` and `instance_id` say whose readers may see the event; None in all three: only portal
    admins and the actor. They carry no foreign key, so that the log outlives what it is about.
    """

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    actor_handle: Mapped[str] = mapped_column(String(39))
    action: Mapped[str] = mapped_column(String(60))
    target_type: Mapped[str] = mapped_column(String(20))
    target_uid: Mapped[str] = mapped_column(String(40))
    target_name: Mapped[str] = mapped_column(String(300))
    storage_id: Mapped[int | None]
    space_id: Mapped[int | None]
    instance_id: Mapped[int | None]
    owner_id: Mapped[int | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reason: Mapped[str] = mapped_column(Text, default="")
    via: Mapped[str] = mapped_column(String(10), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    request_id: Mapped[str] = mapped_column(String(36), default="")

    __table_args__ = (
        Index("ix_event_storage_id", "storage_id", "id"),
        Index("ix_event_space_id", "space_id", "id"),
        Index("ix_event_instance_id", "instance_id", "id"),
        Index("ix_event_owner_id", "owner_id", "id"),
        Index("ix_event_actor_id", "actor_id", "id"),
        Index("ix_event_action", "action", "id"),
        Index("ix_event_at", "at", "id"),
    )
