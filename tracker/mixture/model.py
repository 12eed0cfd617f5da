"""What a fitted mixture is good for: densities, assignments, criteria, samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import fitting, layouts
from tracker.mixture.chunks import is_chunked, reading
from tracker.mixture.contract import (
    Estimator,
    NotFittedError,
    as_points,
    as_random,
    as_weights,
    check_columns,
    kin,
)
from tracker.mixture.family import Family
from tracker.mixture.gaussian import Gaussian, e_step
from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array


class FittedMixture(Estimator):
    """An estimator's fitted half: everything that needs the mixture and no fit."""

    n_components: int
    covariance_type: str
    weights: str
    noise: float | None
    random_state: Any

    weights_: Array
    means_: Array
    covariances_: Array
    precisions_: Array
    precisions_cholesky_: Array
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    n_features_in_: int
    feature_names_in_: Array
    noise_weight_: float
    noise_bounds_: Array
    n_reseeded_: int

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Return the most probable component of each point, shape (N,); −1 for noise."""
        found: NDArray[np.intp] = self._each(X, labels)
        return found

    def predict_proba(self, X: Any) -> Array:
        """Return the posterior probability of each component, shape (N, K).

        What a row lacks to one is the probability of noise.
        """
        r: Array = self._each(X, lambda r, _: r.T)
        return r

    def score_samples(self, X: Any) -> Array:
        """Return the log-density at each point, shape (N,)."""
        logs: Array = self._each(X, lambda _, logs: logs)
        return logs

    def score(self, X: Any, y: None = None, sample_weight: Any = None) -> float:
        """Return the mean log-likelihood of a point."""
        if is_chunked(X):
            stats = self._stats(X, sample_weight)
            return stats.log_likelihood / stats.points
        logs = self.score_samples(X)
        weights = as_weights(sample_weight, logs)
        return float(logs.mean() if weights is None else weights @ logs / weights.sum())

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Return Schwarz's information criterion; the lower the better."""
        stats = self._stats(X, sample_weight)
        return float(-2 * stats.log_likelihood + self.n_parameters() * np.log(stats.points))

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Return Akaike's information criterion; the lower the better."""
        return -2 * self._stats(X, sample_weight).log_likelihood + 2 * self.n_parameters()

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Return the integrated completed likelihood; the lower the better.

        That is `bic` and twice the entropy of the assignment (Biernacki, Celeux & Govaert 2000), so
        that it prefers components that are apart.
        """
        self._check_fitted()
        sums = np.zeros(3)
        for points, weights in self._passes(X, sample_weight):
            terms = self._evaluated(points, lambda r, logs: completed(r, logs).T)
            sums += (np.ones(len(points)) if weights is None else weights) @ terms
        log_likelihood, entropy, count = sums
        return float(-2 * log_likelihood + self.n_parameters() * np.log(count) + 2 * entropy)

    def n_parameters(self) -> int:
        """Return the number of free parameters."""
        self._check_fitted()
        family = Family(
            self.covariance_type,
            weights=self.weights_ if self.weights == "fixed" else None,
            clutter=self.noise is not None,
        )
        return family.parameters(*self.means_.shape)

    def sample(self, n_samples: int = 1) -> tuple[Array, NDArray[np.intp]]:
        """Draw points and the components that they come from.

        Returns
        -------
        X, y
            Shapes (n_samples, d) and (n_samples,), ordered by component; noise, last, is −1.
        """
        self._check_fitted()
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples}. The sampling requires at least one "
                "sample."
            )
        return fitting.draw(
            self._mixture(),
            n_samples,
            as_random(self.random_state),
            getattr(self, "noise_bounds_", None),
        )

    def _n_parameters(self) -> int:
        """Return `n_parameters()`, under scikit-learn's name for it."""
        return self.n_parameters()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "means_")

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise kin(NotFittedError)(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with "
                "appropriate arguments before using this estimator."
            )

    def _mixture(self) -> Mixture:
        """Return the fitted mixture as the two steps want it."""
        means = self.means_.astype(np.float64)
        covariances = layouts.inside(
            self.covariances_.astype(np.float64), self.covariance_type, means
        )
        return Mixture(self.weights_.astype(np.float64), means, covariances)

    def _likelihood(self) -> Gaussian:
        box = getattr(self, "noise_bounds_", None)
        if box is None or self.noise_weight_ <= 0:
            return Gaussian()
        return Gaussian(float(np.log(self.noise_weight_)) - fitting.log_volume(*box))

    def _each(self, X: Any, function: Callable[[Array, Array], Any]) -> Any:
        """Return what a function makes of responsibilities and log-densities, for all points."""
        self._check_fitted()
        points, _ = self._points(X, reset=False)
        return self._evaluated(points, function)

    def _evaluated(self, points: Array, function: Callable[[Array, Array], Any]) -> Any:
        """Return the same for points that have been checked."""
        posteriors = self._likelihood().posteriors(points, self._mixture())
        return np.concatenate([function(r, logs) for r, logs in posteriors])

    def _stats(self, X: Any, sample_weight: Any) -> Stats:
        self._check_fitted()
        mixture, likelihood = self._mixture(), self._likelihood()
        parts = [
            e_step(points, mixture, likelihood=likelihood, weights=weights)
            for points, weights in self._passes(X, sample_weight)
        ]
        return reduce(add, parts)

    def _passes(self, X: Any, sample_weight: Any) -> Iterator[tuple[Array, Array | None]]:
        """Yield points and weights: those of an array at once, those of chunks one by one."""
        if not is_chunked(X):
            yield self._points(X, sample_weight=sample_weight, reset=False)
            return
        with reading(X) as read:
            for points, weights in read():
                check_columns(self, points, points)
                yield points, weights

    def _points(
        self,
        X: Any,
        y: object = None,
        sample_weight: Any = None,
        *,
        least: int = 1,
        reset: bool = True,
    ) -> tuple[Array, Array | None]:
        """Return points and weights, checked."""
        points = as_points(X, least=least, beside=y)
        if not reset:
            check_columns(self, X, points)
        return points, as_weights(sample_weight, points)


def labels(r: Array, _: Array) -> NDArray[np.intp]:
    """Return the most probable component of each point, and −1 where that is the clutter."""
    best = r.argmax(axis=0)
    rest = 1 - r.sum(axis=0)
    return np.where(rest > r.max(axis=0), -1, best)


def completed(r: Array, logs: Array) -> Array:
    """Return log-likelihood, entropy of the assignment, and 1 for each point, shape (3, n)."""
    rest = np.maximum(1 - r.sum(axis=0), 0)
    entropy = -(r * np.log(np.maximum(r, 1e-30))).sum(axis=0)
    entropy -= rest * np.log(np.maximum(rest, 1e-30))
    return np.array([logs, entropy, np.ones(len(logs))], dtype=np.float64)
