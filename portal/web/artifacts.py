"""The tab Artifacts of a storage location."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask import make_response as flask_response
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal.errors import Conflict, InputError, NotFound, PortalError, RegistryError, Unreachable
from portal.lamindb.registry.artifact_pages import ArtifactPage
from portal.lamindb.registry.artifact_queries import HASH_KINDS, SORTS, ArtifactQuery
from portal.services import artifacts
from portal.services.artifacts import Artifacts, Source
from portal.services.storages import find_storage, view_of
from portal.services.units import Units
from portal.web import exports, gate, htmx
from portal.web.filters import format_count
from portal.web.storages import render_tab

blueprint = Blueprint("artifacts", __name__, url_prefix="/storages")

#: Rows a page.
ROWS = 50

#: What an export tells of each artifact.
EXPORT_COLUMNS = (
    "uid", "key", "description", "suffix", "kind", "size_bytes", "hash", "hash_type", "file_count", "version_tag",
    "is_latest", "branch", "is_uploading", "place", "created_at", "updated_at",
)  # fmt: skip

#: More letters than this are in no key, uid or hash.
_MOST_LETTERS = 1_000

_HASH_LABELS = {"other": "another kind", "none": "no hash"}


def _units() -> Units:
    return Units(gate.reading, gate.writing)


@blueprint.get("/<uid>/artifacts")
def index(uid: str) -> Response:
    """Show a page of the location's artifacts; for htmx only the rows."""
    with gate.reading() as work:
        storage = find_storage(work, uid)
        view, sources = view_of(work, storage), artifacts.list_sources(work, storage)
    chosen = _chosen(sources, request.args.get("instance", ""))
    found: Artifacts | None = None
    problem: PortalError | None = None
    query = ArtifactQuery(0)
    try:
        query = parse_query(request.args)
        if chosen is not None:
            found = artifacts.list_artifacts(_units(), uid, query, instance_uid=chosen.uid)
    except (RegistryError, Conflict, InputError, NotFound, Unreachable) as error:
        problem = error
    context: dict[str, Any] = {
        "sources": sources,
        "chosen": chosen,
        "found": found,
        "problem": problem,
        "query": query,
        "args": request.args,
        "filters": _filter_menus(query, found),
        "is_fragment": htmx.wants_fragment(),
    }
    if found is not None:
        context |= _of_page(found.page, query, found.source)
        if request.args.get("check") == "1":
            context["there"] = _objects(uid, chosen, [row.uid for row in found.page.rows])
    status = 422 if isinstance(problem, InputError) else 200
    response: Response
    if htmx.wants_fragment():
        response = flask_response(render_template("storages/_artifacts.html", storage=view, **context), status)
    else:
        response = render_tab("storages/artifacts.html", view, status, **context)
    response.headers["Vary"] = "HX-Request"
    return response


@blueprint.get("/<uid>/artifacts.<any(csv, json):kind>")
def export(uid: str, kind: str) -> Response:
    """Send all artifacts of the present filter as a file; where there are none to read, the tab says why."""
    with gate.reading() as work:
        if not artifacts.list_sources(work, find_storage(work, uid)):
            return redirect(url_for("artifacts.index", uid=uid), code=303)
    query = replace(parse_query(request.args), position=None)
    rows = artifacts.iterate_artifacts(_units(), uid, query, instance_uid=request.args.get("instance", ""))
    records = ({name: getattr(row, name) for name in EXPORT_COLUMNS} for row in rows)
    if kind == "json":
        return exports.stream_json(f"artifacts-{uid}.json", records)
    return exports.stream_csv(f"artifacts-{uid}.csv", EXPORT_COLUMNS, (tuple(each.values()) for each in records))


@blueprint.get("/<uid>/artifacts/objects")
def objects(uid: str) -> Response:
    """Say of some artifacts whether their objects are there, for the cells of the table."""
    with gate.reading() as work:
        sources = artifacts.list_sources(work, find_storage(work, uid))
    chosen = _chosen(sources, request.args.get("instance", ""))
    there = _objects(uid, chosen, request.args.getlist("artifact"))
    return flask_response(render_template("storages/_objects.html", there=there))


def _objects(uid: str, chosen: Source | None, uids: list[str]) -> dict[str, str]:
    """Return what is known of each object; nothing where the instance does not answer."""
    if chosen is None or not uids:
        return {}
    try:
        found = artifacts.check_objects(_units(), uid, uids, instance_uid=chosen.uid)
    except PortalError:
        return {}
    return {artifact: existence.value for artifact, existence in found.items()}


def _chosen(sources: list[Source], wanted: str) -> Source | None:
    """Return the instance an address names, else the first."""
    named = [source for source in sources if wanted in {source.uid, source.slug}]
    return next(iter(named or sources), None)


def parse_query(args: MultiDict[str, str]) -> ArtifactQuery:
    """Return the query an address asks for.

    Raises:
        InputError: its position means nothing.
    """
    sort = args.get("sort", "")
    name = sort.removeprefix("-")
    before, after = args.get("before", ""), args.get("after", "")
    branches = tuple(value for value in args.getlist("branch", type=int) if abs(value) < 2**31)
    return ArtifactQuery(
        0,
        text=args.get("q", "").replace("\0", "").strip()[:_MOST_LETTERS],
        sort=name if name in SORTS else "key",
        is_falling=sort.startswith("-") and name in SORTS,
        branch_ids=branches or None,
        is_latest_only=args.get("latest") == "1",
        hash_kinds=tuple(kind for kind in args.getlist("hash") if kind in HASH_KINDS),
        position=artifacts.parse_position(before or after) if before or after else None,
        is_backwards=bool(before),
        limit=ROWS,
    )


def _filter_menus(query: ArtifactQuery, found: Artifacts | None) -> list[tuple[str, str, list[Any]]]:
    """Return (name, label, options) as the macro `filter_menu` takes them."""
    chosen = query.branch_ids or ()
    branches = [(row_id, name, None, row_id in chosen) for row_id, name in (found.branches if found else ())]
    kinds = [(kind, _HASH_LABELS.get(kind, kind), None, kind in query.hash_kinds) for kind in HASH_KINDS]
    latest = [("1", "Latest only", None, query.is_latest_only)]
    return [("branch", "Branch", branches), ("hash", "Hash", kinds), ("latest", "Version", latest)]


def _of_page(page: ArtifactPage, query: ArtifactQuery, source: Source) -> dict[str, Any]:
    on_page = f"{format_count(len(page.rows))} on this page"
    total = format_count(source.artifact_count)
    if page.match_count is not None:
        noun = "artifact" if page.match_count == 1 else "artifacts"
        summary = f"{format_count(page.match_count)} {noun}{' match' if query.text else ''}, {on_page}"
    elif page.searched_count:
        most = min(page.searched_count, source.artifact_count or page.searched_count)
        summary = f"Searched {format_count(most)} of {total} so far, {on_page}"
    else:
        summary = f"{on_page}; {total} in all branches when last compared"
    return {
        "page": page,
        "summary": summary,
        "next": artifacts.write_position(page.next),
        "previous": artifacts.write_position(page.previous),
        "is_filtered": bool(query.text or query.branch_ids or query.hash_kinds or query.is_latest_only),
        # A search of many rows has an order of its own.
        "is_sortable": page.match_count is not None or not query.text,
    }
