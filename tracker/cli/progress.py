"""Progress of a run: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.pipeline import Watch
    from tracker.sources.base import SourceFacts
    from tracker.types import Snapshot

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def watching(max_frames: int | None) -> Iterator[Watch]:
    """Give a function that shows how far a run is, on standard error."""
    with _bar(max_frames) if sys.stderr.isatty() else _lines(max_frames) as watch:
        yield watch


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """Give a function that shows a line on standard error: the newest, now and then."""
    if not sys.stderr.isatty():
        last = time.monotonic()

        def tell(line: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _SECONDS_BETWEEN_LINES:
                last = now
                print(line, file=sys.stderr, flush=True)

        yield tell
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


class _Pace:
    """Counts frames, and how many of them come in a second once the first has come.

    Where a run is refined, its frames come forwards, backwards and forwards again: three legs.
    """

    def __init__(self, max_frames: int | None) -> None:
        self.frames = 0
        self._leg = 0
        self._newest = -1
        self._max_frames = max_frames
        self._begin = 0.0

    @property
    def doing(self) -> str:
        """What is done with the frames, where it is not tracking."""
        return ("", "looking back, ", "writing, ")[min(self._leg, 2)]

    def count(self, frame: int) -> None:
        """Count one frame."""
        turned = frame >= self._newest if self._leg == 1 else frame <= self._newest
        self._newest = frame
        if turned:
            self._leg += 1
            self.frames = 0
        if self.frames == 0:
            self._begin = time.monotonic()
        self.frames += 1

    @property
    def rate(self) -> float:
        """Frames per second, 0 before the second frame."""
        passed = time.monotonic() - self._begin
        return (self.frames - 1) / passed if self.frames > 1 and passed > 0 else 0.0

    def total(self, facts: SourceFacts) -> int | None:
        """Return how many frames there will be at most, where anything limits them."""
        limits = [limit for limit in (facts.claimed_frames, self._max_frames) if limit]
        return min(limits, default=None)


def _lateness(snapshot: Snapshot, facts: SourceFacts) -> str:
    """Say how old the newest result of a live source is, and how many frames were left out."""
    age = facts.age(snapshot.time)
    return "" if age is None else f", {age:.2f} s behind, {facts.dropped_frames} frames dropped"


@contextmanager
def _bar(max_frames: int | None) -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    pace = _Pace(max_frames)
    progress = Progress(
        BarColumn(),
        TextColumn("{task.fields[doing]}frame {task.completed}, {task.fields[objects]} objects"),
        TextColumn("{task.fields[rate]:.0f} frames/s{task.fields[late]},"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )
    task = progress.add_task("", total=None, doing="", objects=0, rate=0.0, late="")

    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        pace.count(snapshot.frame)
        progress.update(
            task,
            completed=pace.frames,
            total=pace.total(facts),
            doing=pace.doing,
            objects=len(snapshot.tracks),
            rate=pace.rate,
            late=_lateness(snapshot, facts),
        )

    with progress:
        yield watch


@contextmanager
def _lines(max_frames: int | None) -> Iterator[Watch]:
    pace = _Pace(max_frames)
    last = time.monotonic()

    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        nonlocal last
        pace.count(snapshot.frame)
        now = time.monotonic()
        if now - last < _SECONDS_BETWEEN_LINES or pace.rate == 0:
            return
        last = now
        total = pace.total(facts)
        place = f"frame {pace.frames}" if total is None else f"frame {pace.frames} of {total}"
        line = f"{pace.doing}{place}, {len(snapshot.tracks)} objects, {pace.rate:.1f} frames/s"
        line += _lateness(snapshot, facts)
        if total is not None:
            line += f", {max(total - pace.frames, 0) / pace.rate:.0f} s left"
        print(line, file=sys.stderr, flush=True)

    yield watch
