"""Disks that fill up, rights that are lost, files that change while they are read: told, harmless, good in the end."""

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from portal.planning.outcomes import Outcome
from portal.transfer.copy import copy_shard
from portal.transfer.jobs import ShardEnd
from portal.transfer.verify import verify_shard
from tests.faults.hardship import with_few_files, with_small_files, without_rights
from tests.faults.trial import Trial

pytestmark = pytest.mark.timeout(300)

MEBIBYTE = 1024 * 1024


def many(count: int, size_bytes: int) -> dict[str, bytes]:
    chance = random.Random(count)
    return {f"raw/plate {number % 3}/well-{number:03}.bin": chance.randbytes(size_bytes) for number in range(count)}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; to mount one takes root."""
    if os.geteuid() != 0:
        pytest.skip("a small file system cannot be mounted without root; a quota is played in another test")
    folder = tmp_path / "target"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("route", ["local-local", "s3-local"])
def test_a_full_disk_stops_the_move_which_goes_on_once_there_is_room(
    new_trial: Callable[[str], Trial], small_disk: Path, route: str
) -> None:
    trial = new_trial(route)
    trial.fill(many(30, 150_000))
    trial.plan()
    trial.run()
    trial.check_promises()
    full = [ended for ended in trial.ended if ended.end is ShardEnd.OUT_OF_SPACE]
    assert full
    assert all("room" in ended.error and ended.hint for ended in full)
    assert not temporaries(small_disk)
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    trial.finish()
    trial.check_whole()


def test_a_file_that_passes_the_quota_stops_the_move_and_leaves_nothing_half(new_trial: Callable[[str], Trial]) -> None:
    trial = new_trial("local-local")
    trial.fill(many(5, 1000) | {"large.tif": random.Random(1).randbytes(3 * MEBIBYTE)})
    trial.plan()
    trial.copy(lambda job: (with_small_files, copy_shard, job, MEBIBYTE))
    trial.verify()
    trial.check_promises()
    assert [ended.end for ended in trial.ended if ended.error] == [ShardEnd.OUT_OF_SPACE]
    assert not (trial.target / "large.tif").exists()
    assert not temporaries(trial.target)
    trial.finish()
    trial.check_whole()


def test_a_ledger_that_cannot_be_written_stops_the_move_with_words(new_trial: Callable[[str], Trial]) -> None:
    trial = new_trial("local-local")
    trial.fill(many(20, 10))
    trial.plan()
    trial.copy(lambda job: (with_small_files, copy_shard, job, 150))
    trial.verify()
    trial.check_promises()
    assert {ended.end for ended in trial.ended if ended.error} == {ShardEnd.HALTED}
    assert all("ledger" in ended.error and ended.hint for ended in trial.ended if ended.error)
    trial.finish()
    trial.check_whole()


#: Files that can still be opened: too few for what is done with one object, few, and enough.
SCARCE, FEW, ENOUGH = 3, 12, 40


@pytest.mark.parametrize("more", [SCARCE, FEW, ENOUGH])
@pytest.mark.parametrize("route", ["local-local", "local-s3", "s3-local"])
def test_too_few_file_handles_harm_nothing(new_trial: Callable[[str], Trial], route: str, more: int) -> None:
    trial = new_trial(route)
    trial.fill(many(60, 3000))
    trial.plan()
    trial.copy(lambda job: (with_few_files, copy_shard, job, more))
    trial.verify(lambda job: (with_few_files, verify_shard, job, more))
    told = [ended.error for ended in trial.ended if ended.error]
    told += [found.reason for ended in trial.ended for found in ended.exceptions]
    assert more != ENOUGH or not told, told
    assert more != SCARCE or any("Too many files are open" in words for words in told), told
    trial.check_promises()
    trial.finish()
    trial.check_whole()


@pytest.fixture
def open_trial(new_trial: Callable[[str], Trial], monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """A move between folders that any account may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="portal-faults-"))
    try:
        folder.chmod(0o755)
        yield new_trial("local-local").moved_to(folder)
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)
        shutil.rmtree(folder)


def test_rights_that_are_lost_in_mid_run_are_named_and_the_rest_goes_on(open_trial: Trial) -> None:
    trial = open_trial
    trial.fill(many(60, 2000))
    trial.plan()
    closed, sealed = trial.source / "raw/plate 1", trial.target / "raw/plate 2"
    sealed.mkdir(parents=True)
    trial.give_to_all()
    sealed.chmod(0o555)
    closed.chmod(0)
    trial.copy(lambda job: (without_rights, copy_shard, job))
    closed.chmod(0o755)
    trial.verify(lambda job: (without_rights, verify_shard, job))
    trial.check_promises()
    told = {found.key: found.reason for ended in trial.ended for found in ended.exceptions}
    assert all("plate 0" not in key for key in told)
    assert {key.split("/")[1] for key in told} == {"plate 1", "plate 2"}
    assert all("right" in reason or "no such object" in reason for reason in told.values()), told
    sealed.chmod(0o777)
    trial.finish()
    trial.check_whole()


