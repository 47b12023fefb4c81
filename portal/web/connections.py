"""Connections: what each may serve, what uses it, and a new secret. For those who act for its owner."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.services import connection_care, connection_removal, connections
from portal.services.units import Units
from portal.values import ConnectionKind
from portal.web import gate
from portal.web.forms.connect_s3 import ACCESS_LABELS
from portal.web.forms.connections import ScopeForm, SecretForm

blueprint = Blueprint("connections", __name__, url_prefix="/connections")


@blueprint.get("")
def index() -> Response:
    """List the connections of those the person acts for."""
    with gate.reading() as work:
        rows = connections.list_connections(work)
    return flask_response(render_template("connections/index.html", rows=rows))


@blueprint.get("/<uid>")
def show(uid: str) -> Response:
    """Show a connection, what it may serve and what uses it."""
    return _page(uid, ScopeForm(), SecretForm())


def _page(uid: str, scope_form: ScopeForm, secret_form: SecretForm) -> Response:
    with gate.reading() as work:
        view = connection_care.view_connection(work, uid)
    page = render_template(
        "connections/show.html",
        connection=view.row,
        view=view,
        access=ACCESS_LABELS[view.row.kind].partition(":")[0],
        has_key=view.row.kind is ConnectionKind.ACCESS_KEY,
        scope_form=scope_form,
        secret_form=secret_form,
    )
    return flask_response(page, 422 if scope_form.is_faulty or secret_form.is_faulty else 200)


@blueprint.route("/<uid>/delete", methods=["GET", "POST"])
def delete(uid: str) -> Response:
    """Ask, then delete a connection that nothing uses."""
    if request.method == "POST":
        with gate.writing() as work:
            name = connection_removal.delete_connection(work, uid)
        flash(f"The connection {name} is deleted. Nothing was changed in its buckets.", "success")
        return redirect(url_for("connections.index"), code=303)
    with gate.reading() as work:
        view = connection_care.view_connection(work, uid)
    back = url_for("connections.show", uid=uid)
    if not view.may_go:
        return redirect(back, code=303)
    return flask_response(render_template("connections/delete.html", connection=view.row, back=back))


@blueprint.post("/<uid>/scopes")
def add_scope(uid: str) -> Response:
    """Let the connection serve one more bucket or prefix."""
    form = ScopeForm(request.form)
    if form.validate():
        with form.catching():
            with gate.writing() as work:
                added = connection_care.add_scope(work, uid, form.scope.data or "")
            flash(f"It may now serve {added}.", "success")
            return redirect(url_for("connections.show", uid=uid), code=303)
    return _page(uid, form, SecretForm())


@blueprint.post("/<uid>/scopes/remove")
def remove_scope(uid: str) -> Response:
    """Take a bucket or prefix from what the connection may serve."""
    form = ScopeForm(request.form)
    if form.validate():
        with form.catching():
            with gate.writing() as work:
                connection_care.remove_scope(work, uid, form.scope.data or "")
            flash(f"It may no longer serve {form.scope.data}. Nothing was changed in the bucket.", "success")
            return redirect(url_for("connections.show", uid=uid), code=303)
    form.scope.data = ""
    return _page(uid, form, SecretForm())


@blueprint.post("/<uid>/secret")
def replace_secret(uid: str) -> Response:
    """Put another access key in the place of the present one, once it was tried."""
    form = SecretForm(request.form)
    with gate.reading() as work:
        connection_care.view_connection(work, uid)
    if form.validate():
        with form.catching():
            root = connection_care.replace_secret(Units(gate.reading, gate.writing), uid, form.to_input())
            flash(f"The new secret is kept. It was tried on {root.partition('?')[0]}.", "success")
            return redirect(url_for("connections.show", uid=uid), code=303)
    return _page(uid, ScopeForm(), form)
