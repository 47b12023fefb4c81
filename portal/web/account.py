"""One's own account: sign in, sign out, password, theme."""

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.errors import InputError, SignInFailed
from portal.services import accounts, passwords, people
from portal.services import sign_in as sign_in_service
from portal.web import gate
from portal.web.forms.account import ChangePasswordForm, DetailsForm, SignInForm
from portal.web.layout import THEMES

blueprint = Blueprint("account", __name__)

YEAR_SECONDS = 31_536_000


def safe_next(target: str | None) -> str:
    """Return `target` when it is a path of this portal, else the home page."""
    parts = urlsplit(target or "")
    is_path = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    # Browsers drop tabs and line ends inside an address and take a backslash for a slash.
    if target and target.isprintable() and is_path and not target.startswith(("//", "/\\")):
        return target
    return url_for("account.home")


@blueprint.get("/")
@gate.public
def home() -> Response:
    """Go to the infrastructure page, or to sign in."""
    if not current_user.is_authenticated:
        return redirect(url_for("account.sign_in"), code=303)
    return redirect("/infrastructure", code=303)


@blueprint.route("/sign-in", methods=["GET", "POST"])
@gate.public
def sign_in() -> Response:
    """Sign in with handle and password."""
    form = SignInForm(request.form)
    with gate.reading() as work:
        needs_setup = accounts.is_empty(work)
    if request.method == "POST" and form.validate():
        with form.catching():
            _sign_in(form.handle.data or "", form.password.data or "")
            return redirect(safe_next(request.args.get("next")), code=303)
    context = {"form": form, "needs_setup": needs_setup}
    return flask_response(render_template("account/sign_in.html", **context), 422 if form.is_faulty else 200)


def _sign_in(handle: str, password: str) -> None:
    """Sign in, or raise SignInFailed or Throttled. Tries are counted before the password is looked at."""
    with gate.writing() as work:
        sign_in_service.take_sign_in_tries(work, handle)
    with gate.reading() as work:
        account = sign_in_service.check_sign_in(work, handle, password)
        account_uid = account.uid
    with gate.writing() as work:
        account = sign_in_service.sign_in_succeeded(work, account_uid)
        gate.sign_in(account)


@blueprint.post("/sign-out")
@gate.public
def sign_out() -> Response:
    """End this session."""
    gate.sign_out()
    return redirect(url_for("account.sign_in"), code=303)


@blueprint.route("/account", methods=["GET", "POST"])
def show() -> Response:
    """Show one's own account and change its password."""
    form = ChangePasswordForm(request.form)
    if request.method == "POST" and form.validate():
        with form.catching():
            _change_password(form)
            flash("Your password is changed. All your other sessions have ended.", "success")
            return redirect(url_for("account.show"), code=303)
    return _page(form, None)


def _page(form: ChangePasswordForm, details: DetailsForm | None) -> Response:
    with gate.reading() as work:
        person = people.find_person(work, work.actor.handle)
    details = details or DetailsForm(name=person.name, email=person.email)
    status = 422 if form.is_faulty or details.is_faulty else 200
    return flask_response(render_template("account/show.html", form=form, details=details, person=person), status)


@blueprint.post("/account/details")
def change_details() -> Response:
    """Change one's own name and e-mail address."""
    details = DetailsForm(request.form)
    if details.validate():
        with details.catching():
            with gate.writing() as work:
                name, email = details.name.data or "", (details.email.data or "").strip() or None
                accounts.change_own_details(work, name=name, email=email)
            flash("Your details are changed.", "success")
            return redirect(url_for("account.show"), code=303)
    return _page(ChangePasswordForm(), details)


def _change_password(form: ChangePasswordForm) -> None:
    with gate.writing() as work:
        sign_in_service.take_sign_in_tries(work, work.actor.handle)
    with gate.reading() as work:
        try:
            sign_in_service.check_sign_in(work, work.actor.handle, form.old_password.data or "")
        except SignInFailed as error:
            raise InputError("This is not your present password.", field="old_password") from error
    passwords.check_password(form.password.data or "", handle=current_user.handle)
    hashed = passwords.hash_password(form.password.data or "")
    with gate.writing() as work:
        account = accounts.change_password(work, hashed)
        gate.sign_in(account)


@blueprint.post("/theme")
@gate.public
def choose_theme() -> Response:
    """Keep the theme in a cookie of this browser."""
    wanted = request.form.get("theme", "auto")
    response = redirect(safe_next(request.form.get("next") or request.args.get("next")), code=303)
    if wanted in THEMES:
        response.set_cookie(
            "theme", wanted, max_age=YEAR_SECONDS, samesite="Lax", secure=gate.settings().secure_cookies
        )
    return response
