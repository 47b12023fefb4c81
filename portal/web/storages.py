"""One storage location: its tabs, its record, its deletion."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.errors import Conflict, InputError, NotFound, PortalError, Refused, StorageError
from portal.permissions import Action
from portal.services import checks, contents, deletion, hosts, migrations, spaces
from portal.services.event_log import EventQuery, list_events
from portal.services.registries.views import list_references
from portal.services.registries.write_through import Edited, edit_through
from portal.services.storages import StorageView, find_storage, view_of
from portal.services.storages.edit import StorageEdit, set_lock
from portal.services.storages.people import count_roles, explain_person, list_people, list_reach
from portal.services.units import Units
from portal.services.work import Work
from portal.values import Branch, CheckStatus, Role
from portal.web import gate, migration_pace
from portal.web.checks_view import group_checks, strip_label
from portal.web.forms.storages import BRANCHES, ConfirmForm, StorageForm

blueprint = Blueprint("storages", __name__, url_prefix="/storages")

TABS = (
    ("Overview", "storages.show"),
    ("Checks", "storages.list_checks"),
    ("Contents", "storages.browse"),
    ("Artifacts", "artifacts.index"),
    ("Access", "storages.access"),
    ("Migrations", "storages.list_migrations"),
    ("Events", "storages.events"),
)


def _units() -> Units:
    return Units(gate.reading, gate.writing)


def render_tab(template: str, view: StorageView, status: int = 200, **context: object) -> Response:
    """Render one tab with the head that all tabs share."""
    tabs = [
        (label, url_for(endpoint, uid=view.uid), None, request.endpoint == endpoint)
        for label, endpoint in TABS
        if endpoint != "artifacts.index" or view.is_referred_to or request.endpoint == endpoint
    ]
    move_url = url_for("migrations.new", uid=view.uid)
    page = render_template(template, storage=view, tabs_of=tabs, move_url=move_url, **context)
    return flask_response(page, status)


@blueprint.get("/<uid>")
def show(uid: str) -> Response:
    """Show a location's record, connection and latest checks."""
    with gate.reading() as work:
        storage = find_storage(work, uid)
        view = view_of(work, storage)
        batches = checks.list_batches(work, storage)
        people = count_roles(list_reach(work, storage))
        recent = list_events(work, EventQuery(storage_id=storage.id, limit=5)).rows
        references, traces = list_references(work, storage), migrations.list_traces(work, storage)
        run_url = _run_url(work, view)
    return render_tab(
        "storages/show.html", view, people=people, recent=recent, references=references, traces=traces,
        run_url=run_url, **_history(batches),
    )  # fmt: skip


def _run_url(work: Work, view: StorageView) -> str:
    """Return the page of the migration that made the record as it is; empty where it is another run."""
    if view.run is None:
        return ""
    try:
        return url_for("migrations.show", uid=migrations.get_migration(work, view.run).id)
    except NotFound:
        return ""


def _history(batches: list[checks.Batch]) -> dict[str, Any]:
    """Return the latest checks and the strip of those before, oldest first."""
    latest = batches[0] if batches else None
    strip = [batch.status for batch in reversed(batches)]
    failed = sum(status is CheckStatus.FAILED for status in strip)
    return {
        "latest": latest,
        "groups": group_checks(latest.results) if latest else [],
        "strip": strip,
        "strip_label": f"{len(strip)} {'run' if len(strip) == 1 else 'runs'} of checks, {failed} with a failure",
        "latest_label": strip_label(latest.results) if latest else "",
    }


@blueprint.get("/<uid>/checks")
def list_checks(uid: str) -> Response:
    """Show the latest checks and how the earlier ones ended."""
    with gate.reading() as work:
        storage = find_storage(work, uid)
        view, batches = view_of(work, storage), checks.list_batches(work, storage)
    return render_tab("storages/checks.html", view, **_history(batches))


@blueprint.post("/<uid>/checks")
def run_checks(uid: str) -> Response:
    """Try the location's rights now."""
    batch = checks.run_checks(_units(), uid)
    if batch.status is CheckStatus.PASSED:
        flash(f"{strip_label(batch.results)}.", "success")
    else:
        flash(f"{strip_label(batch.results)}.", "warn")
    return redirect(url_for("storages.list_checks", uid=uid), code=303)


@blueprint.get("/<uid>/contents")
def browse(uid: str) -> Response:
    """Browse the root by folder."""
    with gate.reading() as work:
        view = view_of(work, find_storage(work, uid))
    folder, after = request.args.get("folder", ""), request.args.get("after")
    found: contents.Contents | None = None
    problem: PortalError | None = None
    try:
        found = contents.browse(_units(), uid, folder, after)
    except (StorageError, Conflict, Refused) as error:
        problem = error
    except InputError as error:
        problem, folder = error, ""
    status = 200 if problem is None or not isinstance(problem, InputError) else 422
    return render_tab("storages/contents.html", view, status, found=found, problem=problem, folder=folder, after=after)


