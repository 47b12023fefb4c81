"""Connect an S3 bucket: ask for the rights, try it, then save connection, location, checks and marker together."""

from dataclasses import dataclass, field, replace

from sqlalchemy import select

from portal.backends.base import INTERACTIVE, S3Access
from portal.errors import Conflict, InputError, Refused
from portal.models import Connection, Storage
from portal.models.ids import random_uid
from portal.permissions import Action, allows
from portal.planning.roots import is_local, parse_root
from portal.services import marking
from portal.services.access import storage_target
from portal.services.checks import attempt_of, keep_checks
from portal.services.connections import (
    NewConnection,
    add_connection,
    check_key,
    check_serves,
    find_connection,
    key_access,
)
from portal.services.events import Change, record
from portal.services.placing import Placing, Settled, check_overlaps, place_of, settle
from portal.services.reach import Door, access_of, make_door
from portal.services.registries.new_rows import warnings_of
from portal.services.server_grants import is_open
from portal.services.storages.find import find_storage
from portal.services.trials import Attempt, Trial, try_root
from portal.services.units import Units
from portal.services.work import Work
from portal.values import ConnectionKind, Root, StorageType


@dataclass(frozen=True, slots=True)
class ConnectS3:
    """A bucket to connect, as forms and the command line give it. Its repr hides the secret.

    Attributes:
        root: as typed; `s3://bucket/prefix`, with or without `?endpoint_url=`.
        endpoint_url: empty for AWS or what the root says.
        region: empty to be told by the server.
        access: how to reach it; not asked when `connection_uid` is given.
        connection_uid: one of the actor's own connections; empty to make one.
        space, instance, owner: references; empty for `all`, none (unmanaged), the actor.
        read_only: connect read-only by choice: nothing is tried by writing.
        or_read_only: connect read-only, having tried whether writing works.
    """

    root: str
    endpoint_url: str = ""
    region: str = ""
    access: ConnectionKind = ConnectionKind.ACCESS_KEY
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    space: str = ""
    instance: str = ""
    description: str = ""
    is_default: bool = False
    read_only: bool = False
    owner: str = ""
    connection_uid: str = ""
    or_read_only: bool = False

    @property
    def placing(self) -> Placing:
        """Return where the location goes."""
        return Placing(
            space=self.space or None,
            instance=self.instance or None,
            owner=self.owner or None,
            description=self.description,
            is_default=self.is_default,
        )

    def parse(self) -> Root:
        """Return the normalised root, with the endpoint in it where one is given.

        Raises:
            InputError: it is no S3 root, or root and endpoint contradict each other.
        """
        return s3_root(self.root, self.endpoint_url)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of connecting or registering. `uid` None: nothing was saved, `trial` says why.

    `trial` None: the root lies on another host and was not tried.
    """

    trial: Trial | None
    uid: str | None


def s3_root(text: str, endpoint_url: str = "") -> Root:
    """Return the root of an S3 address and an endpoint that was given beside it.

    Raises:
        InputError: it is no S3 root, or the two contradict each other.
    """
    if text.strip() and is_local(text):
        raise InputError(
            f"{text.strip()} is a path on a host, not a bucket.",
            hint="Type s3://bucket/folder, or register it as a local root.",
            field="root",
        )
    root = parse_root(text, home="/", cwd="/")
    if root.type is not StorageType.S3:
        raise InputError(f"{root} is no S3 root.", hint="Type s3://bucket/folder.", field="root")
    endpoint_url = endpoint_url.strip()
    if not endpoint_url or root.endpoint_url == endpoint_url:
        return root
    if root.endpoint_url is not None:
        raise InputError(
            "The root names another endpoint.", hint="Give the endpoint in one of the two places.", field="endpoint_url"
        )
    try:
        return parse_root(f"{root.text}?endpoint_url={endpoint_url}", home="/", cwd="/")
    except InputError as error:
        raise InputError(error.message, hint=error.hint, field="endpoint_url") from error


def connect_s3(units: Units, new: ConnectS3, *, dry_run: bool = False) -> Outcome:
    """Connect a bucket: try it, and save it when everything it needs works. `dry_run` saves nothing.

    A location that was taken over from an attached instance has no connection yet: it gets this one, keeping the rest.

    Raises:
        Conflict: the root, or its marker's uid, is registered already; writable roots would overlap.
        InputError, Refused: a value cannot be used, or its endpoint or the server's identity is not open.
        NotFound, PermissionDenied: a right is missing.
        Unreachable: the endpoint's name is unknown, or nobody answered in time.
    """
    with units.reading() as work:
        known = _unconnected(work, new.parse())
        attempt = prepare(work, new) if known is None else _prepare_known(work, new, known)
    trial = try_root(attempt, find_region)
    if known is not None:
        return Outcome(trial, None if dry_run or not trial.can_save else _save_known(units, new, trial, known))
    if dry_run or not trial.can_save:
        with units.reading() as work:
            marking.check_free(work, trial)
        return Outcome(trial, None)
    return Outcome(trial, save_connected(units, new, attempt, trial))


def prepare(work: Work, new: ConnectS3) -> Attempt:
    """Ask for every right and check the root against what is registered, before anything is sent anywhere.

    Raises:
        Conflict, InputError, NotFound, PermissionDenied, Refused: see `connect_s3`.
    """
    root = new.parse()
    settled = settle(work, new.placing)
    access = _access(work, new, root, settled)
    read_only = new.read_only or access.kind is ConnectionKind.ANONYMOUS
    wants_writing = settled.instance_id is not None and not read_only and not new.or_read_only
    warnings = check_overlaps(work, place_of(root, None, is_writable=wants_writing))
    return Attempt(
        door=make_door(work.settings, root, access),
        settled=settled,
        uid=random_uid(),
        read_only=new.read_only,
        or_read_only=new.or_read_only,
        warnings=(*warnings, *warnings_of(work, settled)),
    )


def _unconnected(work: Work, root: Root) -> str | None:
    """Return the uid of a location of this root that has no connection and that the actor manages; None for none."""
    storage = work.session.scalar(
        select(Storage).where(
            Storage.root == root.text, Storage.type == StorageType.S3, Storage.connection_id.is_(None)
        )
    )
    may = storage is not None and allows(work.actor, Action.STORAGE_MANAGE, storage_target(storage))
    return storage.uid if storage is not None and may else None


def _prepare_known(work: Work, new: ConnectS3, uid: str) -> Attempt:
    storage = find_storage(work, uid, Action.STORAGE_MANAGE)
    access = _access(work, new, new.parse(), settle(work, new.placing))
    attempt = attempt_of(work, storage)
    return replace(
        attempt,
        door=make_door(work.settings, new.parse(), access),
        read_only=attempt.read_only or new.read_only,
        or_read_only=new.or_read_only,
    )


def _save_known(units: Units, new: ConnectS3, trial: Trial, uid: str) -> str:
    """Give a location the connection it lacks."""
    with units.writing() as work:
        storage = find_storage(work, uid, Action.STORAGE_MANAGE)
        if storage.connection_id is not None or storage.root != trial.root.text:
            raise Conflict("Somebody connected or changed this location meanwhile.", hint="Look at its page.")
        settled = settle(work, new.placing)
        connection = _own_connection(work, new, trial.root)
        if connection is None:
            _new_access(work, new, trial.root, settled)
            connection = add_connection(work, _new_connection(new, trial.root, settled, trial.region))
        storage.connection_id, storage.updated_at = connection.id, work.now
        storage.region = trial.region or storage.region
        keep_checks(work, storage, trial.checks)
        record(work, "storage.connected", storage, Change(after={"connection": connection.name}))
        return storage.uid


def _access(work: Work, new: ConnectS3, root: Root, settled: Settled) -> S3Access:
    """Return how the bucket is reached: by one of the actor's connections, or by what was typed."""
    connection = _own_connection(work, new, root)
    access = access_of(work, connection) if connection else _new_access(work, new, root, settled)
    return replace(access, region=new.region.strip()) if new.region.strip() else access


