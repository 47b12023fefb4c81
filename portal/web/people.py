"""People and organisations, for everybody signed in; portal admins add people and let them in."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.permissions import Action, OwnerTarget, PortalTarget, allows
from portal.services import accounts, one_time_links, organisations, people
from portal.services.one_time_links import INVITATION_HOURS
from portal.values import AccountKind, MembershipRole
from portal.web import gate, htmx
from portal.web.forms.base import BaseForm
from portal.web.forms.people import NameForm, OrganisationForm, PersonForm
from portal.web.forms.spaces import RoleForm
from portal.web.members import ORGANISATION_ROLES, MembersPanel, has_left, known_people, organisation_form

blueprint = Blueprint("people", __name__, url_prefix="/people")


@blueprint.get("")
def index() -> Response:
    """List people and organisations."""
    text = request.args.get("q", "")
    with gate.reading() as work:
        rows, found = people.list_people(work, text), people.list_organisations(work, text)
        may_administer = allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    return htmx.render(
        "people/index.html",
        "people/_rows.html",
        rows=rows,
        organisations=found,
        may_administer=may_administer,
        text=text,
    )


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> Response:
    """Add a person and show the one-time link to hand over, once."""
    form = PersonForm(request.form)
    with gate.reading() as work:
        people.require_admin(work)
    if request.method == "POST" and form.validate():
        with form.catching():
            prepared = accounts.prepare_account(form.to_input())
            with gate.writing() as work:
                handle = accounts.add_account(work, prepared).handle
                token = one_time_links.make_password_link(work, handle)
            return _show_link(handle, token)
    return flask_response(render_template("people/new.html", form=form), 422 if form.is_faulty else 200)


def _show_link(handle: str, token: str) -> Response:
    """Answer with the link itself: it is kept nowhere, so no later page could show it again."""
    link = gate.settings().url + url_for("setup.choose_password", token=token)
    page = render_template("people/link.html", handle=handle, link=link, hours=INVITATION_HOURS)
    response = flask_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/<handle>/link")
def make_link(handle: str) -> Response:
    """Make a new one-time link for a person, and show it once."""
    form, token = BaseForm(), ""
    with form.catching(), gate.writing() as work:
        token = one_time_links.make_password_link(work, handle)
    return _person_page(handle, form) if form.is_faulty else _show_link(handle, token)


@blueprint.route("/organisations/new", methods=["GET", "POST"])
def new_organisation() -> Response:
    """Make an organisation."""
    form = OrganisationForm(request.form)
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                handle = organisations.create_organisation(work, form.to_input()).handle
            flash("The organisation is made. You are its owner.", "success")
            return redirect(url_for("people.show", handle=handle), code=303)
    page = render_template("people/new_organisation.html", form=form)
    return flask_response(page, 422 if form.is_faulty else 200)


@blueprint.get("/<handle>")
def show(handle: str) -> Response:
    """Show a person, or an organisation and its members."""
    with gate.reading() as work:
        kind = people.find_person(work, handle).kind
    if kind is AccountKind.ORGANISATION:
        return _organisation_page(handle, RoleForm())
    return _person_page(handle, BaseForm())


def _person_page(handle: str, form: BaseForm) -> Response:
    with gate.reading() as work:
        context = {
            "person": people.find_person(work, handle),
            "organisations": people.list_organisations(work, member=handle),
            "may_administer": allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget()),
            "form": form,
        }
    return flask_response(render_template("people/show.html", **context), 422 if form.is_faulty else 200)


def _organisation_page(handle: str, form: RoleForm) -> Response:
    with gate.reading() as work:
        organisation = organisations.find_organisation(work, handle)
        target = OwnerTarget(organisation.id, "organisation")
        may_manage = allows(work.actor, Action.ORGANISATION_MANAGE, target)
        row = people.find_person(work, handle)
        panel = MembersPanel(
            rows=organisations.list_organisation_members(work, handle),
            url=url_for("people.set_member", handle=row.handle),
            form=organisation_form(form),
            may_manage=may_manage,
            roles=ORGANISATION_ROLES,
            known=known_people(work) if may_manage else (),
        )
    context = {"organisation": row, "membership": panel, "may_manage": may_manage}
    status = 422 if form.is_faulty else 200
    return htmx.render("people/organisation.html", "members/_members.html", status=status, **context)


@blueprint.route("/<handle>/edit", methods=["GET", "POST"])
def edit(handle: str) -> Response:
    """Change an organisation's name."""
    with gate.reading() as work:
        organisation = organisations.find_organisation(work, handle, Action.ORGANISATION_MANAGE)
        form = NameForm(request.form, name=organisation.name)
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                organisations.describe_organisation(work, handle, form.name.data or "")
            flash("The name is changed.", "success")
            return redirect(url_for("people.show", handle=handle), code=303)
    page = render_template("people/edit.html", form=form, handle=handle)
    return flask_response(page, 422 if form.is_faulty else 200)


@blueprint.post("/<handle>/members")
def set_member(handle: str) -> Response:
    """Add a person to an organisation, or change what the person is there."""
    form = organisation_form(RoleForm(request.form))
    if form.validate():
        with form.catching():
            role = MembershipRole(form.role.data)
            with gate.writing() as work:
                organisations.set_member(work, handle, form.handle.data or "", role)
            return _changed(handle, f"{form.handle.data} is {form.role.data} of {handle} now.")
    return _organisation_page(handle, form)


def _changed(handle: str, message: str) -> Response:
    if htmx.wants_fragment():
        return htmx.toast(_organisation_page(handle, RoleForm()), message)
    flash(message, "success")
    return redirect(url_for("people.show", handle=handle), code=303)


@blueprint.post("/<handle>/members/<member>/remove")
def remove_member(handle: str, member: str) -> Response:
    """Take a person out of an organisation."""
    form = RoleForm()
    with form.catching(), gate.writing() as work:
        organisations.remove_member(work, handle, member)
    if form.is_faulty:
        return _organisation_page(handle, form)
    if has_left(member):
        return htmx.go(url_for("people.show", handle=handle), f"You left {handle}.")
    return _changed(handle, f"{member} is not in {handle} any more.")


@blueprint.post("/<handle>/admin")
def set_admin(handle: str) -> Response:
    """Make a person portal admin, or end that."""
    wanted = request.form.get("is_portal_admin") == "1"
    form = BaseForm()
    with form.catching(), gate.writing() as work:
        accounts.set_portal_admin(work, handle, is_portal_admin=wanted)
    if form.is_faulty:
        return _person_page(handle, form)
    flash(f"{handle} is {'' if wanted else 'no '}portal admin{'' if wanted else ' any more'}.", "success")
    return redirect(url_for("people.show", handle=handle), code=303)


@blueprint.post("/<handle>/active")
def set_active(handle: str) -> Response:
    """Close an account, or open it again."""
    wanted = request.form.get("is_active") == "1"
    form = BaseForm()
    with form.catching(), gate.writing() as work:
        accounts.set_active(work, handle, is_active=wanted)
    if form.is_faulty:
        return _person_page(handle, form)
    message = "open again." if wanted else "closed. Every session of it has ended."
    flash(f"The account {handle} is {message}", "success")
    return redirect(url_for("people.show", handle=handle), code=303)