@blueprint.get("/<uid>/access")
def access(uid: str) -> Response:
    """Say who can reach the location and, for any person, through what."""
    person = request.args.get("person", "")
    with gate.reading() as work:
        storage = find_storage(work, uid)
        view, rows, everybody = view_of(work, storage), list_reach(work, storage), list_people(work)
        explained = explain_person(work, storage, person) if person else None
    return render_tab(
        "storages/access.html", view, rows=rows, everybody=everybody, explained=explained, person=person,
        people=count_roles(rows),
    )  # fmt: skip


@blueprint.get("/<uid>/migrations")
def list_migrations(uid: str) -> Response:
    """List the moves of this root."""
    with gate.reading() as work:
        view = view_of(work, find_storage(work, uid))
        rows, now = migrations.list_migrations(work, storage_uid=uid), work.now
    return render_tab("storages/migrations.html", view, rows=rows, now=now, pace=migration_pace)


@blueprint.get("/<uid>/events")
def events(uid: str) -> Response:
    """List what happened to this location."""
    before, after = request.args.get("before", type=int), request.args.get("after", type=int)
    with gate.reading() as work:
        storage = find_storage(work, uid)
        view = view_of(work, storage)
        page = list_events(work, EventQuery(storage_id=storage.id, before_id=before, after_id=after))
    return render_tab("storages/events.html", view, page=page)


@blueprint.route("/<uid>/edit", methods=["GET", "POST"])
def edit(uid: str) -> Response:
    """Change a location's record."""
    with gate.reading() as work:
        storage = find_storage(work, uid, Action.STORAGE_DESCRIBE)
        view, references = view_of(work, storage), list_references(work, storage)
        placed = [(row.uid, row.label) for row in spaces.list_spaces(work) if row.is_all or row.role is Role.ADMIN]
        known = [row.name for row in hosts.list_hosts(work)] if view.rights.manage and view.host else []
    now = {
        "description": view.description,
        "space": view.space_uid,
        "branch": view.branch,
        "host": view.host or "",
        "is_default": view.is_default,
        "version": str(view.version),
    }
    # An empty form would count as one whose boxes were all unticked.
    form = StorageForm(request.form if request.method == "POST" else None, data=now)
    if view.space_uid not in dict(placed):
        placed.insert(0, (view.space_uid, view.space))
    form.space.choices = placed
    if request.method == "POST":
        if not view.rights.manage:
            form.space.data, form.branch.data = view.space_uid, view.branch
        if form.validate():
            with form.catching():
                change = form.to_edit(may_manage=view.rights.manage)
                _tell(edit_through(_units(), uid, change, with_artifacts=bool(form.with_artifacts.data)))
                return redirect(url_for("storages.show", uid=uid), code=303)
        form.version.data = str(view.version)
    shown = {"form": form, "references": references, "hosts": known}
    return render_tab("storages/edit.html", view, 422 if form.is_faulty else 200, **shown)


def _tell(done: Edited) -> None:
    also = f", here and in {', '.join(done.written)}" if done.written else ""
    flash(f"The record is changed{also}.", "success")
    for note in done.notes:
        flash(note, "info")


@blueprint.post("/<uid>/branch")
def change_branch(uid: str) -> Response:
    """Archive, trash or restore a location."""
    branch = BRANCHES.get(request.form.get("branch", ""), Branch.MAIN)
    done = edit_through(_units(), uid, StorageEdit(branch=branch))
    words = {Branch.MAIN: "restored", Branch.ARCHIVE: "archived", Branch.TRASH: "moved to the trash"}
    flash(f"The location is {words[branch]}. Nothing was changed at its root.", "success")
    for note in done.notes:
        flash(note, "info")
    return redirect(url_for("storages.show", uid=uid), code=303)


@blueprint.post("/<uid>/lock")
def lock(uid: str) -> Response:
    """Lock the record against changes, or unlock it."""
    wanted = request.form.get("locked") == "1"
    with gate.writing() as work:
        set_lock(work, uid, wanted)
    flash("The record is locked: nobody can change it." if wanted else "The record is unlocked.", "success")
    return redirect(url_for("storages.show", uid=uid), code=303)


@blueprint.route("/<uid>/delete", methods=["GET", "POST"])
def delete(uid: str) -> Response:
    """Delete a location for good, once nothing of LaminDB's is left in it."""
    with gate.reading() as work:
        view = view_of(work, find_storage(work, uid, Action.STORAGE_DELETE))
    form = ConfirmForm(request.form)
    if request.method == "POST":
        with form.catching():
            wish = deletion.Wish(also=tuple(request.form.getlist("also")))
            done = deletion.delete_storage(_units(), uid, form.confirm.data or "", wish)
            also = f" and in {', '.join(done.removed_from)}" if done.removed_from else ""
            flash(f"{done.root} is deleted here{also}. User files stay where they are.", "success")
            return redirect(url_for("infrastructure.index"), code=303)
    plan = deletion.plan_deletion(_units(), uid)
    context: dict[str, object] = {"plan": plan, "form": form, "chosen": request.form.getlist("also")}
    if view.instance_page:
        context["defaults_url"] = url_for("defaults.show", uid=view.instance_page)
    if view.is_referred_to:
        context["artifacts_url"] = url_for("artifacts.index", uid=uid)
    return render_tab("storages/delete.html", view, 422 if form.is_faulty else 200, **context)
