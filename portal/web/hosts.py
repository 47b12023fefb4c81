"""Hosts: the machines that see local roots."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.errors import NotFound
from portal.permissions import Action, PortalTarget, allows
from portal.services import hosts, people
from portal.web import gate
from portal.web.forms.hosts import HostForm
from portal.web.forms.spaces import DescriptionForm

blueprint = Blueprint("hosts", __name__, url_prefix="/hosts")


@blueprint.get("")
def index() -> Response:
    """List the hosts."""
    with gate.reading() as work:
        rows = hosts.list_hosts(work)
        may_administer = allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    return flask_response(render_template("hosts/index.html", rows=rows, may_administer=may_administer))


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> Response:
    """Add a host."""
    form = HostForm(request.form)
    with gate.reading() as work:
        people.require_admin(work)
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                hosts.add_host(work, form.name.data or "", form.description.data or "")
            flash("The host is added. Start a runner there to reach its local roots.", "success")
            return redirect(url_for("hosts.index"), code=303)
    return flask_response(render_template("hosts/new.html", form=form), 422 if form.is_faulty else 200)


@blueprint.route("/<name>/edit", methods=["GET", "POST"])
def edit(name: str) -> Response:
    """Change a host's description."""
    with gate.reading() as work:
        people.require_admin(work)
        row = next((row for row in hosts.list_hosts(work) if row.name == name), None)
    if row is None:
        raise NotFound(f"There is no host {name}.")
    form = DescriptionForm(request.form, description=row.description)
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                hosts.describe_host(work, name, form.description.data or "")
            flash("The description is changed.", "success")
            return redirect(url_for("hosts.index"), code=303)
    return flask_response(render_template("hosts/edit.html", form=form, name=name), 422 if form.is_faulty else 200)
