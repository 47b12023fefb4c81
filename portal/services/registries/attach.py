"""Attach an instance to its own database: ask for the rights, look at the database, then write down how it is reached.

The look is taken outside of the portal's transactions. Nothing is changed in the instance by attaching or detaching.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from portal.errors import Conflict, NotFound
from portal.lamindb.registry.ways import PostgresWay
from portal.models import Host, Instance, Registry
from portal.permissions import Action, InstanceTarget, OwnerTarget, allows
from portal.planning.names import check_instance_name
from portal.services.accounts import find_account
from portal.services.events import Change, record
from portal.services.hosts import ensure_host
from portal.services.instances import NewInstance, create_instance, find_instance
from portal.services.registries.examination import Asked, Examination
from portal.services.registries.examine import examine
from portal.services.registries.ways import Entry, parse_entry, require_open
from portal.services.units import Units
from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class AttachInstance:
    """An instance to attach, as forms and the command line give it. Its repr hides the URL.

    Attributes:
        slug: `owner/name`, or the uid of an instance that is here.
        path: of a SQLite file on this machine; empty for a server.
        url: of a PostgreSQL database, password included; empty for a file.
        instance_id_hex: the instance's id, where it does not follow from its name; empty to find it out.
        is_read_only: the portal changes nothing there, whatever it could.
        creates: make the instance where there is none.
    """

    slug: str
    path: str = ""
    url: str = field(default="", repr=False)
    instance_id_hex: str = ""
    is_read_only: bool = False
    creates: bool = True


@dataclass(frozen=True, slots=True)
class Attached:
    """What came of attaching. `uid` None: nothing was saved, `examination` says why."""

    examination: Examination
    uid: str | None


def attach_instance(units: Units, new: AttachInstance, *, dry_run: bool = False) -> Attached:
    """Look at a database and, where nothing speaks against it, attach the instance to it. `dry_run` saves nothing.

    Raises:
        Conflict: the instance is attached already, or the database to another one.
        InputError, Refused: the way cannot be used, or is not open to the actor.
        NotFound, PermissionDenied: the actor is no admin of the instance, or does not act for its owner.
    """
    with units.reading() as work:
        slug = prepare(work, new)
        settings = work.settings
    entry = parse_entry(settings, new.path, new.url)
    with units.reading() as work:
        require_open(work, entry)
    asked = Asked(slug, new.instance_id_hex.strip(), is_read_only=new.is_read_only)
    found = examine(entry, asked)
    if found.can_save:
        with units.reading() as work:
            refuse_twice(work, slug, found)
    if dry_run or not found.can_save:
        return Attached(found, None)
    with units.writing() as work:
        return Attached(found, attach(work, new, entry, found))


def prepare(work: Work, new: AttachInstance) -> str:
    """Ask for the right to attach and return the instance's `owner/name`.

    Raises:
        Conflict: it is attached already.
        InputError: it would have to be made, and its name cannot be used.
        NotFound, PermissionDenied: see `attach_instance`.
    """
    instance = _existing(work, new.slug)
    if instance is not None:
        if find_registry(work, instance) is not None:
            raise _attached_already(instance.slug)
        return instance.slug
    owner_handle, _, name = new.slug.strip().rpartition("/")
    owner = find_account(work, owner_handle or work.actor.handle) if new.creates else None
    if owner is None or not allows(work.actor, Action.INSTANCE_CREATE, OwnerTarget(owner.id, "owner account")):
        raise NotFound(f"There is no instance {new.slug.strip()}, or you have no role on it.", field="instance")
    return f"{owner.handle}/{check_instance_name(name)}"


def _existing(work: Work, reference: str) -> Instance | None:
    """Return the instance, None where none has this name; one out of reach is refused as if it were not there."""
    reference = reference.strip()
    named = or_(Instance.uid == reference, func.lower(Instance.slug) == reference.lower())
    if work.session.scalar(select(Instance.id).where(named)) is None:
        return None
    return find_instance(work, reference, Action.INSTANCE_MANAGE)


def _attached_already(slug: str) -> Conflict:
    return Conflict(f"{slug} is attached already.", hint="Detach it first to attach it another way.")


def refuse_twice(work: Work, slug: str, found: Examination) -> None:
    """Refuse a database that another instance of the portal is attached to.

    Raises:
        Conflict: naming the other one only to those who may know of it.
    """
    query = select(Registry).where(Registry.identity == found.identity, Registry.instance_uid == found.instance_uid)
    other = work.session.scalar(query)
    if other is None or other.instance.slug == slug:
        return
    visible = allows(work.actor, Action.INSTANCE_READ, InstanceTarget(other.instance_id))
    raise Conflict(
        f"This database is attached to {other.instance.slug if visible else 'another instance'} already.",
        hint="An instance is attached once; detach it there first.",
    )


def attach(work: Work, new: AttachInstance, entry: Entry, found: Examination) -> str:
    """Write down how an instance is reached and return the instance's uid; the instance is made where there is none.

    Raises:
        Conflict: somebody attached it, or its database, meanwhile.
        NotFound, PermissionDenied: a right was taken away meanwhile.
    """
    slug = prepare(work, new)
    require_open(work, entry)
    refuse_twice(work, slug, found)
    instance = _existing(work, slug)
    if instance is None:
        owner, _, name = slug.partition("/")
        instance = create_instance(work, NewInstance(name, owner=owner))
    registry = Registry(
        instance_id=instance.id,
        kind=entry.kind,
        label=entry.way.label[:300],
        identity=found.identity[:300],
        is_read_only=new.is_read_only,
        attached_by_id=work.actor.account_id,
        created_at=work.now,
        **_way_columns(work, entry),
    )
    renew(work, registry, found)
    work.session.add(registry)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise _attached_already(slug) from error
    record(work, "instance.attached", instance, Change(after=described(registry)))
    return instance.uid


def _way_columns(work: Work, entry: Entry) -> dict[str, Any]:
    """Return the columns that say how it is reached; a URL is encrypted, for its password."""
    if isinstance(entry.way, PostgresWay):
        return {"url_encrypted": work.vault.encrypt(entry.way.url).decode()}
    host: Host = ensure_host(work, work.settings.host)
    return {"path": entry.way.path, "host_id": host.id}


def renew(work: Work, registry: Registry, found: Examination) -> None:
    """Keep what an examination came to."""
    registry.instance_uid = found.instance_uid
    registry.instance_uuid = found.instance_uuid or registry.instance_uuid
    registry.why_read_only = found.why_read_only
    registry.schema_version = found.schema.version[:100] if found.schema else ""
    registry.rights, registry.counts = dict(found.rights), found.counts
    registry.checked_at = registry.updated_at = work.now


def described(registry: Registry) -> dict[str, object]:
    """Return a registry as events show it: without secrets."""
    return {
        "database": registry.label,
        "instance_uid": registry.instance_uid,
        "schema_version": registry.schema_version,
        "is_read_only": registry.is_read_only,
        "why_read_only": registry.why_read_only,
    }


def find_registry(work: Work, instance: Instance) -> Registry | None:
    """Return how an instance is attached; None where it is not. The caller has found the instance."""
    return work.session.scalar(select(Registry).where(Registry.instance_id == instance.id))


def require_registry(work: Work, reference: str, action: Action = Action.INSTANCE_MANAGE) -> Registry:
    """Return how the named instance is attached.

    Raises:
        Conflict: it is not attached.
        NotFound, PermissionDenied: the actor lacks the right.
    """
    instance = find_instance(work, reference, action)
    registry = find_registry(work, instance)
    if registry is None:
        raise Conflict(f"{instance.slug} is not attached.", hint="Attach it to its database first.")
    return registry
