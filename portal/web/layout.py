"""What every page needs around its content: navigation, assets, the theme."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Flask, current_app, request, url_for
from flask_login import current_user
from markupsafe import Markup

THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class NavEntry:
    """One line of the rail."""

    label: str
    url: str
    icon: str
    is_current: bool
    count: int | None = None
    note: str | None = None


#: (label, blueprint, endpoint, icon); an entry shows once its blueprint exists.
NAVIGATION = (
    ("Infrastructure", "infrastructure", "infrastructure.index", "database"),
    ("Migrations", "migrations", "migrations.index", "arrows-exchange"),
    ("Spaces", "spaces", "spaces.index", "cube"),
    ("People", "people", "people.index", "users"),
    ("Instances", "instances", "instances.index", "stack-2"),
    ("Hosts", "hosts", "hosts.index", "server-2"),
    ("Events", "events", "events.index", "history"),
)


def register(app: Flask) -> None:
    """Give templates their globals and each page its frame."""
    static = Path(str(app.static_folder))
    versions = {str(path.relative_to(static)): _digest(path) for path in static.rglob("*") if path.is_file()}
    static_url = app.static_url_path
    sprites = sorted(path.name for path in static.glob("icons-*.svg"))

    def asset(name: str) -> str:
        """Return the address of a static file; it changes with the content, so browsers may keep it for ever."""
        return f"{request.script_root}{static_url}/{name}?v={versions.get(name)}"

    sheet = f"{static_url}/{sprites[-1] if sprites else 'icons.svg'}"

    @lru_cache(maxsize=1_000)
    def draw(prefix: str, name: str, classes: str) -> Markup:
        return Markup(
            '<svg class="i{}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>'
        ).format(f" {classes}" if classes else "", prefix + sheet, name)  # fmt: skip

    def icon(name: str, cls: str = "") -> Markup:
        """Return an icon of the sprite; a page holds a hundred, so they are kept."""
        return draw(request.script_root, name, cls)

    app.jinja_env.globals.update(asset=asset, draw_icon=icon)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 31_536_000
    app.context_processor(_frame)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def theme() -> str:
    """Return the theme the browser's cookie asks for: auto, light or dark."""
    wanted = request.cookies.get("theme", "auto")
    return wanted if wanted in THEMES else "auto"


def _frame() -> dict[str, object]:
    signed_in = current_user.is_authenticated
    return {"nav": _navigation() if signed_in else [], "theme": theme(), "site_name": "", "jobs_count": None}


def _navigation() -> list[NavEntry]:

    here = request.blueprint
    return [
        NavEntry(label, url_for(endpoint), icon, here == blueprint)
        for label, blueprint, endpoint, icon in NAVIGATION
        if blueprint in current_app.blueprints
    ]
