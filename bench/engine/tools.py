"""The tools beside each other: what each runs for a trip. Peers do 32 transfers at a time; none hashes both ends.

A peer's own check, for rows in which ours reads everything back, is `rclone check --download`.
"""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.engine.driver import Task
from bench.engine.measure import Program
from bench.engine.places import Place, Trip

MAIN = Path(__file__).parents[2]
OURS = "ours"
_BIN = Path(sys.executable).parent
_RCLONE = ("--transfers", "32", "--checkers", "32", "--config", "", "--log-level", "ERROR", "--s3-no-check-bucket")


def ours(trip: Trip, *, workers: int, is_listed: bool = False) -> Program:
    """Return our engine's own process for a trip."""
    task = Task(
        source=_end(trip.source),
        target=_end(trip.target),
        is_source_local=trip.source.is_local,
        is_target_local=trip.target.is_local,
        endpoint_url=trip.server.endpoint_url,
        ledger=str(trip.scratch / "ledger"),
        workers=workers,
        answer=str(trip.scratch / "answer.json"),
        is_listed=is_listed,
    )
    path = trip.scratch / "task.json"
    path.write_text(json.dumps(asdict(task)))
    return Program([sys.executable, "-m", "bench.engine.driver", str(path)], trip.server.keys(), MAIN)


def s5cmd(trip: Trip) -> Program | None:
    """Return s5cmd's command; None where it can't go: from folder to folder."""
    if trip.source.is_local and trip.target.is_local:
        return None
    source = f"{trip.source.folder}/" if trip.source.is_local else f"s3://{trip.source.bucket}/*"
    target = f"{trip.target.folder}/" if trip.target.is_local else f"s3://{trip.target.bucket}/"
    return _program(trip, [*_s5cmd(trip), "cp", source, target])


def rclone(trip: Trip) -> Program:
    """Return rclone's command."""
    return _program(trip, [str(_BIN / "rclone"), "copy", *_RCLONE, _remote(trip.source), _remote(trip.target)])


def rclone_check(trip: Trip) -> Program:
    """Return the check that downloads both ends and compares them."""
    words = [str(_BIN / "rclone"), "check", "--download", *_RCLONE, _remote(trip.source), _remote(trip.target)]
    return _program(trip, words)


def s3fs(trip: Trip) -> Program | None:
    """Return plain s3fs; None from folder to folder."""
    if trip.source.is_local and trip.target.is_local:
        return None
    ends = [str(place.folder) if place.is_local else f"s3://{place.bucket}" for place in (trip.source, trip.target)]
    return _program(trip, [sys.executable, "-m", "bench.engine.s3fs_peer", trip.server.endpoint_url, *ends])


def cp(trip: Trip) -> Program | None:
    """Return `cp -a`, from folder to folder only."""
    if not (trip.source.is_local and trip.target.is_local):
        return None
    return _program(trip, ["cp", "-a", f"{trip.source.folder}/.", str(trip.target.folder)])


def rsync(trip: Trip) -> Program | None:
    """Return `rsync -a`, from folder to folder only; None where it is not installed."""
    if not (trip.source.is_local and trip.target.is_local) or not shutil.which("rsync"):
        return None
    return _program(trip, ["rsync", "-a", f"{trip.source.folder}/", f"{trip.target.folder}/"])


#: Every peer that copies, by name.
PEERS: dict[str, Callable[[Trip], Program | None]] = {
    "s5cmd": s5cmd,
    "rclone": rclone,
    "s3fs": s3fs,
    "cp -a": cp,
    "rsync": rsync,
}


def _rclone_list(trip: Trip, *options: str) -> Program:
    # Size and time are what a plan needs of each object.
    words = ["lsf", "--recursive", "--files-only", "--format", "pst", "--use-server-modtime", *_RCLONE, *options]
    return _program(trip, [str(_BIN / "rclone"), *words, _remote(trip.source)])


#: Every peer that lists, by name; the second rclone asks folder by folder, 32 at a time.
LISTERS: dict[str, Callable[[Trip], Program]] = {
    "s5cmd": lambda trip: _program(trip, [*_s5cmd(trip)[:-1], "info", "ls", f"s3://{trip.source.bucket}/*"]),
    "rclone": lambda trip: _rclone_list(trip, "--fast-list"),
    "rclone by folder": _rclone_list,
    "s3fs": lambda trip: _program(
        trip,
        [sys.executable, "-m", "bench.engine.s3fs_peer", trip.server.endpoint_url, f"s3://{trip.source.bucket}"],
    ),
}


def _s5cmd(trip: Trip) -> list[str]:
    return [str(_BIN / "s5cmd"), "--endpoint-url", trip.server.endpoint_url, "--numworkers", "32", "--log", "error"]


def _program(trip: Trip, words: Sequence[str]) -> Program:
    return Program(words, trip.server.keys(), MAIN)


def _remote(place: Place) -> str:
    return str(place.folder) if place.is_local else f"served:{place.bucket}"


def _end(place: Place) -> str:
    return str(place.folder) if place.is_local else place.bucket
