"""Look at an attached instance's database again, and forget how it is reached."""

from dataclasses import replace

from sqlalchemy import delete, select

from portal.errors import Conflict, InputError
from portal.models import Instance, Migration, Reference
from portal.planning.states import FINAL
from portal.services.events import Change, record
from portal.services.registries.attach import described, renew, require_registry
from portal.services.registries.examination import Asked, Examination
from portal.services.registries.examine import examine
from portal.services.registries.ways import entry_of
from portal.services.units import Units
from portal.services.work import Work


def check_again(units: Units, reference: str) -> Examination:
    """Look at an attached instance's database again, and keep what it came to.

    Raises:
        Conflict: it is not attached, or what answers there is another database.
        NotFound, PermissionDenied: the actor is no admin of the instance.
    """
    with units.reading() as work:
        registry = require_registry(work, reference)
        entry, slug, identity = entry_of(work, registry), registry.instance.slug, registry.identity
        asked = Asked(slug, instance_uid=registry.instance_uid, is_read_only=registry.is_read_only)
    found = examine(entry, asked)
    if found.can_save and found.identity != identity:
        # A copy of a cluster, or one that was made anew under the same address.
        found = replace(
            found,
            error=Conflict(
                f"Another database answers at {entry.way.label} than the one {slug} was attached to.",
                hint="Detach the instance and attach it again, if that is right.",
            ),
        )
    if found.can_save:
        with units.writing() as work:
            registry = require_registry(work, reference)
            before = described(registry)
            renew(work, registry, found)
            record(work, "instance.registry-checked", registry.instance, Change(before, described(registry)))
    return found


def detach_instance(work: Work, reference: str, confirm: str) -> str:
    """Forget how an instance is reached, and its references, and return `owner/name`. Nothing changes in the instance.

    `confirm` is the instance's name, typed.

    Raises:
        Conflict: it is not attached, or a migration of one of its locations is under way.
        InputError: something else was typed.
        NotFound, PermissionDenied: the actor is no admin of the instance.
    """
    registry = require_registry(work, reference)
    instance = registry.instance
    if confirm.strip() not in {instance.name, instance.slug}:
        raise InputError(f"Type {instance.name} to confirm. Nothing was changed.", field="confirm")
    _refuse_moving(work, instance)
    before = described(registry)
    work.session.execute(delete(Reference).where(Reference.instance_id == instance.id))
    work.session.delete(registry)
    record(work, "instance.detached", instance, Change(before))
    return instance.slug


def _refuse_moving(work: Work, instance: Instance) -> None:
    query = (
        select(Migration.source_root)
        .join(Reference, Reference.storage_id == Migration.storage_id)
        .where(Reference.instance_id == instance.id, Migration.state.not_in(sorted(FINAL)))
        .limit(1)
    )
    root = work.session.scalar(query)
    if root is not None:
        raise Conflict(f"{root} is being moved.", hint="Finish or cancel the migration first.")
