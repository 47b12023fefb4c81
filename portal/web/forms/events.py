"""The filters of the event log, as they stand in the address."""

from collections.abc import Mapping
from datetime import date

from werkzeug.datastructures import MultiDict

from portal.errors import InputError
from portal.services.event_log import EventQuery


def parse_event_query(args: MultiDict[str, str]) -> EventQuery:
    """Return the query that an address asks for.

    Raises:
        InputError: a date or a page mark cannot be read.
    """
    return EventQuery(
        actions=tuple(args.getlist("action")),
        actor=args.get("actor", ""),
        target_types=tuple(args.getlist("type")),
        text=args.get("q", ""),
        since=_date(args, "since"),
        until=_date(args, "until"),
        before_id=_number(args, "before"),
        after_id=_number(args, "after"),
    )


def _date(args: Mapping[str, str], name: str) -> date | None:
    text = args.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError(f"{text} is no date.", hint="Write it as 2026-11-22.", field=name) from error


def _number(args: Mapping[str, str], name: str) -> int | None:
    text = args.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError("The page mark in the address cannot be read.", hint="Start from the first page.", field=name)
    return int(text) if text else None
