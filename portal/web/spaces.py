"""Spaces and their members."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.permissions import Action, SpaceTarget, allows
from portal.services import attachments, owners, spaces
from portal.web import gate, htmx
from portal.web.forms.spaces import DescriptionForm, RoleForm, SpaceForm
from portal.web.members import MembersPanel, has_left, known_people

blueprint = Blueprint("spaces", __name__, url_prefix="/spaces")


@blueprint.get("")
def index() -> Response:
    """List the spaces in reach."""
    with gate.reading() as work:
        rows = spaces.list_spaces(work)
    return flask_response(render_template("spaces/index.html", rows=rows))


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> Response:
    """Make a space."""
    form = SpaceForm(request.form)
    with gate.reading() as work:
        form.owner.choices = {handle: handle for handle in owners.list_own(work)}
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                uid = spaces.create_space(work, form.to_input()).uid
            flash("The space is made. You are its admin.", "success")
            return redirect(url_for("spaces.show", uid=uid), code=303)
    return flask_response(render_template("spaces/new.html", form=form), 422 if form.is_faulty else 200)


@blueprint.get("/<uid>")
def show(uid: str) -> Response:
    """Show a space and its members."""
    return _page(uid, RoleForm())


def _page(uid: str, form: RoleForm) -> Response:
    with gate.reading() as work:
        space = spaces.find_space(work, uid)
        row = next(row for row in spaces.list_spaces(work) if row.id == space.id)
        may_manage = allows(work.actor, Action.SPACE_MANAGE, SpaceTarget(space.id))
        panel = MembersPanel(
            rows=spaces.list_members(work, space),
            url=url_for("spaces.grant", uid=row.uid),
            form=form,
            may_manage=may_manage,
            known=known_people(work) if may_manage else (),
        )
        attached = attachments.list_attached_instances(work, space)
    context = {"space": row, "membership": panel, "may_manage": may_manage, "attached": attached}
    status = 422 if form.is_faulty else 200
    return htmx.render("spaces/show.html", "members/_members.html", status=status, **context)


@blueprint.route("/<uid>/edit", methods=["GET", "POST"])
def edit(uid: str) -> Response:
    """Change a space's description."""
    with gate.reading() as work:
        space = spaces.find_space(work, uid, Action.SPACE_MANAGE)
        name, form = space.name, DescriptionForm(request.form, description=space.description)
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                spaces.describe_space(work, uid, form.description.data or "")
            flash("The description is changed.", "success")
            return redirect(url_for("spaces.show", uid=uid), code=303)
    page = render_template("spaces/edit.html", form=form, name=name, uid=uid)
    return flask_response(page, 422 if form.is_faulty else 200)


@blueprint.post("/<uid>/members")
def grant(uid: str) -> Response:
    """Add a member, or change a member's role."""
    form = RoleForm(request.form)
    if form.validate():
        with form.catching():
            with gate.writing() as work:
                spaces.grant_space_role(work, uid, form.handle.data or "", form.to_role())
            return _granted(uid, f"{form.handle.data} has the role {form.role.data} here now.")
    return _page(uid, form)


def _granted(uid: str, message: str) -> Response:
    if htmx.wants_fragment():
        return htmx.toast(_page(uid, RoleForm()), message)
    flash(message, "success")
    return redirect(url_for("spaces.show", uid=uid), code=303)


@blueprint.post("/<uid>/members/<handle>/remove")
def revoke(uid: str, handle: str) -> Response:
    """Remove a member."""
    form = RoleForm()
    with form.catching(), gate.writing() as work:
        spaces.revoke_space_role(work, uid, handle)
    if form.is_faulty:
        return _page(uid, form)
    if has_left(handle):
        return htmx.go(url_for("spaces.index"), "You left the space.")
    return _granted(uid, f"{handle} is no member of this space any more.")
