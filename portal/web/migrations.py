"""Migrations: moving a root, watching it, and every button of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal.errors import Conflict
from portal.permissions import Action
from portal.planning.states import Event, MigrationState, move
from portal.services import hosts, migrations
from portal.services.claims import live_move
from portal.services.migrations import ExceptionQuery, MigrationPage, MigrationView, Strategy
from portal.services.storages.find import find_storage
from portal.services.work import Work
from portal.web import (
    gate,
    htmx,
    migration_list,
    migration_pace,
    migration_progress,
    migration_protocol,
    migration_words,
)
from portal.web.event_words import short_name
from portal.web.forms.migrations import LOCAL, OTHER, CutOverForm, MoveForm
from portal.web.migration_controls import errors_context, errors_mark

blueprint = Blueprint("migrations", __name__)

_CANCELLING = "The move ends as soon as a runner has tidied up. The source is unchanged."


@blueprint.get("/migrations")
def index() -> Response:
    """List the migrations in reach; for htmx only the rows."""
    query = migration_list.parse_query(request.args)
    with gate.reading() as work:
        found = migrations.list_page(work, query)
    shown = migration_list.context(found, query, request.args)
    is_fragment = htmx.wants_fragment()
    return htmx.render("migrations/index.html", "migrations/_table.html", is_fragment=is_fragment, **shown)


@blueprint.route("/storages/<uid>/move", methods=["GET", "POST"])
def new(uid: str) -> Response:
    """Choose how a root moves, and where to; `again` names a move whose fields are filled in."""
    form = MoveForm(request.form)
    with gate.reading() as work:
        storage = find_storage(work, uid, Action.STORAGE_MOVE)
        uid, root = storage.uid, storage.root
        if request.method == "GET" and (moving := live_move(work, storage)[0]):
            flash(f"{short_name(root)} moves already: this is its move.", "info")
            return redirect(url_for("migrations.show", uid=moving), code=303)
        rewriting, repointing = migrations.list_strategies(work, uid)
        _offer(work, form, repointing)
        if request.method == "GET" and (before := request.args.get("again")):
            form.fill(migrations.asked_for(work, before))
    if request.method == "POST" and form.validate():
        with form.catching():
            with gate.writing() as work:
                made = migrations.create_migration(work, form.to_input(uid)).id
            return redirect(url_for("migrations.show", uid=made), code=303)
    page = render_template(
        "migrations/new.html",
        form=form,
        uid=uid,
        root_text=root,
        rewriting=rewriting,
        repointing=repointing,
        strategies=migration_protocol.STRATEGIES,
    )
    return flask_response(page, 422 if form.is_faulty else 200)


def _offer(work: Work, form: MoveForm, repointing: Strategy) -> None:
    """Put what may be chosen into the form; its first choice stands where nothing was sent."""
    rows = migrations.list_target_connections(work)
    ways = [*((row.uid, f"{row.label} · {', '.join(row.scopes)}") for row in rows), (LOCAL, "A directory")]
    here = work.settings.host
    names = sorted({here, *(row.name for row in hosts.list_hosts(work))}, key=lambda name: name != here)
    locations = [*repointing.targets, OTHER]
    form.target_connection_uid.choices = ways
    form.target_host.choices = [(name, name) for name in names]
    form.target_storage.choices = locations
    if form.target_connection_uid.data is None:
        form.target_connection_uid.data = ways[0][0]
    if form.target_host.data is None:
        form.target_host.data = here
    if request.method == "GET":
        form.target_storage.data = locations[0][0]


@blueprint.get("/migrations/<uid>")
def show(uid: str) -> Response:
    """Show a migration; htmx gets its live part, and the head again when the state is another than was seen."""
    page = _page(uid)
    has_changed = request.args.get("seen") != _mark(page)
    context = _context(page) | errors_context(page.errors, ExceptionQuery(), MultiDict())
    response = htmx.render("migrations/show.html", "migrations/_fragment.html", has_changed=has_changed, **context)
    if htmx.wants_fragment() and request.args.get("errors", "") != context["errors_mark"]:
        return htmx.tell(response, "errors-changed")
    return response


def _page(uid: str) -> MigrationPage:
    with gate.reading() as work:
        return migrations.get_page(work, uid)


def _mark(page: MigrationPage) -> str:
    mark = f"{page.view.state}:{page.view.wish}:{migration_pace.waiting(page)}"
    # A button waits until the old root is quiet.
    return f"{mark}:{page.noise.until or page.noise.when}" if page.noise else mark


def _context(page: MigrationPage) -> dict[str, Any]:
    return {
        "page": page,
        "view": page.view,
        "mark": _mark(page),
        "words": migration_words,
        "pace": migration_pace,
        "progress_of": migration_progress.progress,
        "moved": migration_progress.moved,
        "errors_mark": errors_mark(page.view, page.errors),
        "protocol": migration_protocol,
        "Event": Event,
        "State": MigrationState,
    }


def _press(
    uid: str, service: Callable[[Work, str], MigrationView], message: str | Callable[[MigrationView, datetime], str]
) -> Response:
    """Do what a button says and come back to the page, which says so; `message` may be of what came of it."""
    with gate.writing() as work:
        view, now = service(work, uid), work.now
    flash(message if isinstance(message, str) else message(view, now), "success")
    return redirect(url_for("migrations.show", uid=uid), code=303)


@blueprint.post("/migrations/<uid>/start")
def start(uid: str) -> Response:
    """Begin to copy."""
    return _press(uid, migrations.start, _starting)


def _starting(view: MigrationView, now: datetime) -> str:
    waits = migration_pace.waiting_words(view, now)
    return f"{waits}, then it begins by itself." if waits else "The copy begins as soon as a runner is free."


@blueprint.post("/migrations/<uid>/pause")
def pause(uid: str) -> Response:
    """Stop copying for now, or take back a start that waits."""
    return _press(uid, migrations.pause, _pausing)


def _pausing(view: MigrationView, _now: datetime) -> str:
    return "Pausing. What is done stays done." if view.wish else "The start is taken back. Nothing was copied."


@blueprint.post("/migrations/<uid>/resume")
def resume(uid: str) -> Response:
    """Go on copying."""
    return _press(uid, migrations.resume, "The copy goes on.")


@blueprint.post("/migrations/<uid>/retry")
def retry(uid: str) -> Response:
    """Try again what needs attention, or from ready copy what changed."""
    return _press(uid, migrations.retry, _retrying)


def _retrying(view: MigrationView, _now: datetime) -> str:
    if view.state is MigrationState.READY:
        return "Copying what changed: the source is listed again first."
    return "Retrying what is open. What is good stays."


@blueprint.route("/migrations/<uid>/take-as-is", methods=["GET", "POST"])
def take_as_is(uid: str) -> Response:
    """Ask, then try again and copy what is not as LaminDB recorded it as it is."""
    if request.method == "POST":
        with gate.writing() as work:
            migrations.retry(work, uid, takes_rot=True)
        flash("Retrying. What is not as LaminDB recorded it is copied as it is.", "success")
        return redirect(url_for("migrations.show", uid=uid), code=303)
    with gate.reading() as work:
        rotten = migrations.list_rotten(work, uid)
        page = migrations.get_page(work, uid)
    return flask_response(render_template("migrations/take_as_is.html", rotten=rotten, **_context(page)))


@blueprint.get("/migrations/<uid>/report")
def report(uid: str) -> Response:
    """Show what only people can do since the switch, as a page to print."""
    return flask_response(render_template("migrations/report.html", **_context(_page(uid))))


@blueprint.post("/migrations/<uid>/check")
def check(uid: str) -> Response:
    """Make the plan anew."""
    return _press(uid, migrations.check_again, "Both sides are checked again.")


@blueprint.route("/migrations/<uid>/cancel", methods=["GET", "POST"])
def cancel(uid: str) -> Response:
    """Ask, then end a migration before its cut-over."""
    if request.method == "POST":
        with gate.writing() as work:
            is_over = migrations.cancel(work, uid).state.is_final
        flash("The move is cancelled. The source is unchanged." if is_over else _CANCELLING, "success")
        return redirect(url_for("migrations.show", uid=uid), code=303)
    return _ask(uid, Event.CANCEL, "migrations/cancel.html")


@blueprint.route("/migrations/<uid>/cut-over", methods=["GET", "POST"])
def cut_over(uid: str) -> Response:
    """Ask for the typed name, then switch the location."""
    form = CutOverForm(request.form)
    if request.method == "POST":
        with form.catching():
            with gate.writing() as work:
                migrations.request_cut_over(work, uid, form.to_input())
            flash("The cut-over begins: what is new is brought over first.", "success")
            return redirect(url_for("migrations.show", uid=uid), code=303)
    return _ask(uid, Event.CUT_OVER, "migrations/cut_over.html", form)


@blueprint.route("/migrations/<uid>/roll-back", methods=["GET", "POST"])
def roll_back(uid: str) -> Response:
    """Ask, then lead the location back to its old root."""
    if request.method == "POST":
        return _press(uid, migrations.request_rollback, "Rolling back: what was written since is copied back first.")
    return _ask(uid, Event.ROLL_BACK, "migrations/roll_back.html")


@blueprint.route("/migrations/<uid>/release", methods=["GET", "POST"])
def release(uid: str) -> Response:
    """Ask, then end the soak. The source is kept."""
    if request.method == "POST":
        return _press(uid, migrations.release, "Released. The source was kept.")
    return _ask(uid, Event.RELEASE, "migrations/release.html")


def _ask(uid: str, event: Event, template: str, form: CutOverForm | None = None) -> Response:
    """Show a decision as a page, to those who may take it, while there is something to decide.

    Raises:
        Conflict: the move's state allows it no more, or not yet.
    """
    with gate.reading() as work:
        migrations.find_migration(work, uid, Action.STORAGE_MOVE)
        page = migrations.get_page(work, uid)
    move(page.view.state, event)
    if event is Event.RELEASE and page.noise is not None:
        raise Conflict(page.noise.message, hint=page.noise.hint)
    rendered = render_template(template, form=form, **_context(page))
    return flask_response(rendered, 422 if form is not None and form.is_faulty else 200)
