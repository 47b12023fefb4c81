"""Take differences over from an attached instance into the portal: all that were chosen, or none of them.

Nothing is changed in the instance. What was chosen is compared once more within the transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from portal.errors import Conflict, InputError
from portal.lamindb.registry.rows import Amount, RegistryContent
from portal.models import Reference, Registry
from portal.permissions import Action
from portal.planning.reconcile import Difference, Kind
from portal.services.events import Change, record
from portal.services.placing import lock_registrations
from portal.services.registries.attach import require_registry
from portal.services.registries.compare import Found, Sides, lay_out, look
from portal.services.registries.taking import Taking
from portal.services.units import Units
from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken over.

    Attributes:
        slug: of the instance.
        differences: those taken.
        left: those that cannot be taken over, each with its reason.
        new_uids: of locations that are new in the portal.
        unconnected: roots among them that have no connection yet, so that nothing in them can be seen here.
        warnings: about roots that share objects.
    """

    slug: str
    differences: tuple[Difference, ...]
    left: tuple[Difference, ...]
    new_uids: tuple[str, ...]
    unconnected: tuple[str, ...]
    warnings: tuple[str, ...]


def take_over(units: Units, reference: str, keys: Collection[str] | None = None) -> Taken:
    """Take the differences of these keys over, or all that can be (None). Doing it twice changes nothing more.

    Raises:
        Conflict: it is not attached, or a chosen difference is not there any more: nothing was taken over.
        InputError: a chosen one cannot be taken over.
        NotFound, PermissionDenied: the actor lacks a right.
        RegistryError: the instance's database cannot be read.
    """
    found = look(units, reference)
    with units.writing() as work:
        lock_registrations(work)
        registry = require_registry(work, reference, Action.INSTANCE_WRITE_STORAGE)
        sides = lay_out(work, registry, found)
        chosen, left = _choose(sides, keys)
        taking = Taking(work, registry, sides)
        taken = taking.take(chosen)
        keep_amounts(work, registry, found.content)
        # With the roles that making a space gave.
        note_comparison(work, registry, len(lay_out(taking.work, registry, found).comparison.differences))
        if chosen:
            record(work, "instance.registry-taken-over", registry.instance, Change(after=_summed(chosen)))
        return Taken(registry.instance.slug, chosen, left, *taken)


def keep_comparison(units: Units, reference: str, found: Found) -> int:
    """Keep how many differences there are and how much each location holds; return the number of differences.

    Raises:
        Conflict, NotFound, PermissionDenied: as `take_over`.
    """
    with units.writing() as work:
        registry = require_registry(work, reference)
        count = len(lay_out(work, registry, found).comparison.differences)
        keep_amounts(work, registry, found.content)
        note_comparison(work, registry, count)
        return count


def _choose(sides: Sides, keys: Collection[str] | None) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    differences = sides.comparison.differences
    if keys is None:
        return tuple(each for each in differences if each.can_take), tuple(
            each for each in differences if not each.can_take
        )
    chosen = tuple(each for each in differences if each.key in keys)
    if len(chosen) != len(set(keys)):
        raise Conflict(
            "Something was changed since the comparison. Nothing was taken over.", hint="Look at it again, then choose."
        )
    for each in chosen:
        if not each.can_take:
            raise InputError(f"{each.root} cannot be taken over. {each.why_not}")
    return chosen, ()


def _summed(chosen: Collection[Difference]) -> dict[str, object]:
    return {kind.value: [each.root for each in chosen if each.kind is kind] for kind in Kind}


def note_comparison(work: Work, registry: Registry, difference_count: int) -> None:
    """Write down when the instance was compared, and how many differences are left."""
    registry.compared_at = registry.updated_at = work.now
    registry.difference_count = difference_count


def keep_amounts(work: Work, registry: Registry, content: RegistryContent) -> None:
    """Renew how much each referred location holds there. Counting is no change of a record: it makes no event."""
    by_row = {row.row_id: row for row in content.storages}
    query = select(Reference).where(Reference.instance_id == registry.instance_id)
    for reference in work.session.scalars(query):
        row = by_row.get(reference.row_id)
        if row is not None and row.uid == reference.uid:
            _fill(work, reference, content.amounts.get(row.row_id, Amount()))


def _fill(work: Work, reference: Reference, amount: Amount) -> None:
    reference.artifact_count, reference.total_bytes = amount.artifact_count, amount.total_bytes
    reference.seen_at = work.now
