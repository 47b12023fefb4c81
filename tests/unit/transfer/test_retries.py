"""Errors that pass are tried again after waits that grow, differ by chance, and are waited for."""

import pytest

from portal.errors import AccessRefused, StorageError, Unreachable
from portal.planning.retries import RetryPolicy
from portal.transfer.control import Control
from portal.transfer.work import with_retries

POLICY = RetryPolicy(attempts=6, first_seconds=2, max_seconds=10)

#: Between half and all of a wait that doubles, up to the longest.
WAITS = [(1, 2), (2, 4), (4, 8), (5, 10), (5, 10)]


class Patient(Control):
    """Notes how long it should wait, and does not."""

    def __init__(self) -> None:
        super().__init__(None, None, 9)
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        """Note it."""
        self.waits.append(seconds)


def waits_for(error: StorageError) -> list[float]:
    """Return how long is waited between tries that all end with an error."""
    control = Patient()

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        with_retries(fail, control, POLICY)
    return control.waits


def test_each_try_waits_twice_as_long_as_the_one_before_up_to_a_longest_wait() -> None:
    found = waits_for(Unreachable("No answer.", retryable=True))
    assert len(found) == len(WAITS)
    for seconds, (least, most) in zip(found, WAITS, strict=True):
        assert least <= seconds <= most, found


def test_workers_do_not_come_back_in_step() -> None:
    firsts = [waits_for(Unreachable("No answer.", retryable=True))[0] for _ in range(40)]
    # Forty draws of a thousand: all in one half, or many alike, is no chance.
    assert min(firsts) < 1.5 < max(firsts)
    assert len(set(firsts)) > 20


def test_a_server_that_names_a_wait_is_left_alone_for_so_long() -> None:
    error = Unreachable("Slow down.", retryable=True, retry_after_seconds=30)
    assert waits_for(error) == [30] * len(WAITS)


def test_what_does_not_pass_is_neither_waited_for_nor_tried_again() -> None:
    assert waits_for(AccessRefused("No.")) == []
