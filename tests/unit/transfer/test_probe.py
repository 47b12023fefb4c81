from collections.abc import Iterator
from itertools import count

from portal.backends.base import ObjectInfo
from portal.backends.memory import MemoryBackend
from portal.errors import AccessRefused, CredentialsRefused, StorageError
from portal.transfer.probe import probe
from portal.values import CheckResult, Root, StorageType

ROOT = Root(StorageType.LOCAL, "/memory", path="/memory")
NAMES = ["list", "get", "put", "read-back", "delete", "gone"]


def tried(backend: MemoryBackend, *, want_write: bool = True) -> tuple[CheckResult, ...]:
    ticks = count()
    return probe(backend, want_write=want_write, key_token="token", clock=lambda: next(ticks) * 0.007)


def statuses(results: tuple[CheckResult, ...]) -> str:
    """The first letters: p passed, f failed, s skipped."""
    assert [result.name for result in results] == NAMES
    return "".join(result.status[0] for result in results)


def refused(action: str) -> AccessRefused:
    return AccessRefused(f"The server refuses {action}.", server_message="AccessDenied", missing_action=action)


def test_a_good_root_passes_everything_and_nothing_is_left() -> None:
    backend = MemoryBackend(ROOT, {"a": b"12", "b": b"1"})
    results = tried(backend)
    assert statuses(results) == "pppppp"
    assert [result.milliseconds for result in results] == [7] * 6
    assert results[0].reason == "2 keys seen."
    assert results[1].reason == "b was read."
    assert [result.is_write for result in results] == [False, False, True, True, True, True]
    assert backend.objects == {"a": b"12", "b": b"1"}


def test_an_empty_root_has_nothing_to_read() -> None:
    assert statuses(tried(MemoryBackend(ROOT))) == "pspppp"


def test_it_looks_at_a_thousand_keys_at_most() -> None:
    results = tried(MemoryBackend(ROOT, {f"{number:05}": b"" for number in range(1500)}))
    assert results[0].reason == "1,000 of at least 1,000 keys seen."


def test_it_writes_nothing_unless_asked() -> None:
    class Untouchable(MemoryBackend):
        def replace(self, key: str, data: bytes) -> ObjectInfo:
            raise AssertionError("written to")

    results = tried(Untouchable(ROOT), want_write=False)
    assert statuses(results) == "psssss"
    assert results[2].reason == "Read-only: nothing was written."


def test_a_fault_of_the_moment_is_no_missing_right() -> None:
    class Moody(MemoryBackend):
        faults = 1

        def replace(self, key: str, data: bytes) -> ObjectInfo:
            if self.faults:
                self.faults -= 1
                raise StorageError("The server failed on its side.", retryable=True)
            return super().replace(key, data)

    assert statuses(tried(Moody(ROOT, {"a": b"1"}))) == "pppppp"
    worse = Moody(ROOT, {"a": b"1"})
    worse.faults = 2
    assert statuses(tried(worse)) == "ppfsss"


def test_a_refused_put_names_the_right_and_skips_what_follows() -> None:
    class NoPut(MemoryBackend):
        def replace(self, key: str, data: bytes) -> ObjectInfo:
            raise refused("s3:PutObject")

    results = tried(NoPut(ROOT))
    assert statuses(results) == "psfsss"
    assert results[2].missing_action == "s3:PutObject"
    assert results[2].fix == "Add to the policy: Allow s3:PutObject on the objects below this root (`…/*`)."
    assert results[2].server_message == "AccessDenied"


def test_a_refused_list_names_the_bucket_and_the_rest_is_tried() -> None:
    class NoList(MemoryBackend):
        def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
            raise refused("s3:ListBucket")

    results = tried(NoList(ROOT))
    assert statuses(results) == "fspppp"
    assert results[0].fix == "Add to the policy: Allow s3:ListBucket on the bucket itself."


def test_refused_credentials_end_the_trial() -> None:
    class Stranger(MemoryBackend):
        def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
            raise CredentialsRefused("The key was refused.", hint="Was its secret pasted whole?")

    results = tried(Stranger(ROOT))
    assert statuses(results) == "fsssss"
    assert results[0].fix == "Was its secret pasted whole?"
    assert results[5].reason == "Not tried: The key was refused."


def test_a_refused_delete_says_which_key_is_left() -> None:
    class NoDelete(MemoryBackend):
        def delete(self, key: str) -> None:
            raise refused("s3:DeleteObject")

    results = tried(NoDelete(ROOT))
    assert statuses(results) == "psppfs"
    assert results[5].reason == "The object .lamindb/_probe/token is left: delete it by hand."


def test_a_delete_that_does_nothing_is_found() -> None:
    class Keeping(MemoryBackend):
        def delete(self, key: str) -> None:
            pass

    assert statuses(tried(Keeping(ROOT))) == "pspppf"


def test_other_bytes_read_back_are_found_and_the_object_is_deleted() -> None:
    class Changing(MemoryBackend):
        def replace(self, key: str, data: bytes) -> ObjectInfo:
            return super().replace(key, data[:-1])

    backend = Changing(ROOT)
    assert statuses(tried(backend)) == "pspfpp"
    assert backend.objects == {}
