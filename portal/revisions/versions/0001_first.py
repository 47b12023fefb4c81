"""The first tables, and the space `all`, which is LaminDB's row 1 with its uid."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("uid", sa.String(length=8), nullable=False),
        sa.Column("handle", sa.String(length=39), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("is_portal_admin", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("handle = lower(handle)", name=op.f("ck_account_handle_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
        sa.UniqueConstraint("handle", name=op.f("uq_account_handle")),
        sa.UniqueConstraint("uid", name=op.f("uq_account_uid")),
        sa.UniqueConstraint("uuid", name=op.f("uq_account_uuid")),
    )
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
    op.create_table(
        "throttle",
        sa.Column("bucket", sa.String(length=64), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_throttle")),
    )
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_throttle_updated_at"), ["updated_at"], unique=False)

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
    with op.batch_alter_table("connection", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_connection_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("actor_handle", sa.String(length=39), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("target_type", sa.String(length=20), nullable=False),
        sa.Column("target_uid", sa.String(length=40), nullable=False),
        sa.Column("target_name", sa.String(length=300), nullable=False),
        sa.Column("storage_id", sa.Integer(), nullable=True),
        sa.Column("space_id", sa.Integer(), nullable=True),
        sa.Column("instance_id", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("via", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["account.id"], name=op.f("fk_event_actor_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index("ix_event_action", ["action", "id"], unique=False)
        batch_op.create_index("ix_event_actor_id", ["actor_id", "id"], unique=False)
        batch_op.create_index("ix_event_at", ["at", "id"], unique=False)
        batch_op.create_index("ix_event_instance_id", ["instance_id", "id"], unique=False)
        batch_op.create_index("ix_event_owner_id", ["owner_id", "id"], unique=False)
        batch_op.create_index("ix_event_space_id", ["space_id", "id"], unique=False)
        batch_op.create_index("ix_event_storage_id", ["storage_id", "id"], unique=False)

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
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_instance_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "membership",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_membership_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["account.id"], name=op.f("fk_membership_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "account_id", name=op.f("pk_membership")),
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_membership_account_id"), ["account_id"], unique=False)

    op.create_table(
        "one_time_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_one_time_link_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_one_time_link_token_hash")),
    )
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_one_time_link_account_id"), ["account_id"], unique=False)

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
    with op.batch_alter_table("runner", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runner_host_id"), ["host_id"], unique=False)

    op.create_table(
        "server_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_server_grant_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["account.id"], name=op.f("fk_server_grant_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_grant")),
        sa.UniqueConstraint("account_id", "type", "root", name=op.f("uq_server_grant_account_id_type_root")),
    )
    with op.batch_alter_table("server_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_server_grant_account_id"), ["account_id"], unique=False)

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
    with op.batch_alter_table("space", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_space_name"), ["name"], unique=False)

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
    with op.batch_alter_table("collaborator", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_collaborator_account_id"), ["account_id"], unique=False)

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
    with op.batch_alter_table("instance_space", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_instance_space_space_id"), ["space_id"], unique=False)

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
    with op.batch_alter_table("space_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_space_member_account_id"), ["account_id"], unique=False)

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
    with op.batch_alter_table("storage", schema=None) as batch_op:
        batch_op.create_index(
            "ix_storage_access",
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
            unique=False,
        )
        batch_op.create_index("ix_storage_by_created", ["created_at", "root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_creator", ["sort_creator", "root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_default", ["is_default", "root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_instance", ["sort_instance", "root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_mode", ["mode", "root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_place", ["sort_place", "root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_root", ["root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_space", ["sort_space", "root", "id"], unique=False)
        batch_op.create_index("ix_storage_by_type", ["type", "root", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_storage_connection_id"), ["connection_id"], unique=False)
        batch_op.create_index("ix_storage_host", ["host_id"], unique=False)
        batch_op.create_index("ix_storage_owner", ["owner_id", "instance_id"], unique=False)
        batch_op.create_index(
            "uq_storage_default",
            ["instance_id"],
            unique=True,
            sqlite_where=sa.text("is_default"),
            postgresql_where=sa.text("is_default"),
        )

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
    with op.batch_alter_table("check_result", schema=None) as batch_op:
        batch_op.create_index("ix_check_result_storage_at", ["storage_id", "checked_at"], unique=False)

    op.create_table(
        "migration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=12), nullable=False),
        sa.Column("storage_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("wish", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("source_root", sa.String(length=255), nullable=False),
        sa.Column("source_type", sa.String(length=40), nullable=False),
        sa.Column("source_region", sa.String(length=64), nullable=True),
        sa.Column("source_host_id", sa.Integer(), nullable=True),
        sa.Column("source_connection_id", sa.Integer(), nullable=True),
        sa.Column("target_root", sa.String(length=255), nullable=False),
        sa.Column("target_type", sa.String(length=40), nullable=False),
        sa.Column("target_region", sa.String(length=64), nullable=True),
        sa.Column("target_host_id", sa.Integer(), nullable=True),
        sa.Column("target_connection_id", sa.Integer(), nullable=True),
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
    with op.batch_alter_table("migration", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_migration_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_migration_storage_id"), ["storage_id"], unique=False)

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
    with op.batch_alter_table("shard", schema=None) as batch_op:
        batch_op.create_index("ix_shard_migration_state", ["migration_id", "state"], unique=False)

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
    with op.batch_alter_table("shard_exception", schema=None) as batch_op:
        batch_op.create_index("ix_shard_exception_migration_kind", ["migration_id", "kind", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shard_exception_shard_id"), ["shard_id"], unique=False)

    op.create_index("uq_space_owner_name", "space", ["owner_id", sa.text("lower(name)")], unique=True)
    op.create_index("uq_storage_root_host", "storage", ["root", sa.text("coalesce(host_id, 0)")], unique=True)
    op.execute(
        "INSERT INTO space (id, uuid, uid, name, description, created_at, updated_at) VALUES (1, "
        "'00000000-0000-0000-0000-000000000001', 'aaaaaaaaaaaa', 'all', "
        "'Everyone with a role on the instance of a location.', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('space', 'id'), 1)")


def downgrade() -> None:
    """Drop all tables."""
    with op.batch_alter_table("shard_exception", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shard_exception_shard_id"))
        batch_op.drop_index("ix_shard_exception_migration_kind")

    op.drop_table("shard_exception")
    with op.batch_alter_table("shard", schema=None) as batch_op:
        batch_op.drop_index("ix_shard_migration_state")

    op.drop_table("shard")
    with op.batch_alter_table("migration", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_migration_storage_id"))
        batch_op.drop_index(batch_op.f("ix_migration_state"))

    op.drop_table("migration")
    with op.batch_alter_table("check_result", schema=None) as batch_op:
        batch_op.drop_index("ix_check_result_storage_at")

    op.drop_table("check_result")
    with op.batch_alter_table("storage", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_storage_default", sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default")
        )
        batch_op.drop_index("ix_storage_owner")
        batch_op.drop_index("ix_storage_host")
        batch_op.drop_index(batch_op.f("ix_storage_connection_id"))
        batch_op.drop_index("ix_storage_by_type")
        batch_op.drop_index("ix_storage_by_space")
        batch_op.drop_index("ix_storage_by_root")
        batch_op.drop_index("ix_storage_by_place")
        batch_op.drop_index("ix_storage_by_mode")
        batch_op.drop_index("ix_storage_by_instance")
        batch_op.drop_index("ix_storage_by_default")
        batch_op.drop_index("ix_storage_by_creator")
        batch_op.drop_index("ix_storage_by_created")
        batch_op.drop_index("ix_storage_access")

    op.drop_table("storage")
    with op.batch_alter_table("space_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_space_member_account_id"))

    op.drop_table("space_member")
    with op.batch_alter_table("instance_space", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_instance_space_space_id"))

    op.drop_table("instance_space")
    op.drop_table("connection_scope")
    with op.batch_alter_table("collaborator", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_collaborator_account_id"))

    op.drop_table("collaborator")
    with op.batch_alter_table("space", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_space_name"))

    op.drop_table("space")
    with op.batch_alter_table("server_grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_server_grant_account_id"))

    op.drop_table("server_grant")
    with op.batch_alter_table("runner", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_runner_host_id"))

    op.drop_table("runner")
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_link_account_id"))

    op.drop_table("one_time_link")
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_membership_account_id"))

    op.drop_table("membership")
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_instance_owner_id"))

    op.drop_table("instance")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("ix_event_storage_id")
        batch_op.drop_index("ix_event_space_id")
        batch_op.drop_index("ix_event_owner_id")
        batch_op.drop_index("ix_event_instance_id")
        batch_op.drop_index("ix_event_at")
        batch_op.drop_index("ix_event_actor_id")
        batch_op.drop_index("ix_event_action")

    op.drop_table("event")
    with op.batch_alter_table("connection", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_connection_owner_id"))

    op.drop_table("connection")
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_throttle_updated_at"))

    op.drop_table("throttle")
    op.drop_table("host")
    op.drop_table("account")
