"""Delete a location: the marker, its row in the writing instance, the rows that were chosen, the record here."""

from dataclasses import dataclass

from sqlalchemy import select

from portal.errors import Conflict, InputError, PortalError, Refused
from portal.models import Check
from portal.permissions import Action
from portal.services.connections import drop_if_unused
from portal.services.deletion.plan import DeletionPlan, plan_deletion, standing_refusals
from portal.services.deletion.rows_there import RowThere
from portal.services.events import Change, record
from portal.services.marking import facts
from portal.services.reach import door_of
from portal.services.removals import (
    DELETED,
    Removal,
    begin,
    find_pending,
    put_back,
    read_kept_marker,
    remove_marker,
    remove_rows,
    require_pending,
)
from portal.services.storages.find import find_storage
from portal.services.units import Units
from portal.services.work import Work


@dataclass(frozen=True, slots=True)
class Wish:
    """How to delete.

    Attributes:
        also: other instances, as `owner/name` or uid, whose rows for the location go too; they stay otherwise.
        permanent: as LaminDB's argument of this name: False is refused, None and True are for good.
    """

    also: tuple[str, ...] = ()
    permanent: bool | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted.

    Attributes:
        root: of the location.
        removed_from: instances that have no row for it any more.
        kept_in: instances that keep theirs.
    """

    root: str
    removed_from: tuple[str, ...] = ()
    kept_in: tuple[str, ...] = ()


def delete_storage(units: Units, reference: str, confirm: str, wish: Wish = Wish()) -> Deleted:
    """Delete a location for good. `confirm`: the root's name, as typed.

    Raises:
        Conflict: something speaks against it.
        InputError: the confirmation is another text, or an instance in the wish has no row to delete.
        NotFound, PermissionDenied: the actor is no admin of it.
        Refused: it was to be deleted, but not for good.
        RegistryError: an instance's row could not be deleted; nothing was deleted.
        StorageError: the marker could not be removed; nothing was deleted.
    """
    if wish.permanent is False:
        raise Refused(
            "A storage location cannot be deleted softly.",
            hint="Archive its record, or delete it for good.",
            field="permanent",
        )
    plan = plan_deletion(units, reference)
    if confirm.strip() != plan.confirm_with:
        raise InputError(f"Type {plan.confirm_with} to confirm.", hint="Nothing was deleted.", field="confirm")
    _refuse(plan.refusals)
    going = _going(plan, wish.also)
    _carry_out(units, plan, going)
    kept = tuple(row.label for row in plan.rows if row.row is not None and row not in going)
    return Deleted(plan.root, tuple(row.label for row in going), kept)


def _refuse(refusals: tuple[str, ...] | list[str]) -> None:
    if refusals:
        raise Conflict(" ".join(refusals) + " Nothing was deleted.")


def _going(plan: DeletionPlan, also: tuple[str, ...]) -> tuple[RowThere, ...]:
    """Return the rows that go: the writing instance's, then the chosen ones."""
    chosen = []
    for name in dict.fromkeys(also):
        found = [row for row in plan.other_rows if name in {row.slug, row.instance_uid}]
        if not found or not found[0].may_go:
            why = found[0].why_fixed if found else "It has no row for this location, or you have no role on it."
            raise InputError(f"{name} keeps its row. {why} Nothing was deleted.", field="also")
        chosen += found
    return (*((plan.own_row,) if plan.own_row else ()), *chosen)


def _carry_out(units: Units, plan: DeletionPlan, going: tuple[RowThere, ...]) -> None:
    """Write down what goes, then take it away; whatever fails puts all of it back."""
    with units.reading() as work:
        door = door_of(work, find_storage(work, plan.uid, Action.STORAGE_DELETE))
    marker = read_kept_marker(door, plan.uid) if plan.removes_marker else None
    removal = Removal(marker, tuple((row.instance_id, row.row) for row in going if row.row is not None))
    with units.writing() as work:
        storage = find_storage(work, plan.uid, Action.STORAGE_DELETE)
        _refuse(standing_refusals(work, storage))
        pending = find_pending(work, storage)
        removal = removal.with_rest_of(pending[1] if pending else None)
        event_id = begin(work, storage, removal)
    try:
        if removal.marker is not None:
            remove_marker(door, plan.uid)
        remove_rows(units, removal)
        with units.writing() as work:
            _delete_record(work, plan.uid, event_id)
    except BaseException as error:
        problems = put_back(units, plan.uid, removal)
        if isinstance(error, PortalError):
            error.message = f"{error.message} {_told(plan.uid, problems)}"
        raise


def _told(uid: str, problems: tuple[str, ...]) -> str:
    if not problems:
        return "Nothing was deleted; what had been removed was put back."
    return f"{' '.join(problems)} Run the checks of {uid} to put it back."


def _delete_record(work: Work, uid: str, event_id: int) -> None:
    """Delete the record, its checks by cascade, and its connection where nothing else needs it."""
    storage = find_storage(work, uid, Action.STORAGE_DELETE)
    _refuse(standing_refusals(work, storage))
    require_pending(work, storage, event_id)
    connection = storage.connection
    record(work, DELETED, storage, Change(before=facts(storage)))
    for check in work.session.scalars(select(Check).where(Check.storage_id == storage.id)):
        work.session.delete(check)
    work.session.delete(storage)
    work.session.flush()
    if connection is not None:
        drop_if_unused(work, connection)
