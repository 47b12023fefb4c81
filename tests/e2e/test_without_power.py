"""A power cut in mid-move."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.scene import Scene, fill, picture
from tests.e2e.test_move import MARKER, STEP_MS, leftovers, make_plan, many_objects, state_of
from tests.servers import S3Server

pytestmark = pytest.mark.timeout(400)


def test_a_move_that_a_power_cut_interrupts_goes_on_and_ends_ready(
    ada: Page, scene: Scene, s3_server: S3Server
) -> None:
    bucket = s3_server.add_bucket("after-the-cut")
    scene.connect("s3://after-the-cut", s3_server, instance="")
    folder = fill(scene.base / "interrupted", many_objects(1000))
    uid = scene.register(folder)
    before = picture(folder)

    make_plan(ada, scene, uid, "s3://after-the-cut/moved")
    migration = ada.url.rpartition("/")[2]
    # Half a minute of copying, so that the power goes in the middle of it on any machine.
    scene.limit(migration, 500_000)
    ada.get_by_role("button", name="Start the move").click()
    expect(state_of(ada)).to_have_text("Copying", timeout=STEP_MS)
    # Some objects have arrived, and by far not all.
    ada.wait_for_function(
        "() => /^[1-9]/.test((document.querySelector('.progress-pair b') || {}).textContent || '')", timeout=STEP_MS
    )
    address = ada.url
    ada.goto("about:blank")  # else it complains, rightly, that nobody answers
    scene.process.kill()
    there = len(picture(bucket))
    assert 0 < there < len(before), "the move was over before the power cut"
    scene.limit(migration, None)
    scene.end_lease(migration)
    scene.process.start()

    ada.goto(address)
    expect(ada.get_by_role("link", name="Cut over")).to_be_visible(timeout=STEP_MS)
    objects = {key: value for key, value in before.items() if key != MARKER}
    assert {key: value for key, value in picture(bucket / "moved").items() if key != MARKER} == objects
    assert picture(folder) == before
    assert leftovers(folder) == []
    assert leftovers(bucket) == []
