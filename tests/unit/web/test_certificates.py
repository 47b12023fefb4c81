"""The certificate's page: whose a time is, which write decided, and what was left out, in words."""

from typing import Any

import pytest

from portal.web import certificates

ASKED = {"at": "2026-11-24T02:20:56+00:00", "by": "ada"}


def test_a_time_of_the_runner_is_not_said_to_be_a_persons() -> None:
    steps: dict[str, Any] = dict.fromkeys(("planned", "started", "ready", "cut_over", "rolled_back", "released"))
    shown = certificates._steps({"steps": {**steps, "planned": ASKED, "ready": ASKED, "released": ASKED}})
    assert shown == [
        ("Planned", "2026-11-24 02:20:56 UTC, asked for by ada"),
        ("Ready", "2026-11-24 02:20:56 UTC"),
        ("Released", "2026-11-24 02:20:56 UTC, by ada"),
    ]


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        (
            {"decided_by": "i1", "fence": "real", "instances": [{"uid": "i1", "name": "lab/proj"}]},
            "Decided by one transaction in lab/proj. A fence held writers off in every instance.",
        ),
        (
            {"decided_by": "i1", "fence": "soft", "instances": [{"uid": "i1", "name": None}]},
            "Decided by one transaction in i1. The fence was soft: not every writer was held off.",
        ),
        ({}, "Decided by one transaction in the portal. Whether writers were held off was not recorded."),
    ],
)
def test_who_decided_is_named_and_the_fence_is_said_in_words(switch: dict[str, Any], words: str) -> None:
    assert certificates._switched(switch) == words


def test_what_is_copied_at_the_cut_over_is_not_said_to_be_left_out() -> None:
    nothing, one = {"count": 0, "bytes": 0}, {"count": 1, "bytes": 3}
    left: dict[str, Any] = dict.fromkeys(("no_objects", "registered_and_missing", "moved_though_unreferenced"), nothing)
    left["excluded"] = {"marker, copied at cut-over": one, "empty folder key": one}
    assert [words for words, _ in certificates._left_out({"left_out": left})] == [
        "The marker, copied at the cut-over",
        "Left out of the copy: empty folder key",
    ]
