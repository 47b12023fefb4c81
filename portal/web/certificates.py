"""Certificates: the page to print, the signed JSON, and the public key at an address of its own."""

import json
from typing import Any

from flask import Blueprint, render_template
from flask import make_response as flask_response
from werkzeug.wrappers import Response

from portal.planning.keys import Reason
from portal.services.migrations.certificate import get_certificate, public_key
from portal.services.units import Units
from portal.web import gate
from portal.web.filters import format_bytes, format_count

blueprint = Blueprint("certificates", __name__)

#: What each level of evidence means, in one sentence: the name, then what was done.
LEVELS = {
    "read_back": ("Read back", "read again at the target and hashed"),
    "server": ("Server", "compared with a checksum that the target's server computed over the whole object"),
    "parts": ("Parts", "compared with a composite checksum, recomputed from the parts"),
    "none": ("None", "not verified"),
}

#: What the content of a moved object is known by.
HASHES = {
    "sha256": "Known by the SHA-256 of what was read here",
    "md5_of_server": "Known by the MD5 that the server computed on both sides, not read here",
    "none": "Without a hash",
}

#: What became of objects, in the order people ask.
OUTCOMES = {
    "copied": "Copied",
    "already_equal": "Equal at the target already, so not copied",
    "removed": "Deleted at the source while it was moved, taken away at the target too",
    "left": "The target's own, not touched and not verified",
    "missing": "Gone from the source before it could be copied",
    "conflict": "Different at the target, not overwritten",
    "rotten": "Not as LaminDB recorded it, not copied",
    "changed": "Changed while it was copied",
    "failed": "Not copied",
    "mismatch": "Read back differently",
}

#: Of each step its name, and how the person stands beside a time that is mostly the runner's; empty: nobody does.
_STEPS = {
    "planned": ("Planned", "asked for by"),
    "started": ("Started", "asked for by"),
    "ready": ("Ready", ""),
    "cut_over": ("Cut over", "asked for by"),
    "rolled_back": ("Rolled back", "asked for by"),
    "released": ("Released", "by"),
}

#: Whether writers were held off: in all, and in one instance.
_FENCES = {
    "real": "A fence held writers off in every instance.",
    "soft": "The fence was soft: not every writer was held off.",
}
_FENCE_OF_ONE = {"real": "held writers off", "soft": "soft"}


@blueprint.get("/migrations/<uid>/certificate")
def show(uid: str) -> Response:
    """Show a move's certificate as a page to print."""
    document = get_certificate(Units(gate.reading, gate.writing), uid)
    statement = document["statement"]
    context = {
        "uid": uid,
        "document": document,
        "statement": statement,
        "levels": _levels(statement),
        "outcomes": _outcomes(statement),
        "steps": _steps(statement),
        "left_out": _left_out(statement),
        "switched": _switched(statement["switch"] or {}),
        "issued": _moment(statement["issued_at"]),
        "fence_of_one": _FENCE_OF_ONE,
    }
    return flask_response(render_template("migrations/certificate.html", **context))


@blueprint.get("/migrations/<uid>/certificate.json")
def download(uid: str) -> Response:
    """Give out the signed certificate."""
    document = get_certificate(Units(gate.reading, gate.writing), uid)
    response = flask_response(json.dumps(document, indent=2) + "\n")
    response.mimetype = "application/json"
    response.headers["Content-Disposition"] = f'attachment; filename="certificate-{uid}.json"'
    return response


@blueprint.get("/certificate-key")
@gate.public
def key() -> Response:
    """Give out the public key that certificates of this portal are checked with."""
    with gate.reading() as work:
        response = flask_response(public_key(work).public_pem)
    response.mimetype = "text/plain"
    return response


def _levels(statement: dict[str, Any]) -> list[tuple[str, str]]:
    """Return how moved objects were verified, and what their content is known by."""
    rows = [
        (LEVELS.get(name, (name, ""))[0], f"{_amount(entry)}, {LEVELS.get(name, ('', 'as named'))[1]}")
        for name, entry in statement["objects"]["levels"].items()
    ]
    rows += [(HASHES.get(name, name), _amount(entry)) for name, entry in statement["objects"]["hashes"].items()]
    return rows + _recorded(statement["lamindb"])


def _recorded(lamindb: dict[str, Any]) -> list[tuple[str, str]]:
    """Return for how much LaminDB's hash was worked out again; nothing in certificates that did not count it."""
    counts = (
        ("Has LaminDB's hash, worked out again", lamindb.get("hash_checked_count"), "object"),
        ("Folders with LaminDB's hash of all their files", lamindb.get("folders_checked_count"), "folder"),
    )
    return [
        (words, f"{format_count(count)} {noun}{'' if count == 1 else 's'}")
        for words, count, noun in counts
        if count is not None
    ]


def _outcomes(statement: dict[str, Any]) -> list[tuple[str, str]]:
    found = statement["objects"]["outcomes"]
    return [(words, _amount(found[name])) for name, words in OUTCOMES.items() if name in found]


def _steps(statement: dict[str, Any]) -> list[tuple[str, str]]:
    steps = statement["steps"]
    done = [(steps[name], words, role) for name, (words, role) in _STEPS.items() if steps[name]]
    return [
        (words, f"{_moment(step['at'])}, {role} {step['by']}" if role else _moment(step["at"]))
        for step, words, role in done
    ]


def _switched(switch: dict[str, Any]) -> str:
    """Return which one write decided the switch, the instance by its name where that is stated, and the fence."""
    by = switch.get("decided_by") or "portal"
    names = {row["uid"]: row.get("name") for row in switch.get("instances") or ()}
    where = "the portal" if by == "portal" else names.get(by) or by
    fence = _FENCES.get(switch.get("fence") or "", "Whether writers were held off was not recorded.")
    return f"Decided by one transaction in {where}. {fence}"


def _moment(text: str) -> str:
    return f"{text[:10]} {text[11:19]} UTC"


def _left_out(statement: dict[str, Any]) -> list[tuple[str, str]]:
    left = statement["left_out"]
    rows = [
        ("The marker, copied at the cut-over" if reason == Reason.MARKER else f"Left out of the copy: {reason}", tally)
        for reason, tally in left["excluded"].items()
    ]
    rows += [
        ("Below the root, but no objects", left["no_objects"]),
        ("Registered, but not there", left["registered_and_missing"]),
        ("Moved though no artifact refers to them", left["moved_though_unreferenced"]),
    ]
    return [(words, _amount(tally)) for words, tally in rows if tally["count"]]


def _amount(tally: dict[str, int]) -> str:
    noun = "object" if tally["count"] == 1 else "objects"
    return f"{format_count(tally['count'])} {noun}, {format_bytes(tally['bytes'])}"
