"""Instances, their collaborators and the spaces attached to them."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.models import Instance
from portal.permissions import Action, InstanceTarget, SpaceTarget, allows
from portal.services import attachments, instances, owners, spaces
from portal.services.registries.defaults import view_defaults
from portal.services.registries.views import view_registry
from portal.services.work import Work
from portal.web import gate, htmx
from portal.web.forms.instances import AttachForm, InstanceForm
from portal.web.forms.spaces import DescriptionForm, RoleForm
from portal.web.members import MembersPanel, has_left, known_people

blueprint = Blueprint("instances", __name__, url_prefix="/instances")


@blueprint.get("")
def index() -> Response:
    """List the instances in reach."""
    with gate.reading() as work:
        rows = instances.list_instances(work)
    return flask_response(render_template("instances/index.html", rows=rows))


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> Response:
    """Make an instance."""
    form = InstanceForm(request.form)
    with gate.reading() as work:
        form.owner.choices = {handle: handle for handle in owners.list_own(work)}
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                uid = instances.create_instance(work, form.to_input()).uid
            flash("The instance is made. You are its admin.", "success")
            return redirect(url_for("instances.show", uid=uid), code=303)
    return flask_response(render_template("instances/new.html", form=form), 422 if form.is_faulty else 200)


@blueprint.get("/<uid>")
def show(uid: str) -> Response:
    """Show an instance, its collaborators and its spaces."""
    return _page(uid, RoleForm())


def _page(uid: str, form: RoleForm, attach_form: AttachForm | None = None) -> Response:
    with gate.reading() as work:
        instance = instances.find_instance(work, uid)
        may_manage = allows(work.actor, Action.INSTANCE_MANAGE, InstanceTarget(instance.id))
        panel = MembersPanel(
            rows=instances.list_collaborators(work, instance),
            url=url_for("instances.grant", uid=instance.uid),
            form=form,
            may_manage=may_manage,
            noun="collaborator",
            known=known_people(work) if may_manage else (),
        )
        context = {
            "instance": next(row for row in instances.list_instances(work) if row.id == instance.id),
            "membership": panel,
            "may_manage": may_manage,
            "registry": view_registry(work, instance),
            "view": view_defaults(work, instance),
            "may_compare": allows(work.actor, Action.INSTANCE_WRITE_STORAGE, InstanceTarget(instance.id)),
            "attached": attachments.list_attached_spaces(work, instance),
            "attach_form": _attach_form(work, instance, attach_form or AttachForm()) if may_manage else None,
        }
    is_faulty = form.is_faulty or (attach_form is not None and attach_form.is_faulty)
    return htmx.render("instances/show.html", "members/_members.html", status=422 if is_faulty else 200, **context)


def _attach_form(work: Work, instance: Instance, form: AttachForm) -> AttachForm:
    """Offer the spaces that the person manages and that are not attached yet."""
    taken = {row.uid for row in attachments.list_attached_spaces(work, instance)}
    form.space.choices = {
        row.uid: row.label
        for row in spaces.list_spaces(work)
        if row.uid not in taken and allows(work.actor, Action.SPACE_MANAGE, SpaceTarget(row.id))
    }
    return form


@blueprint.route("/<uid>/edit", methods=["GET", "POST"])
def edit(uid: str) -> Response:
    """Change an instance's description."""
    with gate.reading() as work:
        instance = instances.find_instance(work, uid, Action.INSTANCE_MANAGE)
        slug, form = instance.slug, DescriptionForm(request.form, description=instance.description)
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                instances.describe_instance(work, uid, form.description.data or "")
            flash("The description is changed.", "success")
            return redirect(url_for("instances.show", uid=uid), code=303)
    page = render_template("instances/edit.html", form=form, slug=slug, uid=uid)
    return flask_response(page, 422 if form.is_faulty else 200)


@blueprint.post("/<uid>/collaborators")
def grant(uid: str) -> Response:
    """Add a collaborator, or change a collaborator's role."""
    form = RoleForm(request.form)
    if form.validate():
        with form.catching():
            with gate.writing() as work:
                instances.grant_instance_role(work, uid, form.handle.data or "", form.to_role())
            return _changed(uid, f"{form.handle.data} has the role {form.role.data} here now.")
    return _page(uid, form)


def _changed(uid: str, message: str) -> Response:
    if htmx.wants_fragment():
        return htmx.toast(_page(uid, RoleForm()), message)
    flash(message, "success")
    return redirect(url_for("instances.show", uid=uid), code=303)


@blueprint.post("/<uid>/collaborators/<handle>/remove")
def revoke(uid: str, handle: str) -> Response:
    """Remove a collaborator."""
    form = RoleForm()
    with form.catching(), gate.writing() as work:
        instances.revoke_instance_role(work, uid, handle)
    if form.is_faulty:
        return _page(uid, form)
    if has_left(handle):
        return htmx.go(url_for("instances.index"), "You left the instance.")
    return _changed(uid, f"{handle} is no collaborator of this instance any more.")


@blueprint.post("/<uid>/spaces")
def attach(uid: str) -> Response:
    """Attach a space."""
    form = AttachForm(request.form)
    with gate.reading() as work:
        _attach_form(work, instances.find_instance(work, uid, Action.INSTANCE_MANAGE), form)
    if form.validate():
        with form.catching():
            with gate.writing() as work:
                attachments.attach_space(work, uid, form.space.data or "")
            flash("The space is attached.", "success")
            return redirect(url_for("instances.show", uid=uid), code=303)
    return _page(uid, RoleForm(), form)


@blueprint.post("/<uid>/spaces/<space_uid>/detach")
def detach(uid: str, space_uid: str) -> Response:
    """Detach a space."""
    form = AttachForm()
    with form.catching(), gate.writing() as work:
        attachments.detach_space(work, uid, space_uid)
    if form.is_faulty:
        return _page(uid, RoleForm(), form)
    flash("The space is detached.", "success")
    return redirect(url_for("instances.show", uid=uid), code=303)
