"""Moving roots: make a migration, wish for its next step, look at it. Storage is touched by the runner alone."""

from portal.services.migrations.controls import Limits, Times, set_limits, set_times
from portal.services.migrations.exceptions import (
    ExceptionList,
    ExceptionQuery,
    ExceptionRow,
    find_exception,
    iterate_exceptions,
    list_exceptions,
)
from portal.services.migrations.listing import MigrationList, MigrationQuery, list_page
from portal.services.migrations.lookups import find_migration, get_migration, list_migrations
from portal.services.migrations.plan import NewMigration, create_migration, list_target_connections
from portal.services.migrations.progress import MigrationPage, get_page, list_rotten
from portal.services.migrations.report import Task
from portal.services.migrations.retrying import retry_objects
from portal.services.migrations.strategies import Strategy, list_strategies
from portal.services.migrations.targets import asked_for
from portal.services.migrations.traces import Trace, find_by_old_root, find_moved, list_traces
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
    "ExceptionList",
    "ExceptionQuery",
    "ExceptionRow",
    "Limits",
    "MigrationList",
    "MigrationPage",
    "MigrationQuery",
    "MigrationView",
    "NewMigration",
    "Strategy",
    "Task",
    "Times",
    "Trace",
    "asked_for",
    "cancel",
    "check_again",
    "create_migration",
    "find_by_old_root",
    "find_exception",
    "find_migration",
    "find_moved",
    "get_migration",
    "get_page",
    "iterate_exceptions",
    "list_exceptions",
    "list_migrations",
    "list_page",
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
    "retry_objects",
    "set_limits",
    "set_times",
    "start",
]
