"""A service that changes anything asks for the right first: itself, or by the service that finds the thing for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

SERVICES = Path(__file__).parents[2] / "portal" / "services"

#: What asks `permissions.py`.
ASKING = frozenset({"require", "allows"})

#: Services that record an event without asking, and why.
WITHOUT_ASKING = {
    "change_own_details": "one's own account",
    "set_password": "one's own, proven by the old password or a link; `change_password` and the link call it",
    "sign_in_succeeded": "the password was the proof",
    "sign_out": "one's own session, proven by its cookie",
    "ensure_host": "this machine and runners announce themselves; people add hosts by `add_host`",
    "drop_if_unused": "called by who just let go of the connection with a right of its own",
    "unset_default": "called while another location becomes the default, which was asked for",
    "add_first_admin": "called while a space or an instance is made, which was asked for",
    "grant_role": "of members.py: spaces and instances ask for their own",
    "revoke_role": "of members.py: spaces and instances ask for their own",
    "point_to": "the runner's, for a cut-over that was asked for",
    "note_registry": "the runner's, for the same",
}


def _functions() -> Iterator[ast.FunctionDef]:
    for path in sorted(SERVICES.rglob("*.py")):
        yield from (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))


def _called(function: ast.FunctionDef) -> set[str]:
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


def _asking(functions: list[ast.FunctionDef]) -> set[str]:
    """Return the names of functions that ask, or call one that does."""
    found: set[str] = set(ASKING)
    while more := {each.name for each in functions if _called(each) & found} - found:
        found |= more
    return found


def test_a_service_that_records_a_change_asks_for_the_right() -> None:
    functions = list(_functions())
    asking = _asking(functions)
    recording = {each.name for each in functions if "record" in _called(each) and not each.name.startswith("_")}
    assert recording & asking, "no service was found: has the folder moved?"
    assert recording - asking == set(WITHOUT_ASKING) - {"add_first_admin"}


def test_what_asks_for_nothing_is_called_by_services_alone() -> None:
    inner = {"add_first_admin", "grant_role", "revoke_role", "unset_default", "drop_if_unused", "set_password"}
    faces = [path for face in ("web", "cli", "api", "hub") for path in (SERVICES.parent / face).rglob("*.py")]
    trees = {path.name: ast.parse(path.read_text()) for path in faces}
    found = {
        (name, node.attr)
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in inner
    }
    assert found == set()
