"""Every event that is recorded anywhere has words of its own."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.runner.words import MOVE_WORDS
from portal.services.event_log import EventRow
from portal.services.migrations.progress import StoryRow
from portal.web import event_words

_RECORDED = re.compile(r'"((?:account|connection|host|instance|organisation|server-grant|space|storage)\.[a-z-]+)"')
_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def recorded() -> set[str]:
    """Return every action that the services or the runner name."""
    files = [path for layer in ("services", "runner") for path in Path("portal", layer).rglob("*.py")]
    named = {action for path in files for action in _RECORDED.findall(path.read_text())}
    return named | {f"migration.{word}" for word in MOVE_WORDS.values()}


def row(action: str, after: Mapping[str, object] | None = None, name: str = "Maria Ortiz") -> EventRow:
    """Return an event about a storage location."""
    return EventRow(1, _NOON, "maria", action, "storage", "uid", "s3://b/a", None, after, "", "web", "", "", name)


def test_every_recorded_event_has_words() -> None:
    found = recorded()
    assert len(found) > 40
    assert found - event_words.PHRASES.keys() == set()


@pytest.mark.parametrize(
    ("event", "title", "sentence"),
    [
        (row("storage.connected"), "Connected", "<b>Maria Ortiz</b> connected it"),
        (row("storage.checked", name=""), "Ran the checks", "<b>maria</b> ran the checks"),
        (
            row("space.role-granted", {"handle": "priya", "role": "write"}),
            "Gave priya write",
            "<b>Maria Ortiz</b> gave priya write in it",
        ),
        (row("storage.never-heard-of"), "Never heard of", "<b>Maria Ortiz</b> never heard of"),
    ],
)
def test_an_event_reads_as_a_sentence(event: EventRow, title: str, sentence: str) -> None:
    assert event_words.title(event) == title
    assert event_words.sentence(event) == sentence


def test_endpoints_are_left_out() -> None:
    event = row("storage.moved", {"root": "s3://b/a?endpoint_url=http://127.0.0.1:9000"})
    assert event_words.title(event) == "Moved it to s3://b/a"
    assert event_words.short_name("s3://b/a?endpoint_url=http://h:1 to /nfs/a") == "s3://b/a to /nfs/a"


def test_names_and_values_are_escaped() -> None:
    event = row("storage.moved", {"root": "<img>"}, name="<script>")
    assert event_words.sentence(event) == "<b>&lt;script&gt;</b> moved it to &lt;img&gt;"


def test_what_the_runner_did_needs_no_name() -> None:
    assert event_words.story(StoryRow(_NOON, "copied", "maria", "runner")) == "Ended copying"
    assert event_words.story(StoryRow(_NOON, "pause requested", "maria", "web")) == "<b>maria</b> asked to pause it"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kind": "changes"}, "Began to copy what changed"),
        ({"kind": "chosen"}, "Began to retry single objects"),
        ({"kind": "rest"}, "Went on with the pass"),
        ({"kind": "all"}, "Began to retry"),
        ({}, "Began to retry"),
    ],
)
def test_a_retry_is_told_in_the_words_of_its_button(said: dict[str, str], words: str) -> None:
    assert event_words.story(StoryRow(_NOON, "retried", "maria", "runner", said)) == words
    assert event_words.title(row("migration.retried", said)) == words


def test_the_filter_offers_words_without_values() -> None:
    assert event_words.choice("space.role-granted") == "space: gave somebody a role"
