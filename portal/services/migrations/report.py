"""What only people can do after a location's root has changed, as a list for the page, for paper and for programs."""

from dataclasses import dataclass

from portal.lamindb import settings_file
from portal.models import Migration
from portal.planning.states import SWITCHED, MigrationState
from portal.services.migrations.around import HIDDEN, InstanceRow
from portal.services.migrations.doors import REPOINT
from portal.services.migrations.registry import find_sql, hand_changes, settings_changes
from portal.services.migrations.switch_jobs import seal_sentence
from portal.values import StorageType


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that only people can do.

    Attributes:
        kind: `settings`, `sessions`, `mounts`, `registry`, `unattached`, `sealed` or `target`.
        title: what to do, or what to know.
        text: why, and where.
        code_name: what `code` is; empty where there is none.
        code: lines for copying.
        command: does it on the machine where it is run; empty where people do it themselves.
    """

    kind: str
    title: str
    text: str
    code_name: str = ""
    code: str = ""
    command: str = ""


def list_tasks(migration: Migration, instances: tuple[InstanceRow, ...]) -> tuple[Task, ...]:
    """Return what people have to do since the cut-over, or since a rollback; nothing before either."""
    state = MigrationState(migration.state)
    if state in SWITCHED - {MigrationState.ROLLING_BACK}:
        return _tasks(migration, instances, back=False)
    if state is MigrationState.ROLLED_BACK:
        return _tasks(migration, instances, back=True)
    return ()


def _tasks(migration: Migration, instances: tuple[InstanceRow, ...], *, back: bool) -> tuple[Task, ...]:
    if migration.strategy == REPOINT:
        return _after_repointing(migration, instances, back=back)
    new, old = migration.target_root, migration.source_root
    if back:
        new, old = old, new
    tasks = [
        Task(
            "settings",
            f"Set {change.instance}'s default root on every user's machine",
            f"Change these two lines in {change.file}, and in current_instance.env beside it where people are"
            " connected to it. Where the instance is registered on a hub, change its root there too: it writes these"
            " lines again at each connect.",
            change.file,
            change.lines,
            change.command,
        )
        for change in settings_changes(migration, instances, back=back)
    ]
    tasks += [
        Task(
            "registry",
            f"Change the row of {change.instance} by hand",
            f"Run this now in its database; a second run does no harm. {change.why}"
            f" Until then its artifacts are looked for at {old}.",
            "SQL",
            change.sql,
        )
        for change in hand_changes(migration, instances, back=back)
    ]
    if not back:
        tasks += [_sealed(row, old, new) for row in instances if row.holds_database]
    tasks.append(_sessions(old, instances))
    if StorageType(migration.target_type if back else migration.source_type) is not StorageType.LOCAL:
        tasks.append(
            Task(
                "mounts",
                "Mount it anew where it was mounted",
                f"Records in ~/.lamin/mounts.json that name {old} stay as they are: unmount them, then mount {new}.",
            )
        )
    tasks.append(_unattached(old))
    return tuple(tasks)


def _sealed(row: InstanceRow, old: str, new: str) -> Task:
    return Task(
        "sealed",
        f"The old database of {row.name} is sealed",
        f"Below {old} it can still be read. A session that writes there meets this sentence, and nothing is lost:",
        "What it says",
        seal_sentence(new),
    )


def _sessions(old: str, instances: tuple[InstanceRow, ...]) -> Task:
    names = ", ".join(row.name for row in instances if row.name != HIDDEN)
    return Task(
        "sessions",
        "Restart open sessions, notebooks and jobs" + (f" of {names}" if names else ""),
        f"Those that were open at the switch go on with {old} until they are started again.",
    )


def _unattached(old: str) -> Task:
    return Task(
        "unattached",
        "Ask who else refers to it",
        "Instances that are not attached cannot be known. Whether one has a row for the old root, this says:",
        "SQL",
        find_sql(old),
    )


def _after_repointing(migration: Migration, instances: tuple[InstanceRow, ...], *, back: bool) -> tuple[Task, ...]:
    if back:
        return (_sessions(migration.target_root, instances),)
    return (
        _sessions(migration.source_root, instances),
        Task(
            "target",
            "Save new artifacts in the new location",
            f"Artifacts that are saved from now on still go to {migration.source_root} wherever it is chosen or the"
            " default one. People choose the other with this line:",
            "Python",
            settings_file.python_line(migration.target_root),
        ),
    )
