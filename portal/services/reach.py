"""Open what a storage location or a root leads to: with its secret, within a time limit, and only where it may lead.

A `Door` is made inside a unit of work and opened outside of it: no network in a transaction.
"""

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import BoundedSemaphore, Thread
from typing import TypeVar
from urllib.parse import urlsplit

from portal.backends import open_backend
from portal.backends.base import INTERACTIVE, Backend, S3Access, Timeouts
from portal.config import Settings
from portal.errors import AccessRefused, Conflict, Refused, Unreachable
from portal.models import Connection, Storage
from portal.planning.endpoints import EndpointRule, check_endpoint
from portal.planning.roots import parse_root
from portal.services.work import Work
from portal.values import Root, StorageType

_T = TypeVar("_T")

#: How long a name look-up may take, seconds: it obeys no time limit of the client's.
LOOKUP_SECONDS = 3.0

#: How many tries may hang at once in one process; a dead network file system never lets its thread go.
_MOST_WAITING = BoundedSemaphore(24)


@dataclass(frozen=True, slots=True)
class Door:
    """All that is needed to open a root, as plain values.

    Attributes:
        root: where it lies.
        access: how to reach a bucket; None for local roots.
        host: name of the host that sees a local root; None for every other kind.
        here: name of this machine as a host.
        bases: base directories local roots must lie below.
        allowed_endpoints: endpoints an admin listed, beside AWS.
    """

    root: Root
    access: S3Access | None
    host: str | None
    here: str
    bases: tuple[Path, ...] = ()
    allowed_endpoints: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """Tell whether this machine can open the root at all: a bucket, or a directory of its own."""
        return self.host is None or self.host == self.here


def door_of(work: Work, storage: Storage) -> Door:
    """Return the way into a registered location. The caller has asked for the right.

    Raises:
        Conflict: the secret was encrypted with another key file.
    """
    access = None if storage.connection is None else access_of(work, storage.connection, storage.region)
    return make_door(work.settings, root_of(storage), access, storage.host.name if storage.host else None)


def make_door(settings: Settings, root: Root, access: S3Access | None, host: str | None = None) -> Door:
    """Return the way into a root that need not be registered; each connection to an endpoint is judged once more."""
    endpoint_url = (access.endpoint_url if access else None) or root.endpoint_url
    if access is not None and endpoint_url:
        access = replace(access, guard=EndpointRule(endpoint_url, settings.allowed_endpoints))
    return Door(root, access, host, settings.host, settings.local_bases, settings.allowed_endpoints)


def root_of(storage: Storage) -> Root:
    """Return a location's root; what is stored is in normal form, so home and working directory do not matter."""
    return parse_root(storage.root, home="/", cwd="/")


def access_of(work: Work, connection: Connection, region: str | None = None) -> S3Access:
    """Return how a connection reaches its buckets, secret included. `region` None: the connection's own.

    Raises:
        Conflict: the secret was encrypted with another key file.
    """
    secret = "" if connection.secret_encrypted is None else work.vault.decrypt(connection.secret_encrypted)
    return S3Access(
        kind=connection.kind,
        access_key_id=connection.access_key_id or "",
        secret_access_key=secret,
        region=region or connection.region,
        endpoint_url=connection.endpoint_url,
    )


def with_region(door: Door, region: str | None) -> Door:
    """Return the same door for another region."""
    return door if door.access is None else replace(door, access=replace(door.access, region=region))


@contextmanager
def opened(door: Door, *, timeouts: Timeouts = INTERACTIVE, tag: str = "") -> Iterator[Backend]:
    """Open a root for the block.

    Raises:
        Conflict: the root lies on another host, or has no connection.
        Refused: its endpoint or directory is not open to this portal.
        StorageError: it cannot be reached.
    """
    check_way(door)
    backend = open_backend(door.root, door.access, timeouts=timeouts, tag=tag)
    try:
        yield backend
    finally:
        backend.close()


def check_way(door: Door) -> None:
    """Refuse a door that must not be opened, before anything is sent through it.

    Raises:
        Conflict: the root lies on another host.
        Refused: the endpoint is not listed or leads to a private address; the directory is not below a base.
        Unreachable: the endpoint's name cannot be looked up.
    """
    if not door.is_here:
        raise Conflict(
            f"{door.root} lies on the host {door.host}; this is {door.here}.",
            hint=f"Start a runner there: portal runner --host {door.host}",
        )
    if door.root.type is StorageType.LOCAL:
        check_directory(door.root.path, door.bases)
    elif door.root.type is StorageType.S3:
        if door.access is None:
            # Else the server's own identity would open it to whoever wrote the root into an instance.
            raise Conflict(f"{door.root} has no connection yet.", hint="Connect it: Connect S3 bucket, with this root.")
        endpoint_url = door.access.endpoint_url or door.root.endpoint_url
        if endpoint_url:
            check_endpoint(endpoint_url, door.allowed_endpoints, addresses_of(endpoint_url))


def check_directory(path: str, bases: tuple[Path, ...]) -> None:
    """Refuse a directory that a link now leads away from, or that no base directory holds any more.

    Raises:
        AccessRefused: a part of the path has become a symbolic link.
        Refused: it is not below a base directory.
    """
    if os.path.realpath(path) != path:
        raise AccessRefused(
            f"A part of {path} has become a symbolic link that leads elsewhere.",
            hint="Put the directory back, or register the place the link leads to.",
        )
    if not any(Path(path).is_relative_to(base) for base in bases):
        raise Refused(f"{path} is not below a base directory of this portal.", hint=bases_hint(bases))


def bases_hint(bases: tuple[Path, ...]) -> str:
    """Return what may be done about a path outside of the base directories."""
    if not bases:
        return "Whoever starts the portal names base directories in PORTAL_LOCAL_BASES."
    return f"Roots must lie below {' or '.join(str(base) for base in bases)}."


def addresses_of(endpoint_url: str) -> tuple[str, ...]:
    """Return the addresses an endpoint's host has just now.

    Raises:
        Unreachable: its name is not known, or nobody answers within the time limit.
    """
    parts = urlsplit(endpoint_url)
    host = parts.hostname or ""

    def look_up() -> tuple[str, ...]:
        found = socket.getaddrinfo(host, parts.port or 443, proto=socket.IPPROTO_TCP)
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))

    try:
        return within(LOOKUP_SECONDS, look_up, f"The name {host} was not looked up within {LOOKUP_SECONDS:.0f} s.")
    except (OSError, UnicodeError) as error:
        raise Unreachable(
            f"No host is named {host}.", hint="Check the endpoint's name.", field="endpoint_url", retryable=True
        ) from error


def within(limit_seconds: float, ask: Callable[[], _T], late: str) -> _T:
    """Return what `ask` returns within the limit. A late thread ends on its own and its answer is lost.

    Raises:
        Unreachable: with the sentence `late`, when it takes longer.
    """
    if not _MOST_WAITING.acquire(timeout=limit_seconds):
        raise Unreachable("Too many tries wait for storage that does not answer.", hint="Try again in a minute.")
    result: Future[_T] = Future()

    def run() -> None:
        try:
            result.set_result(ask())
        except BaseException as error:  # handed over to the thread that waits
            result.set_exception(error)
        finally:
            _MOST_WAITING.release()

    Thread(target=run, name="reach", daemon=True).start()
    try:
        return result.result(limit_seconds)
    except TimeoutError:
        raise Unreachable(
            late, hint="Try again; if it stays, look at the network between them.", retryable=True
        ) from None
