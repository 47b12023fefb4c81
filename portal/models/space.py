"""Spaces and their members. Row 1 is `all`, which never has members."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.account import Account
from portal.models.base import Base, EnumText, UtcDateTime
from portal.models.ids import new_uuid, random_uid
from portal.values import Role


class Space(Base):
    """An access boundary. `owner_id` None only for `all`. Names are unique for one owner, whatever their case."""

    __tablename__ = "space"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    uid: Mapped[str] = mapped_column(String(12), unique=True, default=random_uid)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(100), index=True)
    description: Mapped[str] = mapped_column(Text, default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    owner: Mapped[Account | None] = relationship(foreign_keys=[owner_id])


Index("uq_space_owner_name", Space.owner_id, func.lower(Space.name), unique=True)


class SpaceMember(Base):
    """An account's role in a space."""

    __tablename__ = "space_member"

    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[Role] = mapped_column(EnumText(Role))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    account: Mapped[Account] = relationship()
    space: Mapped[Space] = relationship()
