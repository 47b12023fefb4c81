"""Alembic's entry point: online only, on the URL that `portal.database` hands over."""

from alembic import context
from sqlalchemy import create_engine

from portal.database import engine_options, prepare_engine
from portal.models import Base

#: Made by hand in revision 0002: no model describes these tables and indexes.
BY_HAND = ("storage_search_", "ix_storage_search", "ix_storage_by_checked")


def is_ours(name: str | None, _kind: str, _parents: object) -> bool:
    """Tell whether a table or index is one the models describe."""
    return not (name or "").startswith(BY_HAND)


url: str = context.config.attributes["url"]
engine = prepare_engine(create_engine(url, **engine_options(url)))
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=is_ours,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
