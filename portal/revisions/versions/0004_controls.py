"""Limits, schedule and rates of a migration; the kind of error of an object that failed.

The columns are added in place: rebuilding `migration` on SQLite would take its shards along.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MIGRATION = (
    ("bandwidth_bytes_per_second", sa.BigInteger()),
    ("concurrency", sa.Integer()),
    ("worker_count", sa.Integer()),
    ("max_errors", sa.Integer()),
    ("start_at", sa.DateTime(timezone=True)),
    ("hours", sa.String(length=11)),
    ("zone", sa.String(length=64)),
    ("waits_until", sa.DateTime(timezone=True)),
    ("rates", sa.JSON()),
)


def upgrade() -> None:
    """Add the columns."""
    for name, kind in _MIGRATION:
        op.add_column("migration", sa.Column(name, kind))
    op.add_column("shard_exception", sa.Column("is_passing", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("shard_exception", sa.Column("is_chosen", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("shard_exception", schema=None) as batch_op:
        batch_op.create_index("ix_shard_exception_migration", ["migration_id", "id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("shard_exception", schema=None) as batch_op:
        batch_op.drop_index("ix_shard_exception_migration")
    for name in ("is_chosen", "is_passing"):
        op.drop_column("shard_exception", name)
    for name, _ in reversed(_MIGRATION):
        op.drop_column("migration", name)
