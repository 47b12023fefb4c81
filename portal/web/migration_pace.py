"""How fast a move goes and when it waits, in words and numbers for its page. Decides nothing; only says."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from portal.planning.estimates import words_for_range
from portal.planning.states import MigrationState
from portal.planning.throttle import words_for_bandwidth
from portal.planning.watches import seconds_of
from portal.services.migrations import MigrationPage, MigrationView
from portal.services.migrations.waiting import waits_until
from portal.web.filters import format_bytes, format_count, format_duration, format_when
from portal.web.migration_progress import PASSES, failing_count, progress

_S = MigrationState

_WORKING = frozenset({_S.COPYING, _S.VERIFYING})

#: What limits are called, in the form and wherever they are told.
LIMITS = {
    "bandwidth": "Bandwidth",
    "concurrency": "Objects at a time per worker",
    "workers": "Workers",
    "errors": "Error budget",
}
_NO_LIMIT = {"bandwidth": "no limit", "concurrency": "as usual", "workers": "all", "errors": "as usual"}


def zone_of(view: MigrationView) -> tzinfo:
    """Return the time zone that a person named; else UTC."""
    return ZoneInfo(view.zone) if view.zone else UTC


def words_for_moment(at: datetime, view: MigrationView, now: datetime) -> str:
    """Return a moment on the clock of the migration's own zone: `today, 20:00 Europe/Berlin`."""
    zone = zone_of(view)
    local, here = at.astimezone(zone), now.astimezone(zone)
    days = local.toordinal() - here.toordinal()
    day = {0: "today", 1: "tomorrow"}.get(days) or f"{local.day} {local:%b}" + (
        "" if local.year == here.year else f" {local.year}"
    )
    return f"{day}, {local:%H:%M} {view.zone or 'UTC'}"


def waiting(page: MigrationPage) -> str:
    """Return until when the move waits by itself; empty where it does not."""
    return waiting_words(page.view, page.now)


def waiting_words(view: MigrationView, now: datetime) -> str:
    """Return until when a move waits by itself; empty where it does not."""
    until = waits_until(view, now)
    return f"Waits until {words_for_moment(until, view, now)}" if until else ""


def times(view: MigrationView, now: datetime) -> str:
    """Return when a move may copy from now on; a start that is past holds nothing up any more."""
    return times_words(view.start_at if view.start_at and view.start_at > now else None, view.hours, view.zone)


def limits(view: MigrationView) -> str:
    """Return what limits the pace of the move, in the words of the form; empty where nothing does."""
    rate = view.bandwidth_bytes_per_second
    given = {"bandwidth": rate and words_for_bandwidth(rate), "concurrency": view.concurrency}
    return _limit_words({name: value for name, value in (given | {"workers": view.worker_count}).items() if value})


def limits_and_times(page: MigrationPage) -> list[tuple[str, str]]:
    """Return what holds now of a move that is open: its limits and its times, each in one line."""
    view, budget = page.view, _limit_words({"errors": page.error_budget})
    limited = limits(view) or "No other limit"
    may = times(view, page.now)
    return [("Limits", f"{limited}; {budget[:1].lower()}{budget[1:]}"), ("Times", may[:1].upper() + may[1:])]


def _limit_words(given: Mapping[str, object]) -> str:
    """Return limits as `Bandwidth 50MiB/s; workers 2`; None and the text "none" take one off."""
    words = {name: format_count(value) if isinstance(value, int) else value for name, value in given.items()}
    parts = [
        f"{label} {_NO_LIMIT[name] if words[name] in {None, 'none'} else words[name]}"
        for name, label in LIMITS.items()
        if name in words
    ]
    return "; ".join(part if at == 0 else part[:1].lower() + part[1:] for at, part in enumerate(parts))


def times_words(start_at: datetime | None, hours: str | None, zone: str | None) -> str:
    """Return when a move may copy, on the clock of one zone."""
    there = zone or "UTC"
    parts = []
    if start_at is not None:
        local = start_at.astimezone(ZoneInfo(there))
        parts.append(f"nothing before {local.day} {local:%b %Y, %H:%M}")
    if hours:
        parts.append(f"only between {hours.replace('-', ' and ')}")
    return f"{' and '.join(parts)}, {there}" if parts else "at any time"


def document_title(page: MigrationPage) -> str:
    """Return percent and state for the title of the tab."""
    view = page.view
    percent = f"{progress(page).percent} % · " if view.percent is not None and not view.state.is_final else ""
    state = "waits" if waiting(page) else view.state.label
    return f"{percent}{state[:1].upper()}{state[1:]}"


def numbers(page: MigrationPage) -> list[tuple[str, str, str]]:
    """Return time left, rate, elapsed time and the error budget, as far as they are known."""
    view, told = page.view, page.view.progress or {}
    found = []
    if view.state in _WORKING and "low_seconds" in told and not waiting(page):
        low, high = told["low_seconds"], told["high_seconds"]
        found.append(("Time left", words_for_range(low, high), _ends(page.now, low, high)))
        rate = f"{format_bytes(told['bytes_per_second'])}/s"
        found.append(("Rate", rate, f"{told['objects_per_second']} objects/s"))
    if watch := (view.plan or {}).get("watch"):
        first = "pass 1" if view.pass_number == 1 else "all passes"
        which = first if view.cut_over_at is None else "before the cut-over"
        found.append(("Copying and verifying", format_duration(seconds_of(watch, page.now) * 1000), which))
    if view.started_at is not None and not view.state.is_final and (view.state in _WORKING or page.exception_counts):
        spent = f"{format_count(failing_count(page))} of {format_count(page.error_budget)}"
        found.append(("Error budget", spent, "failing objects"))
    return found


