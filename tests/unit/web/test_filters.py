"""Numbers, times and roots as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask, render_template_string
from werkzeug.datastructures import MultiDict

from portal.web.filters import (
    format_bytes,
    format_count,
    format_duration,
    format_when,
    query_with,
    register_filters,
    root_parts,
    show_bytes,
    show_when,
)

NOW = datetime(2026, 11, 22, 21, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (64_200_000_000, "64.2 GB"),
        (412_000_000_000, "412 GB"),
        (9_870_000_000_000, "9.87 TB"),
        (999_600, "1.00 MB"),
        (5_000_000_000_000_000_000_000, "5000 EB"),
    ],
)
def test_sizes_have_three_digits_and_an_si_unit(value: int | None, text: str) -> None:
    assert format_bytes(value).replace("\u00a0", " ") == text


def test_a_size_keeps_its_exact_bytes_in_the_title() -> None:
    assert show_bytes(64_200_000_123) == '<span title="64,200,000,123 bytes">64.2\u00a0GB</span>'
    assert show_bytes(12) == "12\u00a0bytes"


def test_counts_have_thousands_separators() -> None:
    assert [format_count(None), format_count(7), format_count(61_702)] == ["–", "7", "61,702"]


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (None, "–"),
        (0.4, "0 ms"),
        (88, "88 ms"),
        (3_400, "3.4 s"),
        (12_000, "12 s"),
        (108_000, "1 min 48 s"),
        (59_700, "1 min"),
        (3_900_000, "1 h 5 min"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_durations_use_their_two_largest_units(value_ms: float | None, text: str) -> None:
    assert format_duration(value_ms).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=4), "4 min ago"),
        (timedelta(hours=3), "today, 18:14"),
        (timedelta(hours=-1), "today, 22:14"),
        (timedelta(days=1), "yesterday, 21:14"),
        (timedelta(hours=-5), "tomorrow, 02:14"),
        (timedelta(days=19), "3 Nov"),
        (timedelta(days=700), "22 Dec 2024"),
    ],
)
def test_times_read_as_people_say_them(age: timedelta, text: str) -> None:
    assert format_when(NOW - age, NOW).replace("\u00a0", " ") == text


def test_a_time_names_its_zone_in_the_title() -> None:
    local = datetime(2026, 11, 3, 17, 40, tzinfo=timezone(timedelta(hours=1)))
    shown = show_when(local, NOW, exact=True)
    assert shown == (
        '<time datetime="2026-11-03T16:40:00Z" title="3 Nov 2026, 16:40:00 UTC">3\u00a0Nov 2026, 16:40</time>'
    )
    assert show_when(datetime.fromisoformat("2026-11-03T16:40:00"), NOW, exact=True) == shown
    assert show_when(None, NOW) == "never"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("s3://acme-genomics-eu/atlas", ("s3://", "", "acme-genomics-eu", "/atlas")),
        ("s3://acme-genomics-eu", ("s3://", "", "acme-genomics-eu", "")),
        ("s3://lab/dia?endpoint_url=https://rgw.acme.example", ("s3://", "", "lab", "/dia")),
        ("s3://lab?endpoint_url=https://rgw.acme.example", ("s3://", "", "lab", "")),
        ("hf://datasets/acme-bio/esm2", ("hf://", "", "datasets", "/acme-bio/esm2")),
        ("/data/legacy/flow-cytometry", ("", "/data/legacy/", "flow-cytometry", "")),
        ("/data", ("", "/", "data", "")),
        ("/", ("", "", "/", "")),
    ],
)
def test_a_root_splits_where_its_name_is(text: str, parts: tuple[str, str, str, str]) -> None:
    assert root_parts(text) == parts


def test_a_query_keeps_what_is_not_changed() -> None:
    query = MultiDict([("space", "all"), ("space", "a&b"), ("after", "x"), ("sort", "root")])
    assert query_with(query, sort="-root", after=None) == "?space=all&space=a%26b&sort=-root"
    assert query_with({"q": "nova"}, space=["a", "b"]) == "?q=nova&space=a&space=b"
    assert query_with([("q", "x")], q=None) == "?"


def test_the_filters_work_and_escape_in_a_template() -> None:
    app = Flask("filters")
    register_filters(app)
    source = "{{ 1500|bytes }} {{ 1500|count }} {{ at|when }} {{ 5|duration_ms }}"
    source += " {{ r|root_parts|join('|') }} {{ {}|query_with(a=1) }}"
    with app.app_context():
        shown = render_template_string(source, at=None, r="s3://<b>/x")
    assert shown == '<span title="1,500 bytes">1.50\u00a0kB</span> 1,500 never 5\u00a0ms s3://||&lt;b&gt;|/x ?a=1'
