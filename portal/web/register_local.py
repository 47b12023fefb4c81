"""Register local root: a directory on this host, or on another one that reports later."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.services import hosts, instances, owners, register, spaces
from portal.services.trials import Trial
from portal.services.units import Units
from portal.values import ALL_SPACE_UID, Mode, Role
from portal.web import gate
from portal.web.checks_view import group_checks, strip_label
from portal.web.connect_s3 import instance_choices
from portal.web.forms.register_local import RegisterLocalForm

blueprint = Blueprint("register_local", __name__, url_prefix="/register-local-root")


@blueprint.route("", methods=["GET", "POST"])
def new() -> Response:
    """Register a directory."""
    form = RegisterLocalForm(request.form if request.method == "POST" else request.args)
    host_names = _set_choices(form)
    trial: Trial | None = None
    if request.method == "POST" and form.validate():
        with form.catching():
            outcome = register.register_local(Units(gate.reading, gate.writing), form.to_input())
            trial = outcome.trial
            if outcome.uid is not None and trial is not None:
                return _registered(outcome.uid, trial)
    settings = gate.settings()
    context: dict[str, object] = {"form": form, "trial": trial, "hosts": host_names, "bases": settings.local_bases}
    if trial is not None:
        context |= {"groups": group_checks(trial.checks), "strip_label": strip_label(trial.checks)}
    status = 422 if form.is_faulty or trial is not None else 200
    return flask_response(render_template("register_local/new.html", here=settings.host, **context), status)


def _registered(uid: str, trial: Trial) -> Response:
    if not trial.door.is_here:
        flash(f"Registered. It is not reachable from here until a runner on {trial.door.host} reports.", "info")
    elif trial.mode in {Mode.WRITABLE, Mode.UNMANAGED}:
        flash(f"Registered. {trial.summary}", "success")
    else:
        flash(f"Registered {trial.mode}: {trial.mode_reason}. {trial.summary}", "info")
    for warning in trial.warnings:
        flash(warning, "warn")
    return redirect(url_for("storages.show", uid=uid), code=303)


def _set_choices(form: RegisterLocalForm) -> list[str]:
    """Offer what this person may use, and return the known hosts."""
    with gate.reading() as work:
        form.owner.choices = [(handle, handle) for handle in owners.list_own(work)]
        slugs = [row.slug for row in instances.list_instances(work) if row.role is Role.ADMIN]
        form.instance.choices = instance_choices(slugs)
        form.space.choices = [
            (row.uid, row.label) for row in spaces.list_spaces(work) if row.is_all or row.role is Role.ADMIN
        ]
        names = [row.name for row in hosts.list_hosts(work)]
    form.space.data = form.space.data or ALL_SPACE_UID
    form.host.data = form.host.data or gate.settings().host
    return names
