"""The only file that knows how htmx speaks: its headers, in and out."""

import json
from typing import Any, cast

from flask import Flask, flash, redirect, render_template, request
from flask import make_response as flask_response
from htmx_flask import Htmx
from werkzeug.wrappers import Response


def register(app: Flask) -> None:
    """Give requests their `htmx` attribute."""
    Htmx(app)


def wants_fragment() -> bool:
    """Tell whether htmx asks for a part of a page, not the browser for a whole one."""
    asked = cast(Any, request).htmx
    return bool(asked) and not asked.history_restore_request


def render(page: str, fragment: str, /, *, status: int = 200, **context: object) -> Response:
    """Render the fragment for htmx, else the page that includes it. Caches keep the two apart."""
    template = fragment if wants_fragment() else page
    response = flask_response(render_template(template, **context), status)
    response.headers["Vary"] = "HX-Request"
    return response


def tell(response: Response, event: str, **detail: object) -> Response:
    """Let the page hear a past-tense event, such as `role-changed`; lists that show it listen and reload."""

    response.headers["HX-Trigger"] = json.dumps({event: detail})
    return response


def toast(response: Response, message: str) -> Response:
    """Show a line of success at the edge of the page."""
    return tell(response, "toast", message=message)


def go(url: str, message: str) -> Response:
    """Send the person to another page, with a line of success there."""
    flash(message, "success")
    return redirect_to(url) if wants_fragment() else redirect(url, code=303)


def redirect_to(url: str) -> Response:
    """Let htmx load another page."""
    response = flask_response("", 204)
    response.headers["HX-Redirect"] = url
    return response


def problem(response: Response, message: str, hint: str | None) -> Response:
    """Show an error as a note on top of the page, and leave the rest as it is."""
    return tell(response, "problem", message=message, hint=hint or "")
