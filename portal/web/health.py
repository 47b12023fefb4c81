"""For load balancers: `/healthz` says the process lives, `/readyz` that it can work."""

from flask import Blueprint
from werkzeug.wrappers import Response

from portal import database
from portal.web import gate

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@gate.public
def live() -> Response:
    """Answer without touching anything."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@gate.public
def ready() -> Response:
    """Answer 200 when the database answers and its schema is current, else 503."""
    try:
        current = database.is_current()
    except Exception:
        gate.log.exception("not ready")
        return Response("the database does not answer\n", 503, mimetype="text/plain")
    if not current:
        return Response("the schema is not current: run portal db upgrade\n", 503, mimetype="text/plain")
    return Response("ok\n", mimetype="text/plain")
