"""Objects of a migration that are tried again alone: which may be, and asking for it."""

from sqlalchemy import select, update

from portal.errors import Conflict, InputError
from portal.models import Migration, Shard, ShardException
from portal.permissions import Action, allows
from portal.planning.states import FINAL, Event, MigrationState, move
from portal.services.access import storage_target
from portal.services.migrations import ledger
from portal.services.migrations.ledger import FORWARD
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.views import MigrationView
from portal.services.migrations.wishes import wish
from portal.services.work import Work

#: Keys that one request may name.
MOST_KEYS = 1_000

#: Nothing is said to somebody who may not press any button.
NO_RIGHT = "no right"


def retry_objects(work: Work, uid: str, *, keys: tuple[str, ...] = (), kinds: tuple[str, ...] = ()) -> MigrationView:
    """Try single objects again, and nothing else: those of these keys, or all of these kinds.

    They go through the same copy and the same proof; what is good is not touched. Of a folder what changed below it
    since is taken along, and the folder is compared again.

    Raises:
        InputError: none of them needs a look, or too many keys are named.
        Conflict: the pass has not ended, or something else was asked for.
    """
    if len(keys) > MOST_KEYS:
        raise InputError(f"Name {MOST_KEYS:,} objects at most.", hint="Or retry all of a kind.", field="object")
    migration = find_migration(work, uid, Action.STORAGE_MOVE, locks=True)
    move(MigrationState(migration.state), Event.RETRY)
    if migration.wish:
        raise Conflict("Another step was asked for and has not been done yet.", hint="Wait for it, or cancel.")
    if _has_open_shards(work, migration):
        raise Conflict(
            "The pass stopped before it had tried every object, so single ones cannot be tried alone yet.",
            hint="Retry goes on with it, and copies nothing twice.",
        )
    chosen = ShardException.key.in_(keys) if keys else ShardException.kind.in_(kinds)
    mine = ShardException.migration_id == migration.id
    work.session.execute(update(ShardException).where(mine).values(is_chosen=False))
    found = list(work.session.scalars(select(ShardException).where(mine, chosen)))
    missing = sorted(set(keys) - {row.key for row in found})
    if missing or not found:
        named = missing[0] if missing else ", ".join(kinds)
        raise InputError(f"Nothing that can be tried alone needs a look under {named}.", field="object")
    for row in found:
        row.is_chosen = True
        if row.shard_id is None:  # a folder, and with it what needs a look below it
            below = select(ShardException).where(mine, ShardException.key.startswith(row.key, autoescape=True))
            for inner in work.session.scalars(below):
                inner.is_chosen |= inner.key.startswith(row.key)  # SQLite takes `A` for `a`
    said: dict[str, object] = {"objects": len(found)}
    said |= {"keys": [row.key for row in found[:5]]} if keys else {"kinds": list(kinds)}
    return wish(work, migration, Event.RETRY, "migration.objects-retry-requested", said)


def why_not_retry(work: Work, migration: Migration) -> str:
    """Return why single objects cannot be tried again now; empty where they can."""
    storage = migration.storage
    if storage is None or not allows(work.actor, Action.STORAGE_MOVE, storage_target(storage)):
        return NO_RIGHT
    if migration.state in FINAL:
        return "The migration is over."
    if migration.state != MigrationState.NEEDS_ATTENTION:
        return "Single objects can be tried again when the pass has ended."
    if migration.wish == Event.RETRY:
        return "A retry is under way. Single objects can be tried again when it has ended."
    if migration.wish:
        return "Another step was asked for."
    if _has_open_shards(work, migration):
        return "The pass stopped before its end: Retry goes on with it, then single objects can be tried alone."
    return ""


def _has_open_shards(work: Work, migration: Migration) -> bool:
    query = select(Shard.id).where(
        Shard.migration_id == migration.id,
        Shard.direction == FORWARD,
        Shard.pass_number == migration.pass_number,
        Shard.state != ledger.VERIFIED,
    )
    return work.session.scalar(query.limit(1)) is not None
