"""Browsing a location by folder."""

from pathlib import Path

import pytest

from portal.errors import AccessRefused, Conflict, InputError, NotFound
from portal.services.contents import PAGE_ROWS, browse
from portal.services.register import RegisterLocal
from tests.integration.roots import connect_as, new_bucket, register_as, units_of
from tests.integration.world import Portal, World
from tests.servers import S3Server


def test_a_bucket_is_browsed_page_by_page(portal: Portal, world: World, s3_server: S3Server) -> None:
    bucket = new_bucket(s3_server)
    for number in range(PAGE_ROWS + 5):
        bucket.put(f"atlas/raw/{number:04}.txt")
    units = units_of(portal, "ada")
    uid = connect_as(portal, "ada", bucket.form()).uid or ""
    top = browse(units, uid)
    assert (top.page.folders, [entry.key for entry in top.page.objects]) == (("raw/",), ["genes.csv"])
    first = browse(units, uid, "raw/")
    second = browse(units, uid, "raw", first.page.next_after)
    assert (len(first.page.objects), len(second.page.objects), second.page.next_after) == (PAGE_ROWS, 5, None)
    assert first.parents == [("raw", "raw/")]


def test_what_leads_out_of_the_root_is_refused(portal: Portal, world: World, local_base: Path) -> None:
    (local_base / "cells").mkdir()
    uid = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells")).uid or ""
    units = units_of(portal, "ada")
    for folder in ("../", "/etc", "a/../../"):
        with pytest.raises(InputError):
            browse(units, uid, folder)
    with pytest.raises(NotFound):
        browse(units_of(portal, "otto"), uid)
    (local_base / "cells").rename(local_base / "gone")
    (local_base / "cells").symlink_to("/etc")
    with pytest.raises(AccessRefused, match="symbolic link"):
        browse(units, uid)


def test_another_hosts_root_says_what_to_do(portal: Portal, world: World) -> None:
    uid = register_as(portal, "ada", RegisterLocal("/nfs/data", host="nas-1")).uid or ""
    with pytest.raises(Conflict, match="lies on the host nas-1") as caught:
        browse(units_of(portal, "ada"), uid)
    assert caught.value.hint == "Start a runner there: portal runner --host nas-1"
