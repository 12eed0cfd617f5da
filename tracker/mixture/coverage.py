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
from tracker.mixture.planar import roots
from tracker.types import Array

_FARTHEST = 4.0  # times as far as a round of EM goes,
_NEAR = 1.0  # standard deviation: but no farther than this, unless the round itself does
_LEAST = 1e-12  # probability that an object does not cover a point, at least: others divide by it


@dataclass(frozen=True, slots=True)
class Silhouettes:
    """K objects of fixed shape, N points of a mask, and P pairs of an object and a point near it.

    Parameters
    ----------
    mixture
        The objects; `white` is relative to their means.
    lower, inverse
        Shape (K, 2, 2), L with Σ = LLᵀ, and L⁻¹.
    counts
        Shape (K,), how many pairs each component has; they stand one component after another.
    starts
        Shape (K + 1,), the first pair of each component, and P.
    point
        Shape (P,), the point of each pair.
    white
        Shape (2, P), L⁻¹(x − μ).
    weights
        Shape (N,), how often each point counts.
    shares
        Shape (K,), the share of each object that shows: where it is, a point is of the mask with
        this probability. None: all of it does.
    missing
        Shape (N,), points of which nobody knows whether they belong to the mask, as something hides
        them: they count in the sums as if the object went on there, and not as information. None
        where there are none.
    likelihood
        Rim and clutter; its affinity has the shape (P,), and is 1 for missing points.
    """

    mixture: Mixture
    lower: Array
    inverse: Array
    counts: NDArray[np.intp]
    starts: NDArray[np.intp]
    point: NDArray[np.intp]
    white: Array
    weights: Array
    shares: Array | None
    missing: NDArray[np.bool_] | None
    likelihood: Coverage

    def way(self, means: Array, since: Array) -> Array:
        """Return how far each object went, in its standard deviations, L⁻¹(μ − μ'), (K, 2)."""
        way: Array = (self.inverse @ (means - since)[:, :, None])[:, :, 0]
        return way

    def distances(self, means: Array) -> Array:
        """Return squared Mahalanobis distances for objects at other means, shape (P,).

        Parameters
        ----------
        means
            Shape (K, 2).
        """
        shift = self.way(means, self.mixture.means)
        apart = self.white - shift.T.repeat(self.counts, axis=1)
        apart *= apart
        distances: Array = apart[0] + apart[1]
        return distances

    def shown(self, cover: Array) -> tuple[Array, Array]:
        """Return a, what shows of such a cover, (P,), and Π_j (1 − a_j) at each point, (N,)."""
        a = cover if self.shares is None else cover * self.shares.repeat(self.counts)
        bare = np.ones(len(self.weights))
        np.multiply.at(bare, self.point, np.maximum(1.0 - a, _LEAST))
        return a, bare

    def e_step(self, means: Array, *, scored: bool = True) -> Stats:
        """Give each point to every object that covers it, and sum the statistics.

        Parameters
        ----------
        means
            Shape (K, 2), where the objects are.
        scored
            Whether to sum the log-likelihood and the weights, which rounds of EM have no use for;
            they are 0 otherwise.

        Returns
        -------
        stats
            Mass and mean; the scatter repeats the shapes, which nothing changes.
        """
        a, bare = self.shown(self.likelihood.cover(self.distances(means)))
        foreground = self.foreground(bare)
        if self.likelihood.affinity is not None:
            a *= self.likelihood.affinity
            np.minimum(a, 1.0, out=a)
        a *= (self.weights / foreground).take(self.point)
        moments = np.empty((3, len(a)))
        moments[0] = a
        np.multiply(a, self.white, out=moments[1:])
        moments = totals(moments, self.starts)
        mass = moments[0]
        white = moments[1:] / np.maximum(mass, 1e-300)
        if self.missing is not None:
            mass = totals(np.where(self.missing.take(self.point), 0.0, a), self.starts)
        return Stats(
            mass,
            self.mixture.means + (self.lower @ white.T[:, :, None])[:, :, 0],
            self.mixture.covariances,
            *(self.score(foreground) if scored else ()),
        )

    def scatter(self, cover: Array) -> Array:
        """Return the scatter of what each object covers, shape (K, 2, 2); its own where nothing is.

        Whatever the colours are: these differ from one end of an animal to the other.

        Parameters
        ----------
        cover
            Shape (P,), how well each object covers each point near it.
        """
        a, bare = self.shown(cover)
        a = a * (self.weights / self.foreground(bare)).take(self.point)
        x, y = self.white
        moments = totals(np.array([a, a * x, a * y, a * x * x, a * x * y, a * y * y]), self.starts)
        mass = moments[0]
        x, y, xx, xy, yy = moments[1:] / np.maximum(mass, 1e-300)
        white = np.array([xx - x * x, xy - x * y, xy - x * y, yy - y * y]).T.reshape(-1, 2, 2)
        white = np.where(mass[:, None, None] > 0, white, np.eye(2))
        return np.asarray(self.lower @ white @ self.lower.swapaxes(1, 2))

    def foreground(self, bare: Array) -> Array:
        """Return the probability of each point, (N,), from that of nothing covering it, (N,)."""
        foreground: Array = 1.0 - (1.0 - self.likelihood.clutter) * bare
        if self.missing is not None:
            foreground[self.missing] = 1.0
        return foreground

    @property
    def known(self) -> Array:
        """Shape (N,), the weights, 0 for those that are missing."""
        return self.weights if self.missing is None else np.where(self.missing, 0.0, self.weights)

    def score(self, foreground: Array) -> tuple[float, float]:
        """Return the log-likelihood of points of such probabilities, nats, and what they weigh."""
        known = self.known
        # No `@`: BLAS wakes threads for long vectors, and those wait longer than they sum.
        return float((np.log(foreground) * known).sum()), float(known.sum())

    def exposed(self, cover: Array, lost: NDArray[np.bool_]) -> tuple[Array, float]:
        """Return the weight of the points that each object covers alone, and the log-likelihood.

        Parameters
        ----------
        cover
            Shape (P,), how well each object covers each point near it.
        lost
            Shape (K,), objects that take nothing from the others, as nobody sees them.

        Returns
        -------
        exposed, log_likelihood
            Shape (K,), and in nats.
        """
        a, bare = self.shown(cover)
        log_likelihood, _ = self.score(self.foreground(bare))
        known = self.known
        bare *= known
        alone = bare.take(self.point)
        if lost.any():
            unseen = lost.repeat(self.counts)
            np.divide.at(bare, self.point[unseen], np.maximum(1.0 - a[unseen], _LEAST))
            alone = np.where(unseen, alone, bare.take(self.point))
        alone /= np.maximum(1.0 - a, _LEAST)
        alone *= cover
        return totals(alone, self.starts), log_likelihood


