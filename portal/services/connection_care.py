"""Looking after a connection: what it may serve, what uses it, and a new secret in the place of the old one."""

from dataclasses import dataclass, replace

from sqlalchemy import select

from portal.backends.base import S3Access
from portal.errors import Conflict, InputError, NotFound, Refused
from portal.models import Connection, ConnectionScope, Migration, Storage
from portal.models.ids import random_uid
from portal.permissions import Action
from portal.planning.roots import parse_root
from portal.planning.states import FINAL
from portal.services.access import visible_storages
from portal.services.checks import attempt_of
from portal.services.connection_removal import what_uses
from portal.services.connections import (
    ConnectionRow,
    as_row,
    check_key,
    find_connection,
    holds,
    scope_text,
)
from portal.services.events import Change, record
from portal.services.placing import Settled
from portal.services.reach import access_of, make_door, root_of
from portal.services.server_grants import is_open
from portal.services.trials import Attempt, try_root
from portal.services.units import Units
from portal.services.work import Work
from portal.values import CheckStatus, ConnectionKind, Mode, ModeReason, Root, StorageType

#: How many locations a refusal names.
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class UsingRow:
    """A location that a connection reaches."""

    uid: str
    root: str
    mode: Mode
    mode_reason: ModeReason


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection with what uses it.

    `hidden_count`: locations that use it and are not in the actor's reach; `used_by`: what keeps it, empty: it may go.
    """

    row: ConnectionRow
    locations: tuple[UsingRow, ...]
    hidden_count: int
    used_by: str

    @property
    def may_go(self) -> bool:
        """Tell whether nothing needs it."""
        return not self.used_by


@dataclass(frozen=True, slots=True)
class NewSecret:
    """An access key to put in the place of another. Its repr hides the secret."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"NewSecret({self.access_key_id[-4:]!r})"


