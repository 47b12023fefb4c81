"""Connections: records of their own, with an owner, a sealed secret, and the buckets and prefixes they may serve."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload

from portal.backends.base import S3Access
from portal.errors import InputError, NotFound, Refused
from portal.models import Connection, ConnectionScope, Migration, Storage
from portal.permissions import Action, OwnerTarget, allows, require
from portal.services.events import Change, record
from portal.services.work import Work
from portal.values import ConnectionKind, Root

#: What AWS's own console allows; longer texts are pasted mistakes.
MOST_KEY_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to make. Its repr hides the secret.

    Attributes:
        owner_id: account that will own it.
        kind: how the bucket is reached.
        root: what it may serve at first: this bucket and prefix.
        region: None to be told by the server.
        name: what people call it; empty for the bucket's name.
    """

    owner_id: int
    kind: ConnectionKind
    root: Root
    region: str | None = None
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A connection in a list; never with its secret.

    Attributes:
        key_hint: the access key id's last four characters; empty without one.
        scopes: `bucket` or `bucket/prefix` each.
        secret_set_at: when the secret was last entered; None without one.
        storage_count: locations that use it, in anybody's reach.
    """

    uid: str
    name: str
    owner: str
    kind: ConnectionKind
    endpoint_url: str | None
    region: str | None
    key_hint: str
    scopes: tuple[str, ...]
    secret_set_at: datetime | None
    storage_count: int = 0

    @property
    def label(self) -> str:
        """Return one line that tells two connections apart."""
        key = f", key ends in {self.key_hint}" if self.key_hint else ""
        return f"{self.name} ({self.owner}): {self.kind}{key}"


def add_connection(work: Work, new: NewConnection) -> Connection:
    """Keep a connection, its secret encrypted.

    Raises:
        InputError: an access key without id or secret.
        NotFound: the actor does not act for the owner.
    """
    require(work.actor, Action.CONNECTION_CREATE, OwnerTarget(new.owner_id, "owner account"))
    check_key(new.kind, new.access_key_id, new.secret_access_key)
    by_key = new.kind is ConnectionKind.ACCESS_KEY
    connection = Connection(
        name=new.name.strip() or new.root.bucket,
        owner_id=new.owner_id,
        kind=new.kind,
        endpoint_url=new.root.endpoint_url,
        region=new.region,
        access_key_id=new.access_key_id if by_key else None,
        secret_encrypted=work.vault.encrypt(new.secret_access_key) if by_key else None,
        secret_set_at=work.now if by_key else None,
        created_by_id=work.actor.account_id,
        created_at=work.now,
        updated_at=work.now,
        scopes=[_first_scope(new)],
    )
    work.session.add(connection)
    work.session.flush()
    record(work, "connection.created", connection, Change(after=described(connection)))
    return connection


def _first_scope(new: NewConnection) -> ConnectionScope:
    """Let a key its owner brought serve the whole bucket, and the server's own identity only what was opened."""
    is_lent = new.kind is ConnectionKind.AMBIENT
    return ConnectionScope(bucket=new.root.bucket, prefix=new.root.path if is_lent else "")


def check_key(kind: ConnectionKind, access_key_id: str, secret_access_key: str) -> None:
    """Refuse an access key that cannot be one.

    Raises:
        InputError: a part is missing, or holds spaces or line breaks.
    """
    if kind is not ConnectionKind.ACCESS_KEY:
        return
    for name, value, words in (
        ("access_key_id", access_key_id, "access key id"),
        ("secret_access_key", secret_access_key, "secret access key"),
    ):
        if not value:
            raise InputError(f"The {words} is missing.", hint="Type it, or choose another access.", field=name)
        if len(value) > MOST_KEY_CHARACTERS or not value.isascii() or any(mark.isspace() for mark in value):
            raise InputError(f"The {words} holds more than a key.", hint="Paste the key alone.", field=name)


def described(connection: Connection) -> dict[str, object]:
    """Return a connection as events show it: without its secret."""
    return {
        "name": connection.name,
        "kind": str(connection.kind),
        "endpoint_url": connection.endpoint_url,
        "region": connection.region,
        "key_ends_in": (connection.access_key_id or "")[-4:],
        "scopes": [scope_text(scope) for scope in connection.scopes],
    }


