"""Limits that change while a shard runs."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.errors import AccessRefused, Unreachable
from portal.transfer.control import MOST_PASSING, Control, Stopped, read_progress
from portal.transfer.limits import Limits, read_limits, write_limits

PASSING, PERMANENT = Unreachable("No answer.", retryable=True), AccessRefused("No.")


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def seconds_for(control: Control, chunks: int, chunk_bytes: int) -> float:
    started = time.monotonic()
    for _ in range(chunks):
        control.add(total_bytes=chunk_bytes)
    return time.monotonic() - started


def test_bytes_are_slowed_to_the_limit(tmp_path: Path) -> None:
    path = str(tmp_path / "limits.json")
    write_limits(path, Limits(bytes_per_second=1_000_000))
    # At the least; how much longer it takes is a matter of the machine.
    assert 0.4 <= seconds_for(Control(None, None, 9, path), 10, 50_000) <= 15


def test_threads_share_the_limit(tmp_path: Path) -> None:
    path = str(tmp_path / "limits.json")
    write_limits(path, Limits(bytes_per_second=1_000_000))
    control = Control(None, None, 9, path)
    started = time.monotonic()
    threads = [threading.Thread(target=seconds_for, args=(control, 4, 50_000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 0.7


def test_a_limit_that_is_lifted_ends_a_wait_under_way_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "limits.json")
    write_limits(path, Limits(bytes_per_second=1000))
    control = Control(None, None, 9, path)
    threading.Timer(0.3, write_limits, (path, Limits())).start()
    # It would take a quarter of an hour.
    assert seconds_for(control, 1, 1_000_000) < 20


def test_bytes_that_wait_for_the_limit_do_not_count_yet(tmp_path: Path) -> None:
    path, progress = str(tmp_path / "limits.json"), str(tmp_path / "progress.json")
    write_limits(path, Limits(bytes_per_second=1000))
    control = Control(None, progress, 9, path)
    waiting = threading.Thread(target=control.add, kwargs={"total_bytes": 1_000_000})
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    control.finish()
    assert read_progress(progress).total_bytes == 0
    control.abandon()
    waiting.join()
    control.finish()
    assert read_progress(progress).total_bytes == 1_000_000


def test_a_limit_set_in_mid_shard_is_heeded(tmp_path: Path) -> None:
    path = str(tmp_path / "limits.json")
    control = Control(None, None, 9, path)
    assert seconds_for(control, 100, 1_000_000) < 20
    write_limits(path, Limits(bytes_per_second=1_000_000))
    time.sleep(0.6)
    assert seconds_for(control, 4, 200_000) >= 0.5


def test_a_shard_told_to_stop_does_not_wait_for_its_limit(tmp_path: Path) -> None:
    path, stop = str(tmp_path / "limits.json"), tmp_path / "stop"
    write_limits(path, Limits(bytes_per_second=1000))
    control = Control(str(stop), None, 9, path)
    threading.Timer(0.3, stop.touch).start()
    assert seconds_for(control, 1, 1_000_000) < 20
    with pytest.raises(Stopped):
        control.check()


def test_no_more_objects_are_worked_on_at_a_time_than_the_limit_says_and_it_can_be_raised(tmp_path: Path) -> None:
    path = str(tmp_path / "limits.json")
    write_limits(path, Limits(concurrency=2))
    control, lock, inside, most = Control(None, None, 9, path), threading.Lock(), [0], [0]
    go_on, is_over = threading.Event(), threading.Event()

    def work(number: int) -> None:
        if not control.has_place(number, 8, is_over):
            return
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        go_on.wait(90)
        with lock:
            inside[0] -= 1

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    wait_for(lambda: most[0] >= 2)
    time.sleep(0.3)
    assert most[0] == 2
    write_limits(path, Limits(concurrency=5))
    wait_for(lambda: most[0] >= 5)
    time.sleep(0.3)
    assert most[0] == 5
    is_over.set()
    go_on.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_who_comes_while_the_limits_are_read_first_obeys_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "limits.json")
    write_limits(path, Limits(concurrency=1))
    control, is_over = Control(None, None, 9, path), threading.Event()
    is_read, go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Limits:
        is_read.set()
        go_on.wait(90)
        return read_limits(*arguments)

    monkeypatch.setattr("portal.transfer.control.read_limits", slowly)
    first = threading.Thread(target=lambda: control.has_place(0, 8, is_over), daemon=True)
    first.start()
    assert is_read.wait(90)
    answers = list[bool]()
    second = threading.Thread(target=lambda: answers.append(control.has_place(1, 8, is_over)), daemon=True)
    second.start()
    second.join(0.3)
    assert answers == []
    is_over.set()
    go_on.set()
    first.join(10)
    second.join(10)
    assert answers == [False]


def test_without_limits_the_usual_number_works_at_a_time() -> None:
    control = Control(None, None, 9)
    assert control.most_threads(8) == 8
    is_over, answers = threading.Event(), list[bool]()
    assert control.has_place(0, 1, is_over)
    waiting = threading.Thread(target=lambda: answers.append(control.has_place(1, 1, is_over)))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    is_over.set()
    waiting.join(5)
    assert answers == [False]


def test_permanent_errors_end_a_shard_only_when_the_budget_is_used_up() -> None:
    control = Control(None, None, MOST_PASSING * 3)
    for _ in range(MOST_PASSING * 3 - 1):
        control.count_failure(PERMANENT)
        control.add(object_count=1)
    assert control.error is None
    control.count_failure(PERMANENT)
    assert control.error is PERMANENT


def test_passing_errors_in_a_row_end_a_shard_early_and_one_that_works_begins_a_new_row() -> None:
    control = Control(None, None, 10_000)
    for _ in range(MOST_PASSING - 1):
        control.count_failure(PASSING)
        control.add(object_count=1)
    control.add(object_count=1)
    for _ in range(MOST_PASSING - 1):
        control.count_failure(PASSING)
        control.add(object_count=1)
    assert control.error is None
    control.count_failure(PASSING)
    assert control.error is PASSING


def test_a_budget_that_is_raised_meanwhile_counts(tmp_path: Path) -> None:
    path = str(tmp_path / "limits.json")
    write_limits(path, Limits(max_failures=3))
    control = Control(None, None, 1, path)
    for _ in range(2):
        control.count_failure(PERMANENT)
    assert control.error is None
    control.count_failure(PERMANENT)
    assert control.error is PERMANENT


def test_failures_are_told_to_whoever_watches(tmp_path: Path) -> None:
    control = Control(None, str(tmp_path / "progress.json"), 100)
    control.count_failure(PERMANENT)
    control.finish()
    assert read_progress(str(tmp_path / "progress.json")).failure_count == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"bytes_per_second": "much"}', json.dumps({"concurrency": 1})])
def test_limits_that_make_no_sense_leave_those_before(tmp_path: Path, text: str) -> None:
    path = tmp_path / "limits.json"
    path.write_text(text)
    assert read_limits(str(path), Limits(concurrency=3)) == Limits(concurrency=3)


def test_what_a_kill_leaves_of_new_limits_has_the_name_of_a_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        write_limits(str(tmp_path / "limits.json"), Limits())
    (left,) = tmp_path.iterdir()
    assert (left.name[0], left.suffix) == (".", ".tmp")
