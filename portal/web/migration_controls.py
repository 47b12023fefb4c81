"""What may be changed and looked at while a root moves: limits, times, and the objects that need a look."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal.permissions import Action
from portal.services import migrations
from portal.services.migrations import ExceptionQuery, MigrationView
from portal.services.migrations.exceptions import EXPORT_COLUMNS, ExceptionList
from portal.services.work import Work
from portal.web import exception_words, exports, gate, htmx, migration_pace, migration_words
from portal.web.filters import format_count, query_with
from portal.web.forms.controls import LimitsForm, ScheduleForm

blueprint = Blueprint("migration_controls", __name__, url_prefix="/migrations")


@blueprint.route("/<uid>/limits", methods=["GET", "POST"])
def limits(uid: str) -> Response:
    """Change what a move may take, also while it runs."""
    form = LimitsForm(request.form)
    return _form(uid, form, "limits", migrations.set_limits, "The limits hold within two seconds.")


@blueprint.route("/<uid>/schedule", methods=["GET", "POST"])
def schedule(uid: str) -> Response:
    """Change when a move may copy."""
    form = ScheduleForm(request.form)
    return _form(uid, form, "schedule", migrations.set_times, "The times hold from now on.")


def _form(
    uid: str,
    form: LimitsForm | ScheduleForm,
    name: str,
    service: Callable[[Work, str, Any], MigrationView],
    message: str,
) -> Response:
    if request.method == "POST":
        with form.catching():
            given = form.to_input()
            with gate.writing() as work:
                service(work, uid, given)
            flash(message, "success")
            return redirect(url_for("migrations.show", uid=uid), code=303)
    with gate.reading() as work:
        migrations.find_migration(work, uid, Action.STORAGE_MOVE)
        view, settings, now = migrations.get_migration(work, uid), work.settings, work.now
    if request.method == "GET":
        form.fill(view, now)
    page = render_template(
        f"migrations/{name}.html", form=form, view=view, settings=settings, pace=migration_pace, now=now
    )
    return flask_response(page, 422 if form.is_faulty else 200)


#: What of the list htmx may ask for besides its rows.
_PARTS = {"panel": "migrations/_errors.html", "live": "migrations/_error_live.html"}


@blueprint.get("/<uid>/errors")
def errors(uid: str) -> Response:
    """List the objects that need a look; htmx gets the rows, or with `part` all around them too, or how a try goes."""
    query, tried = parse_query(request.args), request.args.get("tried", "")
    with gate.reading() as work:
        view, found = migrations.get_migration(work, uid), migrations.list_exceptions(work, uid, query)
        row = migrations.find_exception(work, uid, tried) if tried else None
        waits = migration_pace.waiting_words(view, work.now)
    is_busy, part = migration_words.is_busy(view), request.args.get("part", "")
    context = errors_context(found, query, request.args) | {"tried": tried, "tried_row": row, "waits": waits}
    fragment = _PARTS.get(part, "migrations/_error_rows.html")
    response = htmx.render("migrations/errors.html", fragment, view=view, is_busy=is_busy, **context)
    return htmx.tell(response, "errors-changed") if part == "live" and not is_busy else response


def errors_context(found: ExceptionList, query: ExceptionQuery, args: MultiDict[str, str]) -> dict[str, Any]:
    """Return what the templates of the list take."""
    options = [
        (kind, exception_words.kind_of(kind).name, count, kind in query.kinds) for kind, count in found.counts.items()
    ]
    return {
        "found": found,
        "query": query,
        "args": args,
        "kind_of": exception_words.kind_of,
        "anchor_of": anchor_of,
        "kind_options": options,
        "summary": _summary(found, query),
    }


def errors_mark(view: MigrationView, found: ExceptionList) -> str:
    """Return a text that is another one as soon as the list is, or what stands around it."""
    counts = "-".join(f"{kind}.{count}" for kind, count in found.counts.items())
    return f"{counts}-{view.state}-{view.wish}-{view.pass_number}{'-r' if found.may_retry else ''}"


def anchor_of(key: str) -> str:
    """Return the anchor of an object's row: it stays the same when the object needs a look again."""
    return f"object-{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _summary(found: ExceptionList, query: ExceptionQuery) -> str:
    noun = "object" if found.total == 1 else "objects"
    if query.is_filtered:
        return f"{format_count(found.match_count)} of {format_count(found.total)} {noun} match"
    return f"{format_count(found.total)} {noun}"


@blueprint.get("/<uid>/errors.<any(csv, json):kind>")
def export(uid: str, kind: str) -> Response:
    """Send all that matches as a file."""
    rows = migrations.iterate_exceptions(gate.reading, uid, parse_query(request.args))
    records = ({name: getattr(row, name) for name in EXPORT_COLUMNS} for row in rows)
    if kind == "json":
        return exports.stream_json(f"errors-{uid}.json", records)
    return exports.stream_csv(f"errors-{uid}.csv", EXPORT_COLUMNS, (tuple(record.values()) for record in records))


@blueprint.post("/<uid>/errors/retry")
def retry(uid: str) -> Response:
    """Try one object again, or all of a kind, and nothing else. Of one the person comes back to its row in the list."""
    keys, kinds = tuple(request.form.getlist("object")), tuple(request.form.getlist("kind"))
    with gate.writing() as work:
        migrations.retry_objects(work, uid, keys=keys, kinds=kinds)
    if len(keys) != 1:
        flash("Trying them again alone. What is good is not touched.", "success")
        return redirect(url_for("migrations.show", uid=uid), code=303)
    flash(f"Trying {keys[0]} again.", "success")
    here = url_for("migration_controls.errors", uid=uid)
    return redirect(f"{here}{query_with(request.args, tried=keys[0])}#{anchor_of(keys[0])}", code=303)


def parse_query(args: MultiDict[str, str]) -> ExceptionQuery:
    """Return the query an address asks for."""
    return ExceptionQuery(
        kinds=tuple(filter(None, args.getlist("kind"))),
        text=args.get("q", "").strip(),
        after=args.get("after"),
        before=args.get("before"),
    )
