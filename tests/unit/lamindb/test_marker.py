import pytest

from portal.backends.base import ObjectInfo
from portal.backends.memory import MemoryBackend
from portal.errors import ContentMismatch
from portal.lamindb.marker import LEGACY_KEY, Marker, check_marker, parse, read_marker, render, write_marker
from portal.values import MARKER_KEY, CheckStatus, Root, StorageType

OURS = Marker("a1B2c3D4e5F6", "acme/screens", "d75ec2b3ec05590e96816d88e7e28612", "5b53W0ZWr7nx")
TEXT = """a1B2c3D4e5F6
creation info:
instance_slug=acme/screens
instance_id=d75ec2b3ec05590e96816d88e7e28612
instance_uid=5b53W0ZWr7nx"""


def root() -> Root:
    return Root(StorageType.LOCAL, "/memory", path="/memory")


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend(root())


def test_it_renders_lamindbs_exact_form() -> None:
    assert render(OURS) == TEXT


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        (TEXT, OURS),
        (TEXT + "\n", OURS),
        (TEXT.replace("\n", "\r\n"), OURS),
        ("a1B2c3D4e5F6", Marker("a1B2c3D4e5F6")),
        ("a1B2c3D4e5F6\n", Marker("a1B2c3D4e5F6")),
        ("a1B2c3D4e5F6\ncreation info:\ninstance_slug=a/b", Marker("a1B2c3D4e5F6", "a/b")),
        ("a1B2c3D4e5F6\ninstance_id=short\ninstance_uid=5b53W0ZWr7nx", Marker("a1B2c3D4e5F6")),
        ("was deleted, restored during delete", Marker("was deleted, restored during delete")),
        ("", None),
        ("\n", None),
    ],
)
def test_it_reads_every_form_there_was(text: str, marker: Marker | None) -> None:
    assert parse(text) == marker


def test_a_marker_without_an_instance_is_of_an_unknown_one() -> None:
    marker = parse("a1B2c3D4e5F6")
    assert marker is not None
    assert (marker.instance_uid, marker.is_known, marker.owner_name) == ("__unknown__", False, "an unknown instance")


def test_what_was_written_is_read(backend: MemoryBackend) -> None:
    assert read_marker(backend) is None
    write_marker(backend, OURS)
    assert backend.objects == {MARKER_KEY: TEXT.encode()}
    assert read_marker(backend) == OURS


def test_the_old_name_is_recognised(backend: MemoryBackend) -> None:
    backend.objects[LEGACY_KEY] = TEXT.encode()
    assert read_marker(backend) == OURS
    backend.objects[MARKER_KEY] = b"newerNewer12"
    assert read_marker(backend) == Marker("newerNewer12")


def test_an_empty_file_is_no_marker(backend: MemoryBackend) -> None:
    backend.objects[LEGACY_KEY] = b""
    assert read_marker(backend) is None


def test_a_large_file_is_no_marker(backend: MemoryBackend) -> None:
    backend.objects[MARKER_KEY] = b"x" * 1_000_000
    with pytest.raises(ContentMismatch):
        read_marker(backend)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>\n<title>Sign in</title>", b" \n<?xml version='1.0'?><Error/>"])
def test_a_page_in_a_markers_place_is_no_marker(backend: MemoryBackend, page: bytes) -> None:
    backend.objects[MARKER_KEY] = page
    with pytest.raises(ContentMismatch) as caught:
        read_marker(backend)
    assert caught.value.hint == "A proxy may have answered for the server. Look at what is stored under that name."


class Losing(MemoryBackend):
    """A root that loses the last byte of what it is given."""

    def replace(self, key: str, data: bytes) -> ObjectInfo:
        return super().replace(key, data[:-1])


def test_a_marker_that_reads_back_differently_is_told(backend: MemoryBackend) -> None:
    with pytest.raises(ContentMismatch):
        write_marker(Losing(backend.root), OURS)


@pytest.mark.parametrize(
    ("objects", "expected", "status", "reason"),
    [
        ({}, None, CheckStatus.PASSED, "No marker: nobody manages this root."),
        ({}, "5b53W0ZWr7nx", CheckStatus.PASSED, "No marker: nobody manages this root."),
        ({MARKER_KEY: TEXT.encode()}, "5b53W0ZWr7nx", CheckStatus.PASSED, "Marked by acme/screens, its own instance."),
        (
            {MARKER_KEY: TEXT.encode()},
            "otherOther12",
            CheckStatus.WARNING,
            "Already marked by acme/screens. It can be connected read-only.",
        ),
        (
            {MARKER_KEY: TEXT.encode()},
            None,
            CheckStatus.WARNING,
            "Already marked by acme/screens. It can be connected read-only.",
        ),
        (
            {MARKER_KEY: b"a1B2c3D4e5F6"},
            "__unknown__",
            CheckStatus.WARNING,
            "Already marked by an unknown instance. It can be connected read-only.",
        ),
    ],
)
def test_the_marker_says_whose_the_root_is(
    objects: dict[str, bytes], expected: str | None, status: CheckStatus, reason: str
) -> None:
    result, marker = check_marker(MemoryBackend(root(), objects), expected)
    assert (result.status, result.reason) == (status, reason)
    assert (marker is not None) == bool(objects)


def test_a_marker_that_cannot_be_read_is_a_failure() -> None:
    result, marker = check_marker(MemoryBackend(root(), {MARKER_KEY: b"x" * 9000}), None)
    assert (result.status, marker) == (CheckStatus.FAILED, None)
