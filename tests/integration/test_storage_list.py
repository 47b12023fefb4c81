"""The list of storage locations: who sees what, filters, search, orders, pages, export and its queries."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from portal.models import Migration, Storage
from portal.permissions import Action, StorageTarget, allows
from portal.services.storage_list import (
    StorageQuery,
    list_facets,
    list_storages,
    plan,
)
from portal.services.work import Work
from portal.values import ALL_SPACE_ID, CheckStatus, Mode, StorageType
from tests.integration.storage_asking import found
from tests.integration.storage_rows import NOW, add_many, add_storage, host_id
from tests.integration.world import PEOPLE, World

pytestmark = pytest.mark.dialects

Units = Callable[..., AbstractContextManager[Work]]

ODD_WORDS = (
    *(
        '"',
        "'",
        '"a',
        "a AND b",
        "NOT",
        "NEAR(a b)",
        "*",
        "a*",
        "^a",
        "root:a",
        "%",
        "_",
        "\\",
        "\\%",
        "[a",
        "(",
        ")",
        "+",
    ),
    *(
        "é",
        "ÉÉÉ",
        "日本",
        "日本語の",
        "\U0001f9ec",
        "\0",
        "a\0b",
        "\ud800",
        "x" * 5_000,
        "-",
        "--",
        "{a}",
        ";",
        "$1",
        ":a",
    ),
    *("s3://", "a b c d e f g h i j k l", "\t\n", "ﬀ", "½", "e\u0301"),
)


@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_sees_exactly_what_the_policy_allows(work_as: Units, read_as: Units, world: World, who: str) -> None:
    with work_as("ada") as work:
        add_many(work, world, 200)
    with read_as(who) as work:
        seen = {row.uid: row for row in list_storages(work, StorageQuery(limit=1_000)).rows}
        for storage in work.session.scalars(select(Storage)):
            target = StorageTarget(storage.instance_id, storage.space_id, storage.owner_id)
            expected = storage.branch_id >= 1 and allows(work.actor, Action.STORAGE_READ, target)
            assert (storage.uid in seen) == expected
    assert bool(seen) == (who != "otto")


def test_archive_and_trash_are_hidden_until_asked_for(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        for branch_id in (1, 0, -1, 7):
            add_storage(work, world, f"s3://b/{branch_id}", branch_id=branch_id)
        assert found(work) == ["s3://b/1", "s3://b/7"]
        assert found(work, branches=("archive",)) == ["s3://b/0"]
        assert found(work, branches=("trash", "archive")) == ["s3://b/-1", "s3://b/0"]
        assert found(work, branches=("main",)) == ["s3://b/1"]
        assert found(work, branches=("unknown",)) == []
        put_away = list_storages(work, StorageQuery(branches=("trash",))).rows[0]
        assert (put_away.branch, put_away.is_put_away, str(put_away.role)) == ("trash", True, "admin")


def test_every_filter_narrows_the_list(work_as: Units, world: World, way: str) -> None:
    with work_as("ada") as work:
        add_storage(work, world, "/data/a", host_id=host_id(work, "hpc-1"), space_id=world.clinical_id)
        add_storage(work, world, "/data/b", host_id=host_id(work, "hpc-2"), mode=Mode.READ_ONLY)
        add_storage(work, world, "s3://b/c", space_id=ALL_SPACE_ID)
        add_storage(work, world, "s3://b/d", instance_id=None, mode=Mode.UNMANAGED)
        add_storage(work, world, "s3://b/e", instance_id=None, instance_uid="foreign12345", instance_slug="far/away")
        add_storage(work, world, "gs://b/f", type=StorageType.GS)
        assert found(work, types=("local",)) == ["/data/a", "/data/b"]
        assert found(work, types=("local", "gs")) == ["/data/a", "/data/b", "gs://b/f"]
        assert found(work, types=("floppy",)) == []
        assert found(work, spaces=("clinical",)) == ["/data/a"]
        assert found(work, spaces=(world.clinical_uid, "all")) == ["/data/a", "s3://b/c"]
        assert found(work, hosts=("hpc-2",)) == ["/data/b"]
        assert found(work, instances=("none",)) == ["s3://b/d"]
        assert found(work, instances=("far/away",)) == ["s3://b/e"]
        assert found(work, instances=("lab/atlas",), types=("s3",)) == ["s3://b/c"]
        assert found(work, modes=("read-only", "unmanaged")) == ["/data/b", "s3://b/d"]
        assert found(work, modes=("\0",), hosts=("\ud800",)) == []
        assert len(found(work, owner_id=world.accounts["ada"])) == 6
        assert found(work, owner_id=world.accounts["otto"]) == []
        page = list_storages(work, StorageQuery(types=("local",)))
        assert (page.match_count, page.total) == (2, 6)


def test_search_finds_parts_of_root_description_and_uid(work_as: Units, world: World, way: str) -> None:
    with work_as("ada") as work:
        uid = add_storage(work, world, "s3://acme/atlas/novaseq_x", description="Raw reads of Léa")
        add_storage(work, world, "s3://acme/screens", description="50% done")
        for number in range(5):
            add_storage(work, world, f"/data/filler-{number}")
        atlas, screens = "s3://acme/atlas/novaseq_x", "s3://acme/screens"
        assert found(work, text="NOVASEQ") == [atlas]
        assert found(work, text="aseq_x") == [atlas]
        assert found(work, text="vaseqax") == []
        assert found(work, text="reads atlas") == [atlas]
        assert found(work, text="reads screens") == []
        assert found(work, text="acme") == [atlas, screens]
        assert found(work, text=uid) == [atlas]
        assert found(work, text="50%") == [screens]
        assert found(work, text="LÉA") == [atlas]
        assert found(work, text="fill data") == [f"/data/filler-{number}" for number in range(5)]


def test_one_and_two_letters_are_looked_for_at_the_beginning_of_words(work_as: Units, world: World, way: str) -> None:
    with work_as("ada") as work:
        add_storage(work, world, "s3://bucket/xenium", uid="q" * 12)
        add_storage(work, world, "s3://bucket/axe", uid="r" * 12, description="x-ray")
        add_storage(work, world, "s3://bucket/eu-data", uid="p" * 12)
        for number in range(5):
            add_storage(work, world, f"/data/filler-{number}", uid=f"{'f' * 11}{number}")
        assert found(work, text="xe") == ["s3://bucket/xenium"]
        assert found(work, text="x") == ["s3://bucket/axe", "s3://bucket/xenium"]
        assert found(work, text="EU") == ["s3://bucket/eu-data"]
        assert found(work, text="ucket da") == ["s3://bucket/eu-data"]
        assert found(work, text="fi") == [f"/data/filler-{number}" for number in range(5)]


def test_a_changed_or_removed_location_is_found_as_it_is_now(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        uid = add_storage(work, world, "s3://acme/before")
        work.session.execute(update(Storage).where(Storage.uid == uid).values(root="s3://acme/after"))
        assert (found(work, text="before"), found(work, text="after")) == ([], ["s3://acme/after"])
        work.session.execute(text("DELETE FROM storage"))
        assert found(work, text="after") == []


@pytest.mark.parametrize("odd", ODD_WORDS)
def test_no_search_is_an_error(work_as: Units, world: World, way: str, odd: str) -> None:
    with work_as("ada") as work:
        for number in range(5):
            add_storage(work, world, f"s3://b/{number}")
        list_storages(work, StorageQuery(text=odd))
        list_storages(work, StorageQuery(text=f"{odd} b/1"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=12))
def test_whatever_is_typed_few_and_many_rows_answer_the_same(work_as: Units, world: World, typed: str) -> None:
    with work_as("ada") as work:
        if not found(work):
            for number, name in enumerate(("aé", "É-b", "a b", "100%", "x_y", '"q"', "日本語")):
                add_storage(work, world, f"s3://b/{name}", uid=f"{'0' * 11}{number}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "FEW", {"sqlite": 0, "postgresql": 0})
            by_index = found(work, text=typed)
            patch.setattr(plan, "MOST_GATHERED", 0)
            assert found(work, text=typed) == by_index


def test_a_row_says_the_move_under_way(work_as: Units, world: World) -> None:
    with work_as("ada") as work:
        uid = add_storage(work, world, "s3://b/moving", last_check_at=NOW, last_check_status=CheckStatus.PASSED)
        storage_id = work.session.scalar(select(Storage.id).where(Storage.uid == uid))
        for number, state in enumerate(("failed", "copying", "cancelled")):
            work.session.add(
                Migration(
                    uid=f"{state:x<11}{number}",
                    storage_id=storage_id,
                    state=state,
                    source_root="s3://b/moving",
                    source_type=StorageType.S3,
                    target_root="/data/moving",
                    target_type=StorageType.LOCAL,
                    created_by_id=world.accounts["ada"],
                    created_at=NOW,
                    updated_at=NOW,
                )
            )
        work.session.flush()
        (row,) = list_storages(work, StorageQuery()).rows
        assert (row.migration_state, row.last_check_status) == ("copying", CheckStatus.PASSED)
        assert (row.place, row.space, row.instance, row.creator) == ("eu-central-1", "lab/imaging", "lab/atlas", "ada")


def test_menus_offer_what_is_in_reach(work_as: Units, read_as: Units, world: World) -> None:
    with work_as("ada") as work:
        host_id(work, "hpc-1")
    with read_as("rita") as work:
        facets = list_facets(work)
    assert [choice.label for choice in facets.spaces] == ["all", "lab/imaging"]
    assert [choice.value for choice in facets.instances] == ["none", "lab/atlas"]
    assert "hpc-1" in [choice.value for choice in facets.hosts]
    assert [choice.value for choice in facets.branches] == ["main", "archive", "trash"]
