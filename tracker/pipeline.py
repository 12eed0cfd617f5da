"""The heart: frames walk in, snapshots walk out, and each stage is timed on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from tracker.config import Config, TrackingOptions
from tracker.foreground import make_foreground, samples_wanted
from tracker.foreground.base import ForegroundModel
from tracker.interrupts import Interrupts
from tracker.sinks import Health, open_sinks
from tracker.sources import open_source
from tracker.sources.base import SourceFacts, Verdict
from tracker.tracking import snapshot, start, step
from tracker.types import Frame, Snapshot

Item = TypeVar("Item")


@dataclass(slots=True)
class Timings:
    """Where the time goes.

    Parameters
    ----------
    seconds
        Wall-clock time in seconds by stage: "open", "read", "foreground", "track", "write".
        Reading runs beside the rest, so "read" is what the rest had to wait for it.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to the stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin

    def waiting(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, and add the time that each takes to come to the stage."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One source to track, where its results go, and how.

    Parameters
    ----------
    spec
        The source, as `open_source` takes it.
    out
        Folder of the results; it is made where it is missing.
    config
        All settings.
    max_frames
        Stop after so many frames; None: at the end of the source.
    show
        Open a live window.
    """

    spec: str
    out: Path
    config: Config = field(default_factory=Config)
    max_frames: int | None = None
    show: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job went.

    Parameters
    ----------
    frames
        Frames that were tracked.
    objects
        Objects that were seen over the whole run.
    verdict
        How the reading of the source ended.
    reason
        One sentence where the verdict is not COMPLETE, else empty.
    interrupted
        True where Ctrl-C or a termination signal ended the run; what was tracked by then is whole.
    warnings
        A sentence for each sign that the results are not to be trusted.
    """

    frames: int
    objects: int
    verdict: Verdict
    reason: str
    interrupted: bool
    warnings: tuple[str, ...] = ()


Watch = Callable[[Snapshot, SourceFacts], None]


def track(
    source: Iterable[Frame],
    foreground: ForegroundModel,
    options: TrackingOptions,
    timings: Timings | None = None,
) -> Iterator[tuple[Frame, Snapshot]]:
    """Yield each frame with what is known after it.

    Parameters
    ----------
    source
        Frames in the order of their times.
    foreground
        The background model; it learns as the frames pass.
    options
        How identity is kept over time.
    timings
        Where to add the time of each stage.
    """
    timings = timings or Timings()
    state = start(options, foreground.scene)
    for frame in timings.waiting("read", source):
        with timings.stage("foreground"):
            points = foreground.points(frame, protect=state.footprint)
        with timings.stage("track"):
            state, info = step(state, points, frame.time, options)
            result = snapshot(frame.index, frame.time, state, info)
        yield frame, replace(result, foreground=points)


def run(job: Job, *, watch: Watch | None = None) -> Outcome:
    """Track a source from its first frame to its last and write the results.

    Ctrl-C ends the run between two frames, and what was tracked by then is written whole.

    Parameters
    ----------
    job
        What to track and where to write.
    watch
        Called after each frame, to show progress.

    Raises
    ------
    SourceError
        Where the source cannot be opened.
    ConfigError
        Where a setting does not fit the source.
    OutputError
        Where a result cannot be written.
    """
    timings, health = Timings(), Health()
    frames = 0
    ids: set[int] = set()
    verdict, reason = Verdict.STOPPED, "the run was interrupted"
    with Interrupts() as interrupts:
        try:
            with ExitStack() as stack:
                with interrupts.allowed(), timings.stage("open"):
                    source = stack.enter_context(open_source(job.spec, job.config.source))
                    foreground = make_foreground(
                        job.config.foreground,
                        source.facts.size,
                        source.sample(samples_wanted(job.config.foreground, source.facts.size)),
                        source.facts.live,
                    )
                sinks = stack.enter_context(
                    open_sinks(
                        job.out,
                        job.config,
                        lambda: source.facts,
                        seconds=timings.seconds,
                        health=health,
                        show=job.show,
                    )
                )
                coming = islice(interrupts.between(source), job.max_frames)
                for frame, result in track(coming, foreground, job.config.tracking, timings):
                    with timings.stage("write"):
                        sinks.write(frame, result)
                    frames += 1
                    ids.update(item.id for item in result.tracks)
                    if watch:
                        watch(result, source.facts)
                verdict, reason = source.facts.verdict, source.facts.reason
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
    return Outcome(frames, len(ids), verdict, reason, interrupted, health.warnings())
