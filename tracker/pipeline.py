"""The heart: frames walk in, snapshots walk out, and each stage is timed on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tracker.config import Config, ForegroundOptions, TrackingOptions
from tracker.errors import SourceError
from tracker.interrupts import Interrupts
from tracker.sinks import Health, open_overlay, open_sinks
from tracker.sources import Errand, ProcessSource, Source, open_source
from tracker.sources.base import SourceFacts, Verdict
from tracker.tape import Tape
from tracker.types import Frame, Scene, Snapshot

if TYPE_CHECKING:
    from tracker.foreground.base import ForegroundModel

FOREGROUND = "tracker.foreground.remote:serve"
"""The errand that finds the foreground where the frames are decoded."""

_HEAVY = ("tracker.foreground.remote", "tracker.tracking")  # to import,
_SMOOTHING = ("scipy.linalg.lapack",)  # and what paths are smoothed with
_FILE_LAG = 1.0  # s, for which the results of files wait
_PICTURE_BYTES = 190e6  # of pictures, about, that a run holds at most:
_UNDER_WAY = 10  # being decoded, drawn and between; the rest wait with their results,
_FEWEST_WAITING = 2  # but so many always do

Item = TypeVar("Item")


@dataclass(slots=True)
class Timings:
    """Where the time goes.

    Parameters
    ----------
    seconds
        Wall-clock time in seconds by stage: "open", "read", "foreground", "track", "write", and
        "refine" where there is a second pass. Reading runs beside the rest, and so does the
        foreground of a file, so "read" is what the rest had to wait for them.
    clock
        Returns the time in seconds.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    clock: Callable[[], float] = time.perf_counter

    def add(self, name: str, seconds: float) -> None:
        """Add to the time of a stage."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to the stage."""
        begin = self.clock()
        try:
            yield
        finally:
            self.add(name, self.clock() - begin)

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
    refine
        After the last frame look back over all of them and write the results anew.
    """

    spec: str
    out: Path
    config: Config = field(default_factory=Config)
    max_frames: int | None = None
    show: bool = False
    refine: bool = False


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
    from tracker.tracking import snapshot, start, step

    timings = timings or Timings()
    state = start(options, foreground.scene)
    for frame in timings.waiting("read", source):
        with timings.stage("foreground"):
            points = foreground.points(frame, protect=state.footprint)
        with timings.stage("track"):
            state, info = step(state, points, frame.time, options)
            result = snapshot(frame.index, frame.time, state, info)
        how = replace(result.diagnostics, drift=points.drift)
        yield frame, replace(result, foreground=points, diagnostics=how)


def _foreground_of(source: Source, options: ForegroundOptions, timings: Timings) -> ForegroundModel:
    """Return the model that works where the frames are decoded, or one of our own."""
    from tracker.foreground import make_foreground, samples_wanted
    from tracker.foreground.remote import RemoteForeground

    if isinstance(source, ProcessSource) and source.errand is not None:
        return RemoteForeground(source, spent=partial(timings.add, "foreground"))
    size, live = source.facts.size, source.facts.live
    return make_foreground(options, size, source.sample(samples_wanted(options, size)), live)


def _load(modules: Iterable[str]) -> None:
    """Import what will be needed, beside the rest."""
    threading.Thread(target=lambda: [*map(import_module, modules)], daemon=True).start()


def _lag(options: TrackingOptions, facts: SourceFacts) -> float:
    """Return how long results wait for what follows, s."""
    if options.lag_seconds >= 0:
        return options.lag_seconds
    if facts.live:
        return 0.0
    width, height = facts.size
    waiting = max(_PICTURE_BYTES / (3 * width * height) - _UNDER_WAY, _FEWEST_WAITING)
    return min(_FILE_LAG, waiting / max(facts.fps, 1.0))


def run(job: Job, *, watch: Watch | None = None) -> Outcome:
    """Track a source from its first frame to its last and write the results.

    Ctrl-C ends the run between two frames, and what was tracked by then is written whole.

    A job that refines writes its tables twice: as they come, and again in the light of all frames.
    The overlay is drawn once, in a second reading of the source.

    Parameters
    ----------
    job
        What to track and where to write.
    watch
        Called after each frame, to show progress; where a job refines, again from the last frame to
        the first, and from the first to the last while the overlay is written.

    Raises
    ------
    SourceError
        Where the source cannot be opened, or is live and cannot be read again to be refined.
    ConfigError
        Where a setting does not fit the source.
    OutputError
        Where a result cannot be written.
    """
    with Interrupts() as interrupts, Tape() as tape:
        work = _Run(job, interrupts, tape, watch)
        try:
            work.track()
            if job.refine:
                work.refine()
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
    return Outcome(
        work.frames,
        len(work.ids),
        work.verdict,
        work.reason,
        interrupted,
        work.health.warnings(),
    )


@dataclass(slots=True)
class _Run:
    """A job in work, and what has come of it so far."""

    job: Job
    interrupts: Interrupts
    tape: Tape
    watch: Watch | None
    timings: Timings = field(default_factory=Timings)
    health: Health = field(init=False)
    history: list[Snapshot] = field(default_factory=list)  # what a second pass looks back on
    scene: Scene = field(default_factory=Scene)
    facts: SourceFacts | None = None
    frames: int = 0
    ids: set[int] = field(default_factory=set)
    verdict: Verdict = Verdict.STOPPED
    reason: str = "the run was interrupted"

    def __post_init__(self) -> None:
        """Nothing has been seen that tells against the run."""
        self.health = Health(self.job.config.tracking.objects)

    def track(self) -> None:
        """Follow the objects from the first frame to the last and write the results."""
        job, config = self.job, self.job.config
        if job.refine:  # the overlay waits for the second pass
            config = replace(config, output=replace(config.output, video=False))
        with ExitStack() as stack:
            with self.interrupts.allowed(), self.timings.stage("open"):
                # Another process opens the source; meanwhile this one gets ready.
                _load(_HEAVY)
                errand = Errand(FOREGROUND, asdict(config.foreground))
                source = stack.enter_context(open_source(job.spec, config.source, errand=errand))
                if job.refine and source.facts.live:
                    raise SourceError(
                        f"cannot refine {job.spec!r}: it is live and cannot be read twice; record "
                        "it to a file first, or leave out --refine"
                    )
                lag = 0.0 if job.refine else _lag(config.tracking, source.facts)
                if lag:
                    _load(_SMOOTHING)
                foreground = _foreground_of(source, config.foreground, self.timings)
                self.scene = foreground.scene
            from tracker.tracking import delayed

            sinks = stack.enter_context(
                open_sinks(
                    job.out,
                    config,
                    lambda: source.facts,
                    seconds=self.timings.seconds,
                    health=self.health,
                    show=job.show,
                    figures="delayed" if lag else "causal",
                )
            )
            coming = islice(self.interrupts.between(source), job.max_frames)
            tracked = self._watched(
                track(coming, foreground, config.tracking, self.timings), source
            )
            working = partial(self.timings.stage, "track")
            lasting = config.tracking.objects > 0
            for frame, result in delayed(tracked, lag, lasting=lasting, working=working):
                with self.timings.stage("write"):
                    sinks.write(frame, result)
                self.ids.update(item.id for item in result.tracks)
                if job.refine:
                    assert result.foreground is not None, "track hands over the points"
                    self.tape.append(result.foreground)
                    self.history.append(replace(result, foreground=None))
            self.facts = source.facts
        self.verdict, self.reason = self.facts.verdict, self.facts.reason

    def _watched(
        self, tracked: Iterable[tuple[Frame, Snapshot]], source: Source
    ) -> Iterator[tuple[Frame, Snapshot]]:
        """Yield what comes, and say how far the run is; without pictures where nobody looks."""
        seen = self.job.show or (self.job.config.output.video and not self.job.refine)
        for frame, result in tracked:
            self.frames += 1
            self._told(result, source.facts)
            yield frame if seen else Frame.unseen(frame.index, frame.time), result

    def refine(self) -> None:
        """Look back over all frames and write the results anew, the overlay in a second reading.

        An interrupt leaves the tables of the first pass, or else all those of the second.
        """
        job, assumed = self.job, self.facts
        assert assumed is not None, "the source was read to its end"
        facts = replace(assumed, claimed_frames=self.frames)
        from tracker.tracking import combine, look_back, start

        with self.timings.stage("refine"):
            frames = ((self.history[i], self.tape[i]) for i in reversed(range(len(self.tape))))
            backward = look_back(frames, job.config.tracking, self.scene)
            hindsight = [self._told(one, facts) for one in self.interrupts.between(backward)]
            objects = job.config.tracking.objects
            population = start(job.config.tracking, self.scene).population
            refined = combine(
                self.history,
                hindsight[::-1],
                objects=objects,
                population=population,
                scene=self.scene,
                recording=self.tape,
            )
        self.ids = {item.id for result in refined for item in result.tracks}
        self.health = Health(job.config.tracking.objects)
        sinks = open_sinks(
            job.out,
            job.config,
            lambda: assumed,
            seconds=self.timings.seconds,
            health=self.health,
            figures="refined",
            overlay=False,
        )
        with sinks, self.timings.stage("write"):
            for result in refined:
                sinks.write(Frame.unseen(result.frame, result.time), result)
        if not job.config.output.video:
            return
        with ExitStack() as stack:
            with self.interrupts.allowed(), self.timings.stage("open"):
                source = stack.enter_context(open_source(job.spec, job.config.source))
            overlay = stack.enter_context(open_overlay(job.out, job.config, assumed))
            again = self.timings.waiting("read", self.interrupts.between(source))
            for place, (result, frame) in enumerate(zip(refined, again, strict=False)):
                with self.timings.stage("write"):
                    overlay.write(frame, replace(result, foreground=self.tape[place]))
                self._told(result, facts)

    def _told(self, result: Snapshot, facts: SourceFacts) -> Snapshot:
        """Say how far the run is."""
        if self.watch:
            self.watch(result, facts)
        return result
