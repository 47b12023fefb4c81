"""Connecting a bucket: what is tried, what is saved, what is never shown."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import axe_findings
from tests.e2e.conftest import OpenAs
from tests.e2e.scene import Scene, picture
from tests.read_only import ReadOnlyEndpoint
from tests.servers import S3Server

FOREIGN_MARKER = "\n".join(
    [
        "abcdefABCDEF",
        "creation info:",
        "instance_slug=acme/screens",
        "instance_id=00112233445566778899aabbccddeeff",
        "instance_uid=unused",
    ]
)

Fill = Callable[..., None]


@pytest.fixture
def fill_in(scene: Scene, s3_server: S3Server) -> Fill:
    """A function that opens the form and fills it in: `fill_in(page, "s3://bucket/folder")`."""

    def fill_form(
        page: Page, root: str, *, secret: str = s3_server.secret_key, endpoint_url: str = s3_server.endpoint_url
    ) -> None:
        page.goto(f"{scene.url}/connect-s3")
        page.get_by_label("Root", exact=True).fill(root)
        page.get_by_label("Endpoint").fill(endpoint_url)
        page.get_by_label("Access key id").fill(s3_server.access_key)
        page.get_by_label("Secret access key").fill(secret)
        page.get_by_label("Writing instance").select_option("lab/atlas")

    return fill_form


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def assert_nothing_was_saved(scene: Scene, page: Page, bucket: str) -> None:
    page.goto(f"{scene.url}/infrastructure?q={bucket}")
    expect(page.get_by_text("No location matches")).to_be_visible()


def connect_a_good_bucket(page: Page, scene: Scene, bucket: Path, fill_in: Fill, secret: str) -> None:
    """Walk the whole way; with and without JavaScript it is the same."""
    fill_in(page, f"s3://{bucket.name}/atlas")
    assert secret not in page.content()
    press(page, "Only try")
    expect(page.get_by_role("heading", name="Everything that writing needs was tried and works.")).to_be_visible()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()
    groups = page.locator("#trial .checks")
    for title in ("Whose it is", "Reading", "Writing"):
        expect(groups.get_by_text(title, exact=True)).to_be_visible()
    expect(groups.get_by_text("Failed")).to_have_count(0)
    # The secret does not come back into its field; a sealed token carries it to the next try.
    expect(page.get_by_label("Secret access key")).to_have_value("")
    assert secret not in page.content()
    assert picture(bucket) == {}

    press(page, "Connect")
    page.wait_for_url("**/storages/*")
    uid = page.url.rpartition("/")[2]
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{bucket.name}/atlas")
    expect(page.get_by_text("Writable").first).to_be_visible()
    expect(page.get_by_text("Connected.").first).to_be_visible()
    marker = (bucket / "atlas/.lamindb/storage_uid.txt").read_text().splitlines()
    assert marker[0] == uid
    assert "instance_slug=lab/atlas" in marker
    assert list(picture(bucket)) == ["atlas/.lamindb/storage_uid.txt"], "a probe object was left"


def test_a_good_bucket_is_tried_saved_and_marked_and_its_secret_is_never_shown(
    ada: Page, scene: Scene, s3_server: S3Server, fill_in: Fill
) -> None:
    bucket, secret = s3_server.add_bucket("good"), s3_server.secret_key
    connect_a_good_bucket(ada, scene, bucket, fill_in, secret)
    uid = ada.url.rpartition("/")[2]
    pages = ["", "/checks", "/contents", "/access", "/migrations", "/events", "/edit"]
    for address in [*(f"/storages/{uid}{tab}" for tab in pages), "/infrastructure.json", "/events.json", "/events.csv"]:
        assert secret not in ada.request.get(scene.url + address).text(), address
    assert secret not in scene.process.log
    data = scene.process.folder / "data"
    assert "portal.db" in files_with("s3://good", data)
    assert files_with(secret, data) == ""


def files_with(text: str, folder: Path) -> str:
    """Return the names of the files that hold a text.

    Another process reads them: one that closes a database's file drops the locks SQLite holds on it in that process.
    """
    return subprocess.run(["grep", "-rlsF", "-e", text, folder], capture_output=True, text=True, check=False).stdout


def test_a_good_bucket_is_connected_without_javascript(
    open_as: OpenAs, scene: Scene, s3_server: S3Server, fill_in: Fill
) -> None:
    page = open_as("ada", java_script_enabled=False)
    connect_a_good_bucket(page, scene, s3_server.add_bucket("plain"), fill_in, s3_server.secret_key)


def test_the_normal_form_of_a_root_shows_while_it_is_typed(
    ada: Page, scene: Scene, s3_server: S3Server, fill_in: Fill
) -> None:
    fill_in(ada, "s3://good-typing/atlas/")
    expect(ada.locator("#root-meaning")).to_contain_text("bucket good-typing, folder atlas")
    ada.get_by_label("Root", exact=True).fill("s3://good-typing/.lamindb/x")
    expect(ada.locator("#root-meaning")).to_contain_text(".lamindb")
    expect(ada.locator("#root-meaning .error")).to_be_visible()


def test_a_wrong_secret_is_named_and_nothing_is_saved(
    ada: Page, scene: Scene, s3_server: S3Server, fill_in: Fill
) -> None:
    bucket = s3_server.add_bucket("wrong-secret")
    fill_in(ada, "s3://wrong-secret/atlas", secret="not+the+secret/not+the+secret/not+the+se")
    press(ada, "Connect")
    expect(ada.get_by_text("The key was refused.").first).to_be_visible()
    expect(ada.get_by_text("Was its secret pasted whole?").first).to_be_visible()
    assert "not+the+secret" not in ada.content()
    assert axe_findings(ada) == []
    assert_nothing_was_saved(scene, ada, "wrong-secret")
    assert picture(bucket) == {}


def test_a_missing_bucket_is_named_and_nothing_is_saved(
    ada: Page, scene: Scene, s3_server: S3Server, fill_in: Fill
) -> None:
    fill_in(ada, "s3://no-such-bucket/atlas")
    press(ada, "Connect")
    expect(ada.get_by_text("No bucket no-such-bucket exists.").first).to_be_visible()
    assert_nothing_was_saved(scene, ada, "no-such-bucket")
    assert not (s3_server.buckets / "no-such-bucket").exists()


def test_a_key_that_may_only_read_is_offered_read_only_without_retyping_the_secret(
    ada: Page, scene: Scene, s3_server: S3Server, read_only_endpoint: ReadOnlyEndpoint, fill_in: Fill
) -> None:
    bucket = s3_server.add_bucket("only-read")
    (bucket / "file.csv").write_bytes(b"a,b\n")
    fill_in(ada, "s3://only-read", endpoint_url=read_only_endpoint.endpoint_url)
    press(ada, "Connect")
    expect(ada.get_by_text("Reading works, writing does not.").first).to_be_visible()
    expect(ada.locator("#trial .checks").get_by_text("Failed").first).to_be_visible()
    expect(ada.get_by_label("Secret access key")).to_have_value("")
    assert axe_findings(ada) == []

    press(ada, "Connect read-only")
    ada.wait_for_url("**/storages/*")
    expect(ada.get_by_text("Read-only").first).to_be_visible()
    expect(ada.get_by_text("no put").first).to_be_visible()
    assert list(picture(bucket)) == ["file.csv"]


def test_a_root_that_another_instance_writes_becomes_read_only_and_nothing_is_written(
    ada: Page, scene: Scene, s3_server: S3Server, fill_in: Fill
) -> None:
    bucket = s3_server.add_bucket("foreign")
    marker = bucket / "atlas/.lamindb/storage_uid.txt"
    marker.parent.mkdir(parents=True)
    marker.write_text(FOREIGN_MARKER)
    before = picture(bucket), marker.stat().st_mtime_ns
    fill_in(ada, "s3://foreign/atlas")
    press(ada, "Only try")
    expect(ada.get_by_text("This root is written by acme/screens.")).to_be_visible()
    expect(ada.get_by_text("Nothing was tried by writing.")).to_be_visible()

    press(ada, "Connect read-only")
    ada.wait_for_url("**/storages/*")
    expect(ada.get_by_text("This root is written by acme/screens.")).to_be_visible()
    expect(ada.get_by_text("Read-only").first).to_be_visible()
    expect(ada.get_by_text("foreign").first).to_be_visible()
    assert (picture(bucket), marker.stat().st_mtime_ns) == before