def scope_text(scope: ConnectionScope) -> str:
    """Return `bucket` or `bucket/prefix`."""
    return f"{scope.bucket}/{scope.prefix}" if scope.prefix else scope.bucket


def find_connection(work: Work, uid: str, action: Action = Action.CONNECTION_USE) -> Connection:
    """Return a connection of an owner the actor acts for.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    connection = work.session.scalar(
        select(Connection).where(Connection.uid == uid).options(selectinload(Connection.scopes))
    )
    # One answer for both: that somebody else has a connection of this uid is nobody's business.
    if connection is None or not allows(work.actor, action, OwnerTarget(connection.owner_id, "connection")):
        raise NotFound(f"There is no connection {uid}, or it is not yours.", field="connection_uid")
    return connection


def check_serves(connection: Connection, root: Root) -> None:
    """Refuse a root that a connection may not serve: another endpoint, or outside of its buckets and prefixes.

    Raises:
        Refused: with what it may serve.
    """
    if (connection.endpoint_url or "").rstrip("/") != (root.endpoint_url or "").rstrip("/"):
        raise Refused(
            f"The connection {connection.name} belongs to {connection.endpoint_url or 'AWS'}, the root to "
            f"{root.endpoint_url or 'AWS'}.",
            hint="Choose a connection of the same endpoint.",
            field="connection_uid",
        )
    if not any(holds(scope, root) for scope in connection.scopes):
        may = ", ".join(scope_text(scope) for scope in connection.scopes)
        raise Refused(
            f"The connection {connection.name} may serve {may} only.",
            hint="Choose a root below that, or another connection.",
            field="connection_uid",
        )


def holds(scope: ConnectionScope, root: Root) -> bool:
    """Tell whether a scope holds a root. Whole parts are compared: `data` does not hold `data2`."""
    inside = not scope.prefix or root.path == scope.prefix or root.path.startswith(scope.prefix + "/")
    return scope.bucket == root.bucket and inside


def list_connections(work: Work) -> list[ConnectionRow]:
    """Return the connections the actor may use for new roots, by name."""
    used = select(func.count()).where(Storage.connection_id == Connection.id).scalar_subquery()
    query = (
        select(Connection, used)
        .where(Connection.owner_id.in_(sorted(work.actor.owners)))
        .options(selectinload(Connection.scopes), selectinload(Connection.owner))
        .order_by(func.lower(Connection.name), Connection.id)
    )
    return [as_row(connection, count) for connection, count in work.session.execute(query)]


def as_row(connection: Connection, storage_count: int = 0) -> ConnectionRow:
    """Return a connection as a value for pages and the command line."""
    return ConnectionRow(
        uid=connection.uid,
        name=connection.name,
        owner=connection.owner.handle,
        kind=connection.kind,
        endpoint_url=connection.endpoint_url,
        region=connection.region,
        key_hint=(connection.access_key_id or "")[-4:],
        scopes=tuple(scope_text(scope) for scope in connection.scopes),
        secret_set_at=connection.secret_set_at,
        storage_count=storage_count,
    )


def drop_if_unused(work: Work, connection: Connection) -> bool:
    """Delete a connection with its secret unless a location or a migration still needs it; tell whether it went.

    Called by whoever just let go of it with its own right; a finished migration's record keeps its connection.
    """
    needed = [
        select(Storage.id).where(Storage.connection_id == connection.id),
        select(Migration.id).where(
            or_(Migration.source_connection_id == connection.id, Migration.target_connection_id == connection.id)
        ),
    ]
    if any(work.session.scalar(query.limit(1)) is not None for query in needed):
        return False
    record(work, "connection.deleted", connection, Change(before=described(connection)))
    work.session.delete(connection)
    work.session.flush()
    return True


def key_access(new: NewConnection) -> S3Access:
    """Return how a connection that is not kept yet reaches its bucket."""
    return S3Access(
        kind=new.kind,
        access_key_id=new.access_key_id,
        secret_access_key=new.secret_access_key,
        region=new.region,
        endpoint_url=new.root.endpoint_url,
    )
