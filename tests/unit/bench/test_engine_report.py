"""What the engine's benchmark makes of its runs: medians, and ratios of like with like."""

from dataclasses import replace

from bench.engine.report import compared, faults, phases, rows, table
from bench.engine.rounds import Sample


def samples(tool: str, *walls: float, read_back_bytes: int = 0, peak_bytes: int = 100) -> list[Sample]:
    return [
        Sample("W1", "local-s3", tool, number, wall, wall / 2, peak_bytes, read_back_bytes=read_back_bytes)
        for number, wall in enumerate(walls, 1)
    ]


def ratios(found: list[Sample]) -> dict[str, float | None]:
    ((_, _, lines),) = rows(found)
    return {line.tool: None if line.ratio is None else round(line.ratio, 2) for line in lines}


PEERS = samples("s5cmd", 4, 5, 9) + samples("s5cmd + check", 8, 9, 9) + samples("rclone", 10, 10, 10)


def test_a_row_that_trusts_the_server_stands_beside_the_fastest_peer_alone() -> None:
    found = ratios(samples("ours", 6, 4, 3) + PEERS)
    assert found == {"ours": 0.8, "s5cmd": 1.0, "s5cmd + check": 1.0, "rclone": 2.0}


def test_a_row_that_reads_back_stands_beside_the_fastest_peer_with_its_check() -> None:
    assert ratios(samples("ours", 18, read_back_bytes=1) + PEERS)["ours"] == 2.0


def test_what_misses_the_goal_is_named() -> None:
    found = faults(samples("ours", 10, peak_bytes=400 * 1024**2) + PEERS)
    assert found == ["W1, local-s3: 2.00 of the fastest peer's time.", "W1, local-s3: 400 MiB of memory."]
    assert faults(samples("ours", 5) + PEERS) == []


def test_a_peer_that_failed_has_no_row() -> None:
    failed = Sample("W1", "local-s3", "s3fs", 1, 0, 0, 0, failure="KeyError")
    assert "s3fs" not in ratios([*PEERS, failed])


def test_the_table_shows_the_spread_and_leaves_out_what_was_not_seen() -> None:
    ((workload, route, lines),) = rows(samples("cp -a", 1, 3, 2, peak_bytes=0))
    assert "| cp -a | 2.00 | 1.00–3.00 | 1.00 | – | – | 0 | 1.00 |" in table(workload, route, lines)


def test_where_the_time_of_ours_went_is_told_by_medians() -> None:
    found = [replace(sample, phases={"copy": sample.wall_seconds, "verify": 1}) for sample in samples("ours", 2, 9, 3)]
    ((_, _, lines),) = rows(found + PEERS)
    assert phases(lines) == "Ours, in seconds: copy 3.00, verify 1.00.\n"
    assert phases([line for line in lines if not line.is_ours]) == ""


def test_ours_stands_there_also_without_the_start_of_its_processes() -> None:
    started = [replace(sample, phases={"import": 1, "start": 1, "copy": 3}) for sample in samples("ours", 5, 6, 7)]
    found = ratios(started + PEERS)
    assert list(found)[:2] == ["ours", "ours, runner up"]
    assert (found["ours"], found["ours, runner up"], found["s5cmd"]) == (1.2, 0.8, 1.0)
    assert faults(started + PEERS) == ["W1, local-s3: 1.20 of the fastest peer's time."], "the start counts"


def test_two_runs_are_compared_row_by_row() -> None:
    assert "wall   10.00 →    5.00 s  (0.50)" in compared(samples("ours", 5), samples("ours", 10))
