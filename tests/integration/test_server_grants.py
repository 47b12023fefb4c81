"""Server grants: whom the server's own identity and base directories are open to."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from portal.config import Settings
from portal.errors import Conflict, InputError, PermissionDenied, Refused
from portal.planning.roots import local_root, parse_root
from portal.services import server_grants
from portal.services.work import Work
from portal.values import MembershipRole, Root, StorageType

As = Callable[..., AbstractContextManager[Work]]


def s3(text: str) -> Root:
    return parse_root(text, home="/", cwd="/")


def test_only_portal_admins_reach_what_was_granted_to_nobody(read_as: As) -> None:
    for handle, expected in (("ada", True), ("erik", False), ("rita", False), ("otto", False)):
        with read_as(handle) as work:
            assert server_grants.is_open(work, s3("s3://acme/atlas")) is expected, handle


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("s3://acme/atlas", True),
        ("s3://acme/atlas/deep/folder", True),
        ("s3://acme/atlas2", False),
        ("s3://acme", False),
        ("s3://acme2/atlas", False),
        ("s3://acme/atlas?endpoint_url=https://other.example", False),
    ],
)
def test_a_grant_opens_its_root_and_what_is_below(work_as: As, root: str, expected: bool) -> None:
    with work_as("ada") as work:
        server_grants.grant(work, "erik", s3("s3://acme/atlas"))
    with work_as("erik") as work:
        assert server_grants.is_open(work, s3(root)) is expected
    with work_as("rita") as work:
        assert not server_grants.is_open(work, s3(root))


def test_a_grant_of_a_directory_opens_no_sibling(work_as: As, settings: Settings, local_base: Path) -> None:
    (local_base / "data").mkdir()
    with work_as("ada") as work:
        server_grants.grant(work, "erik", server_grants.parse_grant_root(settings, str(local_base / "data")))
    with work_as("erik") as work:
        assert server_grants.is_open(work, local_root(str(local_base / "data" / "run1")))
        assert not server_grants.is_open(work, local_root(str(local_base / "data2")))
        assert not server_grants.is_open(work, local_root(str(local_base)))
        assert server_grants.list_open(work, StorageType.S3) == []


def test_a_grant_to_an_organisation_counts_for_its_owners(work_as: As, world: object) -> None:
    with work_as("ada") as work:
        from portal.services import organisations

        organisations.set_member(work, "lab", "erik", MembershipRole.OWNER)
        organisations.set_member(work, "lab", "rita", MembershipRole.MEMBER)
        server_grants.grant(work, "lab", s3("s3://acme"))
    for handle, expected in (("erik", True), ("rita", False), ("otto", False)):
        with work_as(handle) as work:
            assert server_grants.is_open(work, s3("s3://acme/x")) is expected, handle


def test_a_directory_outside_the_base_directories_cannot_be_opened(settings: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in (str(outside), str(settings.local_bases[0] / ".." / "outside")):
        with pytest.raises(Refused):
            server_grants.parse_grant_root(settings, path)


def test_a_link_that_leads_out_of_the_base_directories_cannot_be_opened(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (settings.local_bases[0] / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused):
        server_grants.parse_grant_root(settings, str(settings.local_bases[0] / "link"))


@pytest.mark.parametrize("text", ["gs://bucket/x", "https://example.org/x", "relative/path", ""])
def test_only_buckets_and_whole_paths_can_be_opened(settings: Settings, text: str) -> None:
    with pytest.raises(InputError):
        server_grants.parse_grant_root(settings, text)


def test_a_grant_can_be_given_once_and_taken_back(work_as: As) -> None:
    with work_as("ada") as work:
        server_grants.grant(work, "erik", s3("s3://acme"))
    with work_as("ada") as work, pytest.raises(Conflict):
        server_grants.grant(work, "erik", s3("s3://acme"))
    with work_as("ada") as work:
        (row,) = server_grants.list_grants(work)
        assert (row.handle, row.root, row.created_by) == ("erik", "s3://acme", "ada")
        assert server_grants.revoke(work, row.id) == "s3://acme"
    with work_as("erik") as work:
        assert not server_grants.is_open(work, s3("s3://acme"))


@pytest.mark.parametrize("handle", ["erik", "rita", "otto"])
def test_nobody_but_a_portal_admin_gives_lists_or_takes_grants(work_as: As, handle: str) -> None:
    with work_as(handle) as work:
        with pytest.raises(PermissionDenied):
            server_grants.grant(work, handle, s3("s3://acme"))
        with pytest.raises(PermissionDenied):
            server_grants.list_grants(work)
        with pytest.raises(PermissionDenied):
            server_grants.revoke(work, 1)