def _own_connection(work: Work, new: ConnectS3, root: Root) -> Connection | None:
    if not new.connection_uid:
        return None
    connection = find_connection(work, new.connection_uid, Action.CONNECTION_USE)
    check_serves(connection, root)
    if connection.kind is ConnectionKind.AMBIENT:
        _refuse_closed(work, root)
    return connection


def _new_access(work: Work, new: ConnectS3, root: Root, settled: Settled) -> S3Access:
    check_key(new.access, new.access_key_id.strip(), new.secret_access_key.strip())
    if new.access is ConnectionKind.AMBIENT:
        _refuse_closed(work, root)
    return key_access(_new_connection(new, root, settled, None))


def _refuse_closed(work: Work, root: Root) -> None:
    if not is_open(work, root):
        raise Refused(
            f"The server's own identity is not open to you for {root}.",
            hint="Give an access key, or ask a portal admin to open it for this bucket and prefix.",
            field="access",
        )


def _new_connection(new: ConnectS3, root: Root, settled: Settled, region: str | None) -> NewConnection:
    return NewConnection(
        owner_id=settled.owner_id,
        kind=new.access,
        root=root,
        region=region,
        access_key_id=new.access_key_id.strip(),
        secret_access_key=new.secret_access_key.strip(),
    )


def find_region(door: Door) -> str | None:
    """Return the region a bucket's server tells, even to those who may not enter; None when it tells none."""
    from portal.backends.s3 import detect_region  # its libraries take a second to import

    guard = door.access.guard if door.access else None
    return detect_region(door.root.bucket, door.root.endpoint_url, INTERACTIVE, guard)


def save_connected(units: Units, new: ConnectS3, attempt: Attempt, trial: Trial) -> str:
    """Save a tried bucket with its connection and return the location's uid: all of it or nothing.

    Raises:
        Conflict: somebody registered or marked it meanwhile.
        NotFound, PermissionDenied: a right was taken away meanwhile.
        StorageError: the marker could not be written.
    """

    def recheck(work: Work) -> None:
        settle(work, new.placing)
        connection = _own_connection(work, new, trial.root)
        if connection is None and new.access is ConnectionKind.AMBIENT:
            _refuse_closed(work, trial.root)

    def links(work: Work) -> tuple[int | None, int | None]:
        connection = _own_connection(work, new, trial.root)
        if connection is None:
            connection = add_connection(work, _new_connection(new, trial.root, attempt.settled, trial.region))
        return connection.id, None

    return marking.save_tried(units, attempt, trial, recheck, links)
