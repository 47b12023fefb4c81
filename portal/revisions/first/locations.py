"""Hosts with their runners, connections, storage locations and their checks."""

import sqlalchemy as sa
from alembic import op


def make_host() -> None:
    op.create_table(
        "host",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host")),
        sa.UniqueConstraint("name", name=op.f("uq_host_name")),
    )


def make_runner() -> None:
    op.create_table(
        "runner",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_runner_host_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runner")),
        sa.UniqueConstraint("name", name=op.f("uq_runner_name")),
    )
    op.create_index(op.f("ix_runner_host_id"), "runner", ["host_id"])


def make_connection() -> None:
    op.create_table(
        "connection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("endpoint_url", sa.String(length=255), nullable=True),
        sa.Column("region", sa.String(length=64), nullable=True),
        sa.Column("access_key_id", sa.String(length=128), nullable=True),
        sa.Column("secret_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("secret_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["account.id"], name=op.f("fk_connection_created_by_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_connection_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint("uid", name=op.f("uq_connection_uid")),
    )
    op.create_index(op.f("ix_connection_owner_id"), "connection", ["owner_id"])


def make_connection_scope() -> None:
    op.create_table(
        "connection_scope",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=1024), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_connection_scope_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection_scope")),
        sa.UniqueConstraint(
            "connection_id", "bucket", "prefix", name=op.f("uq_connection_scope_connection_id_bucket_prefix")
        ),
    )


def make_storage() -> None:
    op.create_table(
        "storage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("uid", sa.String(length=12), nullable=False),
        sa.Column("root", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=True),
        sa.Column("host_id", sa.Integer(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=True),
        sa.Column("instance_uid", sa.String(length=12), nullable=True),
        sa.Column("instance_slug", sa.String(length=140), nullable=True),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("mode_reason", sa.String(length=40), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("is_locked", sa.Boolean(), nullable=False),
        sa.Column("branch_id", sa.SmallInteger(), nullable=False),
        sa.Column("created_on_id", sa.SmallInteger(), nullable=False),
        sa.Column("run", sa.String(length=20), nullable=True),
        sa.Column("last_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_check_status", sa.String(length=40), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sort_place", sa.String(length=64), server_default="", nullable=False),
        sa.Column("sort_space", sa.String(length=140), server_default="", nullable=False),
        sa.Column("sort_instance", sa.String(length=140), server_default="", nullable=False),
        sa.Column("sort_creator", sa.String(length=39), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_storage_connection_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["account.id"], name=op.f("fk_storage_created_by_id")),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_storage_host_id")),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_storage_instance_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_storage_owner_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_storage_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage")),
        sa.UniqueConstraint("uid", name=op.f("uq_storage_uid")),
        sa.UniqueConstraint("uuid", name=op.f("uq_storage_uuid")),
    )
    _index_storage()


def _index_storage() -> None:
    op.create_index(
        "ix_storage_access",
        "storage",
        [
            "space_id",
            "instance_id",
            "branch_id",
            "root",
            "type",
            "sort_place",
            "sort_space",
            "sort_instance",
            "mode",
            "is_default",
            "sort_creator",
            "last_check_at",
            "created_at",
        ],
    )
    op.create_index("ix_storage_by_created", "storage", ["created_at", "root", "id"])
    op.create_index("ix_storage_by_creator", "storage", ["sort_creator", "root", "id"])
    op.create_index("ix_storage_by_default", "storage", ["is_default", "root", "id"])
    op.create_index("ix_storage_by_instance", "storage", ["sort_instance", "root", "id"])
    op.create_index("ix_storage_by_mode", "storage", ["mode", "root", "id"])
    op.create_index("ix_storage_by_place", "storage", ["sort_place", "root", "id"])
    op.create_index("ix_storage_by_root", "storage", ["root", "id"])
    op.create_index("ix_storage_by_space", "storage", ["sort_space", "root", "id"])
    op.create_index("ix_storage_by_type", "storage", ["type", "root", "id"])
    op.create_index(op.f("ix_storage_connection_id"), "storage", ["connection_id"])
    op.create_index("ix_storage_host", "storage", ["host_id"])
    op.create_index("ix_storage_owner", "storage", ["owner_id", "instance_id"])
    op.create_index(
        "uq_storage_default",
        "storage",
        ["instance_id"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def make_check_result() -> None:
    op.create_table(
        "check_result",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("storage_id", sa.Integer(), nullable=False),
        sa.Column("batch", sa.String(length=12), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fix", sa.Text(), nullable=True),
        sa.Column("is_write", sa.Boolean(), nullable=False),
        sa.Column("server_message", sa.Text(), nullable=True),
        sa.Column("missing_action", sa.String(length=80), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["storage_id"], ["storage.id"], name=op.f("fk_check_result_storage_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_result")),
    )
    op.create_index("ix_check_result_storage_at", "check_result", ["storage_id", "checked_at"])


TABLES = {
    "host": make_host,
    "runner": make_runner,
    "connection": make_connection,
    "connection_scope": make_connection_scope,
    "storage": make_storage,
    "check_result": make_check_result,
}
