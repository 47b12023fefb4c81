"""The short ways of the top bar: "Go to", and the bell."""

from urllib.parse import quote, urlencode

from flask import Blueprint, redirect, render_template, request
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.services.finding import find_exact
from portal.web import gate

blueprint = Blueprint("go", __name__)

#: Where each kind of thing has its page.
PAGES = {"storage": "/storages/", "account": "/people/", "space": "/spaces/", "instance": "/instances/"}


@blueprint.get("/go")
def go() -> Response:
    """Go to what the text names exactly, else search the storage locations for it."""
    text = request.args.get("q", "").strip()
    if not text:
        return flask_response(render_template("go/index.html"))
    with gate.reading() as work:
        found = find_exact(work, text)
    if found is None:
        return redirect("/infrastructure?" + urlencode({"q": text}), code=303)
    return redirect(PAGES[found.kind] + quote(found.reference, safe=""), code=303)


@blueprint.get("/jobs")
def jobs() -> Response:
    """Go to the live and recent migrations."""
    return redirect("/migrations", code=303)
