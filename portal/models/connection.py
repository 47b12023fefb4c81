"""Connections: how the portal reaches buckets, what each may serve, and whom the server's own reach is open to."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.account import Account
from portal.models.base import Base, EnumText, UtcDateTime
from portal.models.ids import random_uid
from portal.values import ConnectionKind, StorageType


class Connection(Base):
    """Credentials and endpoint for buckets. Only those who act for its owner may use it for a new root or a target.

    `secret_encrypted` is opened by `services/vault.py` only; `secret_hint` holds the last four characters of the
    access key id, which is no secret, so that people can tell two keys apart.
    """

    __tablename__ = "connection"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(12), unique=True, default=random_uid)
    name: Mapped[str] = mapped_column(String(150), default="")
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    kind: Mapped[ConnectionKind] = mapped_column(EnumText(ConnectionKind))
    endpoint_url: Mapped[str | None] = mapped_column(String(255))
    region: Mapped[str | None] = mapped_column(String(64))
    access_key_id: Mapped[str | None] = mapped_column(String(128))
    secret_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    secret_set_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    owner: Mapped[Account] = relationship(foreign_keys=[owner_id])
    scopes: Mapped[list["ConnectionScope"]] = relationship(back_populates="connection", cascade="all, delete-orphan")


class ConnectionScope(Base):
    """A bucket, or a prefix in one, that a connection may serve. `prefix` empty: the whole bucket."""

    __tablename__ = "connection_scope"

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id", ondelete="CASCADE"))
    bucket: Mapped[str] = mapped_column(String(255))
    prefix: Mapped[str] = mapped_column(String(1024), default="")

    connection: Mapped[Connection] = relationship(back_populates="scopes")

    __table_args__ = (UniqueConstraint("connection_id", "bucket", "prefix"),)


class ServerGrant(Base):
    """The server's own identity (S3) or base directories (local) opened to one account, below one root.

    Portal admins need none. `root` is a normalised root: `s3://bucket/prefix` or an absolute directory on this host.
    """

    __tablename__ = "server_grant"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    type: Mapped[StorageType] = mapped_column(EnumText(StorageType))
    root: Mapped[str] = mapped_column(Text)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    account: Mapped[Account] = relationship(foreign_keys=[account_id])

    __table_args__ = (UniqueConstraint("account_id", "type", "root"),)
