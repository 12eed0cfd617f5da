"""What a fitted mixture is good for: samples, and scores of other points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.errors import ConfigError, SourceError
from tracker.fitting.options import TableOptions
from tracker.fitting.results import CsvWriter, exact_format, text_output
from tracker.fitting.scored import label_formats, scored_blocks
from tracker.fitting.tables import read_table
from tracker.mixture.estimator import GaussianMixture
from tracker.sinks.files import make_folder


def load_mixture(path: Path) -> GaussianMixture:
    """Return the model in a file that a fit wrote.

    Raises
    ------
    SourceError
        Where it is no such file.
    """
    try:
        model = GaussianMixture.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(
            f"cannot open {str(path)!r}: {error.strerror}; give the mixture.json of a fit"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} is no mixture; give the mixture.json that 'tracker fit' wrote"
        ) from error
    if not model.__sklearn_is_fitted__():
        raise SourceError(f"{path} is a mixture that was never fitted; fit it to data first")
    return model


def _take_names(model: GaussianMixture) -> tuple[str, ...]:
    """Return the names of a model's columns, which are checked here and no more by the model."""
    names = model.__dict__.pop("feature_names_in_", ())
    return tuple(str(name) for name in names)


def sample(mixture: Path, count: int, *, seed: int, labels: bool, out: Path | None) -> None:
    """Draw points from a mixture, in random order, and write them as a table.

    Parameters
    ----------
    mixture
        The mixture.json of a fit.
    count
        How many.
    seed
        Of the random numbers.
    labels
        Add a column with the component that each point comes from.
    out
        The file, or None for standard output.
    """
    if count < 1:
        raise ConfigError(f"-n is {count}; draw 1 point or more")
    if seed < 0:
        raise ConfigError(f"--seed is {seed}; give a number from 0 upwards")
    model = load_mixture(mixture)
    names = _take_names(model) or tuple(f"x{i + 1}" for i in range(model.means_.shape[1]))
    random = np.random.default_rng(seed)
    model.random_state = random
    points, label = model.sample(count)
    order = random.permutation(count)
    formats = dict.fromkeys(names, exact_format(points)) | ({"label": "%d"} if labels else {})
    if out is not None:
        make_folder(out.parent)
    with text_output(out) as file:
        CsvWriter(file, formats).write(*points[order].T, *([label[order]] if labels else []))


@dataclass(frozen=True, slots=True)
class Score:
    """How well a mixture explains points: how many, and their mean log-density."""

    points: float
    log_density: float


def score(
    mixture: Path, data: str, options: TableOptions, *, posteriors: bool, out: Path | None
) -> Score:
    """Write the label, its posterior and the log-density of each point of a table.

    Parameters
    ----------
    mixture
        The mixture.json of a fit.
    data
        A table.
    options
        What to take from it; where that names no columns, those of the fit.
    posteriors
        Write the posterior of every component.
    out
        The file, or None for standard output.
    """
    model = load_mixture(mixture)
    table = read_table(data, options, wanted=_take_names(model))
    dimensions = model.means_.shape[1]
    if table.points.shape[1] != dimensions:
        raise ConfigError(
            f"{data} has {table.points.shape[1]} columns and the mixture was fitted to "
            f"{dimensions}; choose them with --columns"
        )
    weights = np.ones(len(table.points)) if table.weights is None else table.weights
    formats = {name: exact_format(table.points) for name in table.names}
    total = 0.0
    if out is not None:
        make_folder(out.parent)
    with text_output(out) as file:
        writer = CsvWriter(file, formats | label_formats(model, posteriors))
        for part, scored in scored_blocks(model, table.points):
            writer.write(*table.points[part].T, *scored.columns(posteriors))
            total += float(weights[part] @ scored.log_density)
    points = float(weights.sum())
    return Score(points, total / points)
