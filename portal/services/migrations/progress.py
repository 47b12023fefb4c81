"""Everything a migration's page shows: the view, what needs a look, its story, and whether a runner is there at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.models import Event, Migration
from portal.permissions import Action, allows
from portal.planning.outcomes import Outcome
from portal.planning.rates import RateChart, chart, read_rates
from portal.planning.roots import parse_root
from portal.planning.states import FINAL, WORKING, MigrationState
from portal.services.access import storage_target
from portal.services.migrations.around import InstanceRow, list_instances
from portal.services.migrations.exceptions import ExceptionList, ExceptionQuery, ExceptionRow, exceptions_of
from portal.services.migrations.hosts import hosts_of
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.quiet import Noise, noise_at
from portal.services.migrations.registry import RegistryChange, SettingsChange, hand_changes, settings_changes
from portal.services.migrations.report import Task, list_tasks
from portal.services.migrations.runners import SILENT_AFTER, last_seen_at
from portal.services.migrations.views import MigrationView, view_of
from portal.services.work import Work

#: Events a page shows at most.
MOST_EVENTS = 60


@dataclass(frozen=True, slots=True)
class StoryRow:
    """One event of a migration. `words` is its action without the noun: `cut over`, `start requested`.

    `said`: what the event says, such as numbers of a pass, or why.
    """

    at: datetime
    words: str
    actor: str
    via: str
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MigrationPage:
    """A migration with all around it.

    Attributes:
        errors: the first page of what needs a look, and how many there are of each kind.
        error_budget: so many objects may fail before it stops for attention.
        chart: bytes a second over time; None while there is too little to draw.
        story: newest first.
        may_move: whether the actor may press the buttons.
        confirm_with: what to type to cut over.
        is_default: whether the location is its instance's default one.
        instances: the attached instances that have a row for the location, the one that decides first.
        by_hand: rows that the portal cannot change, for the switch that comes next: there, or back during the soak.
        settings: what people's machines need after that switch, where the location is a default one.
        tasks: what only people can do since the switch that was made last; empty before the cut-over.
        noise: what speaks against releasing it now; None: nothing, or it is not soaking.
        needed_host: the host whose runner must drive it; None: any.
        runner_seen_at: when such a runner last reported; None: never.
        is_waiting_for_runner: something is to be done and no such runner is alive.
        now: the time of this page.
    """

    view: MigrationView
    errors: ExceptionList
    error_budget: int
    chart: RateChart | None
    story: tuple[StoryRow, ...]
    may_move: bool
    confirm_with: str
    is_default: bool
    instances: tuple[InstanceRow, ...]
    by_hand: tuple[RegistryChange, ...]
    settings: tuple[SettingsChange, ...]
    tasks: tuple[Task, ...]
    noise: Noise | None
    needed_host: str | None
    runner_seen_at: datetime | None
    is_waiting_for_runner: bool
    now: datetime

    @property
    def exceptions(self) -> tuple[ExceptionRow, ...]:
        """Return the first page of what needs a look."""
        return self.errors.rows

    @property
    def exception_counts(self) -> dict[str, int]:
        """Return how many there are of each kind."""
        return self.errors.counts


def get_page(work: Work, uid: str) -> MigrationPage:
    """Return a migration's page.

    Raises:
        NotFound: there is none, or its location is out of reach.
    """
    migration = find_migration(work, uid)
    storage = migration.storage
    hosts = hosts_of(work.session, migration)
    seen_at = last_seen_at(work.session, hosts)
    back = migration.state in {MigrationState.SOAKING, MigrationState.ROLLING_BACK, MigrationState.ROLLED_BACK}
    is_soaking = migration.state == MigrationState.SOAKING
    instances = list_instances(work, migration)
    return MigrationPage(
        view=view_of(migration),
        errors=exceptions_of(work, migration, ExceptionQuery()),
        error_budget=migration.max_errors or work.settings.max_errors,
        chart=chart(read_rates(migration.rates)),
        story=_story(work, migration),
        may_move=storage is not None and allows(work.actor, Action.STORAGE_MOVE, storage_target(storage)),
        confirm_with=parse_root(migration.source_root, home="/", cwd="/").name,
        is_default=storage is not None and storage.is_default,
        instances=instances,
        by_hand=hand_changes(migration, instances, back=back),
        settings=settings_changes(migration, instances, back=back),
        tasks=list_tasks(migration, instances),
        noise=noise_at(migration, work.now, work.settings.quiet_hours) if is_soaking else None,
        needed_host=hosts[0].name if hosts else None,
        runner_seen_at=seen_at,
        is_waiting_for_runner=_is_due(migration) and (seen_at is None or work.now - seen_at > SILENT_AFTER),
        now=work.now,
    )


def _is_due(migration: Migration) -> bool:
    """Tell whether the next step is a runner's."""
    state = MigrationState(migration.state)
    return state not in FINAL and (bool(migration.wish) or state in WORKING or state is MigrationState.DRAFT)


def list_rotten(work: Work, uid: str) -> tuple[ExceptionRow, ...]:
    """Return the first objects that are not as LaminDB recorded them, a page at most.

    Raises:
        NotFound, PermissionDenied: the actor is no admin of the location.
    """
    migration = find_migration(work, uid, Action.STORAGE_MOVE)
    return exceptions_of(work, migration, ExceptionQuery((Outcome.ROTTEN.value,))).rows


def _story(work: Work, migration: Migration) -> tuple[StoryRow, ...]:
    query = (
        select(Event.at, Event.action, Event.actor_handle, Event.via, Event.after)
        .where(Event.target_type == "migration", Event.target_uid == migration.uid)
        .order_by(Event.id.desc())
        .limit(MOST_EVENTS)
    )
    if migration.storage_id is not None:  # the index is by location
        query = query.where(Event.storage_id == migration.storage_id)
    return tuple(
        StoryRow(at, action.partition(".")[2].replace("-", " "), handle, via, after or {})
        for at, action, handle, via, after in work.session.execute(query)
    )
