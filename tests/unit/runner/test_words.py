"""What a stopped move, and one that was rolled back, says of its objects."""

from portal.runner.endings import _rolled_back_words
from portal.runner.steps import _words
from portal.web.exception_words import KINDS


def test_every_kind_of_error_is_told_in_words_and_not_by_its_code() -> None:
    told = _words(dict.fromkeys(KINDS, 2))
    assert not [kind for kind in KINDS if "_" in kind and kind in told]
    assert "refused for lack of a right: 2" in told


def test_a_single_kind_reads_as_a_sentence() -> None:
    assert _words({"conflict": 1200}) == "Objects different at the target: 1,200."


def test_a_rollback_counts_each_object_once_and_says_how_to_find_what_lies_beside() -> None:
    keys = [f"{name}.rewritten-m1-1" for name in "abc"]
    summary = {"count": 5, "bytes": 50, "beside": {"count": 3, "examples": keys}}
    assert _rolled_back_words("m1", {"back_summary": summary}) == (
        "Rolled back. New since, copied back and verified: 2 objects."
        " Rewritten since, put beside the old ones as KEY.rewritten-m1-…: 3 objects:"
        " a.rewritten-m1-1, b.rewritten-m1-1, c.rewritten-m1-1."
    )
    many = {"count": 1201, "bytes": 50, "beside": {"count": 1200, "examples": keys}}
    told = _rolled_back_words("m1", {"back_summary": many})
    assert "verified: 1 object. " in told
    assert "1,200 objects, such as a.rewritten-m1-1," in told
    assert _rolled_back_words("m1", {}) == "Rolled back. New since, copied back and verified: 0 objects."
