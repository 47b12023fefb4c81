"""What a person may wish of a migration. Wishes are written down here; the runner fulfils those that touch storage."""

from dataclasses import dataclass

from sqlalchemy import func, select, update

from portal.errors import Conflict, InputError
from portal.models import Migration, ShardException
from portal.permissions import Action
from portal.planning.outcomes import Outcome
from portal.planning.roots import parse_root
from portal.planning.states import Event, MigrationState, move
from portal.services.events import Change, record
from portal.services.migrations.doors import needs_hand
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.quiet import noise_at
from portal.services.migrations.views import MigrationView, view_of
from portal.services.migrations.waiting import waits_until
from portal.services.work import Work

#: Keys that are kept of what was taken as it is.
MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class CutOver:
    """What a person typed and ticked to cut over.

    Attributes:
        confirmation: the last part of the present root, typed by hand.
        registry_changed: whether a person will change the instance's own registry right after, as the page shows.
    """

    confirmation: str
    registry_changed: bool = False


def start(work: Work, uid: str) -> MigrationView:
    """Let copying begin, at once or as soon as the plan is made.

    Raises:
        Conflict: it has begun already or is over.
    """
    migration = _find(work, uid)
    state = MigrationState(migration.state)
    if state not in {MigrationState.DRAFT, MigrationState.PREFLIGHT}:
        move(state, Event.START)
    return wish(work, migration, Event.START, "migration.start-requested")


def pause(work: Work, uid: str) -> MigrationView:
    """Stop copying or verifying for now; what is done stays done. A start that waits for its time is taken back.

    Raises:
        Conflict: nothing is being copied or verified.
    """
    migration = _find(work, uid)
    if migration.wish == Event.START and waits_until(view_of(migration), work.now):
        migration.wish, migration.waits_until, migration.updated_at = "", None, work.now
        record(work, "migration.start-withdrawn", migration, Change({"wish": Event.START.value}, {"wish": ""}))
        return view_of(migration)
    return _wish_for_move(work, uid, Event.PAUSE, "migration.pause-requested")


def resume(work: Work, uid: str) -> MigrationView:
    """Go on where it was paused.

    Raises:
        Conflict: it is not paused.
    """
    return _wish_for_move(work, uid, Event.RESUME, "migration.resume-requested")


def retry(work: Work, uid: str, *, takes_rot: bool = False) -> MigrationView:
    """Try again what needs attention, and what is new at the source.

    With `takes_rot` what is not as LaminDB recorded it is copied as it is from now on.

    Raises:
        Conflict: there is nothing to try again.
    """
    if takes_rot:
        migration = _find(work, uid)
        move(MigrationState(migration.state), Event.RETRY)
        _take_rot(work, migration)
    migration = _find(work, uid)
    forget = update(ShardException).where(ShardException.migration_id == migration.id, ShardException.is_chosen)
    work.session.execute(forget.values(is_chosen=False))
    is_ready = migration.state == MigrationState.READY
    name = "migration.changes-requested" if is_ready else "migration.retry-requested"
    return _wish_for_move(work, uid, Event.RETRY, name)


def _take_rot(work: Work, migration: Migration) -> None:
    """Let what is not as LaminDB recorded it be copied, and keep what that is: nobody tells it apart afterwards."""
    rotten = (ShardException.migration_id == migration.id, ShardException.kind == Outcome.ROTTEN.value)
    count = work.session.scalar(select(func.count()).select_from(ShardException).where(*rotten)) or 0
    if count:
        keys = select(ShardException.key).where(*rotten).order_by(ShardException.id).limit(MOST_EXAMPLES)
        taken = {"count": count, "examples": list(work.session.scalars(keys))}
        migration.plan = {**(migration.plan or {}), "rot_taken": taken}
    migration.takes_rot = True
    record(work, "migration.rot-accepted", migration, Change({"takes_rot": False}, {"takes_rot": True}))


def check_again(work: Work, uid: str) -> MigrationView:
    """Make the plan anew, from checks and listings of now.

    Raises:
        Conflict: copying has begun, or it is over.
    """
    migration = _find(work, uid)
    if migration.started_at is not None:
        raise Conflict("Copying has begun, so the plan stays.", hint="Retry goes on from it.")
    return _wish_for_move(work, uid, Event.CHECK, "migration.check-requested")


