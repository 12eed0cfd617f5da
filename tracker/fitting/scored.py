"""What a fitted mixture says of points, as columns of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.mixture.estimator import GaussianMixture
from tracker.mixture.nouns import Mixture
from tracker.mixture.selection import Candidate
from tracker.types import Array

NOISE = -1
"""The label of points that no component claims."""

_BLOCK = 100_000  # points whose posteriors are in memory at once


def mixture_of(model: GaussianMixture) -> Mixture:
    """Return the mixture of a fitted model with full matrices."""
    k, d = model.means_.shape
    covariances = np.asarray(model.covariances_, np.float64)
    if model.covariance_type == "tied":
        covariances = np.broadcast_to(covariances, (k, d, d))
    elif model.covariance_type != "full":
        covariances = covariances.reshape(k, -1)[:, :, None] * np.eye(d)
    return Mixture(
        np.asarray(model.weights_, np.float64), np.asarray(model.means_, np.float64), covariances
    )


def noise_density(model: GaussianMixture) -> float:
    """Return the density of the uniform component times its weight, 0 where there is none."""
    if model.noise is None:
        return 0.0
    return model.noise_weight_ / float(np.prod(model.noise_bounds_[1] - model.noise_bounds_[0]))


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of points: label, posterior of each component, log-density."""

    labels: NDArray[np.intp]
    posteriors: Array
    log_density: Array

    @classmethod
    def of(cls, model: GaussianMixture, points: NDArray[Any]) -> Scored:
        return cls(model.predict(points), model.predict_proba(points), model.score_samples(points))

    def columns(self, every: bool) -> list[NDArray[Any]]:
        """Return the values of these columns."""
        own = np.take_along_axis(self.posteriors, np.maximum(self.labels, 0)[:, None], axis=1)
        rest = 1 - self.posteriors.sum(axis=1)
        posterior = np.where(self.labels == NOISE, rest, own[:, 0])
        more = list(self.posteriors.T) if every else []
        return [self.labels, posterior, self.log_density, *more]


def label_formats(model: GaussianMixture, every: bool) -> dict[str, str]:
    """Return the columns that a table of labels has after the coordinates, with their formats.

    Parameters
    ----------
    model
        The fitted model.
    every
        Whether the posterior of every component is wanted.
    """
    more = {f"posterior_{k}": "%.6f" for k in range(len(model.weights_))} if every else {}
    return {"label": "%d", "posterior": "%.6f", "log_density": "%.6f"} | more


def scored_blocks(model: GaussianMixture, points: NDArray[Any]) -> Iterator[tuple[slice, Scored]]:
    """Yield what a model says of points, block by block: many points have many posteriors."""
    for start in range(0, len(points), _BLOCK):
        part = slice(start, min(start + _BLOCK, len(points)))
        yield part, Scored.of(model, points[part])


SELECTION = {
    "components": "%d",
    "log_likelihood": "%.6f",
    "parameters": "%d",
    "aic": "%.6f",
    "bic": "%.6f",
    "icl": "%.6f",
    "iterations": "%d",
    "converged": "%d",
}


def selection_row(candidate: Candidate[GaussianMixture]) -> list[float]:
    """Return the values of the columns of `SELECTION`."""
    return [
        candidate.n_components,
        candidate.log_likelihood,
        candidate.n_parameters,
        candidate.aic,
        candidate.bic,
        candidate.icl,
        candidate.model.n_iter_,
        candidate.model.converged_,
    ]
