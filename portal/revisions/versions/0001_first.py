"""The first tables, and the space `all`, which is LaminDB's row 1 with its uid."""

import sqlalchemy as sa
from alembic import op

from portal.revisions.first import accounts, locations, migrations, spaces

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: What each table refers to comes before it.
TABLES = accounts.TABLES | spaces.TABLES | locations.TABLES | migrations.TABLES


def upgrade() -> None:
    """Make all tables."""
    for make in TABLES.values():
        make()
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
    for name in reversed(TABLES):
        op.drop_table(name)
