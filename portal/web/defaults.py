"""An instance's default storage location, and whether it keeps artifacts local: the page that switches both."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.permissions import Action
from portal.services.instances import find_instance
from portal.services.registries.defaults import keep_local, list_choices, switch_default, view_defaults
from portal.services.units import Units
from portal.web import gate
from portal.web.forms.base import BaseForm

blueprint = Blueprint("defaults", __name__, url_prefix="/instances")


@blueprint.get("/<uid>/default-storage")
def show(uid: str) -> Response:
    """Show which locations may become the default, or the one artifacts are kept in."""
    return _page(uid, BaseForm())


@blueprint.post("/<uid>/default-storage")
def switch(uid: str) -> Response:
    """Make a location the default."""
    form = BaseForm()
    with form.catching():
        view = switch_default(_units(), uid, request.form.get("storage", ""))
        flash(f"{view.default.root if view.default else 'It'} is the default now. Each user changes it too.", "success")
    return _page(uid, form) if form.is_faulty else _changed(uid)


@blueprint.post("/<uid>/keep-local")
def keep(uid: str) -> Response:
    """Keep artifacts in a local location; without one, in the default location again."""
    form = BaseForm()
    with form.catching():
        view = keep_local(_units(), uid, request.form.get("storage") or None)
        kept = view.local.root if view.local else "a local location"
        told = f"Artifacts are kept in {kept}." if view.keeps_local else "Artifacts go to the default location again."
        flash(f"{told} Each user changes it too.", "success")
    return _page(uid, form) if form.is_faulty else _changed(uid)


def _units() -> Units:
    return Units(gate.reading, gate.writing)


def _changed(uid: str) -> Response:
    return redirect(url_for("defaults.show", uid=uid, _anchor="each-user"), code=303)


def _page(uid: str, form: BaseForm) -> Response:
    with gate.reading() as work:
        instance = find_instance(work, uid, Action.INSTANCE_WRITE_STORAGE)
        view, (choices, has_more) = view_defaults(work, instance), list_choices(work, instance)
    page = render_template(
        "registries/defaults.html", uid=uid, view=view, choices=choices, has_more=has_more, form=form
    )
    return flask_response(page, 422 if form.is_faulty else 200)
