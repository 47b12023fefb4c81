"""Instances and spaces, and who has which role on them."""

import sqlalchemy as sa
from alembic import op


def make_instance() -> None:
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("uid", sa.String(length=12), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("slug", sa.String(length=140), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["account.id"], name=op.f("fk_instance_created_by_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_instance_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_instance_owner_id_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_instance_slug")),
        sa.UniqueConstraint("uid", name=op.f("uq_instance_uid")),
        sa.UniqueConstraint("uuid", name=op.f("uq_instance_uuid")),
    )
    op.create_index(op.f("ix_instance_owner_id"), "instance", ["owner_id"])


def make_space() -> None:
    op.create_table(
        "space",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("uid", sa.String(length=12), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["account.id"], name=op.f("fk_space_created_by_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_space_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
        sa.UniqueConstraint("uid", name=op.f("uq_space_uid")),
        sa.UniqueConstraint("uuid", name=op.f("uq_space_uuid")),
    )
    op.create_index(op.f("ix_space_name"), "space", ["name"])


def make_collaborator() -> None:
    op.create_table(
        "collaborator",
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_collaborator_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_collaborator_instance_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_id", "account_id", name=op.f("pk_collaborator")),
    )
    op.create_index(op.f("ix_collaborator_account_id"), "collaborator", ["account_id"])


def make_instance_space() -> None:
    op.create_table(
        "instance_space",
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_instance_space_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_instance_space_space_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_id", "space_id", name=op.f("pk_instance_space")),
    )
    op.create_index(op.f("ix_instance_space_space_id"), "instance_space", ["space_id"])


def make_space_member() -> None:
    op.create_table(
        "space_member",
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_space_member_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_space_member_space_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("space_id", "account_id", name=op.f("pk_space_member")),
    )
    op.create_index(op.f("ix_space_member_account_id"), "space_member", ["account_id"])


TABLES = {
    "instance": make_instance,
    "space": make_space,
    "collaborator": make_collaborator,
    "instance_space": make_instance_space,
    "space_member": make_space_member,
}