def _ends(now: datetime, low_seconds: float, high_seconds: float) -> str:
    """Return between which times of the clock the rest ends."""
    first, last = (now + timedelta(seconds=seconds) for seconds in (low_seconds, high_seconds))
    if (last - now).days >= 1:
        return "copying and verifying"
    words = sorted({f"{first:%H:%M}", f"{last:%H:%M}"}, key=[f"{first:%H:%M}", f"{last:%H:%M}"].index)
    return f"done {' to '.join(words)} UTC"


def chart_labels(page: MigrationPage) -> dict[str, Any]:
    """Return the words around the rate chart: its sentence, the labels of both axes, and its numbers as rows."""
    chart = page.chart
    if chart is None:
        return {}
    seconds = chart.ends_at_seconds - chart.begins_at_seconds
    step = seconds / len(chart.rates)
    moments = [datetime.fromtimestamp(chart.begins_at_seconds + seconds * part / 2, UTC) for part in range(3)]
    shape = "%H:%M:%S" if seconds < 600 else "%H:%M" if seconds < 86_400 else "%d %b %H:%M"
    rows = [
        (datetime.fromtimestamp(chart.begins_at_seconds + step * at, UTC), rate) for at, rate in enumerate(chart.rates)
    ]
    every = max(1, len(rows) // 12)
    means = [(rows[at][0], _mean([rate for _, rate in rows[at : at + every]])) for at in range(0, len(rows), every)]
    last = format_bytes(round(chart.rates[-1]))
    return {
        "label": f"Rate over {format_duration(seconds * 1000)}: {format_bytes(round(chart.mean))}/s on average,"
        f" {format_bytes(round(max(chart.rates)))}/s at most, {last}/s last.",
        "y": [f"{format_bytes(round(chart.top * part / 2))}{'/s' if part == 2 else ''}" for part in (2, 1, 0)],
        "x": [f"{moment:{shape}}" for moment in moments],
        "rows": [(f"{moment:%H:%M:%S}", f"{format_bytes(round(rate))}/s") for moment, rate in means],
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def last_pass(page: MigrationPage) -> str:
    """Return what the last pass brought and how long it took, for whoever weighs a cut-over; empty elsewhere."""
    passes = (page.view.plan or {}).get("passes") or []
    if page.view.state is not _S.READY or not passes or "verified_at" not in passes[-1]:
        return ""
    last = passes[-1]
    ended = format_when(datetime.fromisoformat(last["verified_at"]), page.now)
    return (
        f"Pass {last['number']}, {PASSES[last['kind']]}: {_objects(last['object_count'])}, "
        f"{format_bytes(last['total_bytes'])}, in {format_duration(last['seconds'] * 1000)}, ended {ended}."
    )


def story_detail(words: str, said: Mapping[str, Any]) -> str:
    """Return what a line of the story adds to its phrase: numbers of a pass, or why something happened."""
    parts = []
    if "pass" in said and "objects" in said:
        done = _copied(said) if words == "copied" and "open" in said else _passed(said)
        parts.append(f"pass {said['pass']}: {done} in {format_duration(said['seconds'] * 1000)}")
    elif "objects" in said and "bytes" in said:
        parts.append(f"{_objects(said['objects'])}, {format_bytes(said['bytes'])}")
    elif said.get("objects"):
        parts.append(_chosen(said))
    if words == "limits changed":
        parts += [_limit_words(said)]
    if words == "times changed":
        start = datetime.fromisoformat(said["start_at"]) if said.get("start_at") else None
        parts += [times_words(start, said.get("between"), said.get("zone"))]
    if said.get("until"):
        zone = said.get("zone") or "UTC"
        until = datetime.fromisoformat(said["until"]).astimezone(ZoneInfo(zone))
        parts.append(f"until {until.day} {until:%b, %H:%M} {zone}")
    # A message is a sentence, or several.
    return ". ".join(text for text in ("; ".join(parts), str(said.get("message") or "")) if text)


def _passed(said: Mapping[str, Any]) -> str:
    return f"{_objects(said['objects'])}, {format_bytes(said['bytes'])}"


def _copied(said: Mapping[str, Any]) -> str:
    """Return what became of the objects of a pass; what did not happen to any is left out."""
    names = (("copied", "copied"), ("equal", "equal already"), ("removed", "removed"), ("open", "open"))
    told = [f"{format_count(said[name])} {word}" for name, word in names if said.get(name)]
    return ", ".join(told) or "nothing to copy"


def _chosen(said: Mapping[str, Any]) -> str:
    """Return which objects a person chose: by name where there is one."""
    keys = list(said.get("keys") or [])
    return str(keys[0]) if said["objects"] == len(keys) == 1 else _objects(said["objects"])


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{format_count(count)} objects"


def story_line(words: str, said: Mapping[str, Any]) -> Markup:
    """Return the detail of a story's line as markup; empty for none."""
    detail = story_detail(words, said)
    return Markup(" <small>{}</small>").format(detail) if detail else Markup("")
