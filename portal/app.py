"""The composition root: the only module that knows everybody."""

import logging
import sys
from datetime import timedelta
from pathlib import Path

import structlog
from flask import Flask

from portal import cli, database, runner, web
from portal.config import Settings, read_settings
from portal.errors import PortalError
from portal.services.vault import open_vault

_HERE = Path(__file__).parent

#: Bytes of a request body; forms are small, and no file is ever uploaded through the web process.
MOST_REQUEST_BYTES = 1_000_000


def create_app(settings: Settings | None = None) -> Flask:
    """Return the portal's web application, with its schema at the newest revision.

    Raises:
        SettingsError: a setting, the key file or the database cannot be used.
    """
    settings = settings or read_settings()
    configure_logging(settings.log_level)
    vault = open_vault(settings.key_path)
    app = Flask("portal", template_folder=_folder("templates"), static_folder=_folder("static"))
    app.config.update(
        SECRET_KEY=vault.signing_key,
        MAX_CONTENT_LENGTH=MOST_REQUEST_BYTES,
        SESSION_COOKIE_NAME="portal_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_REFRESH_EACH_REQUEST=False,  # the gate does, where it has looked who is asking
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.extensions["portal_settings"] = settings
    app.extensions["portal_vault"] = vault
    database.init_database(app, settings.database_url)
    database.upgrade(settings.database_url)
    web.register(app, settings)
    runner.register(app)
    return app


def _folder(name: str) -> str:
    """Return a resource folder: inside the installed package, or beside it in a checkout."""
    inside = _HERE / name
    return str(inside if inside.is_dir() else _HERE.parent / name)


def configure_logging(level: str) -> None:
    """Log JSON lines on stderr, with request id and actor where they are bound."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def main() -> None:
    """Run the command line."""
    try:
        cli.run(create_app, read_settings)
    except PortalError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
