"""An instance's own database, called its registry: SQLite or PostgreSQL, reached with SQLAlchemy Core."""
