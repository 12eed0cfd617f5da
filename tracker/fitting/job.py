"""A fit from end to end: points in, files out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.config import Config
from tracker.errors import ConfigError, SourceError
from tracker.fitting import plots
from tracker.fitting.frames import FrameTables, Spread
from tracker.fitting.options import Frames, ModelOptions, TableOptions, components
from tracker.fitting.pixels import Footage, Pixels, Tally
from tracker.fitting.plots import Fitted, Sight
from tracker.fitting.results import CsvWriter, exact_format, text_output
from tracker.fitting.scored import (
    SELECTION,
    Scored,
    label_formats,
    mixture_of,
    noise_density,
    scored_blocks,
    selection_row,
)
from tracker.fitting.search import Ear, Request, Search, Watch, search
from tracker.fitting.tables import Table, is_table, read_table
from tracker.interrupts import Interrupts
from tracker.mixture.contract import ConvergenceWarning
from tracker.mixture.em import Iteration
from tracker.mixture.estimator import GaussianMixture
from tracker.mixture.nouns import Mixture
from tracker.mixture.selection import Candidate
from tracker.sinks.files import make_folder, writing
from tracker.sources import Verdict, open_source

RESULTS = (
    "mixture.json", "mixtures.csv", "labels.csv", "selection.csv", "fit.png", "selection.png",
)  # fmt: skip
"""Every file that a fit may write into its folder."""

_SHOWN_FRAMES = 9  # frames of a fit per frame that its picture shows
_PIXEL_COLUMNS = ("x", "y")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """What to fit, and where the results go.

    Parameters
    ----------
    data
        A table, or a source of frames whose foreground pixels are the points.
    out
        Folder of the results.
    components
        "3", "2:8" or "auto".
    model
        How to fit.
    table
        What to take from a table.
    frames
        Which frames to take from a source.
    per_frame
        A fit for each frame, instead of one for all of them.
    posteriors
        Write the posterior of every component.
    trace
        Where to draw every iteration of EM, or None.
    config
        How the frames of a source become points.
    """

    data: str
    out: Path
    components: str = "auto"
    model: ModelOptions = field(default_factory=ModelOptions)
    table: TableOptions = field(default_factory=TableOptions)
    frames: Frames = field(default_factory=Frames)
    per_frame: bool = False
    posteriors: bool = False
    trace: Path | None = None
    config: Config = field(default_factory=Config)


@dataclass(slots=True)
class Outcome:
    """How a fit went.

    Parameters
    ----------
    lines
        What there is to say of it, a line each.
    notes
        What to beware of, a line each.
    interrupted
        True where Ctrl-C ended it; the best fit by then was written.
    damage
        Why the source ended before its time, or empty.
    """

    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False
    damage: str = ""


# Fit ----------------------------------------------------------------------------------------------


def fit(job: FitJob, *, watch: Watch | None = None) -> Outcome:
    """Fit mixtures and write the results; Ctrl-C keeps the best fit so far.

    Raises
    ------
    SourceError
        Where the data cannot be read, or are not numbers that a mixture can be fitted to.
    ConfigError
        Where an option does not fit the data.
    OutputError
        Where a result cannot be written.
    KeyboardInterrupt
        Where Ctrl-C came before there was any fit to keep.
    """
    counts = components(job.components)
    tabular = is_table(job.data)
    _check_options(job, counts, tabular)
    outcome = Outcome()
    with Interrupts() as interrupts, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the outcome says it
        if tabular:
            with interrupts.allowed():
                table = read_table(job.data, job.table)
            _check_fittable(table, counts, job)
            sight = Sight(points=table.points, names=table.names, weights=table.weights)
            _fit_once(job, sight, counts, Ear(interrupts, watch), outcome, named=table.named)
        else:
            _fit_footage(job, counts, Ear(interrupts, watch), outcome)
    if outcome.interrupted:
        outcome.notes.append("stopped before the end; this is the best by then")
    return outcome


def _check_options(job: FitJob, counts: range, tabular: bool) -> None:
    """Check, before anything is read, that the options go together."""
    job.model.check()
    for count in counts:
        job.model.fixed(count)
    if job.trace is not None:
        plots.need_drawing("--trace")
        if job.per_frame:
            raise ConfigError("--trace draws one fit and --per-frame makes many; leave one out")
        if job.trace.suffix.lower() not in ("", ".gif", ".mp4"):
            raise ConfigError(
                f"--trace {job.trace} is no kind of moving picture that is written; "
                "name a folder, or a file that ends in .gif or .mp4"
            )
    if tabular and (job.per_frame or job.frames != Frames()):
        raise ConfigError(
            f"--frames, --every and --per-frame are for videos, and {job.data} is a table; "
            "leave them out"
        )
    if not tabular and job.table != TableOptions():
        raise ConfigError(
            f"--columns, --weights and --array are for tables, and {job.data} is none; "
            "leave them out"
        )


def _check_fittable(table: Table, counts: range, job: FitJob) -> None:
    rows = len(table.points) if table.weights is None else int(np.count_nonzero(table.weights))
    if rows < max(counts[0], 2):
        raise ConfigError(
            f"{job.data} has {rows} {'row' if rows == 1 else 'rows'} of data, too few to fit "
            f"{counts[0]} {'component' if counts[0] == 1 else 'components'}; give more rows"
            + (", or fewer --components" if counts[0] > 1 else "")
        )
    spread = np.ptp(table.points, axis=0)
    constant = np.flatnonzero(spread == 0)
    if len(constant):
        index = int(constant[0])
        rest = [name for other, name in enumerate(table.names) if other not in constant]
        raise SourceError(
            f"{job.data} has the value {table.points[0, index]:g} in every row of column "
            f"{table.names[index]!r}, which no Gaussian can describe; "
            + (f"leave it out with --columns {','.join(rest)}" if rest else "give data that vary")
        )


def _request(job: FitJob, counts: Sequence[int]) -> Request:
    return Request(data=job.data, counts=counts, model=job.model, trace=job.trace is not None)


def _fit_once(
    job: FitJob, sight: Sight, counts: range, ear: Ear, outcome: Outcome, *, named: bool
) -> None:
    """Fit all points together and write every result."""
    possible = [count for count in counts if count <= len(sight.points)]
    found = search(sight.points, sight.weights, _request(job, possible), ear)
    outcome.interrupted = ear.stopped
    model = found.best.model
    labels = np.empty(len(sight.points), np.intp)
    _clear(job.out)
    ear.say("writing the results")
    _write_text(job.out / "mixture.json", _as_json(model, sight.names if named else None))
    with text_output(job.out / "labels.csv") as file:
        counted = {} if sight.weights is None else {"weight": sight.weights}
        formats = {name: exact_format(sight.points) for name in sight.names}
        formats |= {name: exact_format(weights) for name, weights in counted.items()}
        writer = CsvWriter(file, formats | label_formats(model, job.posteriors))
        for part, scored in scored_blocks(model, sight.points):
            labels[part] = scored.labels
            coordinates = (*sight.points[part].T, *(each[part] for each in counted.values()))
            writer.write(*coordinates, *scored.columns(job.posteriors))
    with text_output(job.out / "selection.csv") as file:
        writer = CsvWriter(file, SELECTION)
        for candidate in found.table:
            writer.write(*([value] for value in selection_row(candidate)))
    if _can_draw(outcome):
        ear.say("drawing")
        plots.draw_fit(
            job.out / "fit.png", sight, _fitted(found, labels, _title(found.best, sight))
        )
        if len(found.table) > 1:
            plots.draw_selection(job.out / "selection.png", found.table, job.model.criterion)
    if job.trace is not None:
        _draw_trace(job.trace, sight, model, found.steps, ear)
    outcome.lines += _summary(found, sight, job)
    if not model.converged_ and not ear.stopped:
        outcome.notes.append(
            f"EM had not converged after {model.n_iter_} iterations; "
            "give more with --iterations, or a larger --tolerance"
        )


def _can_draw(outcome: Outcome) -> bool:
    """Tell whether there can be pictures, and note it where not."""
    if not plots.can_draw():
        outcome.notes.append(
            "no pictures were drawn, as matplotlib is not installed; "
            "install it with pip install matplotlib"
        )
    return plots.can_draw()


def _fitted(found: Search, labels: NDArray[np.intp], title: str) -> Fitted:
    model = found.best.model
    return Fitted(mixture=mixture_of(model), labels=labels, noise=noise_density(model), title=title)


def _as_json(model: GaussianMixture, names: Sequence[str] | None) -> str:
    """Return a model as text, with the names of its columns."""
    named = copy(model)  # the model itself is asked about arrays, which have no names
    if names is not None:
        named.feature_names_in_ = np.array(names, dtype=object)
    return named.to_json() + "\n"


def _write_text(path: Path, text: str) -> None:
    with text_output(path) as file:
        file.write(text)


def _clear(folder: Path) -> None:
    """Make the folder, without what an earlier fit left: no two fits shall pass for one."""
    make_folder(folder)
    for name in RESULTS:
        with writing(folder / name):
            (folder / name).unlink(missing_ok=True)


def _title(best: Candidate[GaussianMixture], sight: Sight) -> str:
    kind = "pixels" if sight.picture is not None else "points"
    count = len(sight.points) if sight.weights is None else sight.weights.sum()
    plural = "component" if best.n_components == 1 else "components"
    return f"{best.n_components} {plural}, {count:,.0f} {kind}"


def _summary(found: Search, sight: Sight, job: FitJob) -> list[str]:
    """Say what came out, in a line and one more for each component."""
    best = found.best
    points = len(sight.points) if sight.weights is None else float(sight.weights.sum())
    lines = [
        f"{_title(best, sight)}, log-likelihood per point {best.log_likelihood / points:.6f}, "
        f"BIC {best.bic:.2f}, results in {job.out}"
    ]
    mixture = mixture_of(best.model)
    for k in range(len(mixture)):
        mean = ", ".join(f"{value:.4g}" for value in mixture.means[k])
        deviations = np.sqrt(np.diagonal(mixture.covariances[k]))
        spread = ", ".join(f"{value:.4g}" for value in deviations)
        lines.append(f"  {k}: weight {mixture.weights[k]:.3f}, mean {mean}, deviation {spread}")
    if best.model.noise is not None:
        lines.append(f"  noise: weight {best.model.noise_weight_:.3f}")
    return lines


def _draw_trace(
    path: Path, sight: Sight, model: GaussianMixture, steps: Sequence[Iteration], ear: Ear
) -> None:
    """Draw every iteration of the start that won."""
    make_folder(path.parent if path.suffix else path)
    views = []
    scores = []
    for now in steps:
        mixture = Mixture(now.mixture.weights, now.mixture.means, now.mixture.matrices)
        more = {} if model.noise is None else _noise_of(model, mixture)
        shares = mixture.weights / mixture.weights.sum()
        at = GaussianMixture.from_parameters(mixture.means, mixture.covariances, shares, **more)
        scores.append(at.score(sight.points, sample_weight=sight.weights))
        title = f"iteration {now.number}"
        views.append(Fitted(mixture=mixture, labels=at.predict(sight.points), title=title))
    ear.say("drawing every iteration")
    plots.draw_steps(path, sight, views, np.array(scores))


def _noise_of(model: GaussianMixture, mixture: Mixture) -> dict[str, Any]:
    return {
        "noise": max(1.0 - float(mixture.weights.sum()), 0.0),
        "noise_bounds": model.noise_bounds_,
    }


# Fits of pixels -----------------------------------------------------------------------------------


def _fit_footage(job: FitJob, counts: range, ear: Ear, outcome: Outcome) -> None:
    """Fit the foreground pixels of a source."""
    with ExitStack() as stack:
        with ear.interrupts.allowed():
            ear.say("looking for the background")
            source = stack.enter_context(open_source(job.data, job.config.source))
            footage = Footage(source, job.config, job.frames)
        if job.per_frame:
            _fit_frames(job, footage, counts, ear, outcome)
        else:
            tally = Tally(footage.grid)
            for index, pixels in ear.interrupts.between(footage):
                tally.add(pixels.points)
                ear.say(f"frame {index}, {len(pixels)} pixels")
            pixels = tally.pixels
            if len(pixels) < max(counts[0], 2):
                raise footage.nothing()
            sight = _sight(footage, pixels)
            _fit_once(job, sight, counts, ear, outcome, named=True)
        if footage.facts.verdict in (Verdict.DAMAGED, Verdict.CUT_SHORT):
            outcome.damage = footage.facts.reason
        if footage.flooded:
            outcome.notes.append(
                f"{footage.flooded} frames in which the light changed as a whole were left out"
            )


def _sight(footage: Footage, pixels: Pixels) -> Sight:
    return Sight(
        points=pixels.points,
        names=_PIXEL_COLUMNS,
        weights=pixels.weights,
        picture=footage.picture,
        grid=footage.grid,
    )


def _fit_frames(job: FitJob, footage: Footage, counts: range, ear: Ear, outcome: Outcome) -> None:
    """Fit each frame by itself, and write its rows before the next one."""
    views: Spread[tuple[Sight, Fitted]] = Spread(_SHOWN_FRAMES)
    fits = few = 0
    with FrameTables(job.out) as tables:
        try:
            for index, pixels in ear.interrupts.between(footage):
                possible = [count for count in counts if count < len(pixels)]
                if not possible:
                    few += 1
                    continue
                found = search(pixels.points, pixels.weights, _request(job, possible), ear)
                if ear.stopped:
                    break  # a frame is fitted whole or not at all
                if not fits:
                    _clear(job.out)
                scored = Scored.of(found.best.model, pixels.points)
                tables.write(index, pixels, found, scored)
                fits += 1
                sight, title = _sight(footage, pixels), f"frame {index}"
                views.add(
                    (sight, _fitted(found, scored.labels, f"{title}, {_title(found.best, sight)}"))
                )
        except KeyboardInterrupt:  # while the next frame was awaited
            ear.stopped = True
    if not fits:
        if ear.stopped:
            raise KeyboardInterrupt
        raise footage.nothing()
    outcome.interrupted = ear.stopped
    outcome.lines.append(f"{fits} frames fitted one by one, results in {job.out}")
    if few:
        outcome.notes.append(f"{few} frames had too few foreground pixels for a fit")
    if _can_draw(outcome):
        plots.draw_frames(job.out / "fit.png", views.kept)
