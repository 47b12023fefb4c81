"""How an instance is attached and who refers to a location, as frozen values for pages and the command line."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from portal.models import Instance, Reference, Registry, Storage
from portal.permissions import Action, InstanceTarget, allows
from portal.services.registries.attach import find_registry
from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class RegistryView:
    """How an instance is attached.

    `label` names the database without its secret; None for who does not administer the instance. `difference_count`
    None: never compared.
    """

    kind: str
    label: str | None
    instance_uid: str
    schema_version: str
    is_read_only: bool
    why_read_only: str
    rights: dict[str, bool]
    counts: dict[str, int]
    difference_count: int | None
    attached_by: str
    attached_at: datetime
    checked_at: datetime
    compared_at: datetime | None

    @property
    def can_write(self) -> bool:
        """Tell whether the portal changes anything there."""
        return not self.is_read_only and not self.why_read_only


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """An attached instance that has a row for a location. `slug` and `instance_uid` None: out of the actor's reach."""

    slug: str | None
    instance_uid: str | None
    uid: str
    root: str
    artifact_count: int
    total_bytes: int
    can_write: bool
    is_writing: bool
    seen_at: datetime


def view_registry(work: Work, instance: Instance) -> RegistryView | None:
    """Return how an instance is attached; None where it is not. The caller has found the instance."""
    registry = find_registry(work, instance)
    if registry is None:
        return None
    may_manage = allows(work.actor, Action.INSTANCE_MANAGE, InstanceTarget(instance.id))
    return RegistryView(
        kind=registry.kind,
        label=registry.label if may_manage else None,
        instance_uid=registry.instance_uid,
        schema_version=registry.schema_version,
        is_read_only=registry.is_read_only,
        why_read_only=registry.why_read_only,
        rights=dict(registry.rights),
        counts=dict(registry.counts),
        difference_count=registry.difference_count,
        attached_by=registry.attached_by.handle,
        attached_at=registry.created_at,
        checked_at=registry.checked_at,
        compared_at=registry.compared_at,
    )


def list_references(work: Work, storage: Storage) -> list[ReferenceView]:
    """Return who refers to a location, the writing instance first. The caller has found the location."""
    query = (
        select(Reference, Registry, Instance)
        .join(Instance, Instance.id == Reference.instance_id)
        .outerjoin(Registry, Registry.instance_id == Instance.id)
        .where(Reference.storage_id == storage.id)
        .order_by(Instance.slug)
    )
    views = [
        _view(work, storage, reference, registry, instance)
        for reference, registry, instance in work.session.execute(query)
    ]
    return sorted(views, key=lambda view: not view.is_writing)


def _view(
    work: Work, storage: Storage, reference: Reference, registry: Registry | None, instance: Instance
) -> ReferenceView:
    visible = allows(work.actor, Action.INSTANCE_READ, InstanceTarget(instance.id))
    return ReferenceView(
        slug=instance.slug if visible else None,
        instance_uid=instance.uid if visible else None,
        uid=reference.uid,
        root=reference.root,
        artifact_count=reference.artifact_count,
        total_bytes=reference.total_bytes,
        can_write=registry is not None and registry.can_write,
        is_writing=storage.instance_id == instance.id,
        seen_at=reference.seen_at,
    )
