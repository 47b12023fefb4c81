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


def schedule(view: MigrationView, now: datetime) -> str:
    """Return when the move may copy, in one sentence; empty where at any time."""
    parts = []
    if view.start_at is not None and view.start_at > now:
        parts.append(f"from {words_for_moment(view.start_at, view, now)}")
    if view.hours:
        parts.append(f"between {view.hours.replace('-', ' and ')} ({view.zone}) only")
    return f"It copies {' and '.join(parts)}." if parts else ""


def limits(view: MigrationView) -> str:
    """Return what limits the move, in few words; empty where nothing does."""
    rate = view.bandwidth_bytes_per_second
    parts = [f"{words_for_bandwidth(rate)}"] if rate else []
    if view.concurrency:
        parts.append(f"{view.concurrency} objects at a time per worker")
    if view.worker_count:
        parts.append(f"{view.worker_count} worker{'' if view.worker_count == 1 else 's'}")
    return ", ".join(parts)


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
        parts += [f"{name} {'none' if value is None else value}" for name, value in said.items()]
    if words == "times changed":
        parts += [_times(said)]
    if said.get("until"):
        parts.append(f"until {datetime.fromisoformat(said['until']):%d %b, %H:%M} UTC")
    # A message is a sentence, or several.
    return ". ".join(text for text in ("; ".join(parts), str(said.get("message") or "")) if text)


def _times(said: Mapping[str, Any]) -> str:
    start = f"from {said['start_at'][:16].replace('T', ', ')} UTC" if said.get("start_at") else ""
    hours = f"between {said['between']} {said['zone']}" if said.get("between") else ""
    return " and ".join(filter(None, (start, hours))) or "at any time"


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
