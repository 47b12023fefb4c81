"""Looks on while a person walks through a move: how long steps and pages take, what the processes hold, pictures."""

import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.e2e.portal_process import PortalProcess

#: What a process of `portal up` is, by a word of its command line; the first that fits.
ROLES = ((b"spawn_main", "worker"), (b"tracker", "tracker"), (b"runner", "runner"), (b"serve", "web"), (b"up", "up"))

_TICKS = os.sysconf("SC_CLK_TCK")


class Observer:
    """Notes of one walk. Samples the portal's processes each second while the block runs.

    Attributes:
        steps: name → seconds, in order.
        pages: name → milliseconds of each answer.
        peak_bytes: role → most memory that one process of it held (PSS: what is shared counts once).
    """

    def __init__(self, process: PortalProcess, pictures: Path | None) -> None:
        self.process, self._pictures = process, pictures
        self.steps: dict[str, float] = {}
        self.pages: dict[str, list[float]] = defaultdict(list)
        self.peak_bytes: dict[str, int] = {}
        self._cpu_seconds: dict[tuple[str, int], float] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    @contextmanager
    def looking_on(self) -> Iterator["Observer"]:
        """Sample while the block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            self._thread.join()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note how long the block takes."""
        began_at = time.monotonic()
        yield
        self.steps[name] = time.monotonic() - began_at

    def answer(self, page: Page, name: str, address: str, *, most_ms: float) -> None:
        """Ask for a page three times as the person of `page`; none may take longer than `most_ms`."""
        for _ in range(3):
            began_at = time.monotonic()
            answer = page.request.get(self.process.url + address)
            took_ms = (time.monotonic() - began_at) * 1000
            assert answer.status == 200, f"{address}: {answer.status}"
            assert took_ms < most_ms, f"{address} took {took_ms:.0f} ms"
            self.pages[name].append(took_ms)

    def picture(self, pages: Sequence[Page], name: str) -> None:
        """Take a picture of each page as it stands, where somebody wants pictures."""
        if self._pictures is None:
            return
        for page in pages:
            width = (page.viewport_size or {"width": 0})["width"]
            page.screenshot(path=self._pictures / f"{len(self.steps):02}-{name}-{width}.png", full_page=True)

    def table(self, title: str) -> str:
        """Return what was noted, as Markdown."""
        cpu: dict[str, float] = defaultdict(float)
        for (role, _), seconds in self._cpu_seconds.items():
            cpu[role] += seconds
        lines = [title, "", "| Step | Seconds |", "| --- | ---: |"]
        lines += [f"| {name} | {seconds:.1f} |" for name, seconds in self.steps.items()]
        lines += ["", "| Page | Median ms | Slowest ms |", "| --- | ---: | ---: |"]
        lines += [f"| {name} | {statistics.median(ms):.0f} | {max(ms):.0f} |" for name, ms in self.pages.items()]
        lines += ["", "| Process | Most memory, MB | CPU, s |", "| --- | ---: | ---: |"]
        lines += [f"| {role} | {size / 1e6:.0f} | {cpu[role]:.0f} |" for role, size in sorted(self.peak_bytes.items())]
        return "\n".join(lines)

    def _sample(self) -> None:
        while not self._is_over.wait(1):
            for pid in self.process.process_ids():
                try:
                    self._look_at(pid)
                except (OSError, ValueError):
                    continue  # it ended meanwhile

    def _look_at(self, pid: int) -> None:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        role = next((role for word, role in ROLES if word in words), "other")
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        size = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        self.peak_bytes[role] = max(self.peak_bytes.get(role, 0), size)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self._cpu_seconds[role, pid] = (int(fields[11]) + int(fields[12])) / _TICKS
