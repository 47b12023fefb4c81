"""What only directories do."""

import ctypes
import errno
import os
import socket
import time
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from portal.backends.base import CHUNK_BYTES
from portal.backends.local import LocalBackend, create_local_root, writing
from portal.backends.local.listing import as_info
from portal.errors import AccessRefused, BucketNotFound, NameRefused, ObjectExists, OutOfSpace, StorageError
from portal.values import Root, StorageType


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def local(folder: Path) -> LocalBackend:
    return LocalBackend(local_root(folder), tag="test")


def local_root(path: Path) -> Root:
    return Root(StorageType.LOCAL, str(path), path=str(path))


def keys(backend: LocalBackend) -> list[str]:
    return [found.key for found in backend.list_objects()]


def test_empty_folders_are_no_objects(local: LocalBackend, folder: Path) -> None:
    (folder / "empty/inner").mkdir(parents=True)
    assert keys(local) == []
    assert local.list_folder().folders == ("empty/",)


def test_links_inside_the_root_are_followed(local: LocalBackend, folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real/file").write_bytes(b"12")
    (folder / "alias").symlink_to("real")
    (folder / "file").symlink_to("real/file")
    assert keys(local) == ["alias/file", "file", "real/file"]
    with local.open_read("alias/file") as stream:
        assert stream.read() == b"12"
    found = local.info("file")
    assert found is not None
    assert found.size_bytes == 2


def test_no_look_leads_out_of_the_root(local: LocalBackend, folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in/file").write_bytes(b"12")
    (folder.parent / "secret").write_bytes(b"123")
    keys = ["../secret", "in/../../secret", "in/../in/file", "./in/file", "/in/file", "/top", "in/file"]
    (folder / "top").write_bytes(b"1")
    assert list(local.infos(keys)) == ["in/file"]
    assert local.read_ahead(keys) == {"in/file"}


def test_where_files_open_slowly_not_all_are_asked_for_ahead(
    local: LocalBackend, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{number:02}" for number in range(50)]
    for key in keys:
        (folder / key).write_bytes(b"1")

    def slowly(opened: int, name: str) -> None:
        time.sleep(0.1)

    monkeypatch.setattr("portal.backends.local.backend.read_ahead", slowly)
    assert 1 <= len(local.read_ahead(keys)) < 10


def test_what_cannot_be_an_object_is_told_with_a_reason(local: LocalBackend, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (folder / "good").write_text("x")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "out-folder").symlink_to(tmp_path)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "inner").mkdir()
    (folder / "inner/loop").symlink_to("..")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "socket"))
        (Path(os.fsdecode(os.fsencode(folder) + b"/\xff"))).write_text("x")
        assert keys(local) == ["good"]
        told = dict(local.list_skipped())
    assert set(told) == {"out", "out-folder", "dangling", "inner/loop/", "pipe", "socket", "\ufffd"}
    assert "leads out of the root" in told["out"]
    assert "leads back" in told["inner/loop/"]
    assert "UTF-8" in told["\ufffd"]


