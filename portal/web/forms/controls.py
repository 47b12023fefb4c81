"""Forms of what may be changed while a root moves."""

from datetime import datetime
from zoneinfo import ZoneInfo

from wtforms import StringField

from portal.errors import InputError, PortalError
from portal.planning.schedules import parse_start
from portal.planning.throttle import parse_bandwidth, words_for_bandwidth
from portal.services.migrations import Limits, MigrationView, Times
from portal.services.migrations.controls import find_zone
from portal.web.forms.base import BaseForm
from portal.web.migration_pace import LIMITS


class LimitsForm(BaseForm):
    """What a move may take; an empty field is no limit."""

    bandwidth = StringField(LIMITS["bandwidth"])
    concurrency = StringField(LIMITS["concurrency"])
    workers = StringField(LIMITS["workers"])
    budget = StringField(LIMITS["errors"])

    def fill(self, view: MigrationView, _now: datetime) -> None:
        """Show what holds now."""
        rate = view.bandwidth_bytes_per_second
        self.bandwidth.data = words_for_bandwidth(rate) if rate else ""
        for field, value in (
            (self.concurrency, view.concurrency),
            (self.workers, view.worker_count),
            (self.budget, view.max_errors),
        ):
            field.data = "" if value is None else str(value)

    def to_input(self) -> Limits:
        """Return the limits.

        Raises:
            InputError: a text that is no number.
        """
        return Limits(
            parse_bandwidth(self.bandwidth.data or ""),
            *(_number(name, self[name].data or "") for name in ("concurrency", "workers", "budget")),
        )

    def add_problem(self, error: PortalError) -> None:
        """Put an error on the field it names; `errors` is what WTForms calls something else."""
        if error.field == "errors":
            error.field = "budget"
        super().add_problem(error)


def _number(name: str, text: str) -> int | None:
    cleaned = text.strip().replace(",", "")
    if not cleaned:
        return None
    if not cleaned.isdecimal() or len(cleaned) > 9:
        raise InputError(f"{text.strip()} is no whole number.", hint="Leave it empty for none.", field=name)
    return int(cleaned)


class ScheduleForm(BaseForm):
    """When a move may copy. All of it is optional."""

    start_at = StringField("Copy nothing before")
    begins = StringField("Only between")
    ends = StringField("and")
    zone = StringField("Time zone", default="UTC")

    def fill(self, view: MigrationView, now: datetime) -> None:
        """Show what holds now; a start that is past holds nothing up any more."""
        self.zone.data = view.zone or "UTC"
        if view.start_at is not None and view.start_at > now:
            self.start_at.data = f"{view.start_at.astimezone(ZoneInfo(self.zone.data)):%Y-%m-%dT%H:%M}"
        if view.hours:
            self.begins.data, _, self.ends.data = view.hours.partition("-")

    def to_input(self) -> Times:
        """Return the times.

        Raises:
            InputError: a text that is no time, or no such zone.
        """
        zone = (self.zone.data or "UTC").strip()
        start: datetime | None = parse_start(self.start_at.data or "", find_zone(zone))
        begins, ends = (self.begins.data or "").strip(), (self.ends.data or "").strip()
        if bool(begins) != bool(ends):
            raise InputError("Give both times, or neither.", field="ends" if begins else "begins")
        return Times(start, f"{begins}-{ends}" if begins else "", zone)

    def add_problem(self, error: PortalError) -> None:
        """Put what is wrong with the two times on the first of them."""
        if error.field == "between":
            error.field = "begins"
        super().add_problem(error)
