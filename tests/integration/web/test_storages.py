"""A storage location's pages: every tab, for everybody, and what its buttons do."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from portal.services.register import RegisterLocal
from portal.services.storages import find_storage
from portal.services.storages.edit import StorageEdit, edit_storage
from portal.values import Branch
from tests.integration.roots import Bucket, connect_as, new_bucket, register_as
from tests.integration.world import Portal, World
from tests.servers import S3Server

ClientAs = Callable[[str | None], FlaskClient]
TABS = ("", "/checks", "/contents", "/access", "/migrations", "/events")


@pytest.fixture
def local_uid(portal: Portal, world: World, local_base: Path) -> str:
    """A writable local root of lab/atlas in the space all."""
    (local_base / "cells" / "raw").mkdir(parents=True)
    (local_base / "cells" / "raw" / "a.csv").write_text("1,2\n")
    new = RegisterLocal(str(local_base / "cells"), instance="lab/atlas", owner="lab", description="Cells")
    uid = register_as(portal, "ada", new).uid
    assert uid is not None
    return uid


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A fresh bucket with one object."""
    return new_bucket(s3_server)


@pytest.mark.parametrize("tab", TABS)
def test_readers_see_every_tab_and_outsiders_none(client_as: ClientAs, local_uid: str, tab: str) -> None:
    for handle in ("ada", "erik", "rita"):
        assert client_as(handle).get(f"/storages/{local_uid}{tab}").status_code == 200
    assert client_as("otto").get(f"/storages/{local_uid}{tab}").status_code == 404


def test_the_overview_has_every_field_of_the_record(client_as: ClientAs, world: World, local_uid: str) -> None:
    page = client_as("rita").get(f"/storages/{local_uid}").text
    for text in (local_uid, "portal-host", world.instance_uid, "lab/atlas", "Cells", "Created by", "Run", "main"):
        assert text in page
    for button in ("Run checks", "Delete for good", "Move root", f"/storages/{local_uid}/edit"):
        assert button not in page


def test_who_lacks_the_right_is_refused_by_the_server_too(client_as: ClientAs, local_uid: str) -> None:
    sent: tuple[tuple[str, dict[str, str]], ...] = (
        ("checks", {}),
        ("lock", {"locked": "1"}),
        ("branch", {"branch": "trash"}),
        ("delete", {"confirm": "cells"}),
        ("edit", {"description": "mine"}),
    )
    for path, data in sent:
        assert client_as("rita").post(f"/storages/{local_uid}/{path}", data=data).status_code == 403
        assert client_as("otto").post(f"/storages/{local_uid}/{path}", data=data).status_code == 404


def test_checks_are_run_and_kept(client_as: ClientAs, local_uid: str) -> None:
    answer = client_as("erik").post(f"/storages/{local_uid}/checks", follow_redirects=True)
    assert answer.status_code == 200
    assert "2 runs of checks, 0 with a failure" in answer.text


def test_contents_are_browsed_by_folder(client_as: ClientAs, local_uid: str) -> None:
    client = client_as("rita")
    top = client.get(f"/storages/{local_uid}/contents").text
    assert "raw/" in top
    assert "a.csv" not in top
    assert "a.csv" in client.get(f"/storages/{local_uid}/contents?folder=raw/").text
    assert client.get(f"/storages/{local_uid}/contents?folder=../").status_code == 422


def test_the_access_tab_explains_any_person(client_as: ClientAs, local_uid: str) -> None:
    page = client_as("rita").get(f"/storages/{local_uid}/access?person=otto").text
    assert "Otto has no access: on lab/atlas: no role." in page
    page = client_as("rita").get(f"/storages/{local_uid}/access?person=erik").text
    assert "Erik has the role write: on lab/atlas: write." in page


def test_a_change_by_somebody_else_keeps_the_typed_text(client_as: ClientAs, portal: Portal, local_uid: str) -> None:
    client = client_as("erik")
    with portal.read_as("erik") as work:
        version = find_storage(work, local_uid).version
    client.post(f"/storages/{local_uid}/edit", data={"description": "first", "version": version})
    answer = client.post(f"/storages/{local_uid}/edit", data={"description": "second", "version": version})
    assert answer.status_code == 422
    assert "erik changed this a moment ago. Nothing was saved; your text is below." in answer.text
    assert "second</textarea>" in answer.text


