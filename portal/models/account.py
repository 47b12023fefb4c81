"""Accounts (people, organisations, bots), their memberships, and the one-time links that set a password."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, EnumText, UtcDateTime
from portal.models.ids import account_uid, new_uuid
from portal.values import AccountKind, MembershipRole


class Account(Base):
    """A person, an organisation or a bot. Instances, spaces, connections and storage locations have one as owner.

    `session_epoch` is part of every session cookie: raising it ends all sessions of the account everywhere.
    `password_hash` None: nobody can sign in as it (organisations, and people who have not used their link yet).
    """

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    uid: Mapped[str] = mapped_column(String(8), unique=True, default=account_uid)
    handle: Mapped[str] = mapped_column(String(39), unique=True)
    name: Mapped[str] = mapped_column(String(150), default="")
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    kind: Mapped[AccountKind] = mapped_column(EnumText(AccountKind), default=AccountKind.PERSON)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_portal_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    session_epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (CheckConstraint("handle = lower(handle)", name="handle_lower"),)


class Membership(Base):
    """A person's place in an organisation."""

    __tablename__ = "membership"

    organisation_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[MembershipRole] = mapped_column(EnumText(MembershipRole))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    organisation: Mapped[Account] = relationship(foreign_keys=[organisation_id])
    account: Mapped[Account] = relationship(foreign_keys=[account_id])


class OneTimeLink(Base):
    """A link that works once. Only the SHA-256 of its token is kept.

    `account_id` None: the first-run set-up link, which makes the first portal admin.
    """

    __tablename__ = "one_time_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EndedSession(Base):
    """A session somebody signed out of: a copy of its cookie, kept or brought back late, signs nobody in."""

    __tablename__ = "ended_session"

    uid: Mapped[str] = mapped_column(String(22), primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
