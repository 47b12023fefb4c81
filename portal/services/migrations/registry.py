"""What must be changed in an instance's own registry when a root has moved (facts: lamindb docs, (g) 1 and 2)."""

from dataclasses import dataclass

from portal.models import Migration
from portal.values import StorageType


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """The change, for copying. `settings_keys` is empty unless the location is the instance's default."""

    instance: str
    sql: str
    settings_file: str = ""
    settings_keys: str = ""


def change_for(migration: Migration, *, back: bool = False) -> RegistryChange | None:
    """Return what the writing instance's registry needs; `back` for a rollback. None: no instance writes there."""
    storage = migration.storage
    if storage is None or not storage.instance_uid:
        return None
    side = "source" if back else "target"
    root: str = getattr(migration, f"{side}_root")
    kind: StorageType = getattr(migration, f"{side}_type")
    host = getattr(migration, f"{side}_host")
    # LaminDB has no column for the host: a local root's `region` holds it.
    region = host.name if kind is StorageType.LOCAL and host else getattr(migration, f"{side}_region")
    owner, _, name = (storage.instance_slug or "").partition("/")
    return RegistryChange(
        instance=storage.instance_slug or storage.instance_uid,
        sql=_sql(storage.uid, root, kind, region),
        settings_file=f"~/.lamin/instance--{owner}--{name}.env" if storage.is_default else "",
        settings_keys=_keys(root, region) if storage.is_default else "",
    )


def _sql(uid: str, root: str, kind: StorageType, region: str | None) -> str:
    return (
        f"UPDATE lamindb_storage\n"
        f"SET root = {_quoted(root)}, type = {_quoted(kind)}, region = {_quoted(region)},\n"
        f"    updated_at = CURRENT_TIMESTAMP\n"
        f"WHERE uid = {_quoted(uid)};"
    )


def _keys(root: str, region: str | None) -> str:
    return f"lamindb_instance_storage_root={root}\nlamindb_instance_storage_region={region or 'null'}"


def _quoted(value: str | None) -> str:
    """Return a literal that SQLite and PostgreSQL read alike."""
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
