"""Progress of a run: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
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


def _total(facts: SourceFacts, max_frames: int | None) -> int | None:
    """Return how many frames there will be at most, where anything limits them."""
    limits = [limit for limit in (facts.claimed_frames, max_frames) if limit]
    return min(limits, default=None)


@contextmanager
def _bar(max_frames: int | None) -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        BarColumn(),
        TextColumn("frame {task.completed}"),
        TextColumn("{task.fields[objects]} objects"),
        TextColumn("{task.fields[rate]:.0f} frames/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = progress.add_task("", total=None, objects=0, rate=0.0)
    begin = time.monotonic()

    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        rate = facts.decoded_frames / (time.monotonic() - begin)
        progress.update(
            task,
            advance=1,
            total=_total(facts, max_frames),
            objects=len(snapshot.tracks),
            rate=rate,
        )

    with progress:
        yield watch


@contextmanager
def _lines(max_frames: int | None) -> Iterator[Watch]:
    begin = last = time.monotonic()
    frames = 0

    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        nonlocal frames, last
        frames += 1
        now = time.monotonic()
        if now - last < _SECONDS_BETWEEN_LINES:
            return
        last = now
        rate = frames / (now - begin)
        total = _total(facts, max_frames)
        place = f"frame {frames}" if total is None else f"frame {frames} of {total}"
        line = f"{place}, {len(snapshot.tracks)} objects, {rate:.1f} frames/s"
        if total is not None:
            line += f", {max(total - frames, 0) / rate:.0f} s left"
        print(line, file=sys.stderr, flush=True)

    yield watch
