"""What is said of objects that are not as they should be, by kind: name, icon, tone, and what to do."""

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of them. `advice` is the next step; empty where the reason says it all."""

    name: str
    icon: str
    tone: str
    advice: str = ""


#: By outcome, and of objects that failed by the kind of their error (`portal.errors`).
KINDS = {
    "conflict": Kind(
        "Differs at the target", "alert-circle", "bad", "Compare both, remove it at the target, then retry."
    ),
    "failed": Kind("Could not be copied", "ban", "bad"),
    "changed": Kind("Changed while it was read", "refresh", "warn", "The next pass takes it."),
    "missing": Kind("Gone from the source", "circle-minus", "warn", "The next pass leaves it out."),
    "mismatch": Kind("Read back differently", "alert-circle", "bad", "Look at the target, then retry."),
    "rotten": Kind("Not as LaminDB recorded it", "alert-triangle", "warn", "Put it right at the source, then retry."),
    "access_refused": Kind("No right", "lock", "bad", "Give the connection the right it misses, then retry."),
    "object_archived": Kind("Archived", "archive", "warn", "Restore it from the archive, then retry."),
    "name_refused": Kind("Name refused", "ban", "bad", "Rename it at the source, then retry."),
    "object_not_found": Kind("No such object", "circle-minus", "warn"),
    "object_exists": Kind("Taken meanwhile", "alert-circle", "bad", "Somebody writes to the target: look there."),
    "content_mismatch": Kind("Arrived changed", "alert-circle", "bad", "The way there changes bytes: look at it."),
    "unreachable": Kind("No answer", "plug-x", "warn", "It may pass: retry."),
}

#: Anything a later version may write.
UNKNOWN = Kind("Could not be copied", "ban", "bad")


def kind_of(name: str) -> Kind:
    """Return what is said of a kind."""
    return KINDS.get(name, UNKNOWN)