def view_connection(work: Work, uid: str) -> ConnectionView:
    """Return a connection with what it serves and what uses it.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    connection = find_connection(work, uid, Action.CONNECTION_MANAGE)
    using = _using(work, connection)
    seen = [storage for storage in using if storage.uid in _in_reach(work, connection)]
    rows = tuple(UsingRow(each.uid, each.root, each.mode, each.mode_reason) for each in seen)
    return ConnectionView(as_row(connection, len(using)), rows, len(using) - len(seen), what_uses(work, connection))


def _using(work: Work, connection: Connection) -> list[Storage]:
    query = select(Storage).where(Storage.connection_id == connection.id).order_by(Storage.root, Storage.id)
    return list(work.session.scalars(query))


def _in_reach(work: Work, connection: Connection) -> set[str]:
    query = select(Storage.uid).where(Storage.connection_id == connection.id, visible_storages(work.actor))
    return set(work.session.scalars(query))


def add_scope(work: Work, uid: str, text: str) -> str:
    """Let a connection serve one more bucket, or prefix in one, and return it as `bucket/prefix`.

    Raises:
        Conflict: it may serve that already.
        InputError: the text names no bucket, or another endpoint.
        NotFound: there is no such connection, or it is somebody else's.
        Refused: the server's own identity is not open to the actor there.
    """
    connection = find_connection(work, uid, Action.CONNECTION_MANAGE)
    root = _scope_root(connection, text)
    if any(holds(scope, root) for scope in connection.scopes):
        raise Conflict(f"It may serve {f'{root.bucket}/{root.path}'.rstrip('/')} already.", field="scope")
    if connection.kind is ConnectionKind.AMBIENT and not is_open(work, root):
        raise Refused(
            f"The server's own identity is not open to you for {root}.",
            hint="Ask a portal admin to open it for this bucket and prefix.",
            field="scope",
        )
    scope = ConnectionScope(bucket=root.bucket, prefix=root.path)
    connection.scopes.append(scope)
    connection.updated_at = work.now
    record(work, "connection.scope-added", connection, Change(after={"scope": scope_text(scope)}))
    return scope_text(scope)


def _scope_root(connection: Connection, text: str) -> Root:
    text = text.strip()
    if not text or text.startswith(("/", ".", "~")):
        raise InputError("That names no bucket.", hint="Type bucket or bucket/folder.", field="scope")
    try:
        root = parse_root(text if "://" in text or text.startswith("arn:") else f"s3://{text}", home="/", cwd="/")
        if root.type is StorageType.S3 and root.endpoint_url is None and connection.endpoint_url:
            root = parse_root(f"{root.text}?endpoint_url={connection.endpoint_url}", home="/", cwd="/")
    except InputError as error:
        raise InputError(error.message, hint=error.hint, field="scope") from error
    if root.type is not StorageType.S3 or (root.endpoint_url or "") != (connection.endpoint_url or ""):
        where = connection.endpoint_url or "AWS"
        raise InputError(f"The connection reaches buckets of {where} only.", hint="Type bucket/folder.", field="scope")
    return root


def remove_scope(work: Work, uid: str, text: str) -> None:
    """Take a bucket or prefix from what a connection may serve. Nothing changes in the bucket.

    Raises:
        Conflict: locations or moves use it, named as far as the actor may know them.
        NotFound: no such connection or scope, or the connection is somebody else's.
    """
    connection = find_connection(work, uid, Action.CONNECTION_MANAGE)
    scope = next((each for each in connection.scopes if scope_text(each) == text), None)
    if scope is None:
        raise NotFound(f"The connection {connection.name} does not serve {text}.", field="scope")
    rest = [each for each in connection.scopes if each is not scope]
    _refuse_used(work, connection, scope, rest)
    connection.scopes.remove(scope)
    connection.updated_at = work.now
    record(work, "connection.scope-removed", connection, Change(before={"scope": text}))


def _refuse_used(work: Work, connection: Connection, scope: ConnectionScope, rest: list[ConnectionScope]) -> None:
    """Refuse while something lies in `scope` that no other one holds."""

    def is_needed(root: Root) -> bool:
        return holds(scope, root) and not any(holds(each, root) for each in rest)

    in_reach = _in_reach(work, connection)
    using = [storage for storage in _using(work, connection) if is_needed(root_of(storage))]
    named = [storage.root.partition("?")[0] for storage in using if storage.uid in in_reach]
    moves = _live_targets(work, connection)
    named += [f"the move to {root.text.partition('?')[0]}" for root in moves if is_needed(root)]
    hidden_count = sum(storage.uid not in in_reach for storage in using)
    if not named and not hidden_count:
        return
    words = named[:_MOST_NAMED]
    if more := len(named) - len(words) + hidden_count:
        words.append(f"{more} more")
    raise Conflict(
        f"{scope_text(scope)} is used by {', '.join(words)}.", hint="Move or delete that first.", field="scope"
    )


def _live_targets(work: Work, connection: Connection) -> list[Root]:
    """Return the roots that unfinished moves reach through a connection."""
    query = select(Migration).where(Migration.state.not_in(sorted(FINAL)))
    found = []
    for migration in work.session.scalars(query):
        if migration.source_connection_id == connection.id:
            found.append(parse_root(migration.source_root, home="/", cwd="/"))
        if migration.target_connection_id == connection.id:
            found.append(parse_root(migration.target_root, home="/", cwd="/"))
    return found


def replace_secret(units: Units, uid: str, new: NewSecret) -> str:
    """Put another access key in the place of the present one, once it has done what is needed at one root.

    Returns the root it was tried on. A writable location in the actor's reach is tried first; without any location, the
    first bucket it may serve is tried by reading.

    Raises:
        InputError: a part is missing or is no key.
        NotFound: there is no such connection, or it is somebody else's.
        Refused: the connection has no key, nothing to be tried on, or the new key did not work. Nothing was saved.
        Unreachable: nobody answered within the time limit.
    """
    new = NewSecret(new.access_key_id.strip(), new.secret_access_key.strip())
    with units.reading() as work:
        connection = find_connection(work, uid, Action.CONNECTION_MANAGE)
        _refuse_keyless(connection)
        check_key(connection.kind, new.access_key_id, new.secret_access_key)
        attempt = _attempt(work, connection, new)
    trial = try_root(attempt)
    failed = next((check for check in trial.checks if check.status is CheckStatus.FAILED), None)
    if failed is not None:
        raise Refused(
            f"{attempt.door.root}: {failed.reason} Nothing was saved.",
            hint=failed.fix or None,
            field="secret_access_key",
        )
    with units.writing() as work:
        connection = find_connection(work, uid, Action.CONNECTION_MANAGE)
        _refuse_keyless(connection)
        connection.access_key_id = new.access_key_id
        connection.secret_encrypted = work.vault.encrypt(new.secret_access_key)
        connection.secret_set_at = connection.updated_at = work.now
        record(work, "connection.secret-replaced", connection)
    return attempt.door.root.text


def _refuse_keyless(connection: Connection) -> None:
    if connection.kind is not ConnectionKind.ACCESS_KEY:
        raise Refused(f"The connection {connection.name} has no access key to replace.", field="access_key_id")


def _attempt(work: Work, connection: Connection, new: NewSecret) -> Attempt:
    """Return how a new key is tried."""

    def with_key(access: S3Access | None) -> S3Access:
        present = access or access_of(work, connection)
        return replace(present, access_key_id=new.access_key_id, secret_access_key=new.secret_access_key)

    in_reach = _in_reach(work, connection)
    using = [storage for storage in _using(work, connection) if storage.uid in in_reach]
    using.sort(key=lambda storage: storage.mode is not Mode.WRITABLE)
    if using:
        attempt = attempt_of(work, using[0])
        return replace(attempt, door=replace(attempt.door, access=with_key(attempt.door.access)))
    if not connection.scopes:
        raise Refused(
            "There is nothing to try the key on.", hint="Add a bucket it may serve first.", field="access_key_id"
        )
    root = _scope_root(connection, scope_text(connection.scopes[0]))
    return Attempt(
        make_door(work.settings, root, with_key(None)),
        _nowhere(connection),
        random_uid(),
        read_only=True,
        may_try_writing=False,
    )


def _nowhere(connection: Connection) -> Settled:
    """Return the place of something that is tried and not saved."""
    return Settled(
        owner_id=connection.owner_id,
        owner="",
        space_id=0,
        space="",
        instance_id=None,
        instance_uid=None,
        instance_uuid=None,
        instance_slug=None,
        description="",
        is_default=False,
    )
