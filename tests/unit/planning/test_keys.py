"""Which keys move, and the quick look that most of them pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.planning.keys import KeyRules, Reason, _first_fault, exclusion_of, name_fault

BUCKET = KeyRules(max_key_bytes=1024)
FOLDER = KeyRules(max_key_bytes=4000, max_part_bytes=255, holds_folder_keys=False)

_TEXTS = st.text(
    st.one_of(st.sampled_from("a./\0é\udcff "), st.characters(exclude_categories=["Cs"])), min_size=1, max_size=12
)


@given(_TEXTS, st.sampled_from([BUCKET, FOLDER, KeyRules(max_key_bytes=4), KeyRules(max_part_bytes=3)]))
def test_the_quick_look_never_passes_what_the_long_one_finds(key: str, rules: KeyRules) -> None:
    assert name_fault(key, rules) == _first_fault(key, rules)


@pytest.mark.parametrize(
    ("key", "rules", "fault"),
    [
        ("raw/plate 1/well.tif", BUCKET, ""),
        ("größe/日本.csv", FOLDER, ""),
        (".hidden/..name/a.", FOLDER, ""),
        ("a/../b", BUCKET, "a part is . or .."),
        (".", BUCKET, "a part is . or .."),
        ("a\0b", BUCKET, "it contains a zero byte"),
        ("\udcff", BUCKET, "it is not UTF-8"),
        ("a//b", BUCKET, ""),
        ("a//b", FOLDER, "it has an empty part between slashes"),
        ("a/", FOLDER, "it has an empty part between slashes"),
        ("é" * 600, BUCKET, "it is 1200 bytes long"),
        ("a/" + "x" * 256, FOLDER, "a part is 256 bytes long"),
    ],
)
def test_a_name_is_judged_by_what_the_target_holds(key: str, rules: KeyRules, fault: str) -> None:
    assert name_fault(key, rules) == fault


@pytest.mark.parametrize(
    ("key", "is_own"),
    [
        (".lamindb/_portal/tag/1", True),
        (".lamindb/_probe/0123", True),
        (".lamindb/_probes", False),
        ("_probe/0123", False),
        ("data/.lamindb/_probe/0123", False),
    ],
)
def test_what_the_portal_left_itself_never_moves(key: str, is_own: bool) -> None:
    assert (exclusion_of(key, BUCKET) == (Reason.PORTAL, "")) is is_own
