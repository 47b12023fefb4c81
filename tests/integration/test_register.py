"""Registering directories: what may be a local root, and whose."""

from dataclasses import replace
from pathlib import Path

import pytest

from portal.errors import Conflict, InputError, Refused
from portal.services import migrations, server_grants
from portal.services.migrations import NewMigration
from portal.services.register import RegisterLocal, resolve
from portal.services.storages import find_storage, view_of
from portal.values import Mode
from tests.integration.roots import register_as
from tests.integration.world import Portal, World


def test_the_marker_is_written_for_a_writing_instance_only(portal: Portal, world: World, local_base: Path) -> None:
    for name in ("cells", "plain"):
        (local_base / name).mkdir()
    uid = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells/", instance="lab/atlas")).uid
    register_as(portal, "ada", RegisterLocal(f"{local_base}/plain"))
    text = (local_base / "cells" / ".lamindb" / "storage_uid.txt").read_text()
    assert text.startswith(f"{uid}\ncreation info:\ninstance_slug=lab/atlas\n")
    assert list((local_base / "plain").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/proc", "/proc is not allowed."),
        ("/etc/ssl", "/etc is not allowed."),
        ("/tmp", "/tmp is not allowed."),
        ("{base}/a/../b", "contains “..”"),
        ("{base}/out", "leads out of the base directories by a symbolic link"),
        ("{base}/.lamindb", "contains .lamindb"),
        ("s3://bucket/a", "is not a path"),
        ("{base}/absent", "There is no directory"),
        ("", "working directory"),
    ],
)
def test_paths_are_refused_with_the_reason(
    portal: Portal, world: World, local_base: Path, path: str, words: str
) -> None:
    (local_base / "out").symlink_to("/usr")
    with pytest.raises((Refused, InputError)) as caught:
        register_as(portal, "ada", RegisterLocal(path.format(base=local_base)))
    assert words in caught.value.message
    assert caught.value.field == "path"


def test_the_portals_own_folder_is_refused(portal: Portal, world: World) -> None:
    with portal.read_as("ada") as work:
        settings = replace(work.settings, local_bases=(work.settings.data_dir.parent,))
    for path in (settings.data_dir, settings.data_dir / "ledger", settings.data_dir.parent):
        with pytest.raises(Refused, match="the portal's own data"):
            resolve(settings, str(path), settings.host)


def test_a_directory_must_be_open_to_the_account(portal: Portal, world: World, local_base: Path) -> None:
    (local_base / "cells").mkdir()
    for name in ("cells", "absent"):
        with pytest.raises(Refused, match="not open to you"):
            register_as(portal, "erik", RegisterLocal(f"{local_base}/{name}"))
    with portal.write_as("ada") as work:
        server_grants.grant(work, "erik", server_grants.parse_grant_root(work.settings, str(local_base)))
    assert register_as(portal, "erik", RegisterLocal(f"{local_base}/cells")).uid is not None


def test_the_same_path_on_two_hosts_is_two_locations(portal: Portal, world: World, local_base: Path) -> None:
    (local_base / "cells").mkdir()
    here = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells")).uid
    there = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", host="nas-1", instance="lab/atlas")).uid
    assert here != there
    with pytest.raises(Conflict, match="registered on nas-1 already"):
        register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", host="nas-1"))
    with portal.read_as("ada") as work:
        view = view_of(work, find_storage(work, there or ""))
    assert (view.mode, view.is_here, view.host) == (Mode.READ_ONLY, False, "nas-1")


def test_nested_writable_directories_are_refused(portal: Portal, world: World, local_base: Path) -> None:
    (local_base / "cells" / "raw").mkdir(parents=True)
    register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", instance="lab/atlas"))
    with pytest.raises(Conflict, match="Two roots that are written to"):
        register_as(portal, "ada", RegisterLocal(f"{local_base}/cells/raw", instance="lab/atlas"))
    outcome = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells/raw"))
    assert outcome.trial is not None
    assert "lies inside" in outcome.trial.warnings[0]


@pytest.fixture
def moving(portal: Portal, world: World, local_base: Path) -> str:
    """A live move of `cells` to `big/new`; its uid."""
    for name in ("cells", "big/new/raw", "big/new2"):
        (local_base / name).mkdir(parents=True)
    uid = register_as(portal, "ada", RegisterLocal(f"{local_base}/cells", instance="lab/atlas")).uid or ""
    with portal.write_as("ada") as work:
        return migrations.create_migration(work, NewMigration(uid, f"{local_base}/big/new")).id


@pytest.mark.parametrize(
    ("name", "words"), [("new", "is taken"), ("new/raw", "lies inside {base}/new"), ("", "contains {base}/new")]
)
def test_the_root_that_a_move_goes_to_is_taken(
    portal: Portal, moving: str, local_base: Path, name: str, words: str
) -> None:
    base = local_base / "big"
    new = RegisterLocal(str(base / name), instance="lab/atlas")
    with pytest.raises(Conflict, match=words.format(base=base)) as caught:
        register_as(portal, "ada", new)
    assert f"which migration {moving} moves to" in caught.value.message
    assert "wait until that one is over" in (caught.value.hint or "")
    assert not any((base / name).glob(".lamindb/*")), "nothing was written there"
    with portal.write_as("ada") as work:
        migrations.cancel(work, moving)
    assert register_as(portal, "ada", new).uid


def test_inside_the_root_that_a_move_goes_to_only_reading_is_told(
    portal: Portal, moving: str, local_base: Path
) -> None:
    base = local_base / "big"
    outcome = register_as(portal, "ada", RegisterLocal(f"{base}/new/raw"))
    assert outcome.trial is not None
    assert outcome.trial.warnings == (
        f"The root lies inside {base}/new, which migration {moving} moves to. Objects below both are seen twice.",
    )
    assert register_as(portal, "ada", RegisterLocal(f"{base}/new2", instance="lab/atlas")).uid


def test_an_outsider_learns_no_name_of_a_move(portal: Portal, moving: str, local_base: Path) -> None:
    with portal.write_as("ada") as work:
        server_grants.grant(work, "otto", server_grants.parse_grant_root(work.settings, str(local_base)))
    with pytest.raises(Conflict) as caught:
        register_as(portal, "otto", RegisterLocal(f"{local_base}/big/new"))
    assert caught.value.message == "The root is taken: it is a root that another migration moves to."
    outcome = register_as(portal, "otto", RegisterLocal(f"{local_base}/big/new/raw"))
    assert outcome.trial is not None
    assert outcome.trial.warnings == (
        "The root lies inside a root that another migration moves to. Objects below both are seen twice.",
    )
