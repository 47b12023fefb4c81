"""The settings page: what this server was started with, and whom its own reach is open to."""

from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.config import SETTINGS, Setting, Settings
from portal.permissions import Action, PortalTarget, allows
from portal.services import people, server_grants
from portal.values import StorageType
from portal.web import gate
from portal.web.forms.settings import GrantForm
from portal.web.members import known_people

blueprint = Blueprint("settings", __name__, url_prefix="/settings")


@blueprint.get("")
def index() -> Response:
    """Show version, settings and grants to portal admins; what is open to oneself to everybody else."""
    return _page(GrantForm())


def _page(form: GrantForm) -> Response:
    settings = gate.settings()
    with gate.reading() as work:
        may_administer = allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
        context = {
            "form": form,
            "version": portal_version(),
            "may_administer": may_administer,
            "open_roots": [
                str(root)
                for kind in (StorageType.S3, StorageType.LOCAL)
                for root in server_grants.list_open(work, kind)
            ],
            "grants": server_grants.list_grants(work) if may_administer else [],
            "known": known_people(work) if may_administer else (),
            "settings": describe_settings(settings) if may_administer else [],
            "bases": [str(base) for base in settings.local_bases],
            "endpoints": settings.allowed_endpoints,
        }
    return flask_response(render_template("settings/index.html", **context), 422 if form.is_faulty else 200)


def portal_version() -> str:
    """Return the version of the installed portal."""
    try:
        return version("storage-portal")
    except PackageNotFoundError:
        return "run from source"


def describe_settings(settings: Settings) -> list[tuple[Setting, str]]:
    """Return each setting of the process with its effective value; no secret is among them."""
    found = []
    for setting in SETTINGS:
        field = setting.name.removeprefix("PORTAL_").lower()
        if hasattr(settings, field):
            found.append((setting, _plain(field, getattr(settings, field))))
    return found


def _plain(field: str, value: object) -> str:
    if field == "database_url":
        return without_password(str(value))
    if isinstance(value, bool):
        return "1" if value else "0"
    if field == "bind" and isinstance(value, tuple):
        return f"{value[0]}:{value[1]}"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "none"
    return str(value)


def without_password(url: str) -> str:
    """Return a database URL without its password and without options, which may hold one too."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url.partition("?")[0]
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"


@blueprint.post("/grants")
def grant() -> Response:
    """Open the server's own identity, or a directory, to an account."""
    form = GrantForm(request.form)
    with gate.reading() as work:
        # Before the disk is looked at: nobody else may learn which directories there are.
        people.require_admin(work)
    if form.validate():
        with form.catching():
            root = server_grants.parse_grant_root(gate.settings(), form.root.data or "")
            with gate.writing() as work:
                server_grants.grant(work, form.handle.data or "", root)
            flash(f"{root} is open to {form.handle.data} now.", "success")
            return redirect(url_for("settings.index"), code=303)
    return _page(form)


@blueprint.post("/grants/<int:grant_id>/revoke")
def revoke(grant_id: int) -> Response:
    """Take a grant back."""
    with gate.writing() as work:
        root = server_grants.revoke(work, grant_id)
    flash(f"{root} is closed again. Locations made with it stay.", "success")
    return redirect(url_for("settings.index"), code=303)