def cancel(work: Work, uid: str) -> MigrationView:
    """End a migration before its cut-over. Nothing is deleted: what was copied stays at the target.

    Raises:
        Conflict: it was cut over already or is over.
    """
    migration = _find(work, uid)
    following = move(MigrationState(migration.state), Event.CANCEL)
    if not _is_untouched(migration):
        return wish(work, migration, Event.CANCEL, "migration.cancel-requested")
    if following is MigrationState.CANCELLING:
        following = move(following, Event.CANCEL_DONE)
    _finish(work, migration, following, "migration.cancelled")
    migration.message, migration.hint = "Cancelled before anything was copied.", ""
    return view_of(migration)


def _is_untouched(migration: Migration) -> bool:
    """Tell whether nothing of this migration lies anywhere, so that ending it needs no runner."""
    state = MigrationState(migration.state)
    is_planned = state is MigrationState.PLANNED and not (migration.plan or {}).get("made")
    return is_planned or state is MigrationState.DRAFT


def request_cut_over(work: Work, uid: str, given: CutOver) -> MigrationView:
    """Let the runner bring over what is new, copy the marker and switch the location to the new root.

    Raises:
        InputError: the typed name is another one, or a writing instance's registry was not confirmed.
        Conflict: it is not ready.
    """
    migration = _find(work, uid)
    move(MigrationState(migration.state), Event.CUT_OVER)
    name = parse_root(migration.source_root, home="/", cwd="/").name
    if given.confirmation.strip() != name:
        raise InputError(f"Type {name} to confirm.", field="confirm")
    if needs_hand(work, migration) and not given.registry_changed:
        raise InputError(
            "The instance's own registry names the old root, and the portal cannot change it.",
            hint="Tick the box: you run what is shown right after the cut-over.",
            field="registry_changed",
        )
    return wish(work, migration, Event.CUT_OVER, "migration.cut-over-requested")


def request_rollback(work: Work, uid: str) -> MigrationView:
    """Let the runner copy back what was written since the cut-over and switch the location to the old root.

    Raises:
        Conflict: it is not soaking.
    """
    return _wish_for_move(work, uid, Event.ROLL_BACK, "migration.rollback-requested")


def release(work: Work, uid: str) -> MigrationView:
    """End the soak and with it the way back by one click. The source's objects stay where they are.

    Raises:
        Conflict: it is not soaking, or a rollback was asked for.
    """
    migration = _find(work, uid)
    following = move(MigrationState(migration.state), Event.RELEASE)
    if migration.wish:
        raise Conflict("A rollback was asked for already.", hint="Wait until it has ended.")
    _refuse_noisy(work, migration)
    _finish(work, migration, following, "migration.released")
    migration.message = f"Moved. The objects at {migration.source_root} were kept."
    migration.hint = "Delete them there by hand when nobody needs them any more."
    return view_of(migration)


def _refuse_noisy(work: Work, migration: Migration) -> None:
    if (noise := noise_at(migration, work.now, work.settings.quiet_hours)) is not None:
        raise Conflict(noise.message, hint=noise.hint, retryable=noise.until is None)


def _find(work: Work, uid: str) -> Migration:
    return find_migration(work, uid, Action.STORAGE_MOVE, locks=True)


def _wish_for_move(work: Work, uid: str, event: Event, name: str) -> MigrationView:
    migration = _find(work, uid)
    move(MigrationState(migration.state), event)
    return wish(work, migration, event, name)


def wish(
    work: Work, migration: Migration, event: Event, name: str, said: dict[str, object] | None = None
) -> MigrationView:
    """Write a wish down. A cancel replaces another wish; anything else waits until the one before is fulfilled.

    `said` goes into the event. Who may wish it is the caller's to ask.

    Raises:
        Conflict: another wish has not been fulfilled.
    """
    if migration.wish == event.value:
        return view_of(migration)
    if migration.wish and event is not Event.CANCEL:
        raise Conflict("Another step was asked for and has not been done yet.", hint="Wait for it, or cancel.")
    migration.wish, migration.updated_at = event.value, work.now
    record(work, name, migration, Change(after={"wish": event.value, **(said or {})}))
    return view_of(migration)


def _finish(work: Work, migration: Migration, state: MigrationState, name: str) -> None:
    """End a migration that no runner works on; the raised epoch shuts out one that just took it."""
    before = migration.state
    migration.state, migration.wish = state.value, ""
    migration.lease_epoch, migration.lease_owner, migration.lease_expires_at = migration.lease_epoch + 1, None, None
    migration.finished_at = migration.updated_at = work.now
    record(work, name, migration, Change({"state": before}, {"state": state.value}))
