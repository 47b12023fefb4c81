"""Who takes a migration over tells every runner before it, however often one died before it had told."""

from pathlib import Path

from portal.runner.stops import MOST_EPOCHS, stop_file, tell, tell_before


def told(folder: Path) -> list[int]:
    """Return which epochs were told to stop."""
    return sorted(int(path.name.removeprefix("stop-")) for path in folder.glob("stop-*"))


def test_every_epoch_before_is_told_back_to_one_that_was(tmp_path: Path) -> None:
    folder = tmp_path / "move"
    tell_before(folder, 1)
    assert not folder.exists(), "there was nobody before"
    tell(stop_file(folder, 3))
    tell_before(folder, 6)
    assert told(folder) == [3, 4, 5]
    tell_before(folder, 7)
    assert told(folder) == [3, 4, 5, 6]


def test_a_move_that_many_runners_had_is_not_filled_with_files(tmp_path: Path) -> None:
    tell_before(tmp_path, 10_000)
    assert told(tmp_path) == list(range(10_000 - MOST_EPOCHS, 10_000))
