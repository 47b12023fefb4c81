"""Moves, their shards, and the objects that could not be moved."""

from typing import Any

import sqlalchemy as sa
from alembic import op


def _side(name: str) -> list[sa.Column[Any]]:
    """Return the columns of a move's source or target."""
    return [
        sa.Column(f"{name}_root", sa.String(length=255), nullable=False),
        sa.Column(f"{name}_type", sa.String(length=40), nullable=False),
        sa.Column(f"{name}_region", sa.String(length=64), nullable=True),
        sa.Column(f"{name}_host_id", sa.Integer(), nullable=True),
        sa.Column(f"{name}_connection_id", sa.Integer(), nullable=True),
    ]


def make_migration() -> None:
    op.create_table(
        "migration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=12), nullable=False),
        sa.Column("storage_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("wish", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        *_side("source"),
        *_side("target"),
        sa.Column("pass_number", sa.Integer(), nullable=False),
        sa.Column("planned_count", sa.BigInteger(), nullable=False),
        sa.Column("planned_bytes", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("progress", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("manifest_digest", sa.String(length=64), nullable=True),
        sa.Column("lease_owner", sa.String(length=120), nullable=True),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cut_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("soak_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["account.id"], name=op.f("fk_migration_created_by_id")),
        sa.ForeignKeyConstraint(
            ["source_connection_id"], ["connection.id"], name=op.f("fk_migration_source_connection_id")
        ),
        sa.ForeignKeyConstraint(["source_host_id"], ["host.id"], name=op.f("fk_migration_source_host_id")),
        sa.ForeignKeyConstraint(
            ["storage_id"], ["storage.id"], name=op.f("fk_migration_storage_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["target_connection_id"], ["connection.id"], name=op.f("fk_migration_target_connection_id")
        ),
        sa.ForeignKeyConstraint(["target_host_id"], ["host.id"], name=op.f("fk_migration_target_host_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_migration")),
        sa.UniqueConstraint("uid", name=op.f("uq_migration_uid")),
    )
    op.create_index(op.f("ix_migration_state"), "migration", ["state"])
    op.create_index(op.f("ix_migration_storage_id"), "migration", ["storage_id"])


def make_shard() -> None:
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("migration_id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("pass_number", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("object_count", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("plan_path", sa.String(length=255), nullable=False),
        sa.Column("plan_digest", sa.String(length=64), nullable=False),
        sa.Column("copy_path", sa.String(length=255), nullable=True),
        sa.Column("copy_digest", sa.String(length=64), nullable=True),
        sa.Column("verify_path", sa.String(length=255), nullable=True),
        sa.Column("verify_digest", sa.String(length=64), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["migration_id"], ["migration.id"], name=op.f("fk_shard_migration_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shard")),
        sa.UniqueConstraint(
            "migration_id",
            "direction",
            "pass_number",
            "number",
            name=op.f("uq_shard_migration_id_direction_pass_number_number"),
        ),
    )
    op.create_index("ix_shard_migration_state", "shard", ["migration_id", "state"])


def make_shard_exception() -> None:
    op.create_table(
        "shard_exception",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("migration_id", sa.Integer(), nullable=False),
        sa.Column("shard_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["migration_id"], ["migration.id"], name=op.f("fk_shard_exception_migration_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["shard_id"], ["shard.id"], name=op.f("fk_shard_exception_shard_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shard_exception")),
    )
    op.create_index("ix_shard_exception_migration_kind", "shard_exception", ["migration_id", "kind", "id"])
    op.create_index(op.f("ix_shard_exception_shard_id"), "shard_exception", ["shard_id"])


TABLES = {
    "migration": make_migration,
    "shard": make_shard,
    "shard_exception": make_shard_exception,
}
