"""What people change by hand when a root has moved: rows the portal may not write, and their settings files.

Facts: lamindb docs, (g) 1 and 2.
"""

from dataclasses import dataclass

from portal.lamindb import settings_file
from portal.models import Migration
from portal.services.migrations.around import HIDDEN, InstanceRow
from portal.services.migrations.doors import REPOINT
from portal.values import StorageType


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """The change of one instance's row, for copying: SQL that SQLite and PostgreSQL read alike. `why`: by hand."""

    instance: str
    sql: str
    why: str


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """The lines of the settings file on every machine of an instance's users, where the location is its default.

    `command` puts them there; empty for who may not know the instance's name.
    """

    instance: str
    file: str
    lines: str
    command: str


@dataclass(frozen=True, slots=True)
class _Place:
    root: str
    kind: StorageType
    region: str | None


def hand_changes(
    migration: Migration, instances: tuple[InstanceRow, ...], *, back: bool = False
) -> tuple[RegistryChange, ...]:
    """Return the rows that a person must change, as `doors.needs_hand` says; `back` for a rollback."""
    storage = migration.storage
    if storage is None or migration.strategy == REPOINT:
        return ()
    place = _place(migration, back=back)
    changes = [RegistryChange(row.name, _sql(row.uid, place), row.why_not) for row in instances if not row.can_write]
    if storage.instance_uid and not any(row.writes for row in instances):
        name = storage.instance_slug or storage.instance_uid
        changes.insert(0, RegistryChange(name, _sql(storage.uid, place), "It is not attached to the portal."))
    return tuple(changes)


def settings_changes(
    migration: Migration, instances: tuple[InstanceRow, ...], *, back: bool = False
) -> tuple[SettingsChange, ...]:
    """Return the settings people must change on their machines; none where the location is nobody's default one."""
    storage = migration.storage
    if storage is None or migration.strategy == REPOINT:
        return ()
    names = {row.name: row.id_hex for row in instances if row.is_default}
    if storage.is_default and storage.instance_slug and not any(row.writes for row in instances):
        names[storage.instance_slug] = None
    place = _place(migration, back=back)
    lines = settings_file.default_lines(place.root, place.region)
    return tuple(_settings_of(name, id_hex, lines) for name, id_hex in names.items())


def _settings_of(name: str, id_hex: str | None, lines: tuple[str, ...]) -> SettingsChange:
    is_known = name != HIDDEN
    return SettingsChange(
        instance=name,
        file=f"~/.lamin/{settings_file.file_name(name)}" if is_known else "its settings file in ~/.lamin",
        lines="\n".join(lines),
        command=settings_file.command(name, id_hex, lines) if is_known else "",
    )


def _place(migration: Migration, *, back: bool) -> _Place:
    side = "source" if back else "target"
    host = getattr(migration, f"{side}_host")
    kind: StorageType = getattr(migration, f"{side}_type")
    # LaminDB has no column for the host: a local root's `region` holds it.
    region = host.name if kind is StorageType.LOCAL and host else getattr(migration, f"{side}_region")
    return _Place(getattr(migration, f"{side}_root"), kind, region)


def _sql(uid: str, place: _Place) -> str:
    return (
        f"UPDATE lamindb_storage\n"
        f"SET root = {_quoted(place.root)}, type = {_quoted(place.kind)}, region = {_quoted(place.region)},\n"
        f"    updated_at = CURRENT_TIMESTAMP\n"
        f"WHERE uid = {_quoted(uid)};"
    )


def find_sql(root: str) -> str:
    """Return the question whether an instance has a row for a root."""
    return f"SELECT uid, root FROM lamindb_storage WHERE root = {_quoted(root)};"  # noqa: S608 - for people to copy


def _quoted(value: str | None) -> str:
    """Return a literal that SQLite and PostgreSQL read alike."""
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
