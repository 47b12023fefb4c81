"""How a move treats the instances around it, in words: strategy, references, fence, rehearsal, sweeps, release."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from portal.planning.actions import Act
from portal.planning.certificates import rot_words
from portal.planning.estimates import guess
from portal.planning.keys import Reason
from portal.planning.states import MigrationState
from portal.services.migrations import MigrationPage
from portal.services.migrations.around import InstanceRow
from portal.services.migrations.doors import REPOINT
from portal.web.filters import format_bytes, format_count, show_when

_S = MigrationState

#: Name and explanation of each strategy: what happens, then what it fits.
STRATEGIES = {
    "rewrite": (
        "Rewrite the root",
        (
            "The location's record gets the new root and keeps its uid, so every artifact and every instance follows."
            " It fits where the new root is registered nowhere."
        ),
    ),
    "repoint": (
        "Re-point the artifacts",
        (
            "The artifacts are given to another location of the instance; this one keeps its root and is left without"
            " artifacts. It fits where the target is registered already, or a database in this root has to stay."
        ),
    ),
}

_HELD = frozenset({_S.FENCED, _S.CUT_OVER, _S.ROLLING_BACK})


def is_repoint(page: MigrationPage) -> bool:
    """Tell whether artifacts are re-pointed, and the location's own root stays."""
    return page.view.strategy == REPOINT


def strategy(page: MigrationPage) -> str:
    """Return what the move does to the registries, in one sentence."""
    view = page.view
    if is_repoint(page):
        return f"Re-point the artifacts: they belong to the location {view.target_storage_uid} after the cut-over."
    return f"Rewrite the root: the location keeps its uid {view.storage_uid} and names the new root after the cut-over."


def tallies(page: MigrationPage) -> list[tuple[str, Mapping[str, Any], str]]:
    """Return what the instances refer to and what not: (label, tally, remark); none where no instance is known."""
    summary = (page.view.plan or {}).get("summary") or {}
    known = {name: summary.get(name) for name in ("referenced", "unreferenced", "missing")}
    left = (summary.get("excluded") or {}).get(Reason.UNREFERENCED.value)
    entries = [
        (known["referenced"], "that artifacts refer to", "copied and verified"),
        (known["unreferenced"], "that no artifact refers to", "copied all the same"),
        (left, "that no artifact refers to", "left behind, as was asked for"),
        (known["missing"], "registered, but not there", "missing at the new root too"),
    ]
    return [(f"{_noun(tally)} {words}", tally, remark) for tally, words, remark in entries if tally and tally["count"]]


def _noun(tally: Mapping[str, Any]) -> str:
    return "object" if tally["count"] == 1 else "objects"


def left_out(page: MigrationPage, reason: str) -> str:
    """Return why objects are left out of the copy, and what becomes of an instance's database."""
    if reason == Reason.DATABASE and any(row.holds_database for row in page.instances):
        return f"{reason}, {'stays here' if is_repoint(page) else 'moved at cut-over'}"
    return reason


def change(page: MigrationPage, row: InstanceRow) -> str:
    """Return what is changed in one instance, and how."""
    if not row.can_write:
        return f"Nothing by the portal. {row.why_not}"
    if is_repoint(page):
        words = "Its artifacts name the other location."
        return f"{words} Its database stays in this root." if row.holds_database else words
    if row.holds_database:
        return "Its database moves to the new root; the old one is sealed: it can be read, and says where it went."
    return "Its row names the new root."


def part(row: InstanceRow) -> tuple[str, str, str]:
    """Return the badge of an instance's part in the cut-over: kind, word, icon."""
    if row.decides:
        return "ok", "Decides", "key"
    if row.can_write:
        return "mute", "Follows", "arrow-right"
    return "warn", "By hand", "pencil"


def decider(page: MigrationPage) -> str:
    """Return which one write decides the cut-over."""
    found = next((row.name for row in page.instances if row.decides), None)
    return f"one transaction in {found}" if found else "one transaction in the portal"


def soft(page: MigrationPage) -> list[str]:
    """Return whom nothing holds off, and why; empty where every known writer is held off."""
    if not page.instances:
        return ["no instance is attached"]
    return [f"{row.name}: {row.why_not}" for row in page.instances if not row.can_write]


def fence(page: MigrationPage) -> tuple[str, str, str] | None:
    """Return the fence as it is now: kind, title, text; None outside of a cut-over or rollback."""
    view = page.view
    if view.state not in _HELD:
        return None
    until, open_to = (view.plan or {}).get("fence_until"), soft(page)
    if not any(row.can_write for row in page.instances):
        ends = f" The cut-over gives up at {datetime.fromisoformat(until):%H:%M} UTC." if until else ""
        words = f"Nothing holds writers off ({'; '.join(open_to)}): stop them by hand.{ends}"
        return "warn", "The fence is soft.", words
    if until is None:
        return "info", "The fence goes up.", "Writers that are at work now may finish their transaction."
    names = ", ".join(row.name for row in page.instances if row.can_write)
    text = f"The fence is in the database of {names} and lifts itself then, even if the portal stops."
    if open_to:
        text += f" It is soft elsewhere ({'; '.join(open_to)}): stop writers there by hand."
    clock = datetime.fromisoformat(until)
    return ("warn" if open_to else "info"), f"Writers are held off until {clock:%H:%M} UTC.", text