def silhouettes(
    points: Array,
    mixture: Mixture,
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    likelihood: Coverage,
    weights: Array | None = None,
    shares: Array | None = None,
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
        Which component may cover which point, each of shape (P,), by ascending component; all
        others do not.
    likelihood, weights, shares, missing
        See `Silhouettes`; weights default to 1, and no points are missing.
    """
    component, point = pairs
    lower, inverse = roots(mixture.covariances)
    starts = component.searchsorted(np.arange(len(mixture) + 1))
    counts = starts[1:] - starts[:-1]
    x, y = np.ascontiguousarray(points.T).take(point, axis=1) - mixture.means.T.repeat(
        counts, axis=1
    )
    xx, _, yx, yy = inverse.reshape(-1, 4).T.repeat(counts, axis=1)
    yx *= x
    yx += yy * y
    xx *= x
    return Silhouettes(
        mixture,
        lower,
        inverse,
        counts,
        starts,
        point,
        np.array([xx, yx]),
        np.ones(len(points)) if weights is None else weights,
        shares,
        missing,
        likelihood,
    )


def longer(stride: Array, way: Array, before: Array) -> Array:
    """Return how many times as far as a round of EM each object may go, shape (K,).

    What a round moves an object is a share of what it has to go in all. How a step compares with
    the one before tells that share (Barzilai & Borwein 1988), as long as the steps are short.

    Parameters
    ----------
    stride
        Shape (K,), how many times as far each went after the step before.
    way, before
        Shape (K, 2), how far the last two rounds moved each mean, in its standard deviations.
    """
    again = _dot(way, before) / np.maximum(_dot(before, before), 1e-12)
    length = np.sqrt(_dot(way, way))
    most = np.minimum(_FARTHEST, _NEAR / np.maximum(length, 1e-12))
    longest: Array = np.minimum(stride / np.maximum(1.0 - again, 1e-3), most)
    return np.maximum(longest, 1.0)


def _dot(one: Array, other: Array) -> Array:
    product: Array = np.einsum("ki,ki->k", one, other)  # of few numbers, a sum takes twice as long
    return product


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


def totals(values: Array, starts: NDArray[np.intp]) -> Array:
    """Add up values by group, where each group is a row of neighbours.

    Parameters
    ----------
    values
        Shape (..., n).
    starts
        Shape (count + 1,), the first of each group, and n; a group may be empty.

    Returns
    -------
    total
        Shape (..., count).
    """
    first = starts[:-1]
    filled = starts[1:] > first
    if filled.all():
        return np.asarray(np.add.reduceat(values, first, axis=-1))
    total = np.zeros((*values.shape[:-1], len(first)))
    if filled.any():
        total[..., filled] = np.add.reduceat(values, first[filled], axis=-1)
    return total
