"""Face: HTML pages and HTMX fragments. One blueprint a noun."""

from flask import Flask

from portal.config import Settings
from portal.web import account, csrf, errors, filters, gate, headers, health, htmx, layout, setup, spaces

BLUEPRINTS = (
    account.blueprint,
    health.blueprint,
    setup.blueprint,
    spaces.blueprint,
)


def register(app: Flask, settings: Settings) -> None:
    """Put the web face on an app."""
    headers.register(app, settings)
    csrf.register(app)
    htmx.register(app)
    gate.register(app)
    filters.register_filters(app)
    layout.register(app)
    errors.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
