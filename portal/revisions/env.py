"""Alembic's entry point: online only, on the URL that `portal.database` hands over."""

from alembic import context
from sqlalchemy import create_engine

from portal.database import engine_options, prepare_engine
from portal.models import Base

url: str = context.config.attributes["url"]
engine = prepare_engine(create_engine(url, **engine_options(url)))
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
