"""Refuse a move between places that share objects with other roots, and find the roots that lie inside."""

from dataclasses import dataclass

from sqlalchemy import select

from portal.errors import Conflict, Refused
from portal.models import Storage
from portal.planning.overlaps import Place, nested_prefixes, overlap
from portal.services.claims import places_in_use
from portal.services.migrations.openness import at_target_field
from portal.services.migrations.targets import Target
from portal.services.placing import check_overlaps, place_of
from portal.services.reach import root_of
from portal.services.work import Work
from portal.values import StorageType


@dataclass(frozen=True, slots=True)
class Found:
    """What was found around a move.

    Attributes:
        warnings: sentences for people.
        nested: prefixes of registered roots inside the source, each ending in `/`; their objects stay.
    """

    warnings: tuple[str, ...]
    nested: tuple[str, ...]


def check_places(work: Work, storage: Storage, target: Target) -> Found:
    """Return what lies around a move.

    Raises:
        Conflict, Refused: the target shares objects with another root, or no runner sees both sides.
    """
    """Refuse a target that shares objects with what is written to; return what a person should know besides."""
    source = place_of(root_of(storage), storage.host.name if storage.host else None, is_writable=True)
    if source.host and target.host and source.host != target.host.name:
        raise Refused(
            f"{storage.root} lies on {source.host}, the target on {target.host.name}: no runner sees both.",
            hint="Move it to a bucket first, then from there to the other host.",
            field="target_host",
        )
    nested = nested_prefixes(source, _places_like(work, source, storage.id))
    with at_target_field():
        warnings = _check_overlap(work, source, target)
        if target.storage_uid is None and nested_prefixes(target.place, _places_like(work, target.place, storage.id)):
            raise Conflict(
                "Another registered root lies inside the target.", hint="Choose another folder.", field="target_root"
            )
    if nested:
        warnings += (f"Other registered roots lie inside and stay where they are: {', '.join(nested)}.",)
    return Found(warnings, tuple(nested))


def _check_overlap(work: Work, source: Place, to: Target) -> tuple[str, ...]:
    target = to.place
    if found := overlap(target, [source]):
        raise Conflict(f"{found[0]}", hint="Choose a folder outside of the present root.", field="target_root")
    if to.storage_uid is None:
        _refuse_registered(work, to)
    if overlap(target, places_in_use(work)):
        raise Conflict(
            "The target shares objects with a root that another migration moves to, or keeps for its rollback.",
            hint="Choose another folder, or wait until that one is over.",
            field="target_root",
        )
    # Inside a root that nobody writes to is fine: often it is the bucket that was connected for this very move.
    return check_overlaps(work, target) if to.storage_uid is None else ()


def _refuse_registered(work: Work, target: Target) -> None:
    same = select(Storage).where(Storage.root == target.root.text)
    for found in work.session.scalars(same):
        if found.host is None or target.host is None or found.host.id == target.host.id:
            raise Conflict(
                f"{target.root} is registered already.",
                hint="Rewriting the root needs one that is registered nowhere. Re-point the artifacts to it instead.",
                field="target_root",
            )


def _places_like(work: Work, source: Place, storage_id: int) -> list[Place]:
    """Return the registered places that may lie inside a root: same kind, text beginning alike."""
    root = source.root
    start = f"{root.path}/" if root.type is StorageType.LOCAL else f"{root.type}://{root.bucket}"
    query = select(Storage).where(
        Storage.type == root.type, Storage.id != storage_id, Storage.root.startswith(start, autoescape=True)
    )
    rows = work.session.scalars(query)
    return [place_of(root_of(row), row.host.name if row.host else None, is_writable=True) for row in rows]
