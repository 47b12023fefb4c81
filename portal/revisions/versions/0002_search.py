"""Keep the sort columns of `storage` right, order it by last check, and index it for search.

SQLite: two full-text tables over root, description and uid, fed by triggers: trigrams for words of three letters and
more, word beginnings for shorter ones. PostgreSQL: one trigram index, where the extension pg_trgm may be created;
without that right the same queries run, slower.

A later revision that rebuilds `storage` in a batch on SQLite loses these triggers and must make them again.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEVER_CHECKED = "'1900-01-01 00:00:00.000000'"

SORT_INPUTS = "host_id, region, space_id, instance_id, instance_uid, instance_slug, created_by_id"

#: (table, its column, the sort column, the foreign key): who must tell `storage` of a new name.
NAMES = (
    ("host", "name", "sort_place", "host_id"),
    ("space", "name", "sort_space", "space_id"),
    ("instance", "slug", "sort_instance", "instance_id"),
    ("account", "handle", "sort_creator", "created_by_id"),
)


def _sort_values(row: str) -> dict[str, str]:
    return {
        "sort_place": f"lower(coalesce((SELECT name FROM host WHERE id = {row}.host_id), {row}.region, ''))",
        "sort_space": f"lower(coalesce((SELECT name FROM space WHERE id = {row}.space_id), ''))",
        "sort_instance": f"lower(coalesce((SELECT slug FROM instance WHERE id = {row}.instance_id),"
        f" {row}.instance_slug, {row}.instance_uid, ''))",
        "sort_creator": f"lower(coalesce((SELECT handle FROM account WHERE id = {row}.created_by_id), ''))",
    }


def upgrade() -> None:
    """Make triggers and indexes, and fill them from the rows that are there."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _sqlite() if is_sqlite else _postgresql():
        op.execute(statement)
    if not is_sqlite:
        _index_trigrams()
    changes = ", ".join(f"{name} = {value}" for name, value in _sort_values("storage").items())
    op.execute(f"UPDATE storage SET {changes}")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX ix_storage_by_checked")
    if op.get_bind().dialect.name == "sqlite":
        for name in ("sort_insert", "sort_update", "search_insert", "search_delete", "search_update"):
            op.execute(f"DROP TRIGGER storage_{name}")
        for table, _, _, _ in NAMES:
            op.execute(f"DROP TRIGGER {table}_sort_update")
        op.execute("DROP TABLE storage_search_grams")
        op.execute("DROP TABLE storage_search_words")
        return
    op.execute("DROP INDEX IF EXISTS ix_storage_search")
    op.execute("DROP TRIGGER storage_sort ON storage")
    op.execute("DROP FUNCTION storage_sort()")
    for table, _, _, _ in NAMES:
        op.execute(f"DROP TRIGGER {table}_sort_update ON {table}")
        op.execute(f"DROP FUNCTION {table}_sort_update()")


def _sqlite() -> Sequence[str]:
    changes = ", ".join(f"{name} = {value}" for name, value in _sort_values("NEW").items())
    statements = [
        f"CREATE INDEX ix_storage_by_checked ON storage (coalesce(last_check_at, {NEVER_CHECKED}), root, id)",
        (
            f"CREATE TRIGGER storage_sort_insert AFTER INSERT ON storage BEGIN"
            f" UPDATE storage SET {changes} WHERE id = NEW.id; END"
        ),
        (
            f"CREATE TRIGGER storage_sort_update AFTER UPDATE OF {SORT_INPUTS} ON storage BEGIN"
            f" UPDATE storage SET {changes} WHERE id = NEW.id; END"
        ),
    ]
    for table, column, target, key in NAMES:
        statements.append(
            f"CREATE TRIGGER {table}_sort_update AFTER UPDATE OF {column} ON {table} BEGIN"
            f" UPDATE storage SET {target} = lower(NEW.{column}) WHERE {key} = NEW.id; END"
        )
    return [*statements, *_sqlite_search()]


def _sqlite_search() -> Sequence[str]:
    tokenizers = {"grams": "tokenize='trigram'", "words": "tokenize='unicode61 remove_diacritics 0', prefix='1 2'"}
    add, remove = [], []
    statements = []
    for kind, tokenizer in tokenizers.items():
        table = f"storage_search_{kind}"
        statements.append(
            f"CREATE VIRTUAL TABLE {table} USING fts5(root, description, uid, content='storage', content_rowid='id',"
            f" columnsize=0, {tokenizer})"
        )
        statements.append(f"INSERT INTO {table}({table}) VALUES ('rebuild')")
        columns = "rowid, root, description, uid"
        add.append(f"INSERT INTO {table}({columns}) VALUES (NEW.id, NEW.root, NEW.description, NEW.uid);")
        remove.append(
            f"INSERT INTO {table}({table}, {columns}) VALUES ('delete', OLD.id, OLD.root, OLD.description, OLD.uid);"
        )
    inserted, deleted = " ".join(add), " ".join(remove)
    return [
        *statements,
        f"CREATE TRIGGER storage_search_insert AFTER INSERT ON storage BEGIN {inserted} END",
        f"CREATE TRIGGER storage_search_delete AFTER DELETE ON storage BEGIN {deleted} END",
        (
            f"CREATE TRIGGER storage_search_update AFTER UPDATE OF root, description, uid ON storage"
            f" BEGIN {deleted} {inserted} END"
        ),
    ]


def _postgresql() -> Sequence[str]:
    changes = " ".join(f"NEW.{name} := {value};" for name, value in _sort_values("NEW").items())
    statements = [
        (
            "CREATE INDEX ix_storage_by_checked ON storage"
            " (coalesce(last_check_at, TIMESTAMPTZ '1900-01-01 00:00:00+00'), root, id)"
        ),
        f"CREATE FUNCTION storage_sort() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {changes} RETURN NEW; END $$",
        (
            f"CREATE TRIGGER storage_sort BEFORE INSERT OR UPDATE OF {SORT_INPUTS} ON storage"
            f" FOR EACH ROW EXECUTE FUNCTION storage_sort()"
        ),
    ]
    for table, column, target, key in NAMES:
        statements += [
            (
                f"CREATE FUNCTION {table}_sort_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" UPDATE storage SET {target} = lower(NEW.{column}) WHERE {key} = NEW.id; RETURN NULL; END $$"
            ),
            (
                f"CREATE TRIGGER {table}_sort_update AFTER UPDATE OF {column} ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION {table}_sort_update()"
            ),
        ]
    return statements


def _index_trigrams() -> None:
    """Index roots, descriptions and uids by trigrams, unless this account may not create the extension."""
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except sa.exc.DBAPIError:
        return
    connection.execute(
        sa.text(
            "CREATE INDEX ix_storage_search ON storage"
            " USING gin ((root || ' ' || description || ' ' || uid) gin_trgm_ops)"
        )
    )
