"""Marking a root at the same time as others, on a server that answers wrongly."""

from collections.abc import Iterable

import pytest

from portal.backends.base import ObjectInfo
from portal.backends.memory import MemoryBackend
from portal.errors import AccessRefused, Conflict, ContentMismatch, StorageError
from portal.lamindb.marker import Marker, read_marker, render
from portal.planning.retries import RetryPolicy
from portal.services import marking
from portal.services.marking import put_marker
from portal.values import MARKER_KEY, Root, StorageType

OURS = Marker("oursOursOurs", "acme/screens", "d75ec2b3ec05590e96816d88e7e28612", "5b53W0ZWr7nx")
THEIRS = Marker("theirsTheirs", "lab/atlas")


class Server(MemoryBackend):
    """A server whose answers to writes are a list: an error, and what lies there afterwards (None: nothing)."""

    answers: list[tuple[StorageError | None, Marker | None]]

    def write(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int, in_bulk: bool = False, compares_md5: bool = False
    ) -> ObjectInfo:
        error, kept = self.answers.pop(0)
        if kept is not None:
            self.objects[key] = render(kept).encode()
        if error is not None:
            raise error
        return ObjectInfo(key, size_bytes, None, None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(marking, "_PATIENCE", RetryPolicy(attempts=4, first_seconds=0))
    return Server(Root(StorageType.LOCAL, "/memory", path="/memory"))


def failed() -> StorageError:
    return StorageError("The server failed on its side.", retryable=True)


@pytest.mark.parametrize(
    "answers",
    [
        [(None, OURS)],
        [(failed(), OURS)],
        [(failed(), None), (None, OURS)],
        [(None, None), (failed(), None), (failed(), OURS)],
    ],
    ids=["written", "written with an error", "second time", "third time with an error"],
)
def test_what_lies_there_decides(server: Server, answers: list[tuple[StorageError | None, Marker | None]]) -> None:
    server.answers = answers
    put_marker(server, OURS)
    assert read_marker(server) == OURS
    assert not server.answers


@pytest.mark.parametrize("error", [None, failed()], ids=["no error", "error"])
def test_who_finds_the_others_marker_has_lost(server: Server, error: StorageError | None) -> None:
    server.answers = [(error, THEIRS)]
    with pytest.raises(Conflict, match="was marked by lab/atlas meanwhile"):
        put_marker(server, OURS)
    assert read_marker(server) == THEIRS


def test_the_last_error_is_told(server: Server) -> None:
    server.answers = [(failed(), None)] * 4
    with pytest.raises(StorageError, match="failed on its side"):
        put_marker(server, OURS)
    server.answers = [(None, None)] * 4
    with pytest.raises(ContentMismatch, match="reads back differently"):
        put_marker(server, OURS)


def test_a_refusal_is_not_asked_again(server: Server) -> None:
    server.answers = [(AccessRefused("No right."), None), (None, OURS)]
    with pytest.raises(AccessRefused):
        put_marker(server, OURS)
    assert len(server.answers) == 1


def test_a_damaged_marker_is_told(server: Server) -> None:
    server.answers = [(None, Marker(OURS.storage_uid, "acme/screens"))]
    with pytest.raises(ContentMismatch, match="reads back differently"):
        put_marker(server, OURS)


def test_a_marker_that_was_there_is_left_as_it_is(server: Server) -> None:
    old = Marker(OURS.storage_uid, "acme/renamed", OURS.instance_id_hex, OURS.instance_uid)
    server.objects[MARKER_KEY] = render(old).encode()
    server.answers = []
    put_marker(server, OURS)
    assert read_marker(server) == old
