"""Connect S3 bucket: one page that tries before it saves."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.errors import PortalError
from portal.planning.endpoints import check_endpoint
from portal.services import connect, connections, instances, owners, spaces
from portal.services.connect import Outcome, s3_root
from portal.services.placing import check_overlaps, place_of
from portal.services.server_grants import is_open, list_open
from portal.services.trials import Trial
from portal.services.units import Units
from portal.values import ALL_SPACE_UID, ConnectionKind, ModeReason, Role, Root, StorageType
from portal.web import gate
from portal.web.checks_view import group_checks, strip_label
from portal.web.forms.connect_s3 import ACCESS_LABELS, NEW, ConnectS3Form

blueprint = Blueprint("connect_s3", __name__, url_prefix="/connect-s3")


@blueprint.route("", methods=["GET", "POST"])
def new() -> Response:
    """Connect a bucket: try it, then save it when everything works."""
    form = ConnectS3Form(request.form if request.method == "POST" else request.args)
    set_choices(form)
    if request.method == "GET":
        return _page(form, None)
    root = _root_of(form)
    form.take_sealed(gate.vault(), gate.actor().account_id, root)
    step = request.form.get("step", "save")
    outcome: Outcome | None = None
    if form.validate():
        with form.catching():
            given = form.to_input(or_read_only=step == "read-only")
            outcome = connect.connect_s3(Units(gate.reading, gate.writing), given, dry_run=step == "try")
            if outcome.uid is not None and outcome.trial is not None:
                return _connected(outcome.uid, outcome.trial)
    if root is not None:
        form.seal(gate.vault(), gate.actor().account_id, root)
    return _page(form, outcome.trial if outcome else None, is_try=step == "try")


def _connected(uid: str, trial: Trial) -> Response:
    if trial.mode_reason is ModeReason.NONE:
        flash(f"Connected. {trial.summary}", "success")
    else:
        flash(f"Connected {trial.mode}: {trial.mode_reason}. {trial.summary}", "info")
    for warning in trial.warnings:
        flash(warning, "warn")
    return redirect(url_for("storages.show", uid=uid), code=303)


def _page(form: ConnectS3Form, trial: Trial | None, *, is_try: bool = False) -> Response:
    """Render the page: 422 where something keeps the bucket from being connected."""
    context: dict[str, object] = {"form": form, "trial": trial, "is_try": is_try}
    if trial is not None:
        context |= {"groups": group_checks(trial.checks), "strip_label": strip_label(trial.checks)}
        context |= {"total_ms": sum(check.milliseconds or 0 for check in trial.checks)}
    failed = form.is_faulty or (trial is not None and not trial.can_save)
    return flask_response(render_template("connect_s3/new.html", **context), 422 if failed else 200)


def set_choices(form: ConnectS3Form) -> None:
    """Offer what this person may use: own connections, instances they are admin of, spaces they may place in."""
    with gate.reading() as work:
        own = connections.list_connections(work)
        form.connection_uid.choices = [(NEW, "A new one"), *((row.uid, row.label) for row in own)]
        form.owner.choices = [(handle, handle) for handle in owners.list_own(work)]
        form.instance.choices = instance_choices([
            row.slug for row in instances.list_instances(work) if row.role is Role.ADMIN
        ])  # fmt: skip
        form.space.choices = [
            (row.uid, row.label) for row in spaces.list_spaces(work) if row.is_all or row.role is Role.ADMIN
        ]
        kinds = [ConnectionKind.ACCESS_KEY, ConnectionKind.ANONYMOUS]
        if work.actor.is_portal_admin or list_open(work, StorageType.S3):
            kinds.append(ConnectionKind.AMBIENT)
        form.access.choices = [(kind.value, ACCESS_LABELS[kind]) for kind in kinds]
    if not form.space.data:
        form.space.data = ALL_SPACE_UID
    if not form.access.data:
        form.access.data = ConnectionKind.ACCESS_KEY.value


def instance_choices(slugs: list[str]) -> list[tuple[str, str]]:
    """Return the choices of a writing instance, with none first."""
    return [("", "None: unmanaged, read-only"), *((slug, slug) for slug in slugs)]


def _root_of(form: ConnectS3Form) -> Root | None:
    try:
        return s3_root(form.root.data or "", form.endpoint_url.data or "")
    except PortalError:
        return None


@blueprint.post("/normalise")
def normalise() -> Response:
    """Say what a typed root means: its normal form, bucket, prefix and endpoint, and what speaks against it."""
    text, endpoint_url = request.form.get("root", ""), request.form.get("endpoint_url", "")
    root: Root | None = None
    problem = ""
    warnings: tuple[str, ...] = ()
    can_use_own = False
    if text.strip():
        try:
            root = s3_root(text, endpoint_url)
            if root.endpoint_url and not gate.settings().allowed_endpoints:
                check_endpoint(root.endpoint_url, (), ())
            with gate.reading() as work:
                warnings = check_overlaps(work, place_of(root, None, is_writable=False))
                can_use_own = is_open(work, root)
        except PortalError as error:
            problem = str(error)
    context = {"root": root, "problem": problem, "warnings": warnings, "can_use_own": can_use_own}
    return flask_response(render_template("connect_s3/_root.html", **context))