def test_who_changed_it_is_named_whatever_happened_to_the_location_since(
    client_as: ClientAs, portal: Portal, local_uid: str
) -> None:
    with portal.read_as("ada") as work:
        version = find_storage(work, local_uid).version
    client_as("erik").post(f"/storages/{local_uid}/edit", data={"description": "first", "version": version})
    client_as("ada").post(f"/storages/{local_uid}/checks")
    answer = client_as("ada").post(f"/storages/{local_uid}/edit", data={"description": "second", "version": version})
    assert "erik changed this a moment ago." in answer.text


@pytest.mark.parametrize("version", ["²", "9" * 5000, "x"])
def test_a_version_that_is_none_is_no_fault(client_as: ClientAs, local_uid: str, version: str) -> None:
    answer = client_as("erik").post(f"/storages/{local_uid}/edit", data={"description": "first", "version": version})
    assert answer.status_code in {303, 422}


def test_checks_meanwhile_refuse_no_edit(client_as: ClientAs, portal: Portal, local_uid: str) -> None:
    with portal.read_as("erik") as work:
        version = find_storage(work, local_uid).version
    client_as("ada").post(f"/storages/{local_uid}/checks")
    edit = {"description": "second", "version": version}
    assert client_as("erik").post(f"/storages/{local_uid}/edit", data=edit).status_code == 303


def test_the_form_shows_the_default_as_it_is_and_saving_keeps_it(
    client_as: ClientAs, portal: Portal, local_uid: str
) -> None:
    client = client_as("ada")
    box = r'<input[^>]*name="is_default"[^>]*>'

    def is_ticked() -> bool:
        found = re.search(box, client.get(f"/storages/{local_uid}/edit").text)
        return found is not None and " checked" in found[0]

    assert not is_ticked()
    with portal.write_as("ada") as work:
        edit_storage(work, local_uid, StorageEdit(is_default=True))
    assert is_ticked()


def test_a_location_is_trashed_and_restored(client_as: ClientAs, portal: Portal, local_uid: str) -> None:
    client = client_as("ada")
    for name, branch in (("trash", Branch.TRASH), ("main", Branch.MAIN)):
        assert client.post(f"/storages/{local_uid}/branch", data={"branch": name}).status_code == 303
        with portal.read_as("ada") as work:
            assert find_storage(work, local_uid).branch_id == branch


def test_a_locked_record_refuses_edits(client_as: ClientAs, local_uid: str) -> None:
    client = client_as("ada")
    assert client.post(f"/storages/{local_uid}/lock", data={"locked": "1"}).status_code == 303
    answer = client.post(f"/storages/{local_uid}/edit", data={"description": "new"})
    assert answer.status_code == 422
    assert "is locked" in answer.text


def test_deleting_is_refused_with_the_blockers_then_done(client_as: ClientAs, local_uid: str, local_base: Path) -> None:
    client, managed = client_as("ada"), local_base / "cells" / ".lamindb" / "xyz.csv"
    managed.write_text("data")
    page = client.get(f"/storages/{local_uid}/delete").text
    assert ".lamindb/xyz.csv" in page
    assert "Type <code>" not in page
    assert client.post(f"/storages/{local_uid}/delete", data={"confirm": "cells"}).status_code == 422
    managed.unlink()
    assert client.post(f"/storages/{local_uid}/delete", data={"confirm": "other"}).status_code == 422
    assert client.post(f"/storages/{local_uid}/delete", data={"confirm": "cells"}).status_code == 303
    assert client.get(f"/storages/{local_uid}").status_code == 404
    assert (local_base / "cells" / "raw" / "a.csv").exists()
    assert not (local_base / "cells" / ".lamindb" / "storage_uid.txt").exists()


def test_an_unmanaged_bucket_has_every_tab_too(
    client_as: ClientAs, portal: Portal, world: World, bucket: Bucket
) -> None:
    uid = connect_as(portal, "ada", bucket.form()).uid
    for tab in TABS:
        page = client_as("ada").get(f"/storages/{uid}{tab}")
        assert page.status_code == 200
        assert bucket.server.secret_key not in page.text
    assert "genes.csv" in client_as("ada").get(f"/storages/{uid}/contents").text
