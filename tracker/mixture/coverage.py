"""Objects of fixed shape that touch: the E-step of the coverage likelihood, where it matters.

The same equations as in `Coverage`, over pairs of an object and a point that is near it. A point is
far from nearly all objects of a crowd, and what is far covers it with probability zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.mixture.gaussian import Coverage
from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

_LEAST = 1e-12  # probability that a point is not covered, at least: its logarithm is finite


@dataclass(frozen=True, slots=True)
class Silhouettes:
    """K objects of fixed shape, N points of a mask, and P pairs of an object and a point near it.

    Parameters
    ----------
    mixture
        The objects; `white` is relative to their means.
    lower, inverse
        Shape (K, 2, 2), L with Σ = LLᵀ, and L⁻¹.
    component, point
        Shape (P,), the pairs, each once.
    white
        Shapes (P,) and (P,), L⁻¹(x − μ).
    weights
        Shape (N,), how often each point counts.
    missing
        Shape (N,), points of which nobody knows whether they belong to the mask, as something hides
        them: they count in the sums as if the object went on there, and not as information.
    likelihood
        Rim and clutter; its affinity has the shape (P,), and is 1 for missing points.
    """

    mixture: Mixture
    lower: Array
    inverse: Array
    component: NDArray[np.intp]
    point: NDArray[np.intp]
    white: tuple[Array, Array]
    weights: Array
    missing: NDArray[np.bool_]
    likelihood: Coverage

    def _shift(self, means: Array) -> Array:
        """Return L⁻¹ of the way that each object has moved, shape (K, 2)."""
        shift: Array = (self.inverse @ (means - self.mixture.means)[:, :, None])[:, :, 0]
        return shift

    def moved(self, means: Array) -> float:
        """Return the longest way that an object has moved, in its standard deviations."""
        return float(np.sqrt((self._shift(means) ** 2).sum(axis=1).max(initial=0.0)))

    def distances(self, means: Array) -> Array:
        """Return squared Mahalanobis distances for objects at other means, shape (P,).

        Parameters
        ----------
        means
            Shape (K, 2).
        """
        shift = self._shift(means)
        x, y = (w - shift[:, i].take(self.component) for i, w in enumerate(self.white))
        x *= x
        y *= y
        x += y
        return x

    def cover(self, means: Array) -> tuple[Array, Array]:
        """Return a, shape (P,), and the logarithm of Π_j (1 − a_j) at each point, shape (N,)."""
        a = self.likelihood.cover(self.distances(means))
        open_logs = np.log(np.maximum(1.0 - a, _LEAST))
        return a, sums(self.point, open_logs, len(self.weights))

    def e_step(self, means: Array) -> Stats:
        """Give each point to every object that covers it, and sum the statistics.

        Parameters
        ----------
        means
            Shape (K, 2), where the objects are.

        Returns
        -------
        stats
            Mass and mean; the scatter repeats the shapes, which nothing changes.
        """
        k = len(self.mixture)
        a, open_logs = self.cover(means)
        foreground = 1.0 - (1.0 - self.likelihood.clutter) * np.exp(open_logs)
        logs = np.log(foreground)
        if self.likelihood.affinity is not None:
            a *= self.likelihood.affinity
            np.minimum(a, 1.0, out=a)
        some_missing = bool(self.missing.any())
        if some_missing:
            logs[self.missing], foreground[self.missing] = 0.0, 1.0
        a *= (self.weights / foreground).take(self.point)
        total = known = sums(self.component, a, k)
        if some_missing:
            known = sums(self.component, a * ~self.missing.take(self.point), k)
        total = np.maximum(total, 1e-300)
        white = np.stack([sums(self.component, a * w, k) / total for w in self.white], axis=1)
        return Stats(
            known,
            self.mixture.means + (self.lower @ white[:, :, None])[:, :, 0],
            self.mixture.covariances,
            float(logs @ self.weights),
            float(self.weights @ ~self.missing),
        )

    def exposed(self, means: Array) -> Array:
        """Return the weight of the points that each object covers alone, shape (K,)."""
        a, open_logs = self.cover(means)
        alone = a * np.exp(open_logs[self.point] - np.log(np.maximum(1.0 - a, _LEAST)))
        alone *= (self.weights * ~self.missing)[self.point]
        return sums(self.component, alone, len(self.mixture))


def silhouettes(
    points: Array,
    mixture: Mixture,
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    likelihood: Coverage,
    weights: Array | None = None,
    missing: NDArray[np.bool_] | None = None,
) -> Silhouettes:
    """Prepare the E-step for some pairs of an object and a point.

    Parameters
    ----------
    points
        Shape (N, 2).
    mixture
        K components; their weights do not matter.
    pairs
        Which component may cover which point, each of shape (P,); all others do not.
    likelihood, weights, missing
        See `Silhouettes`; weights default to 1, and no points are missing.
    """
    component, point = pairs
    lower = np.linalg.cholesky(mixture.covariances).astype(np.float64)
    inverse = np.linalg.inv(lower).astype(np.float64)
    x, y = (points[point, axis] - mixture.means[component, axis] for axis in (0, 1))
    xx, yx, yy = (inverse[:, i, j][component] for i, j in ((0, 0), (1, 0), (1, 1)))
    return Silhouettes(
        mixture,
        lower,
        inverse,
        component,
        point,
        (xx * x, yx * x + yy * y),
        np.ones(len(points)) if weights is None else weights,
        np.zeros(len(points), dtype=bool) if missing is None else missing,
        likelihood,
    )


def sums(groups: NDArray[np.intp], values: Array, count: int) -> Array:
    """Add up values by group.

    Parameters
    ----------
    groups
        Shape (n,), the group of each value, below `count`.
    values
        Shape (n,).
    count
        Number of groups.

    Returns
    -------
    total
        Shape (count,).
    """
    total: Array = np.bincount(groups, values, count).astype(np.float64, copy=False)
    return total
