"""What every kind of root does alike."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from portal.backends.base import Backend, FolderPage
from portal.backends.leftovers import probe_key
from portal.errors import ContentMismatch, NameRefused, ObjectExists, ObjectNotFound
from tests.contract.conftest import MEBIBYTE

ODD_KEYS = [
    "with space",
    " leading space",
    "hash#mark",
    "per%cent",
    "per%20cent",
    "plus+sign",
    "amp&ersand=x;y,z",
    "quote'\"s",
    "back\\slash",
    "<xml>",
    "*star*",
    ".hidden/.file",
    "composed-é",
    "decomposed-e\u0301",
    "emoji-\U0001f600",
    "high-\uffee",
    "x" * 240,
    "/".join(["deep" * 10] * 18),
]


def put(backend: Backend, key: str, data: bytes = b"x") -> None:
    backend.write(key, [data], size_bytes=len(data))


def get(backend: Backend, key: str) -> bytes:
    with backend.open_read(key) as stream:
        return stream.read()


def keys(backend: Backend, prefix: str = "") -> list[str]:
    return [found.key for found in backend.list_objects(prefix)]


def test_it_lists_in_byte_order_of_whole_keys(backend: Backend) -> None:
    made = ["a/x", "a/b/c", "a.b", "a-b", "a0", "a b", "A", "ab", "é", "\uffee", "\U0001f600", "z"]
    for key in made:
        put(backend, key)
    assert keys(backend) == sorted(made, key=str.encode)


def test_it_lists_below_a_prefix_that_need_not_be_a_folder(backend: Backend) -> None:
    for key in ["a/x", "a/y/z", "ab", "a-b", "b/a"]:
        put(backend, key)
    assert keys(backend, "a") == ["a-b", "a/x", "a/y/z", "ab"]
    assert keys(backend, "a/") == ["a/x", "a/y/z"]
    assert keys(backend, "a/y/z") == ["a/y/z"]
    assert keys(backend, "nothing/") == []


def test_an_empty_root_lists_nothing(backend: Backend) -> None:
    assert keys(backend) == []
    assert list(backend.list_skipped()) == []
    assert backend.list_folder() == FolderPage((), (), None)


def test_it_pages_through_a_folder(backend: Backend) -> None:
    for key in ["a/1", "a/2", "a-b", "a.b", "b/x/y", "c", "d", "dd/1", "e/1", "f"]:
        put(backend, key)
    seen: list[str] = []
    after: str | None = None
    for _ in range(10):
        page = backend.list_folder(after=after, limit=3)
        assert len(page.folders) + len(page.objects) <= 3
        seen += sorted([*page.folders, *(found.key for found in page.objects)], key=str.encode)
        after = page.next_after
        if after is None:
            break
    assert seen == ["a-b", "a.b", "a/", "b/", "c", "d", "dd/", "e/", "f"]


def test_it_pages_through_an_inner_folder(backend: Backend) -> None:
    for key in ["in/a/1", "in/a/2", "in/b", "in/c", "out"]:
        put(backend, key)
    first = backend.list_folder("in/", limit=2)
    assert (first.folders, [found.key for found in first.objects]) == (("in/a/",), ["in/b"])
    rest = backend.list_folder("in/", after=first.next_after, limit=2)
    assert (rest.folders, [found.key for found in rest.objects], rest.next_after) == ((), ["in/c"], None)


def test_it_knows_size_and_time_of_an_object(backend: Backend) -> None:
    put(backend, "folder/object", b"12345")
    found = backend.info("folder/object")
    assert found is not None
    assert (found.key, found.size_bytes) == ("folder/object", 5)
    assert found.modified_at is not None
    assert found.modified_at.utcoffset() == timedelta(0)
    listed = next(backend.list_objects())
    # A HEAD tells whole seconds, a listing may tell more.
    assert replace(listed, modified_at=found.modified_at) == found
    assert listed.modified_at is not None
    assert abs(listed.modified_at - found.modified_at) <= timedelta(seconds=1)
    assert backend.info("folder/absent") is None
    assert backend.info("folder") is None


def test_it_refuses_to_read_an_absent_object(backend: Backend) -> None:
    put(backend, "folder/object")
    for key in ["absent", "folder", "folder/object/below"]:
        with pytest.raises((ObjectNotFound, NameRefused)), backend.open_read(key):
            pass


def test_it_streams_a_large_object_in_bounded_memory(backend: Backend) -> None:
    chunk = bytes(range(256)) * 4096
    put_chunks(backend, "large", chunk, 20)
    tracemalloc.start()
    with backend.open_read("large") as stream:
        digest = hashlib.md5()
        while data := stream.read(256 * 1024):
            assert len(data) <= 256 * 1024
            digest.update(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert digest.hexdigest() == hashlib.md5(chunk * 20).hexdigest()
    assert peak_bytes < 4 * MEBIBYTE


def put_chunks(backend: Backend, key: str, chunk: bytes, count: int) -> None:
    backend.write(key, (chunk for _ in range(count)), size_bytes=len(chunk) * count)


def test_it_creates_only(backend: Backend) -> None:
    put(backend, "one", b"first")
    with pytest.raises(ObjectExists):
        put(backend, "one", b"second")
    assert get(backend, "one") == b"first"


@pytest.mark.parametrize("sent_bytes", [10, 7 * MEBIBYTE])
def test_a_write_that_breaks_off_leaves_nothing(backend: Backend, sent_bytes: int) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(sent_bytes)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        backend.write("folder/broken", chunks(), size_bytes=9 * MEBIBYTE)
    assert backend.info("folder/broken") is None
    assert keys(backend) == []
    assert backend.remove_temporaries("test") == 0


@pytest.mark.parametrize("announced_bytes", [0, 4, 6, 9 * MEBIBYTE])
def test_content_of_another_size_leaves_nothing(backend: Backend, announced_bytes: int) -> None:
    with pytest.raises(ContentMismatch):
        backend.write("short", [b"123", b"45"], size_bytes=announced_bytes)
    assert keys(backend) == []


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: ascii(key)[:20])
def test_it_takes_odd_keys_as_they_are(backend: Backend, key: str) -> None:
    put(backend, key, key.encode())
    assert keys(backend) == [key]
    found = backend.info(key)
    assert found is not None
    assert found.key == key
    assert get(backend, key) == key.encode()
    backend.delete(key)
    assert keys(backend) == []


# rclone's server finds an object by the other form of its name, so there the second write is refused.
@pytest.mark.parametrize("backend", ["memory", "local"], indirect=True)
def test_composed_and_decomposed_names_are_two_objects(backend: Backend) -> None:
    put(backend, "é", b"composed")
    put(backend, "e\u0301", b"decomposed")
    assert (get(backend, "é"), get(backend, "e\u0301")) == (b"composed", b"decomposed")


@pytest.mark.parametrize("key", ["", ".", "..", "../out", "a/../../out", "a/./b", "nul\0"])
def test_it_refuses_keys_that_could_lead_out(backend: Backend, key: str) -> None:
    with pytest.raises(NameRefused):
        put(backend, key)
    with pytest.raises(NameRefused), backend.open_read(key):
        pass


def test_it_refuses_keys_that_are_too_long(backend: Backend) -> None:
    longest_bytes = backend.capabilities.max_key_bytes
    assert longest_bytes is not None
    with pytest.raises(NameRefused):
        put(backend, ("é" * 50 + "/") * (longest_bytes // 101 + 1) + "end")


def test_it_stores_an_empty_object(backend: Backend) -> None:
    assert backend.write("empty", [], size_bytes=0).size_bytes == 0
    assert get(backend, "empty") == b""
    assert [found.size_bytes for found in backend.list_objects()] == [0]


@pytest.mark.parametrize("size_bytes", [8 * MEBIBYTE, 10 * MEBIBYTE, 12 * MEBIBYTE + 3])
def test_it_stores_objects_of_several_parts(backend: Backend, size_bytes: int) -> None:
    data = bytes(range(251)) * (size_bytes // 251 + 1)
    data = data[:size_bytes]
    put(backend, "parts", data)
    assert hashlib.md5(get(backend, "parts")).digest() == hashlib.md5(data).digest()
    assert keys(backend) == ["parts"]
    assert backend.remove_temporaries("test") == 0


def test_sixteen_threads_use_one_backend_at_once(backend: Backend) -> None:
    def cycle(number: int) -> bytes:
        key = f"thread/{number % 4}/{number}"
        put(backend, key, str(number).encode() * 1000)
        found = backend.info(key)
        assert found is not None
        return get(backend, key)

    with ThreadPoolExecutor(16) as pool:
        read = list(pool.map(cycle, range(32)))
    assert read == [str(number).encode() * 1000 for number in range(32)]
    assert len(keys(backend)) == 32


def test_sixteen_writers_of_one_new_folder_do_not_disturb_each_other(backend: Backend) -> None:
    def cycle(number: int) -> None:
        key = f".lamindb/shared/{number}"
        put(backend, key)
        backend.delete(key)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(cycle, range(32)))
    assert keys(backend) == []


def test_deleting_an_absent_object_is_fine(backend: Backend) -> None:
    put(backend, "folder/object")
    backend.delete("absent")
    backend.delete("folder/absent")
    assert keys(backend) == ["folder/object"]


def test_deleting_leaves_neighbours_and_folders_alone(backend: Backend) -> None:
    for key in ["folder/one", "folder/two", "folder.txt"]:
        put(backend, key)
    backend.delete("folder/one")
    assert keys(backend) == ["folder.txt", "folder/two"]


def test_it_replaces_a_small_object(backend: Backend) -> None:
    assert backend.replace(".lamindb/storage_uid.txt", b"first").size_bytes == 5
    assert backend.replace(".lamindb/storage_uid.txt", b"second").size_bytes == 6
    assert get(backend, ".lamindb/storage_uid.txt") == b"second"
    assert keys(backend) == [".lamindb/storage_uid.txt"]


def test_it_refuses_a_tag_that_names_another_folder(backend: Backend) -> None:
    for tag in ["../x", "a/b"]:
        with pytest.raises(NameRefused):
            backend.remove_temporaries(tag)


def test_free_bytes_are_told_where_that_is_announced(backend: Backend) -> None:
    free = backend.free_bytes()
    assert (free is not None) == backend.capabilities.has_free_bytes
    assert free is None or free > 0


def test_it_tells_of_its_probes_and_removes_them_by_name(backend: Backend) -> None:
    assert list(backend.list_leftovers()) == []
    for key in [probe_key("one"), probe_key("other-checksums"), "data/_probe/one", ".lamindb/_probes"]:
        put(backend, key)
    found = {left.name for left in backend.list_leftovers() if left.kind == "probe"}
    assert found == {"one", "other-checksums"}
    assert all(left.modified_at is None or left.modified_at.tzinfo for left in backend.list_leftovers())
    backend.remove_probe("one")
    backend.remove_probe("absent")
    assert keys(backend) == [".lamindb/_probe/other-checksums", ".lamindb/_probes", "data/_probe/one"]
