import threading

from portal.backends.base import CHUNK_BYTES
from portal.backends.parts import PART_BYTES, PARTS_AT_ONCE
from portal.backends.s3.uploads import UploadOptions
from portal.transfer.room import Room, held_bytes

MIB = 1024 * 1024


def test_a_small_object_is_held_whole_and_of_a_large_one_some_parts() -> None:
    assert held_bytes(0) == CHUNK_BYTES
    assert held_bytes(3 * MIB) == 3 * MIB
    assert held_bytes(1024**3) == PARTS_AT_ONCE * PART_BYTES
    for size_bytes in (200 * 10**9, 5 * 1024**4):
        assert (
            held_bytes(size_bytes) == PARTS_AT_ONCE * UploadOptions().part_size(size_bytes) > PARTS_AT_ONCE * PART_BYTES
        )


def test_what_finds_no_room_waits_until_there_is_some() -> None:
    room, has_begun, may_end = Room(4 * MIB), threading.Event(), threading.Event()

    def hold() -> None:
        with room.held(3 * MIB):
            has_begun.set()
            may_end.wait(30)

    order: list[str] = []

    def follow() -> None:
        with room.held(2 * MIB):
            order.append("second")

    first, second = threading.Thread(target=hold), threading.Thread(target=follow)
    first.start()
    assert has_begun.wait(30)
    second.start()
    with room.held(MIB):
        order.append("small")
    assert order == ["small"]
    may_end.set()
    second.join(30)
    first.join(30)
    assert order == ["small", "second"]


def test_an_object_larger_than_all_room_gets_all_of_it() -> None:
    room = Room(MIB)
    with room.held(1024**4):
        pass
    with room.held(MIB):
        pass
