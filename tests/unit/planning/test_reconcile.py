"""Both sides of an instance's locations are compared, and nothing is decided for anybody."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.planning.reconcile import Comparing, Difference, Field, Kind, Ours, Theirs, reconcile
from portal.planning.roots import parse_root
from portal.values import ALL_SPACE_UID

COMPARING = Comparing(here="here", instance_uid="instance-uid", instance_id=1)


def theirs(row_id: int = 1, root: str = "/data/a", **changed: object) -> Theirs:
    row = Theirs(
        row_id=row_id, uid=f"uid-{row_id}", root=root, normal=parse_root(root, home="/", cwd="/"), problem="",
        region=None, host=None, description="", instance_uid="instance-uid", space_key=ALL_SPACE_UID, space="all",
        branch="main", known_branch="main", is_locked=False, is_own=True,
    )  # fmt: skip
    return replace(row, **changed)  # type: ignore[arg-type]  # fields by name


def ours(storage_id: int = 1, root: str = "/data/a", **changed: object) -> Ours:
    local = root.startswith("/")
    kept = Ours(
        storage_id=storage_id, uid=f"uid-{storage_id}", root=parse_root(root, home="/", cwd="/"),
        host="here" if local else None, region=None, description="", instance_uid="instance-uid", instance_id=1,
        space_key=ALL_SPACE_UID, space="all", branch="main", is_locked=False, row_id=storage_id,
        ref_uid=f"uid-{storage_id}",
    )  # fmt: skip
    return replace(kept, **changed)  # type: ignore[arg-type]  # fields by name


def only(row: Theirs, kept: Ours) -> Difference:
    [found] = reconcile([row], [kept], COMPARING)
    return found


def test_two_sides_that_say_the_same_have_no_difference() -> None:
    assert reconcile([theirs()], [ours()], COMPARING) == ()


def test_an_unknown_row_is_new() -> None:
    [found] = reconcile([theirs()], [], COMPARING)
    assert (found.kind, found.can_take, found.storage_id) == (Kind.NEW, True, None)


def test_a_root_the_portal_refuses_cannot_be_taken() -> None:
    [found] = reconcile([theirs(normal=None, problem="Not allowed.")], [], COMPARING)
    assert (found.why_not, found.can_take) == ("Not allowed.", False)


def test_a_location_of_the_same_uid_is_linked() -> None:
    found = only(theirs(), ours(row_id=None, ref_uid=None))
    assert (found.kind, found.fields) == (Kind.LINKED, ())


def test_an_unmanaged_one_is_found_by_its_root_under_another_uid() -> None:
    row = theirs(uid="elsewhere", instance_uid=None, is_own=False)
    found = only(row, ours(row_id=None, ref_uid=None, instance_uid=None, instance_id=None))
    assert found.kind is Kind.LINKED
    assert found.notes[-1] == "Its uid there is elsewhere; here it is uid-1."


@pytest.mark.parametrize(("host", "kind"), [("here", Kind.LINKED), ("far", Kind.NEW)])
def test_the_same_path_on_another_host_is_another_location(host: str, kind: Kind) -> None:
    found = reconcile([theirs(uid="elsewhere", host=host)], [ours(row_id=None, ref_uid=None)], COMPARING)
    assert found[0].kind is kind
    assert any("LaminDB takes each root once" in note for note in found[0].notes) is (kind is Kind.NEW)


def test_the_uid_wins_over_the_root() -> None:
    found = reconcile(
        [theirs(1, "/data/b", uid="uid-1"), theirs(2, "/data/a", uid="uid-2")],
        [ours(1, "/data/a"), ours(2, "/data/b")],
        COMPARING,
    )
    assert [(each.row_id, each.storage_id) for each in found] == [(1, 1), (2, 2)]
    assert [each.fields[0].name for each in found] == ["root", "root"]


def test_both_sides_of_each_field_are_shown() -> None:
    row = theirs(
        description="There", space_key="other", space="cohort", known_branch="trash", branch="trash", is_locked=True
    )
    assert set(only(row, ours()).fields) == {
        Field("description", "There", None),
        Field("space", "cohort", "all"),
        Field("branch", "trash", "main"),
        Field("locked", "yes", "no"),
    }


def test_a_region_is_compared_and_one_that_is_not_named_is_no_difference() -> None:
    root = "s3://bucket/a"
    both = only(theirs(root=root, region="eu-west-1"), ours(root=root, region="us-east-1"))
    assert both.fields == (Field("region", "eu-west-1", "us-east-1"),)
    assert reconcile([theirs(root=root, region=None)], [ours(root=root, region="us-east-1")], COMPARING) == ()


def test_a_host_is_compared_where_the_row_names_one() -> None:
    assert only(theirs(host="far"), ours()).fields == (Field("host", "far", "here"),)
    assert reconcile([theirs(host=None)], [ours(host="elsewhere", root="/data/a")], COMPARING) == ()


def test_a_type_that_changed_is_shown_with_the_root() -> None:
    assert [field.name for field in only(theirs(root="s3://bucket/a"), ours()).fields] == ["root", "type"]


def test_an_instance_that_writes_to_a_location_the_portal_takes_for_foreign_claims_it() -> None:
    found = only(theirs(), ours(instance_id=None))
    assert found.fields == (Field("instance", "written by this instance", "another instance"),)
    assert only(theirs(), ours(instance_id=None, instance_uid=None)).fields[0].ours == "no instance"


def test_what_another_instance_writes_to_is_not_compared_word_by_word() -> None:
    row = theirs(is_own=False, instance_uid="another", description="Ours alone")
    assert reconcile([row], [ours(instance_uid="another", instance_id=2)], COMPARING) == ()
    moved = only(replace(row, normal=parse_root("/data/old", home="/", cwd="/"), root="/data/old"),
                 ours(instance_uid="another", instance_id=2))  # fmt: skip
    assert not moved.can_take
    assert "Another instance writes" in moved.why_not


def test_an_unmanaged_location_of_several_instances_is_not_fought_over() -> None:
    row = theirs(is_own=False, instance_uid=None, description="One of them says")
    kept = ours(instance_uid=None, instance_id=None)
    assert only(row, kept).fields == (Field("description", "One of them says", None),)
    assert reconcile([row], [replace(kept, other_references=1)], COMPARING) == ()


def test_who_may_not_change_a_location_is_told() -> None:
    found = only(theirs(description="x"), ours(may_change=False))
    assert found.why_not == "This needs the role admin on the location."
    assert only(theirs(description="x"), ours(why_fixed="It is being moved.")).why_not == "It is being moved."


def test_a_location_out_of_reach_tells_nothing_of_itself() -> None:
    kept = ours(is_visible=False, row_id=None, ref_uid=None, root="/data/hidden", description="hidden")
    found = only(theirs(description="x"), kept)
    assert (found.kind, found.fields) == (Kind.LINKED, ())
    assert "hidden" not in repr(found)
    [gone] = reconcile([], [ours(is_visible=False, root="/secret/place")], COMPARING)
    assert "/secret/place" not in repr(gone)


def test_nobody_links_a_location_out_of_reach_by_guessing_its_root() -> None:
    found = only(theirs(uid="elsewhere"), ours(is_visible=False, row_id=None, ref_uid=None))
    assert (found.kind, found.storage_id, found.can_take) == (Kind.NEW, None, False)
    assert "no role on" in found.why_not


def test_a_reference_without_a_row_is_gone() -> None:
    [found] = reconcile([], [ours()], COMPARING)
    assert (found.kind, found.storage_id, found.can_take) == (Kind.GONE, 1, True)


def test_a_row_id_that_became_another_location_is_gone_and_new() -> None:
    found = reconcile([theirs(1, "/data/b", uid="other")], [ours()], COMPARING)
    assert [each.kind for each in found] == [Kind.NEW, Kind.GONE]


def test_a_branch_of_peoples_own_is_shown_as_main() -> None:
    found = reconcile([theirs(branch="my-branch", known_branch="main")], [], COMPARING)
    assert "branch my-branch" in found[0].notes[-1]


def test_a_root_in_another_form_is_shown_as_such() -> None:
    [found] = reconcile([replace(theirs(), root="/data/a/")], [], COMPARING)
    assert found.notes[0] == "Its root is not in LaminDB's normal form, which is /data/a."


def test_the_key_is_that_of_exactly_this_difference() -> None:
    first, second = (only(theirs(description=text), ours()) for text in ("one", "two"))
    assert first.key == only(theirs(description="one"), ours()).key
    assert first.key != second.key


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), unique_by=lambda each: each[0], max_size=6))
def test_no_two_rows_ever_match_one_location(rows: list[tuple[int, int]]) -> None:
    found = reconcile(
        [theirs(row_id, f"/data/{place}", uid=f"uid-{place + row_id % 2}") for row_id, place in rows],
        [ours(place, f"/data/{place}", row_id=None, ref_uid=None) for place in range(1, 5)],
        COMPARING,
    )
    matched = [each.storage_id for each in found if each.storage_id is not None]
    assert len(matched) == len(set(matched))
    assert len(found) == len(rows)
