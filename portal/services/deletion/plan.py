"""Look what deleting a location would do, and what speaks against it; changes nothing."""

from dataclasses import dataclass

from sqlalchemy import select

from portal.errors import PortalError
from portal.models import Registry, Storage
from portal.permissions import Action
from portal.services.claims import is_moving
from portal.services.deletion.emptiness import Emptiness, Seen, artifacts, look, managed, others
from portal.services.deletion.rows_there import AskedThere, RowThere, ask, list_asked
from portal.services.reach import Door, door_of, root_of, within
from portal.services.registries.default_rules import database_root_of
from portal.services.removals import LOOK_SECONDS, find_pending
from portal.services.storages.find import find_storage
from portal.services.units import Units
from portal.services.work import Work
from portal.values import MANAGED_FOLDER, Mode


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What deleting would do. `refusals` empty: it may go.

    Attributes:
        uid, root: of the location.
        confirm_with: what the person types.
        kinds: artifacts, managed objects, any other object.
        refusals: every reason against it in LaminDB's order, then the portal's own, each with what to do.
        removes_marker: whether the marker goes with the row.
        rows: what attached instances have of it, the writing one first.
        broken_off: who began to delete it before and did not end; empty where nobody did.
    """

    uid: str
    root: str
    confirm_with: str
    kinds: tuple[Emptiness, ...]
    refusals: tuple[str, ...]
    removes_marker: bool
    rows: tuple[RowThere, ...] = ()
    broken_off: str = ""

    @property
    def may_go(self) -> bool:
        """Tell whether nothing speaks against it."""
        return not self.refusals

    @property
    def own_row(self) -> RowThere | None:
        """Return the writing instance's row, which goes with the location; None where there is none."""
        return next((row for row in self.rows if row.is_writing and row.row is not None), None)

    @property
    def other_rows(self) -> tuple[RowThere, ...]:
        """Return the rows that go only if they are chosen."""
        return tuple(row for row in self.rows if not row.is_writing and row.row is not None)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known of a location without asking anybody else."""

    uid: str
    confirm_with: str
    door: Door
    is_ours: bool
    refusals: tuple[str, ...]
    asked: tuple[AskedThere, ...]
    broken_off: str


def plan_deletion(units: Units, reference: str) -> DeletionPlan:
    """Look what keeps a location from being deleted; changes nothing.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of it.
    """
    with units.reading() as work:
        standing = _stand(work, find_storage(work, reference, Action.STORAGE_DELETE))
    rows = tuple(ask(each) for each in standing.asked)
    refusals = [row.refusal for row in rows if row.refusal]
    door = standing.door
    # LaminDB asks the row whose location it is: also one that the portal was told to leave alone keeps its objects.
    is_ours = standing.is_ours or any(row.is_writing and row.row is not None for row in rows)
    seen: Seen | None = None
    try:
        seen = within(LOOK_SECONDS, lambda: look(door), f"{door.root} did not answer within {LOOK_SECONDS:.0f} s.")
    except PortalError as error:
        if is_ours:
            refusals.append(f"It cannot be shown to be empty: {error}")
    kinds = (artifacts(rows), managed(seen, is_ours), others(seen))
    if kinds[1].blocks:
        objects = "1 object" if kinds[1].count == 1 else f"{kinds[1].count_label} objects"
        refusals.append(f"Not empty: {objects} in {MANAGED_FOLDER}/. Move them first.")
    refusals += standing.refusals
    refusals += [f"Its row cannot be deleted: {row.why_fixed}" for row in rows if row.is_writing and row.why_fixed]
    return DeletionPlan(
        uid=standing.uid,
        root=door.root.text,
        confirm_with=standing.confirm_with,
        kinds=kinds,
        refusals=tuple(refusals),
        removes_marker=is_ours,
        rows=rows,
        broken_off=standing.broken_off,
    )


def _stand(work: Work, storage: Storage) -> _Standing:
    pending = find_pending(work, storage)
    return _Standing(
        uid=storage.uid,
        confirm_with=root_of(storage).name,
        door=door_of(work, storage),
        is_ours=storage.mode is Mode.WRITABLE,
        refusals=tuple(standing_refusals(work, storage)),
        asked=tuple(list_asked(work, storage)),
        broken_off=pending[0].actor_handle if pending else "",
    )


def _registry(work: Work, storage: Storage) -> Registry | None:
    return work.session.scalar(select(Registry).where(Registry.instance_id == storage.instance_id))


def standing_refusals(work: Work, storage: Storage) -> list[str]:
    """Return what the portal's own records hold against deleting a location: LaminDB's reason first."""
    found = []
    if storage.is_default and database_root_of(_registry(work, storage)) == storage.root:
        found.append("It is the default location of a SQLite instance, and holds its database: it goes with it alone.")
    elif storage.is_default:
        found.append("It is the default location of its instance. Make another one the default first.")
    for registry in work.session.scalars(select(Registry).where(Registry.local_default_id == storage.id)):
        found.append(f"{registry.instance.slug} keeps its artifacts here. Choose another place for them first.")
    if storage.is_locked:
        found.append("Its record is locked. Unlock it first.")
    if is_moving(work, storage):
        found.append("It is being moved. Finish or cancel the migration first.")
    return found
