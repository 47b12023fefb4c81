"""The one place where errors become HTTP."""

import structlog
from flask import Flask, flash, g, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from portal import errors
from portal.web import htmx

log = structlog.get_logger("portal.web")

STATUS: tuple[tuple[type[errors.PortalError], int], ...] = (
    (errors.NotFound, 404),
    (errors.PermissionDenied, 403),
    (errors.SignInFailed, 422),
    (errors.Throttled, 429),
    (errors.InputError, 422),
    (errors.Refused, 422),
    (errors.Conflict, 409),
    (errors.Unreachable, 503),
    (errors.StorageError, 422),
    (errors.RegistryUnreachable, 503),
    (errors.RegistryBusy, 409),
    (errors.RegistryChanged, 409),
    (errors.RegistryError, 422),
)

#: What an HTTP error of the framework means to a person.
WORDS = {
    400: ("The request could not be read.", "Go back and send the form again."),
    404: ("There is no such page.", "Check the address, or start from Infrastructure."),
    405: ("This address does not take that kind of request.", "Go back and use the page's own buttons."),
    413: ("The form is larger than a form can be.", "Shorten what you typed."),
}


def status_of(error: errors.PortalError) -> int:
    """Return the HTTP status of an error; 500 for kinds that no page should ever show."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def register(app: Flask) -> None:
    """Answer every error with a page or, for htmx, with a note in the page."""
    app.register_error_handler(errors.PortalError, _portal_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _surprise)


def _portal_error(error: errors.PortalError) -> Response:
    if isinstance(error, errors.Conflict) and (move := _move_of_page()):
        flash(str(error), "warning")
        return redirect(move, code=303)
    response = _answer(status_of(error), error.message, error.hint)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _move_of_page() -> str:
    """Return the page of the move that a question or a button belongs to: it shows what is possible now.

    Empty for all other pages, for files, and for what htmx asks.
    """
    uid = (request.view_args or {}).get("uid")
    is_asked = request.path.startswith(f"/migrations/{uid}/") and "." not in request.path.rsplit("/", 1)[-1]
    return url_for("migrations.show", uid=uid) if uid and is_asked and not htmx.wants_fragment() else ""


def _http_error(error: HTTPException) -> Response:
    code = error.code or 500
    if code < 400:
        return error.get_response()
    message, hint = WORDS.get(code, (error.description or error.name, None))
    return _answer(code, message, hint)


def _surprise(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return _answer(
        500,
        "Something broke on our side; what you typed was not saved.",
        "Try again. If it stays, tell your portal admin.",
    )


def _answer(status: int, message: str, hint: str | None) -> Response:
    if htmx.wants_fragment():
        return htmx.problem(Response(f"{message}\n", status, mimetype="text/plain"), message, hint)
    context = {"status": status, "message": message, "hint": hint, "request_id": g.get("request_id", "")}
    try:
        return flask_response(render_template("errors/error.html", **context), status)
    except Exception:
        log.exception("the error page could not be rendered")
        return Response(f"{message}\n", status, mimetype="text/plain")