class Meddler(Thread):
    """Somebody who adds, changes, appends to and deletes files while the block runs."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(daemon=True)
        self._folder, self._chance, self._ended, self.count = folder, random.Random(seed), Event(), 0
        self._scratch = folder.parent / "meddlers"

    def run(self) -> None:
        self._scratch.mkdir(exist_ok=True)
        while not self._ended.is_set():
            names = sorted(path for path in self._folder.rglob("*.bin") if path.is_file())
            self._do(self._chance.choice(names))
            self.count += 1
            time.sleep(0.002)

    def _do(self, path: Path) -> None:
        kind = self._chance.choice(["add", "append", "change", "vanish", "rewrite"])
        if kind == "vanish":
            path.unlink()
        elif kind == "append":
            with path.open("ab") as file:
                file.write(b"more")
        elif kind == "rewrite":
            path.write_bytes(self._chance.randbytes(path.stat().st_size))
        else:
            to = path if kind == "change" else path.with_name(f"since-{self.count}.bin")
            (self._scratch / "next").write_bytes(self._chance.randbytes(2000))
            (self._scratch / "next").replace(to)

    def __enter__(self) -> "Meddler":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


@pytest.mark.parametrize("route", ["local-local", "local-s3", "s3-local", "s3-s3"])
def test_what_others_change_while_it_is_copied_is_never_called_verified_as_it_was(
    new_trial: Callable[[str], Trial], seed: int, route: str
) -> None:
    trial = new_trial(route)
    trial.fill(many(240, 2000))
    trial.prove()
    trial.plan()
    with Meddler(trial.source, seed) as meddler:
        trial.copy()
    assert meddler.count > 0
    trial.look_again()
    trial.verify()
    trial.check_promises()
    trial.finish()
    trial.check_whole()


@pytest.mark.parametrize("route", ["local-local", "local-s3"])
def test_a_file_that_is_being_written_is_copied_once_it_is_finished(
    new_trial: Callable[[str], Trial], route: str
) -> None:
    trial = new_trial(route)
    trial.fill({"growing.bin": b"x" * 100_000, "still.bin": b"y" * 1000})
    trial.plan()
    ended = Event()

    def grow() -> None:
        with (trial.source / "growing.bin").open("ab", buffering=0) as file:
            while not ended.wait(0.0005):
                file.write(b"z" * 1000)

    writer = Thread(target=grow)
    writer.start()
    trial.run()
    ended.set()
    writer.join()
    trial.look_again()
    found = {result.key: result for result in trial.results}
    assert found["growing.bin"].outcome in {Outcome.CHANGED, Outcome.FAILED}
    assert found["growing.bin"].reason
    trial.finish()
    trial.check_whole()


#: Names that differ only by case, or that careless code quotes, cuts or joins.
NAMES = [
    "Case.txt", "case.txt", "CASE/x", "case/x", "with space", " leading", "trailing ", "hash#mark#", "per%cent", "%2F",
    "plus+sign", "a+b c%20d", "question?mark", "am&p;=x", "semi;colon:colon", "quote'\"`s", "back\\slash", "[x]{y}(z)",
    "<xml>&amp;", "*star*", "dots...", "..two", "-dash", "~tilde", "$dollar", "ünïcödé/日本/🧬",
    "x" * 200, "/".join(["deep" * 10] * 18), "/".join("abcdefghij" * 4), "null/empty",
]  # fmt: skip


@pytest.mark.parametrize("route", ["local-local", "local-s3", "s3-local", "s3-s3"])
def test_every_name_arrives_as_it_is(new_trial: Callable[[str], Trial], route: str) -> None:
    trial = new_trial(route)
    # rclone's server takes both forms of one letter for one name, and writes others for control characters.
    forms = {"é": b"composed", "e\u0301": b"decomposed", "tab\there": b"tab"} if route == "local-local" else {}
    trial.fill({name: name.encode() for name in NAMES[:-1]} | {"null/empty": b""} | forms)
    trial.prove()
    trial.plan()
    trial.run()
    trial.check_whole()
    assert len(trial.held()) == len(NAMES) + len(forms)


@pytest.mark.parametrize("route", ["local-local", "local-s3"])
def test_holes_in_files_arrive_as_zeros(new_trial: Callable[[str], Trial], route: str) -> None:
    trial = new_trial(route)
    trial.source.mkdir(exist_ok=True)
    with (trial.source / "sparse.img").open("wb") as file:
        file.write(b"begin")
        file.seek(40 * MEBIBYTE)
        file.write(b"end")
    with (trial.source / "all hole.img").open("wb") as file:
        file.truncate(MEBIBYTE)
    trial.fill({"solid": b"1"})
    trial.plan()
    trial.run()
    trial.check_whole()


def test_links_are_followed_inside_the_root_and_nothing_outside_is_touched(
    new_trial: Callable[[str], Trial], tmp_path: Path
) -> None:
    trial = new_trial("local-s3")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("not yours")
    trial.fill({"real/file": b"1"})
    (trial.source / "alias").symlink_to("real")
    (trial.source / "out").symlink_to(tmp_path / "secret")
    (trial.source / "out-file").symlink_to(tmp_path / "secret/key")
    (trial.source / "loop").symlink_to("loop")
    (trial.source / "real/up").symlink_to("..")
    summary = trial.move.plan()
    trial.run()
    assert trial.held() == {"real/file": b"1", "alias/file": b"1"}
    told = " ".join(summary.skipped.examples)
    assert all(f"{name}:" in told or f"{name}/:" in told for name in ("out", "out-file", "loop", "real/up")), told


def test_a_link_that_is_turned_outwards_after_the_plan_is_not_followed(
    new_trial: Callable[[str], Trial], tmp_path: Path
) -> None:
    trial = new_trial("local-local")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("not yours")
    trial.fill({"real/file": b"1", "other": b"2"})
    trial.plan()
    shutil.rmtree(trial.source / "real")
    (trial.source / "real").symlink_to(tmp_path / "secret")
    trial.run()
    found = {result.key: result for result in trial.results}
    assert found, [(ended.end, ended.error, ended.hint) for ended in trial.ended]
    assert found["real/file"].outcome in {Outcome.FAILED, Outcome.MISSING}
    assert trial.held() == {"other": b"2"}


def temporaries(folder: Path) -> list[str]:
    """Return what the portal left of its own below a root."""
    return [str(path) for path in (folder / ".lamindb").rglob("*") if path.is_file()]
