"""Face: HTML pages and HTMX fragments. One blueprint a noun."""

from flask import Flask

from portal.config import Settings
from portal.web import (
    account,
    artifacts,
    certificates,
    connect_s3,
    connections,
    csrf,
    defaults,
    errors,
    event_words,
    events,
    filters,
    gate,
    go,
    headers,
    health,
    hosts,
    htmx,
    infrastructure,
    instances,
    layout,
    migration_controls,
    migrations,
    people,
    register_local,
    registries,
    setup,
    spaces,
    storages,
)
from portal.web import settings as settings_page

BLUEPRINTS = (
    account.blueprint,
    artifacts.blueprint,
    certificates.blueprint,
    connect_s3.blueprint,
    connections.blueprint,
    defaults.blueprint,
    events.blueprint,
    go.blueprint,
    health.blueprint,
    hosts.blueprint,
    infrastructure.blueprint,
    instances.blueprint,
    migration_controls.blueprint,
    migrations.blueprint,
    people.blueprint,
    register_local.blueprint,
    registries.blueprint,
    settings_page.blueprint,
    setup.blueprint,
    spaces.blueprint,
    storages.blueprint,
)


def register(app: Flask, settings: Settings) -> None:
    """Put the web face on an app."""
    headers.register(app, settings)
    htmx.register(app)
    # First a request gets its id, so that a refusal has one to name.
    gate.register(app)
    csrf.register(app)
    filters.register_filters(app)
    event_words.register(app)
    layout.register(app)
    errors.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
