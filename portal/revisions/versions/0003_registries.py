"""Registries of attached instances, references to locations in them, the log of a switch, and strategies of a move.

The columns are added in place: rebuilding `migration` on SQLite would take its shards along.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and add the columns."""
    _make_reference()
    _make_registry()
    _make_intent()
    op.add_column("migration", sa.Column("strategy", sa.String(length=12), server_default="rewrite", nullable=False))
    op.add_column(
        "migration", sa.Column("leaves_unreferenced", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("migration", sa.Column("takes_rot", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("migration", sa.Column("target_storage_uid", sa.String(length=12)))
    op.add_column("migration", sa.Column("sweep_at", sa.DateTime(timezone=True)))


def _make_reference() -> None:
    op.create_table(
        "reference",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("storage_id", sa.Integer(), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=12), nullable=False),
        sa.Column("root", sa.String(length=255), nullable=False),
        sa.Column("artifact_count", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_reference_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["storage_id"], ["storage.id"], name=op.f("fk_reference_storage_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference")),
        sa.UniqueConstraint("instance_id", "row_id", name=op.f("uq_reference_instance_id_row_id")),
        sa.UniqueConstraint("instance_id", "storage_id", name=op.f("uq_reference_instance_id_storage_id")),
    )
    with op.batch_alter_table("reference", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reference_storage_id"), ["storage_id"], unique=False)


def _make_registry() -> None:
    op.create_table(
        "registry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("label", sa.String(length=300), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("host_id", sa.Integer(), nullable=True),
        sa.Column("url_encrypted", sa.Text(), nullable=True),
        sa.Column("identity", sa.String(length=300), nullable=False),
        sa.Column("instance_uid", sa.String(length=12), nullable=False),
        sa.Column("instance_uuid", sa.String(length=36), nullable=True),
        sa.Column("is_read_only", sa.Boolean(), nullable=False),
        sa.Column("why_read_only", sa.Text(), nullable=False),
        sa.Column("schema_version", sa.String(length=100), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("difference_count", sa.Integer(), nullable=True),
        sa.Column("keeps_local", sa.Boolean(), nullable=False),
        sa.Column("local_default_id", sa.Integer(), nullable=True),
        sa.Column("attached_by_id", sa.Integer(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["attached_by_id"], ["account.id"], name=op.f("fk_registry_attached_by_id")),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name=op.f("fk_registry_host_id")),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_registry_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["local_default_id"], ["storage.id"], name=op.f("fk_registry_local_default_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry")),
        sa.UniqueConstraint("identity", "instance_uid", name=op.f("uq_registry_identity_instance_uid")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_registry_instance_id")),
    )


def _make_intent() -> None:
    op.create_table(
        "intent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("migration_id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=8), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=True),
        sa.Column("row_id", sa.Integer(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_intent_instance_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["migration_id"], ["migration.id"], name=op.f("fk_intent_migration_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
    )
    with op.batch_alter_table("intent", schema=None) as batch_op:
        batch_op.create_index("ix_intent_migration", ["migration_id", "direction", "number"], unique=False)


def downgrade() -> None:
    """Drop them."""
    for name in ("sweep_at", "target_storage_uid", "takes_rot", "leaves_unreferenced", "strategy"):
        op.drop_column("migration", name)
    with op.batch_alter_table("intent", schema=None) as batch_op:
        batch_op.drop_index("ix_intent_migration")

    op.drop_table("intent")
    op.drop_table("registry")
    with op.batch_alter_table("reference", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reference_storage_id"))

    op.drop_table("reference")