def evidence(page: MigrationPage) -> str:
    """Return what will prove the copies, as the target's checksums were tried before the plan was made."""
    proof = (page.view.plan or {}).get("proof", {})
    if proof.get("has_parts"):
        return "The server's checksums: it computes them, and refused a wrong one."
    if proof.get("has_md5"):
        return f"The server's checksums; uploads in parts are read back. {proof['reason']}"
    return f"Every object is read back. {proof.get('reason', '')}"


def rehearsal(page: MigrationPage) -> str:
    """Return what the rehearsal tried; empty before it."""
    found = (page.view.plan or {}).get("rehearsal")
    if not found or not found["count"]:
        return ""
    noun = "artifact" if found["count"] == 1 else "artifacts"
    kinds = ", ".join(found["kinds"])
    return f"A sample of {format_count(found['count'])} {noun} was opened through the new root: {kinds}"


def sweep(page: MigrationPage) -> list[tuple[str, object]]:
    """Return what was found at the old root since the cut-over; empty where it is not looked at."""
    view = page.view
    if is_repoint(page) or view.state is not _S.SOAKING:
        return []
    found = (view.plan or {}).get("sweep") or {}
    pairs: list[tuple[str, object]] = [("Last looked at", _when(found.get("at"), page) if found else "not yet")]
    brought = int(found.get("brought", 0))
    noun = "object" if brought == 1 else "objects"
    pairs.append(("Brought over since the cut-over", f"{format_count(brought)} {noun}"))
    if found.get("left"):
        pairs.append(("Not brought over", f"{format_count(found['left'])}, see below what is in the way"))
    if (written_there := _written(page)) is not None:
        pairs.append(("Written at the new root since", _amount(written_there) if written_there["count"] else "nothing"))
    if found.get("last_found_at"):
        pairs.append(("Last new object", _when(found["last_found_at"], page)))
    pairs.append(("Looked at next", _next_words(view.sweep_at, page.now)))
    pairs.append(("Can be released", release_words(page)))
    return pairs


def _next_words(at: datetime | None, now: datetime) -> object:
    if at is None or at > now:
        return at and show_when(at, now)
    return "now, as soon as a runner is free"


def written(page: MigrationPage) -> str:
    """Return how much a rollback copies back first, as it was counted last, or when it will be."""
    found = _written(page)
    if found is None:
        return "How much that is, is counted when it begins; the page then shows objects and bytes."
    at = datetime.fromisoformat(found["at"])
    when = f"At {at:%H:%M} UTC" if at.date() == page.now.date() else f"On {at.day} {at:%b} at {at:%H:%M} UTC"
    if not found["count"]:
        return f"{when} that was nothing. It is counted anew when it begins."
    takes = guess(found["count"], found["bytes"])
    return f"{when} that was {_amount(found)}; it takes {takes}. It is counted anew when it begins."


def _written(page: MigrationPage) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = ((page.view.plan or {}).get("sweep") or {}).get("written")
    return found


def _amount(tally: Mapping[str, Any]) -> str:
    noun = "object" if tally["count"] == 1 else "objects"
    return f"{format_count(tally['count'])} {noun} ({format_bytes(tally['bytes'])})"


def sweep_lists(page: MigrationPage) -> list[tuple[str, list[str]]]:
    """Return the examples of a sweep under their headings."""
    found = (page.view.plan or {}).get("sweep") or {}
    entries = (
        ("New at the old root since", "examples"),
        ("Of a name that the new root cannot hold", "unfit"),
        ("Changed at the old root since, not brought over: look at both", "changed"),
        ("Deleted at the old root since, still at the new one", "deleted"),
    )
    return [(label, found[name]) for label, name in entries if found.get(name)]


def sweep_error(page: MigrationPage) -> str:
    """Return why the last look at the old root did not work; empty where it did."""
    if page.view.state is not _S.SOAKING:
        return ""
    return str(((page.view.plan or {}).get("sweep") or {}).get("error") or "")


def release_words(page: MigrationPage) -> object:
    """Return when the old root may be let go."""
    if page.noise is None:
        return "now"
    if page.noise.until is None:
        return page.noise.when
    return show_when(page.noise.until, page.now, exact=True) + ", if nothing new is found there"


def stops(page: MigrationPage) -> bool:
    """Tell whether the plan says that the move will stop: what differs at the target is not overwritten."""
    acts = ((page.view.plan or {}).get("summary") or {}).get("acts") or {}
    return bool((acts.get(Act.CONFLICT.value) or {}).get("count"))


def can_take_as_is(page: MigrationPage) -> bool:
    """Tell whether what is not as LaminDB recorded it stands in the way, and may be taken as it is."""
    return bool(page.exception_counts.get("rotten")) and not page.view.takes_rot


def rot(page: MigrationPage) -> str:
    """Return what was copied though LaminDB recorded it otherwise; empty for nothing."""
    return rot_words(takes_rot=page.view.takes_rot, taken=(page.view.plan or {}).get("rot_taken"))


def _when(text: str | None, page: MigrationPage) -> object:
    return show_when(datetime.fromisoformat(text), page.now) if text else None