def test_a_link_that_leads_out_is_neither_read_nor_written_through(
    local: LocalBackend, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    (folder / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(AccessRefused), local.open_read("out/secret"):
        pass
    with pytest.raises(AccessRefused):
        local.write("out/new", [b"x"], size_bytes=1)
    with pytest.raises(AccessRefused):
        local.delete("out/secret")
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]


def test_a_dangling_link_counts_as_taken(local: LocalBackend, folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to(tmp_path / "made-by-writing-through")
    with pytest.raises(ObjectExists):
        local.write("link", [b"x"], size_bytes=1)
    assert not (tmp_path / "made-by-writing-through").exists()


@pytest.mark.parametrize("key", ["/absolute", "folder/", "a//b", ".lamindb/_portal/x", "x" * 256])
def test_it_refuses_keys_that_only_object_stores_hold(local: LocalBackend, key: str) -> None:
    with pytest.raises(NameRefused):
        local.write(key, [], size_bytes=0)


def test_a_file_and_a_folder_of_one_name_do_not_go_together(local: LocalBackend) -> None:
    local.write("a/b", [b"x"], size_bytes=1)
    with pytest.raises(NameRefused):
        local.write("a", [b"x"], size_bytes=1)
    with pytest.raises(NameRefused):
        local.write("a/b/c", [b"x"], size_bytes=1)
    local.delete("a")
    assert keys(local) == ["a/b"]


def test_a_missing_root_is_told_and_never_made(tmp_path: Path) -> None:
    backend = LocalBackend(local_root(tmp_path / "unmounted"))
    with pytest.raises(BucketNotFound):
        keys(backend)
    with pytest.raises(BucketNotFound):
        backend.write("x", [b"x"], size_bytes=1)
    with pytest.raises(BucketNotFound):
        backend.free_bytes()
    assert not (tmp_path / "unmounted").exists()
    create_local_root(backend.root)
    assert keys(backend) == []


def test_leftovers_of_a_killed_write_are_removed_by_their_tag(local: LocalBackend, folder: Path) -> None:
    for tag in ["test", "other"]:
        left = folder / ".lamindb/_portal" / tag
        left.mkdir(parents=True)
        (left / "half").write_bytes(b"half")
    assert keys(local) == []
    assert local.list_folder(".lamindb/").folders == ()
    assert local.remove_temporaries("test") == 1
    assert local.remove_temporaries("test") == 0
    assert (folder / ".lamindb/_portal/other/half").exists()


def test_closing_removes_its_empty_folders(local: LocalBackend, folder: Path) -> None:
    local.write("x", [b"x"], size_bytes=1)
    assert not list((folder / ".lamindb/_portal/test").iterdir())
    local.close()
    assert not (folder / ".lamindb/_portal").exists()


def test_small_files_in_bulk_get_their_names_together_and_never_over_another(local: LocalBackend, folder: Path) -> None:
    for key in ("a/taken", "a/free", "taken", "b/file/inner", "c/link/inner"):
        written = local.write(key, [b"ours"], size_bytes=4, in_bulk=True)
        assert written.etag is None
    assert list(local.list_objects()) == []
    (folder / "a").mkdir()
    (folder / "a" / "taken").write_bytes(b"theirs")
    (folder / "taken").mkdir()
    (folder / "b").mkdir()
    (folder / "b" / "file").write_bytes(b"theirs")
    (folder / "c").mkdir()
    (folder / "c" / "link").symlink_to("/tmp")
    errors = local.flush()
    assert {key: type(error) for key, error in errors.items()} == {
        "a/taken": ObjectExists,
        "taken": NameRefused,
        "b/file/inner": NameRefused,
        "c/link/inner": AccessRefused,
    }
    assert (folder / "a" / "taken").read_bytes() == b"theirs"
    assert (folder / "a" / "free").read_bytes() == b"ours"
    assert local.remove_temporaries("test") == 0
    assert local.flush() == {}


def test_what_waits_is_removed_as_a_temporary_of_a_killed_writer(local: LocalBackend, folder: Path) -> None:
    local.write("a", [b"1"], size_bytes=1, in_bulk=True)
    assert local.remove_temporaries("test") == 1
    with pytest.raises(StorageError):
        local.flush()
    assert list(local.list_objects()) == []


@pytest.mark.parametrize("code", [0, errno.EINVAL, errno.ENOSYS])
def test_small_files_get_their_names_where_the_system_cannot_move_without_replacing(
    local: LocalBackend, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refusing(*_: object) -> int:
        ctypes.set_errno(code)
        return -1

    monkeypatch.setattr(writing, "_renameat2", refusing if code else None)
    (folder / "taken").write_bytes(b"theirs")
    for key in ("taken", "a/free"):
        local.write(key, [b"ours"], size_bytes=4, in_bulk=True)
    assert {key: type(error) for key, error in local.flush().items()} == {"taken": ObjectExists}
    assert ((folder / "taken").read_bytes(), (folder / "a/free").read_bytes()) == (b"theirs", b"ours")
    assert local.remove_temporaries("test") == 0


def test_a_folder_of_temporaries_that_somebody_removed_is_made_again(local: LocalBackend, folder: Path) -> None:
    local.write("a", [b"1"], size_bytes=1, in_bulk=True)
    assert local.flush() == {}
    (folder / ".lamindb/_portal/test").rmdir()
    local.write("b", [b"2"], size_bytes=1, in_bulk=True)
    assert local.flush() == {}
    assert (folder / "b").read_bytes() == b"2"


def test_a_link_that_stops_leading_anywhere_while_its_folder_is_listed_hides_nothing_else(
    local: LocalBackend, folder: Path
) -> None:
    (folder / "sub").mkdir()
    for name in ("a", "c", "sub/file"):
        (folder / name).write_bytes(b"x")
    for name in ("b", "bb"):
        (folder / name).symlink_to("sub/file")
    found = local.list_objects()
    assert next(found).key == "a"
    (folder / "sub/file").unlink()
    (folder / "sub").rmdir()
    (folder / "sub").write_bytes(b"now a file")
    (folder / "bb").unlink()
    (folder / "bb").symlink_to(".")
    assert [each.key for each in found] == ["c"]


@pytest.mark.parametrize(("seconds", "year"), [(2**40, 9999), (-(2**40), 1), (2**62, 9999)])
def test_a_time_that_no_calendar_has_is_the_nearest_that_one_has(seconds: int, year: int) -> None:
    found = as_info("a", os.stat_result((0o100644, 1, 1, 1, 0, 0, 5, 0, seconds, 0)))
    assert found is not None
    assert found.modified_at is not None
    for hours in (-12, 14):
        assert found.modified_at.astimezone(timezone(timedelta(hours=hours))).year == year


@pytest.mark.parametrize("size_bytes", [5, CHUNK_BYTES + 1])
def test_a_quota_that_is_told_when_a_file_is_closed_leaves_nothing(
    local: LocalBackend, folder: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    close = os.close

    def full(descriptor: int) -> None:
        is_temporary = "/.lamindb/_portal/test/" in str(Path(f"/proc/self/fd/{descriptor}").readlink())
        close(descriptor)
        if is_temporary:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    def chunks() -> Iterator[bytes]:
        yield bytes(size_bytes)
        if size_bytes > CHUNK_BYTES:
            raise OutOfSpace("The disk is full.")

    monkeypatch.setattr(os, "close", full)
    with pytest.raises(OutOfSpace):
        local.write("a", chunks(), size_bytes=size_bytes, in_bulk=True)
    monkeypatch.undo()
    assert local.flush() == {}
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_where_there_are_no_links_nothing_is_overwritten_and_nothing_stays(
    local: LocalBackend, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    local.write("a", [b"ours"], size_bytes=4)
    with pytest.raises(ObjectExists):
        writing.write_file(local._tree, ["a"], [b"else"], 4, "test")
    local.close()
    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == {"a", ".lamindb"}
    assert (folder / "a").read_bytes() == b"ours"
