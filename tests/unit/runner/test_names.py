"""Names of runners: one a living process, free again as soon as it is gone."""

from pathlib import Path

from portal.runner.names import claimed_name


def test_two_runners_on_one_host_have_two_names(tmp_path: Path) -> None:
    with claimed_name(tmp_path, "nas") as first, claimed_name(tmp_path, "nas") as second:
        assert (first, second) == ("nas/1", "nas/2")


def test_a_name_is_free_again_after_its_runner(tmp_path: Path) -> None:
    with claimed_name(tmp_path, "nas") as first:
        pass
    with claimed_name(tmp_path, "nas") as again:
        assert (first, again) == ("nas/1", "nas/1")
