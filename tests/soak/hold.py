"""Keeps a move in a phase until a run has done there what it wants to: for runs whose kills must strike in time.

The run names phases in a file; the runner says in another one which phase a step is in; and workers, who take a little
longer over everything, do not come to the end of a phase that is held.
"""

import functools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portal.runner.drive import Drive

#: The environment variable that names the folder of both files.
VARIABLE = "SOAK_HOLD"

#: What a phase cannot end without.
LAST = {
    "preflight": {"make_plan"},
    "copying": {"copy_shard"},
    "verifying": {"verify_shard"},
    "fenced": {"copy_marker"},
    "soaking": {"copy_shard"},
    "rolling_back": {"copy_marker"},
}

#: A sweep is held in the middle of an object, where bytes pass through here: who is killed there leaves half of it.
_HALF_BYTES = 9 * 1024 * 1024

#: How much longer a job and an object take.
_JOB_SECONDS, _OBJECT_SECONDS = 0.2, 0.02

_LOOK_SECONDS = 0.02


class Hold:
    """Both files. Whoever has the folder's name may read them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held, self._phase, self._reached = folder / "held", folder / "phase", folder / "reached"
        self._kept: set[str] | None = None

    def keep(self, phases: Iterable[str]) -> None:
        """Hold these phases, and let all others end."""
        if set(phases) != self._kept:
            self._kept = set(phases)
            self._write(self._held, " ".join(sorted(self._kept)))

    @property
    def is_reached(self) -> bool:
        """Tell whether somebody waits, or did since `begin_anew`, where a phase is held."""
        return self._reached.exists()

    def begin_anew(self) -> None:
        """Forget who waits: whoever it was is killed now."""
        self._reached.unlink(missing_ok=True)

    def enter(self, phase: str) -> None:
        """Say in which phase the next step is."""
        self._write(self._phase, phase)

    def is_in(self, phase: str) -> bool:
        """Tell whether this phase is under way, and held."""
        return self._read(self._phase) == phase and phase in self._read(self._held).split()

    def wait(self, phase: str, look: Callable[[], object] = lambda: None) -> None:
        """Wait while this phase is under way and held; `look` is called meanwhile."""
        if self.is_in(phase):
            self._write(self._reached, phase)
        while self.is_in(phase):
            look()
            time.sleep(_LOOK_SECONDS)

    def _read(self, path: Path) -> str:
        return path.read_text() if path.exists() else ""

    def _write(self, path: Path, text: str) -> None:
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(text)
        temporary.replace(path)


def slow_down(hold: Hold) -> None:
    """Make this process, a runner or a worker, heed a hold. Before the portal's runner is imported."""
    from portal.runner import jobs
    from portal.transfer import control, copy, verify

    guarded = jobs.guarded

    @functools.wraps(guarded)
    def slow_guarded(call: Callable[..., Any], *arguments: Any) -> Any:
        answer = guarded(call, *arguments)
        _linger(hold, call.__name__)
        return answer

    jobs.guarded = slow_guarded
    copy.copy_shard = _slow(hold, copy.copy_shard)
    verify.verify_shard = _slow(hold, verify.verify_shard)
    add = control.Control.add

    def slow_add(self: control.Control, *, object_count: int = 0, total_bytes: int = 0) -> None:
        add(self, object_count=object_count, total_bytes=total_bytes)
        time.sleep(object_count * _OBJECT_SECONDS)
        if self._bytes > _HALF_BYTES and total_bytes:
            hold.wait("soaking", self.check)

    control.Control.add = slow_add  # type: ignore[method-assign]  # that is what it is for


def tell_phases(hold: Hold) -> None:
    """Make this process, a runner, say in which phase it is."""
    from portal.runner.loop import Reconciler

    step = Reconciler._step

    def telling_step(self: Reconciler, drive: "Drive") -> bool:
        hold.enter(drive.state().value)
        return step(self, drive)

    Reconciler._step = telling_step  # type: ignore[method-assign]  # that is what it is for


def _slow(hold: Hold, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def slow_call(*arguments: Any) -> Any:
        result = call(*arguments)
        _linger(hold, call.__name__)
        return result

    return slow_call


def _linger(hold: Hold, name: str) -> None:
    time.sleep(_JOB_SECONDS)
    for phase, last in LAST.items():
        if name in last:
            hold.wait(phase)
