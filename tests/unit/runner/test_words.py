"""What a stopped move says of its objects."""

from portal.runner.steps import _words
from portal.web.exception_words import KINDS


def test_every_kind_of_error_is_told_in_words_and_not_by_its_code() -> None:
    told = _words(dict.fromkeys(KINDS, 2))
    assert not [kind for kind in KINDS if "_" in kind and kind in told]
    assert "refused for lack of a right: 2" in told


def test_a_single_kind_reads_as_a_sentence() -> None:
    assert _words({"conflict": 1200}) == "Objects different at the target: 1,200."
