"""First run: the one-time link that makes the first portal admin; and links that let a person choose a password."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.errors import NotFound
from portal.services import accounts, one_time_links, passwords, throttle
from portal.web import gate
from portal.web.forms.account import PasswordLinkForm, SetupForm

blueprint = Blueprint("setup", __name__)


def _count_try() -> None:
    with gate.writing() as work:
        throttle.take(work, throttle.LINK_BY_ADDRESS, work.actor.address)


def _open_link(token: str) -> int | None:
    """Return the account of a link, None for the set-up link; a token that opens nothing counts as a try."""
    try:
        with gate.reading() as work:
            return one_time_links.find_link(work, token).account_id
    except NotFound:
        _count_try()
        raise


@blueprint.route("/setup/<token>", methods=["GET", "POST"])
@gate.public
def first_admin(token: str) -> Response:
    """Make the first portal admin with a one-time link."""
    form = SetupForm(request.form)
    if _open_link(token) is not None:
        raise NotFound("This link sets a password, it does not set up the portal.")
    if request.method == "POST" and form.validate():
        _count_try()
        with form.catching():
            prepared = accounts.prepare_account(form.to_input())
            with gate.writing() as work:
                gate.sign_in(one_time_links.use_setup_link(work, token, prepared))
            flash("The portal is set up. Connect your first bucket or register a directory.", "success")
            return redirect(url_for("account.home"), code=303)
    return flask_response(render_template("setup/new.html", form=form), 422 if form.is_faulty else 200)


@blueprint.route("/link/<token>", methods=["GET", "POST"])
@gate.public
def choose_password(token: str) -> Response:
    """Choose a password with a one-time link."""
    form = PasswordLinkForm(request.form)
    if _open_link(token) is None:
        raise NotFound("This link sets up the portal, it does not set a password.")
    if request.method == "POST" and form.validate():
        _count_try()
        with form.catching():
            passwords.check_password(form.password.data or "")
            hashed = passwords.hash_password(form.password.data or "")
            with gate.writing() as work:
                gate.sign_in(one_time_links.use_password_link(work, token, hashed))
            flash("Your password is set.", "success")
            return redirect(url_for("account.home"), code=303)
    return flask_response(render_template("setup/password.html", form=form), 422 if form.is_faulty else 200)
