"""What goes wrong on the quick way is left to the slow one, whatever it is."""

from collections.abc import Callable

import pytest

from portal.backends.base import ObjectInfo
from portal.backends.s3.quick import Quick

SEEN = ObjectInfo("key", 4, None, "0" * 32)

ASKING: dict[str, Callable[[Quick], object]] = {
    "get": lambda quick: quick.get("key", SEEN),
    "put": lambda quick: quick.put("key", b"data"),
    "copy": lambda quick: quick.copy("other", "key", "copy"),
    "copy seen": lambda quick: quick.copy_seen("other", "key", "copy"),
}


class PanicException(BaseException):
    """As obstore's: no Exception, and of a module that nobody can import."""


class Broken:
    """A bucket in which everything ends in one error."""

    def __init__(self, error: BaseException) -> None:
        self.error, self.count = error, 0

    def fail(self, *given: object, **named: object) -> None:
        """Do nothing but that."""
        self.count += 1
        raise self.error

    get = put = copy = head = fail


@pytest.mark.parametrize("name", ASKING)
def test_an_error_says_nothing_of_the_next_request(name: str) -> None:
    bucket = Broken(RuntimeError("no"))
    quick = Quick(bucket, lambda source: bucket)
    assert not ASKING[name](quick)
    assert not ASKING[name](quick)
    assert bucket.count == 2


@pytest.mark.parametrize("name", ASKING)
def test_after_a_panic_everything_goes_the_slow_way(name: str) -> None:
    bucket = Broken(PanicException("no file handle was left"))
    quick = Quick(bucket, lambda source: bucket)
    assert not ASKING[name](quick)
    assert not any(ask(quick) for ask in ASKING.values())
    assert bucket.count == 1


def test_what_ends_the_process_is_no_error_of_the_server() -> None:
    bucket = Broken(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        Quick(bucket, lambda source: bucket).put("key", b"data")
