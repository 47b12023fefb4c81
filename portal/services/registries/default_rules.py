"""Which location may be an instance's default, as LaminDB has it; asked without looking into any database.

Facts: lamindb docs, (b): nothing is written from an instance to a location of another one or of none; (g) 3: the
database of a SQLite instance lies in its default root.
"""

from sqlalchemy import select

from portal.lamindb.registry.ways import SqliteWay
from portal.models import Instance, Reference, Registry, Storage
from portal.services.work import Work
from portal.values import Branch, Mode


def why_not_managed(storage: Storage, instance: Instance) -> str:
    """Return why the instance cannot write to a location; empty where it can."""
    if storage.instance_id == instance.id and storage.mode is Mode.WRITABLE:
        return ""
    if storage.instance_uid is None:
        return f"{storage.root} is not managed by any instance; {instance.slug} cannot write to it."
    if storage.instance_id != instance.id:
        writer = storage.instance_slug or storage.instance_uid
        return f"{storage.root} belongs to another instance, {writer}; {instance.slug} cannot write to it."
    return f"{storage.root} is read-only here: {storage.mode_reason}."


def why_not_default(work: Work, storage: Storage, instance: Instance) -> str:
    """Return why a location cannot be the instance's default, with what to do; empty where it can."""
    if why := why_not_managed(storage, instance):
        return why
    if storage.branch_id != Branch.MAIN:
        return f"{storage.root} is archived or in the trash. Restore it first."
    registry = work.session.scalar(select(Registry).where(Registry.instance_id == instance.id))
    if registry is None:
        return ""
    if why := why_not_registered(work, storage, registry):
        return why
    database_root = database_root_of(registry)
    if database_root is not None and database_root != storage.root:
        return (
            f"The default of a SQLite instance is the root its database lies in, {database_root}: settings files must "
            "name it. Move that root, or re-point artifacts to this one."
        )
    return ""


def why_not_registered(work: Work, storage: Storage, registry: Registry) -> str:
    """Return why the instance does not know the location; empty where it has a row for it."""
    query = select(Reference.id).where(
        Reference.instance_id == registry.instance_id, Reference.storage_id == storage.id
    )
    if work.session.scalar(query) is not None:
        return ""
    slug = registry.instance.slug
    if registry.path is not None:
        return (
            f"{slug} has no row for {storage.root}, and LaminDB adds no managed location that way to a SQLite "
            "instance. Register it there, then compare."
        )
    return (
        f"{slug} has no row for {storage.root}: every artifact would be out of reach. Register it there, then compare."
    )


def database_root_of(registry: Registry | None) -> str | None:
    """Return the root that the database of a SQLite instance lies in; None for PostgreSQL and odd places."""
    if registry is None or registry.path is None:
        return None
    return SqliteWay(registry.path).default_root
