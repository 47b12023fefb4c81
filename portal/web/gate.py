"""Who is asking, and the unit of work their request runs in. Every route is closed unless it says otherwise."""

import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import structlog
from flask import Flask, current_app, g, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response

from portal import database
from portal.config import Settings
from portal.models import Account
from portal.services import sign_in as sign_in_service
from portal.services.access import SessionId, actor_of_session
from portal.services.vault import Vault
from portal.services.work import Work
from portal.values import ANONYMOUS, Actor, initials
from portal.web import htmx

_View = TypeVar("_View", bound=Callable[..., Any])

log = structlog.get_logger("portal.web")


@dataclass(frozen=True)
class SignedIn(UserMixin):  # type: ignore[misc]  # flask-login ships no types
    """The signed-in person, as templates see one. A value: nothing here can query."""

    session_id: SessionId
    handle: str
    name: str
    is_portal_admin: bool
    actor: Actor

    def get_id(self) -> str:
        """Return what the session cookie carries."""
        return str(self.session_id)

    @property
    def initials(self) -> str:
        """Return one or two letters for the avatar."""
        return initials(self.name or self.handle)


def public(view: _View) -> _View:
    """Mark a view that anybody may ask, signed in or not."""
    view.is_public = True  # type: ignore[attr-defined]  # a mark on the function, read in `_close_unless_public`
    return view


def settings() -> Settings:
    """Return the settings of the running app."""
    return cast(Settings, current_app.extensions["portal_settings"])


def vault() -> Vault:
    """Return the vault of the running app."""
    return cast(Vault, current_app.extensions["portal_vault"])


def actor() -> Actor:
    """Return who is asking; anonymous when nobody is signed in."""
    if current_user.is_authenticated:
        return cast(SignedIn, current_user).actor
    return Actor(account_id=None, handle=ANONYMOUS.handle, address=request.remote_addr or "", request_id=g.request_id)


@contextmanager
def reading() -> Iterator[Work]:
    """Give a unit of work that reads."""
    who = actor()
    with database.read() as db_session:
        yield Work(db_session, who, datetime.now(UTC), settings(), vault())


@contextmanager
def writing() -> Iterator[Work]:
    """Give a unit of work that writes: committed at the end of the block, rolled back on any error."""
    who = actor()
    with database.write() as db_session:
        yield Work(db_session, who, datetime.now(UTC), settings(), vault())


def sign_in(account: Account) -> None:
    """Begin a session for `account`, dropping whatever an older one held."""
    session.clear()
    session.permanent = True
    session_id = SessionId(account.uid, account.session_epoch, secrets.token_urlsafe(16))
    login_user(_signed_in(session_id, account, ANONYMOUS))


def sign_out() -> None:
    """End this session here and in the browser, where an answer that is under way may bring its cookie back."""
    if current_user.is_authenticated:
        with writing() as work:
            sign_in_service.sign_out(work, current_user.session_id.uid)
    logout_user()
    session.clear()


def register(app: Flask) -> None:
    """Load the signed-in person on each request and close every route that is not public."""
    manager = LoginManager()
    manager.session_protection = None  # sessions end by epoch; an address that changes on a train must not end one
    manager.init_app(app)
    manager.user_loader(_load_user)
    app.before_request(_begin_request)
    app.before_request(_close_unless_public)
    app.after_request(_log_request)


def _load_user(cookie_id: str) -> SignedIn | None:
    """Return who the cookie signs in, and lengthen its life; drop a cookie that signs nobody in."""
    found = _found_user(cookie_id)
    if found is None:
        session.clear()
    session.modified = True
    return found


def _found_user(cookie_id: str) -> SignedIn | None:
    session_id = SessionId.parse(cookie_id)
    if session_id is None:
        return None
    with database.read() as db_session:
        found = actor_of_session(
            db_session, session_id, via="web", address=request.remote_addr or "", request_id=g.request_id
        )
        return _signed_in(session_id, *found) if found else None


def _signed_in(session_id: SessionId, account: Account, who: Actor) -> SignedIn:
    return SignedIn(session_id, account.handle, account.name, account.is_portal_admin, who)


def _begin_request() -> None:
    g.request_id = uuid.uuid4().hex[:12]
    g.started_at = time.monotonic()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _close_unless_public() -> Response | None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint == "static" or getattr(view, "is_public", False):
        return None
    if current_user.is_authenticated:
        return None
    if htmx.wants_fragment():
        return htmx.problem(Response(status=401), "You are signed out.", "Open the page again and sign in.")
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("account.sign_in", next=wanted), code=303)


def _log_request(response: Response) -> Response:
    """Log the rule, not the path: paths can carry one-time tokens."""
    if request.endpoint not in {"static", "health.live"}:
        log.info(
            "request",
            method=request.method,
            rule=request.url_rule.rule if request.url_rule else None,
            status=response.status_code,
            ms=round((time.monotonic() - g.started_at) * 1000, 1),
            actor=actor().handle,
        )
    response.headers["X-Request-Id"] = g.request_id
    return response
