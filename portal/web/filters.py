"""Template filters: how numbers, times and roots look. Pure but for the clock, which `register_filters` reads.

Filters answer markup where the exact value belongs into a `title`; everything given is escaped.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Flask
from markupsafe import Markup, escape

NBSP = "\u00a0"
NOTHING = "–"
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = {0: "today", 1: "yesterday", -1: "tomorrow"}
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def format_bytes(value: int | None) -> str:
    """Return a size with three digits and an SI unit, nbsp between; None is an en dash."""
    if value is None:
        return NOTHING
    if abs(value) < 1000:
        return f"{value}{NBSP}{'byte' if abs(value) == 1 else 'bytes'}"
    number, power = float(value), 0
    while abs(number) >= 999.5 and power < len(_UNITS) - 1:
        number, power = number / 1000, power + 1
    digits = 0 if abs(number) >= 99.95 else 1 if abs(number) >= 9.995 else 2
    return f"{number:.{digits}f}{NBSP}{_UNITS[power]}"


def show_bytes(value: int | None) -> str:
    """Return the size as markup with the exact bytes in `title`."""
    if value is None or abs(value) < 1000:
        return format_bytes(value)
    return Markup('<span title="{} bytes">{}</span>').format(f"{value:,}", format_bytes(value))


def format_count(value: int | None) -> str:
    """Return a whole number with a comma between thousands; None is an en dash."""
    return NOTHING if value is None else f"{value:,}"


def format_duration(value_ms: float | None) -> str:
    """Return a duration in its two largest units that matter; None is an en dash."""
    if value_ms is None:
        return NOTHING
    if value_ms < 999.5:
        return f"{value_ms:.0f}{NBSP}ms"
    if value_ms < 9_950:
        return f"{value_ms / 1000:.1f}{NBSP}s"
    seconds = round(value_ms / 1000)
    for unit, size, smaller, small in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size}{NBSP}{unit}" + (f" {rest}{NBSP}{smaller}" if rest else "")
    return f"{seconds}{NBSP}s"


def format_when(at: datetime, now: datetime) -> str:
    """Return a time as a person says it at `now`; both aware. Clock times and days are UTC."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    days = now.toordinal() - at.toordinal()
    if not -1 <= days <= 1:
        return f"{at.day}{NBSP}{_MONTHS[at.month]}" + ("" if at.year == now.year else f" {at.year}")
    age_seconds = (now - at).total_seconds()
    if 0 <= age_seconds < 60:
        return f"{int(age_seconds)}{NBSP}s ago"
    if 0 <= age_seconds < 3600:
        return f"{int(age_seconds // 60)}{NBSP}min ago"
    return f"{_DAYS[days]}, {at:%H:%M}"


def show_when(at: datetime | None, now: datetime, exact: bool = False) -> str:
    """Return a `<time>` with the instant and its zone in `title`; None is "never". A naive time counts as UTC."""
    if at is None:
        return "never"
    if at.tzinfo is not UTC:
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    day, clock = at.isoformat(timespec="seconds")[:19].split("T")
    date = f"{at.day} {_MONTHS[at.month]} {at.year}"
    text = f"{date.replace(' ', NBSP, 1)}, {clock[:5]}" if exact else format_when(at, now)
    # Lists hold many; no part is text that somebody gave, so none needs escaping.
    return Markup(f'<time datetime="{day}T{clock}Z" title="{date}, {clock} UTC">{text}</time>')  # noqa: S704 - as said above


def root_parts(text: str) -> tuple[str, str, str, str]:
    """Split a root into (scheme, lead, strong, tail): the bucket is strong, or a local root's last folder.

    The `?endpoint_url=` of an S3-compatible root is left out; the full root belongs into `title`.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        lead, slash, name = text.rstrip("/").rpartition("/")
        return ("", lead + slash, name, "") if name else ("", "", text, "")
    bucket, slash, path = rest.partition("?endpoint_url=")[0].partition("/")
    return f"{scheme}://", "", bucket, f"{slash}{path}".rstrip("/")


def show_root(text: str, size: str = "") -> Markup:
    """Return a root as markup, cut in the middle and whole in `title`; `size` is one more class."""
    scheme, lead, strong, tail = map(escape, root_parts(str(text)))
    classes = f"root {escape(size)}" if size else "root"
    if scheme or not lead:
        head, slash, end = tail.rpartition("/")
        last = f'<span class="root-end">{slash}{end}</span>' if tail else ""
        inner = f'<span class="root-head"><span class="scheme">{scheme}</span><b>{strong}</b>{head}</span>{last}'
    else:
        inner = f'<span class="root-head">{lead}</span><b class="root-end">{strong}</b>'
    return Markup(f'<span class="{classes}" title="{escape(text)}">{inner}</span>')  # noqa: S704 - every part is escaped


def query_with(query: Mapping[str, object] | Iterable[tuple[str, object]], **changes: object) -> str:
    """Return `?…` with some names replaced: None drops a name, a list repeats it; "?" when nothing is left.

    `query` may be a MultiDict (every value is kept), a mapping or pairs.
    """
    if hasattr(query, "lists"):
        pairs = [(name, value) for name, values in query.lists() for value in values]
    else:
        pairs = list(query.items()) if isinstance(query, Mapping) else list(query)
    kept = [(name, value) for name, value in pairs if name not in changes]
    added = [(name, value) for name, value in changes.items() if value is not None]
    return "?" + urlencode(kept + added, doseq=True)


def register_filters(app: Flask) -> None:
    """Add the filters to an app's templates: bytes, count, duration_ms, when, root_parts, query_with."""

    def when(at: datetime | None, exact: bool = False) -> str:
        return show_when(at, datetime.now(UTC), exact)

    app.jinja_env.filters.update(
        bytes=show_bytes,
        count=format_count,
        duration_ms=format_duration,
        when=when,
        root_parts=root_parts,
        query_with=query_with,
    )
    app.jinja_env.globals["draw_root"] = show_root
