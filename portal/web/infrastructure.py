"""The infrastructure page: every storage location in reach, as one table."""

from dataclasses import replace

from flask import Blueprint, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal.permissions import Action, PortalTarget, allows
from portal.services import migrations, storage_list
from portal.services.accounts import find_account
from portal.services.storage_list import StorageQuery
from portal.web import exports, gate, htmx

blueprint = Blueprint("infrastructure", __name__)

#: Filter in the address → attribute of the query, of the facets, and the filter's name for people.
FILTERS = (
    ("type", "types", "Type"),
    ("space", "spaces", "Space"),
    ("instance", "instances", "Instance"),
    ("host", "hosts", "Host"),
    ("mode", "modes", "Mode"),
    ("branch", "branches", "Branch"),
)


@blueprint.get("/infrastructure")
@blueprint.get("/<handle>/infrastructure")
def index(handle: str | None = None) -> Response:
    """Show a page of the list; for htmx only the rows."""
    query = parse_query(request.args)
    with gate.reading() as work:
        query = replace(query, owner_id=find_account(work, handle).id if handle else None)
        page = storage_list.list_storages(work, query)
        facets = storage_list.list_facets(work)
        moved = migrations.find_moved(work, query.text) if query.text else ()
        is_admin = allows(work.actor, Action.PORTAL_ADMINISTER, PortalTarget())
    return htmx.render(
        "infrastructure/index.html",
        "infrastructure/_table.html",
        page=page,
        query=query,
        args=request.args,
        handle=handle,
        filters=_filter_menus(query, facets),
        summary=summarise(query, page),
        is_admin=is_admin,
        moved=moved,
        is_fragment=htmx.wants_fragment(),
        # One address for all rows: building it for each costs more than the rest of the row.
        storage_url=url_for("storages.show", uid="0")[:-1],
    )


@blueprint.get("/infrastructure.<any(csv, json):kind>")
@blueprint.get("/<handle>/infrastructure.<any(csv, json):kind>")
def export(kind: str, handle: str | None = None) -> Response:
    """Send the whole list of the present filter as a file."""
    query = parse_query(request.args)
    with gate.reading() as work:
        query = replace(query, owner_id=find_account(work, handle).id if handle else None)
    records = storage_list.iterate_storages(gate.reading, query)
    if kind == "json":
        return exports.stream_json("storages.json", records)
    return exports.stream_csv("storages.csv", storage_list.EXPORT_COLUMNS, (tuple(row.values()) for row in records))


def parse_query(args: MultiDict[str, str]) -> StorageQuery:
    """Return the query an address asks for."""
    sort = args.get("sort", "")
    chosen = {name: tuple(filter(None, args.getlist(name))) for name, _, _ in FILTERS}
    return StorageQuery(
        text=args.get("q", ""),
        types=chosen["type"],
        spaces=chosen["space"],
        instances=chosen["instance"],
        hosts=chosen["host"],
        modes=chosen["mode"],
        branches=chosen["branch"],
        sort=sort.removeprefix("-"),
        is_falling=sort.startswith("-"),
        after=args.get("after"),
        before=args.get("before"),
    )


def summarise(query: StorageQuery, page: storage_list.StoragePage) -> str:
    """Return how many locations there are, in a sentence; it is read aloud when it changes."""
    if page.is_more_counted:
        return f"More than {page.match_count:,} locations" + (" match" if query.is_filtered else "")
    noun = "location" if page.total == 1 else "locations"
    if query.is_filtered:
        # Archive and trash are not in the total, but a filter can show them.
        total = f"{'more than ' if page.is_more_in_total else ''}{page.total:,}"
        return f"{page.match_count:,} match" if query.branches else f"{page.match_count:,} of {total} {noun} match"
    is_whole = not page.next_after and not page.previous_before
    return f"{page.total:,} {noun}" + (", all shown" if is_whole else "")


def _filter_menus(
    query: StorageQuery, facets: storage_list.Facets
) -> list[tuple[str, str, list[tuple[str, str, None, bool]]]]:
    """Return (name, label, options) of each menu; a chosen value that is no option any more stays to be taken off."""
    menus = []
    for name, attribute, label in FILTERS:
        chosen = dict.fromkeys(getattr(query, attribute))
        options = [(choice.value, choice.label, None, choice.value in chosen) for choice in getattr(facets, attribute)]
        known = {value for value, _, _, _ in options}
        options += [(value, value, None, True) for value in chosen if value not in known]
        menus.append((name, label, options))
    return menus
