"""The engine beside s5cmd, rclone, plain s3fs, cp and rsync: `bench.engine.command` measures them."""

from collections.abc import Sequence


def run(words: Sequence[str]) -> int:
    """Measure as the words of the command line say; return the exit code."""
    # Here: every process that is measured imports this package too, and has no use for what measures it.
    from bench.engine.command import run as measure

    return measure(words)
