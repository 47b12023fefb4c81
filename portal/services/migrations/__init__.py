"""Moving roots: make a migration, wish for its next step, look at it. Storage is touched by the runner alone."""

from portal.services.migrations.lookups import find_migration, get_migration, list_migrations
from portal.services.migrations.plan import NewMigration, create_migration, list_target_connections
from portal.services.migrations.progress import MigrationPage, get_page, list_rotten
from portal.services.migrations.report import Task
from portal.services.migrations.strategies import Strategy, list_strategies
from portal.services.migrations.traces import Trace, find_moved, list_traces
from portal.services.migrations.views import MigrationView
from portal.services.migrations.wishes import (
    CutOver,
    cancel,
    check_again,
    pause,
    release,
    request_cut_over,
    request_rollback,
    resume,
    retry,
    start,
)

__all__ = [
    "CutOver",
    "MigrationPage",
    "MigrationView",
    "NewMigration",
    "Strategy",
    "Task",
    "Trace",
    "cancel",
    "check_again",
    "create_migration",
    "find_migration",
    "find_moved",
    "get_migration",
    "get_page",
    "list_migrations",
    "list_rotten",
    "list_strategies",
    "list_target_connections",
    "list_traces",
    "pause",
    "release",
    "request_cut_over",
    "request_rollback",
    "resume",
    "retry",
    "start",
]
