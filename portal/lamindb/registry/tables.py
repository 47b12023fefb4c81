"""The tables of LaminDB that the portal reads and writes, with the columns it uses (facts: lamindb docs, (a), (d)).

Descriptions for building statements, never for creating tables.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, SmallInteger, String, Table, Text

_METADATA: Final = MetaData()

#: Rows of `lamindb_branch` that every instance has.
TRASH, ARCHIVE, MAIN = -1, 0, 1

STORAGE: Final = Table(
    "lamindb_storage",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("uid", String(12)),
    Column("root", String(255)),
    Column("description", Text),
    Column("type", String(30)),
    Column("region", String(64)),
    Column("instance_uid", String(12)),
    Column("space_id", SmallInteger),
    Column("branch_id", Integer),
    Column("created_on_id", Integer),
    Column("run_id", BigInteger),
    Column("created_by_id", Integer),
    Column("is_locked", Boolean),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)

ARTIFACT: Final = Table(
    "lamindb_artifact",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("uid", String(20)),
    Column("key", String(1024)),
    Column("_real_key", String(1024)),
    Column("description", Text),
    Column("suffix", String(30)),
    Column("kind", String(20)),
    Column("otype", String(64)),
    Column("size", BigInteger),
    Column("hash", String(22)),
    Column("_hash_type", String(30)),
    Column("n_files", BigInteger),
    Column("_key_is_virtual", Boolean),
    Column("_overwrite_versions", Boolean),
    Column("is_latest", Boolean),
    Column("version_tag", String(30)),
    Column("storage_id", Integer),
    Column("space_id", SmallInteger),
    Column("branch_id", Integer),
    Column("created_by_id", Integer),
    # JSON text on SQLite, jsonb on PostgreSQL: read through `registry.artifacts`, never compared as it is.
    Column("_aux", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)

SPACE: Final = Table(
    "lamindb_space",
    _METADATA,
    Column("id", SmallInteger, primary_key=True),
    Column("uid", String(12)),
    Column("name", String(100)),
    Column("description", Text),
)

BRANCH: Final = Table(
    "lamindb_branch",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("uid", String(12)),
    Column("name", String(100)),
)

USER: Final = Table(
    "lamindb_user",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("uid", String(8)),
    Column("handle", String(30)),
    Column("name", String(150)),
)

#: Django's list of the schema's versions.
VERSIONS: Final = Table(
    "django_migrations", _METADATA, Column("id", Integer, primary_key=True), Column("app", Text), Column("name", Text)
)

TABLES: Final = (STORAGE, ARTIFACT, SPACE, BRANCH, USER)
