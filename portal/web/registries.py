"""Instances and their own databases: attach, check again, compare, detach."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.permissions import Action
from portal.services.instances import find_instance
from portal.services.registries.apply import Taken, keep_comparison, take_over
from portal.services.registries.attach import Attached, attach_instance, prepare, require_registry
from portal.services.registries.care import check_again, detach_instance
from portal.services.registries.compare import Comparison, compare, look
from portal.services.units import Units
from portal.web import gate
from portal.web.checks_view import group_checks, strip_label
from portal.web.forms.base import BaseForm
from portal.web.forms.registries import DetachForm, RegistryForm

blueprint = Blueprint("registries", __name__, url_prefix="/instances")


def _units() -> Units:
    return Units(gate.reading, gate.writing)


@blueprint.route("/<uid>/attach", methods=["GET", "POST"])
def attach(uid: str) -> Response:
    """Attach an instance: look at its database, then save how it is reached."""
    form = RegistryForm(request.form)
    with gate.reading() as work:
        slug = find_instance(work, uid, Action.INSTANCE_MANAGE).slug
    step = request.form.get("step", "save")
    done: Attached | None = None
    if request.method == "GET":
        with gate.reading() as work, form.catching():
            prepare(work, form.to_input(slug))
        return _attach_page(uid, slug, form, None)
    form.take_sealed(gate.vault(), gate.actor().account_id, uid)
    with form.catching():
        done = attach_instance(_units(), form.to_input(slug), dry_run=step == "try")
        if done.uid is not None:
            return _attached(done)
    form.seal(gate.vault(), gate.actor().account_id, uid)
    return _attach_page(uid, slug, form, done)


def _attached(done: Attached) -> Response:
    if done.examination.why_read_only:
        flash(f"Attached read-only. {done.examination.why_read_only}", "warn")
    else:
        flash("The instance is attached. Nothing was changed in it.", "success")
    return redirect(url_for("registries.comparison", uid=done.uid), code=303)


def _attach_page(uid: str, slug: str, form: RegistryForm, done: Attached | None) -> Response:
    found = done.examination if done else None
    context: dict[str, object] = {"uid": uid, "slug": slug, "form": form, "found": found}
    if found is not None:
        context |= {"groups": group_checks(found.checks), "strip_label": strip_label(found.checks)}
    failed = form.is_faulty or (found is not None and not found.can_save)
    return flask_response(render_template("registries/attach.html", **context), 422 if failed else 200)


@blueprint.post("/<uid>/check")
def check(uid: str) -> Response:
    """Look at an attached instance's database again, and count the differences."""
    with gate.reading() as work:
        require_registry(work, uid)
        may_compare = work.actor.instances.get(find_instance(work, uid).id) is not None
    found = check_again(_units(), uid)
    if found.error is not None:
        flash(str(found.error), "error")
    else:
        if may_compare:
            keep_comparison(_units(), uid, look(_units(), uid))
        kind = "warn" if found.why_read_only else "success"
        flash(f"{strip_label(found.checks)}. {found.why_read_only}".strip(), kind)
    return redirect(url_for("instances.show", uid=uid), code=303)


@blueprint.get("/<uid>/compare")
def comparison(uid: str) -> Response:
    """Show what an attached instance says differently from the portal."""
    return _compare_page(uid, BaseForm())


@blueprint.post("/<uid>/compare")
def take(uid: str) -> Response:
    """Take differences over into the portal: the chosen ones, or all."""
    form = BaseForm()
    keys = None if request.form.get("which") == "all" else request.form.getlist("take")
    if keys == []:
        form.form_errors.append("Choose at least one difference.")
    else:
        with form.catching():
            _tell(take_over(_units(), uid, keys))
            return redirect(url_for("registries.comparison", uid=uid), code=303)
    return _compare_page(uid, form)


def _tell(taken: Taken) -> None:
    count = len(taken.differences)
    noun = "1 difference is" if count == 1 else f"{count:,} differences are"
    flash(f"{noun} taken over. Nothing was changed in {taken.slug}.", "success")
    for root in taken.unconnected:
        flash(f"{root} has no connection yet: connect it to see what is in it.", "info")
    for warning in taken.warnings:
        flash(warning, "warn")
    if taken.left:
        flash(f"{len(taken.left):,} cannot be taken over; the reason is beside each.", "warn")


def _compare_page(uid: str, form: BaseForm) -> Response:
    """Render both sides: 422 where something was wrong with what was sent; what keeps them from being read is told."""
    with gate.reading() as work:
        slug = find_instance(work, uid, Action.INSTANCE_WRITE_STORAGE).slug
    found: Comparison | None = None
    with form.catching():
        found = compare(_units(), uid)
    page = render_template("registries/compare.html", uid=uid, slug=slug, found=found, form=form)
    return flask_response(page, 422 if form.is_faulty else 200)


@blueprint.route("/<uid>/detach", methods=["GET", "POST"])
def detach(uid: str) -> Response:
    """Detach an instance after its name was typed."""
    form = DetachForm(request.form)
    with gate.reading() as work:
        instance = find_instance(work, uid, Action.INSTANCE_MANAGE)
        slug, name = instance.slug, instance.name
    if request.method == "POST":
        with form.catching():
            with gate.writing() as work:
                detach_instance(work, uid, form.confirm.data or "")
            flash(f"{slug} is detached. Nothing was changed in it; its locations stay here.", "success")
            return redirect(url_for("instances.show", uid=uid), code=303)
    page = render_template("registries/detach.html", uid=uid, slug=slug, name=name, form=form)
    return flask_response(page, 422 if form.is_faulty else 200)
