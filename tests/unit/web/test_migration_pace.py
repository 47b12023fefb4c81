"""How a move's pace, limits and waiting read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from portal.planning.rates import RateLog, chart
from portal.planning.states import MigrationState as State
from portal.web import migration_pace, migration_words
from portal.web.forms.controls import LimitsForm
from tests.unit.web.test_migration_protocol import NOON, errors, page, view

NIGHT: dict[str, Any] = {"hours": "20:00-06:00", "zone": "Europe/Berlin"}


def test_a_moment_is_told_on_the_clock_of_the_persons_zone() -> None:
    there = view(**NIGHT)
    assert migration_pace.words_for_moment(NOON, there, NOON) == "today, 13:00 Europe/Berlin"
    assert migration_pace.words_for_moment(NOON + timedelta(hours=13), there, NOON) == "tomorrow, 02:00 Europe/Berlin"
    assert migration_pace.words_for_moment(NOON, view(), NOON) == "today, 12:00 UTC"


def test_waiting_is_told_until_it_is_over() -> None:
    waits = page(state=State.COPYING, **NIGHT)
    assert migration_pace.waiting(waits) == "Waits until today, 20:00 Europe/Berlin"
    assert migration_pace.document_title(waits) == "Waits"
    assert migration_pace.waiting(replace(waits, now=NOON + timedelta(hours=7))) == ""
    assert migration_pace.waiting(page(state=State.COPYING)) == ""
    planned = page(state=State.PLANNED, start_at=NOON + timedelta(days=1))
    assert migration_pace.waiting(planned) == "", "nobody has asked to start it"
    asked = replace(planned, view=replace(planned.view, wish="start"))
    assert migration_pace.waiting(asked) == "Waits until tomorrow, 12:00 UTC", "also before a runner has looked"
    assert (migration_words.poll_seconds(asked), migration_words.can_take_back(asked)) == (30, True)
    assert migration_pace.waiting(page(state=State.COPYING, wish="pause", **NIGHT)) == ""


def test_limits_are_told_as_they_can_be_typed() -> None:
    assert migration_pace.limits(view()) == ""
    given = view(bandwidth_bytes_per_second=50 * 2**20, concurrency=4, worker_count=1)
    told = migration_pace.limits(given)
    assert told == "Bandwidth 50MiB/s; objects at a time per worker 4; workers 1"


def test_what_holds_now_is_told_in_the_words_of_the_forms() -> None:
    assert migration_pace.limits_and_times(page()) == [
        ("Limits", "No other limit; error budget 1,000"),
        ("Times", "At any time"),
    ]
    shown = page(worker_count=1, start_at=NOON + timedelta(days=32), **NIGHT)
    assert migration_pace.limits_and_times(shown) == [
        ("Limits", "Workers 1; error budget 1,000"),
        ("Times", "Nothing before 24 Dec 2026, 13:00 and only between 20:00 and 06:00, Europe/Berlin"),
    ]
    past = page(start_at=NOON - timedelta(days=1), zone="UTC")
    assert migration_pace.limits_and_times(past)[1] == ("Times", "At any time")
    labels = [LimitsForm()[name].label.text for name in ("bandwidth", "concurrency", "workers", "budget")]
    assert labels == list(migration_pace.LIMITS.values())


def test_the_title_tells_percent_and_state() -> None:
    assert migration_pace.document_title(page(state=State.COPYING, percent=43.5)) == "43.5 % · Copying"
    assert migration_pace.document_title(page(state=State.RELEASED, percent=100.0)) == "Released"


def test_time_left_comes_as_a_range_with_the_times_of_the_clock() -> None:
    progress = {"low_seconds": 3600, "high_seconds": 7200, "bytes_per_second": 5e6, "objects_per_second": 8.1}
    shown = page(state=State.COPYING, progress=progress, started_at=NOON - timedelta(hours=1), pass_number=1)
    found = {label: (value, note) for label, value, note in migration_pace.numbers(shown)}
    assert found["Time left"] == ("1 to 2 hours", "done 13:00 to 14:00 UTC")
    assert found["Error budget"] == ("0 of 1,000", "failing objects")
    assert "Copying and verifying" not in found
    watch = {"seconds": 715.0, "since": (NOON - timedelta(seconds=5)).isoformat()}
    timed = replace(shown, view=replace(shown.view, plan={"watch": watch}))
    found = {label: (value, note) for label, value, note in migration_pace.numbers(timed)}
    assert found["Copying and verifying"] == ("12\N{NO-BREAK SPACE}min", "pass 1")
    watch["since"] = None
    over = replace(timed, view=replace(timed.view, pass_number=3, state=State.SOAKING, cut_over_at=NOON))
    (_, value, note), *_ = migration_pace.numbers(over)
    assert (value.replace("\N{NO-BREAK SPACE}", " "), note) == ("11 min 55 s", "before the cut-over")
    failing = {label: value for label, value, _ in migration_pace.numbers(replace(shown, errors=errors(conflict=7)))}
    assert failing["Error budget"] == "7 of 1,000"


def test_the_chart_says_in_a_sentence_and_a_table_what_it_draws() -> None:
    log = RateLog()
    for second in range(100):
        log = log.add(NOON.timestamp() + second, second, second * 1_000_000)
    found = migration_pace.chart_labels(replace(page(), chart=chart(log)))
    assert found["label"].replace("\u00a0", " ").startswith("Rate over 1 min 38 s: 1.00 MB/s on average")
    assert [text.replace("\u00a0", " ") for text in found["y"]] == ["1.00 MB/s", "500 kB", "0 bytes"]
    assert found["rows"][0][0] == "12:00:00"
    assert len(found["rows"]) <= 24
    assert migration_pace.chart_labels(page()) == {}


def test_the_last_pass_is_told_to_whoever_weighs_a_cut_over() -> None:
    last = {
        "number": 2,
        "kind": "changes",
        "object_count": 12,
        "total_bytes": 3_000_000,
        "seconds": 14.0,
        "verified_at": (NOON - timedelta(minutes=5)).isoformat(),
    }
    told = migration_pace.last_pass(page(state=State.READY, plan={"passes": [last]})).replace("\u00a0", " ")
    assert told == "Pass 2, what changed since: 12 objects, 3.00 MB, in 14 s, ended 5 min ago."
    assert migration_pace.last_pass(page(state=State.COPYING, plan={"passes": [last]})) == ""


@pytest.mark.parametrize(
    ("words", "said", "detail"),
    [
        (
            "copied",
            {"pass": 1, "objects": 7, "bytes": 1500, "seconds": 2.0},
            "pass 1: 7 objects, 1.50 kB in 2.0 s",
        ),
        ("planned", {"objects": 1, "bytes": 10}, "1 object, 10 bytes"),
        ("ready", {"objects": 1, "bytes": 10, "message": "Every object was."}, "1 object, 10 bytes. Every object was."),
        (
            "copied",
            {
                "pass": 1,
                "objects": 196,
                "bytes": 9,
                "seconds": 1.0,
                "copied": 1,
                "equal": 136,
                "open": 59,
            },
            "pass 1: 1 copied, 136 equal already, 59 open in 1.0 s",
        ),
        ("limits changed", {"bandwidth": "20MB/s", "workers": None}, "Bandwidth 20MB/s; workers all"),
        ("limits changed", {"errors": 5, "concurrency": 64}, "Objects at a time per worker 64; error budget 5"),
        ("limits changed", {"bandwidth": "none"}, "Bandwidth no limit"),
        ("times changed", {"between": "20:00-06:00", "zone": "UTC"}, "only between 20:00 and 06:00, UTC"),
        (
            "times changed",
            {"start_at": "2026-12-24T09:00:00+00:00", "between": "20:00-06:00", "zone": "Europe/Berlin"},
            "nothing before 24 Dec 2026, 10:00 and only between 20:00 and 06:00, Europe/Berlin",
        ),
        ("objects retry requested", {"objects": 1, "keys": ["README.md"]}, "README.md"),
        ("objects retry requested", {"objects": 2, "kinds": ["conflict"]}, "2 objects"),
        ("times changed", {"start_at": None, "between": None}, "at any time"),
        ("waiting", {"until": "2026-11-22T20:00:00+00:00"}, "until 22 Nov, 20:00 UTC"),
        ("waiting", {"until": "2026-11-22T20:00:00+00:00", "zone": "Europe/Berlin"}, "until 22 Nov, 21:00 Europe"),
        ("fence lifted", {"state": "ready", "message": "The fence reached its longest time."}, "The fence reached its"),
        ("paused", {"state": "paused"}, ""),
    ],
)
def test_the_story_tells_numbers_and_reasons(words: str, said: dict[str, object], detail: str) -> None:
    told = migration_pace.story_detail(words, said).replace("\u00a0", " ")
    assert told.startswith(detail)
    assert bool(told) is bool(detail)
