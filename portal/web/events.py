"""The event log: every change, who, when, from where, before and after."""

from collections.abc import Iterator
from datetime import UTC, datetime

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from portal.services import event_log
from portal.services.event_log import TARGET_TYPES, EventQuery, EventRow
from portal.web import event_words, exports, filters, gate, htmx
from portal.web.forms.events import parse_event_query

blueprint = Blueprint("events", __name__)

HEADER = (
    "id",
    "at",
    "actor",
    "action",
    "target_type",
    "target_uid",
    "target_name",
    "before",
    "after",
    "reason",
    "via",
    "address",
    "request_id",
)


@blueprint.get("/events")
def index() -> Response:
    """List the events in reach, newest first."""
    query = parse_event_query(request.args)
    with gate.reading() as work:
        page = event_log.list_events(work, query)
        actions = event_log.list_actions(work)
    return htmx.render(
        "events/index.html",
        "events/_rows.html",
        page=page,
        query=query,
        is_filtered=has_filter(query),
        newer_url=_page_url(after=page.newer_id),
        older_url=_page_url(before=page.older_id),
        action_choices=[(name, event_words.choice(name), None, name in query.actions) for name in actions],
        type_choices=[(name, name, None, name in query.target_types) for name in TARGET_TYPES],
    )


def has_filter(query: EventQuery) -> bool:
    """Tell whether anything narrows the list."""
    return bool(query.actions or query.actor or query.target_types or query.text or query.since or query.until)


def _page_url(*, before: int | None = None, after: int | None = None) -> str | None:
    if before is None and after is None:
        return None
    return url_for("events.index") + filters.query_with(request.args, before=before, after=after)


@blueprint.get("/events.csv")
def export_csv() -> Response:
    """Give the filtered events as CSV."""
    rows = _all_rows(parse_event_query(request.args))
    return exports.stream_csv(_filename("csv"), HEADER, ([getattr(row, name) for name in HEADER] for row in rows))


@blueprint.get("/events.json")
def export_json() -> Response:
    """Give the filtered events as JSON."""
    rows = _all_rows(parse_event_query(request.args))
    return exports.stream_json(_filename("json"), ({name: getattr(row, name) for name in HEADER} for row in rows))


def _filename(kind: str) -> str:
    return f"events-{datetime.now(UTC):%Y-%m-%d}.{kind}"


def _all_rows(query: EventQuery) -> Iterator[EventRow]:
    """Read batch after batch, each in a short transaction of its own, so that an export holds up nobody."""
    before_id: int | None = None
    while True:
        with gate.reading() as work:
            batch = event_log.read_batch(work, query, before_id)
        if not batch:
            return
        yield from batch
        before_id = batch[-1].id
