"""Folders of any size are listed in the same order and in bounded memory."""

import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path
from random import Random

import pytest

from portal.backends.base import ObjectInfo, key_order
from portal.backends.local.entries import Entries, Entry
from portal.backends.local.listing import Walk
from portal.backends.local.paths import Tree
from portal.errors import StorageError

#: Names whose order is easily wrong: beside a folder's `/`, beyond the 16-bit characters, with what files are cut at.
ODD = [
    "a",
    "a-b",
    "a.b",
    "a0",
    "a b",
    "a\nb",
    "\n",
    "\x01",
    "ä",
    "a\u0308",
    "\uffee",
    "\U0001f9ec",
    "r\r",
    "~",
    "\udcff",
]


def entry(name: str, *, is_folder: bool = False, is_link: bool = False) -> Entry:
    return Entry(f"raw/{name}/" if is_folder else f"raw/{name}", name, is_folder, is_link)


def some(count: int) -> list[Entry]:
    """Return as many entries, their names unlike each other, in no order."""
    random = Random(7)
    names = [*ODD, *(f"{random.choice(ODD)}{number:x}" * random.choice([1, 9]) for number in range(count))][:count]
    random.shuffle(names)
    return [entry(name, is_folder=random.random() < 0.3, is_link=random.random() < 0.2) for name in names]


def plainly(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda each: key_order(each.key))


def open_leftovers() -> list[str]:
    """Return what this process has open below the temporary directory."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return [path for path in found if path.startswith(tempfile.gettempdir() + "/") and path.endswith("(deleted)")]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("most", [1, 2, 7, 999, 1_000, 1_001, 5_000])
def test_any_number_of_names_comes_in_the_plain_order(most: int) -> None:
    entries = some(1_000)
    found = Entries(iter(entries), "raw/", most)
    assert list(found) == plainly(entries)
    assert found.held_count == (1_000 if most >= 1_000 else 0)
    found.close()


def test_runs_longer_than_a_block_are_read_whole() -> None:
    entries = some(4_000)
    found = Entries(iter(entries), "raw/", 3_000)
    assert list(found) == plainly(entries)
    found.close()


def test_an_empty_folder_has_no_entries() -> None:
    assert list(Entries(iter([]), "", 3)) == []


def test_no_file_is_left_and_none_is_made_without_need(temporary: Path) -> None:
    few = Entries(iter(some(10)), "raw/", 10)
    assert open_leftovers() == []
    many = Entries(iter(some(11)), "raw/", 10)
    next(iter(many))
    assert list(temporary.iterdir()) == []
    assert len(open_leftovers()) == 1
    for found in (few, many, many):
        found.close()
    assert open_leftovers() == []


def test_no_file_is_left_where_reading_the_folder_breaks_off() -> None:
    def broken() -> Iterator[Entry]:
        yield from some(25)
        raise OSError("The disk is gone.")

    with pytest.raises(OSError, match="gone"):
        Entries(broken(), "raw/", 10)
    assert open_leftovers() == []


def test_a_temporary_directory_that_is_not_there_is_no_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    root = made_tree(tmp_path / "root")
    with pytest.raises(StorageError, match=r"names of the root .* temporary directory"):
        listed(root, 3)


def test_a_full_temporary_directory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(prefix: str) -> BufferedRandom:
        return open("/dev/full", "r+b")  # noqa: PTH123 - a device, and the reader closes it

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(StorageError) as caught:
        Entries(iter(some(11)), "raw/", 10)
    assert "TMPDIR" in (caught.value.hint or "")
    assert caught.value.server_message == "No space left on device"


def made_tree(root: Path) -> Path:
    """Make folders in folders, each of more names than a test holds, with links and what is no object."""
    for folder in ("", "a/", "a/b/", "a-b/", "z\n/"):
        (root / folder).mkdir(parents=True)
        for number, name in enumerate(ODD[:-1]):
            (root / f"{folder}{number % 3}{name}").write_bytes(b"1" * number)
    (root / "link").symlink_to("a")
    (root / "a/other").symlink_to("b/0a")
    (root / "a/out").symlink_to(root.parent)
    (root / os.fsdecode(b"a/\xff")).write_bytes(b"")
    (root / "a/b/loop").symlink_to("..")
    return root


def listed(root: Path, most: int, prefix: str = "") -> tuple[list[ObjectInfo], list[tuple[str, str]]]:
    skipped: list[tuple[str, str]] = []
    walk = Walk(Tree(str(root)), lambda key, reason: skipped.append((key, reason)), most)
    return list(walk.objects(prefix)), sorted(skipped)


@pytest.mark.parametrize("most", [1, 3, 16, 40])
@pytest.mark.parametrize("prefix", ["", "a", "a/b/0", "nothing"])
def test_a_tree_is_the_same_whatever_is_held(tmp_path: Path, most: int, prefix: str) -> None:
    root = made_tree(tmp_path / "root")
    found, skipped = listed(root, most, prefix)
    assert (found, skipped) == listed(root, 100_000, prefix)
    assert [each.key for each in found] == sorted((each.key for each in found), key=key_order)
    assert bool(found) == (prefix != "nothing")


def test_pages_are_the_same_whatever_is_held(tmp_path: Path) -> None:
    root = Tree(str(made_tree(tmp_path / "root")))
    after = None
    while True:
        few, all_of_it = (Walk(root, lambda key, reason: None, most).page("", after, 3) for most in (2, 100_000))
        assert few == all_of_it
        after = few.next_after
        if after is None:
            break
    assert open_leftovers() == []


def test_no_file_is_left_of_a_listing_that_is_broken_off(tmp_path: Path) -> None:
    objects = Walk(Tree(str(made_tree(tmp_path / "root"))), lambda key, reason: None, 2).objects()
    assert any("/b/" in found.key for found in objects)
    assert len(open_leftovers()) == 3
    objects.close()  # type: ignore[attr-defined]
    assert open_leftovers() == []


def test_names_of_all_levels_share_what_may_be_held(tmp_path: Path) -> None:
    """Else a folder in a folder in a folder would each hold as many."""
    walk = Walk(Tree(str(made_tree(tmp_path / "root"))), lambda key, reason: None, 30)
    held = set()
    for _ in walk.objects():
        held.add(walk._held_count)
    assert max(held) <= 30
    assert walk._held_count == 0


def test_memory_does_not_grow_with_a_folder() -> None:
    def peak(most: int, count: int = 20_000) -> int:
        tracemalloc.start()
        found = Entries((entry(f"well-{number * 7919 % count:08}") for number in range(count)), "raw/", most)
        assert sum(1 for _ in found) == count
        found.close()
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert 8 * peak(most=1_000) < peak(most=20_000)
