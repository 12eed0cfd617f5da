"""Points for a batch fit: in memory, joined where rows repeat, or read chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.mixture.features import Prepared, gather, prepare
from tracker.mixture.gaussian import Gaussian, e_step
from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

Chunk = tuple[Array, Array | None]

_DRAWN = 2**16  # rows that a start is found from
_CELLS = 2**14  # cells of the coarse phase
_GAIN = 2  # rows are joined where that leaves at most one in so many


@dataclass(frozen=True, slots=True)
class Moments:
    """What the data are as a whole.

    Parameters
    ----------
    points
        Sum of the weights.
    mean, covariance
        Shapes (d,) and (d, d).
    """

    points: float
    mean: Array
    covariance: Array


class Sample:
    """Points in memory.

    Parameters
    ----------
    points
        Shape (N, d), float64 or float32.
    weights
        Shape (N,), or None.
    diagonal
        Whether the covariances to come are diagonal.
    """

    def __init__(self, points: Array, weights: Array | None, *, diagonal: bool) -> None:
        if weights is not None and not weights.all():
            points, weights = points[weights > 0], weights[weights > 0]
        points, weights = joined_rows(points, weights)
        self._use(prepare(points, weights, diagonal=diagonal))

    def _use(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.dtype = prepared.dtype
        self.scale = prepared.scale

    def moments(self) -> Moments:
        """Return what the data are as a whole."""
        stats = gather(self.prepared, _one(self.prepared))
        return Moments(stats.points, *_mean_and_covariance(stats))

    def box(self) -> Array:
        """Return the corners of the box that holds all points, shape (2, d)."""
        points = self.prepared.points
        return np.array([points.min(axis=0), points.max(axis=0)], dtype=np.float64)

    def e_step(self, mixture: Mixture, likelihood: Gaussian) -> Stats:
        """Return the statistics of all points."""
        return e_step(self.prepared, mixture, likelihood=likelihood)

    def draw(self) -> Chunk:
        """Return points and weights to find a start from: all, or an even selection of them."""
        points, weights = self.prepared.points, self.prepared.weights
        if len(points) <= _DRAWN:
            return points, weights
        return points[_evenly(len(points), weights, self.prepared.total)], None

    def coarse(self) -> Sample:
        """Return the points joined into the cells of a grid."""
        points = self.prepared.points
        low, high = self.box()
        d = points.shape[1]
        bins = max(int(_CELLS ** (1 / d)), 2)
        sides = np.where(high > low, high - low, 1.0)
        place = np.minimum(((points - low) * (bins / sides)).astype(np.int64), bins - 1)
        used, label = _numbered(_keys(place, np.full(d, bins)))
        result = object.__new__(Sample)
        result._use(self.prepared.joined(label, used))
        return result


class Chunks:
    """Points that are read chunk by chunk, once for each E-step.

    Parameters
    ----------
    read
        Returns a fresh iterator over chunks of points with their weights.
    diagonal
        Whether the covariances to come are diagonal.
    """

    def __init__(self, read: Callable[[], Iterator[Chunk]], *, diagonal: bool) -> None:
        self.read = read
        self.diagonal = diagonal
        whole: Stats | None = None
        low = high = np.zeros(0)
        for points, weights in read():
            prepared = prepare(points, weights, diagonal=False)
            stats = gather(prepared, _one(prepared))
            if whole is None:
                whole, low, high = stats, points.min(axis=0), points.max(axis=0)
                self.dtype = points.dtype
            else:
                whole = whole + stats
                low = np.minimum(low, points.min(axis=0))
                high = np.maximum(high, points.max(axis=0))
        if whole is None:
            raise ValueError(
                "Found array with 0 sample(s): there was no chunk to read; give at least two rows."
            )
        mean, covariance = _mean_and_covariance(whole)
        self._moments = Moments(whole.points, mean, covariance)
        self._box = np.array([low, high], dtype=np.float64)
        spread = np.sqrt(np.diag(covariance))
        self.scale = np.where(spread > 0, spread, 1.0)

    def moments(self) -> Moments:
        """Return what the data are as a whole."""
        return self._moments

    def box(self) -> Array:
        """Return the corners of the box that holds all points, shape (2, d)."""
        return self._box

    def e_step(self, mixture: Mixture, likelihood: Gaussian) -> Stats:
        """Return the statistics of all points, in one pass over the chunks."""
        result: Stats | None = None
        for points, weights in self.read():
            prepared = Prepared(
                points, weights, self._moments.mean, self.scale, self.diagonal, keep=False
            )
            stats = e_step(prepared, mixture, likelihood=likelihood)
            result = stats if result is None else result + stats
        assert result is not None
        return result

    def coarse(self) -> Sample:
        """Return an even selection of the points."""
        return Sample(*self.draw(), diagonal=self.diagonal)

    def draw(self) -> Chunk:
        """Return an even selection of the points, to find a start from."""
        found, past = [], 0.0
        step = max(self._moments.points / _DRAWN, 1.0)
        for points, weights in self.read():
            edges = past + _cumulated(len(points), weights)
            first = np.ceil((past - step / 2) / step)
            marks = np.arange(first, np.ceil((edges[-1] - step / 2) / step)) * step + step / 2
            found.append(points[np.searchsorted(edges, marks, side="right")])
            past = float(edges[-1])
        return np.concatenate(found), None


def joined_rows(points: Array, weights: Array | None) -> Chunk:
    """Join the repeated rows of whole or half numbers into one, where that saves time.

    Such are pixels, and the centres of groups of pixels.

    Parameters
    ----------
    points, weights
        Shapes (N, d) and (N,) or None.
    """
    probe = points[:: max(len(points) // 1000, 1)]
    if len(points) < 1000 or not _on_halves(probe) or not _on_halves(points):
        return points, weights
    low, high = points.min(axis=0), points.max(axis=0)
    sides = 2 * (high.astype(np.float64) - low) + 1
    if np.prod(sides) > 2.0**62:
        return points, weights
    place = (2 * (points - low)).astype(np.int64)
    keys = _keys(place, sides.astype(np.int64))
    unique, label = _numbered(keys)
    if unique * _GAIN > len(points):
        return points, weights
    first = np.empty(unique, np.int64)
    first[label[::-1]] = np.arange(len(points))[::-1]
    return points[first], np.bincount(label, weights, unique).astype(np.float64)


def _on_halves(points: Array) -> bool:
    doubled = 2 * points
    return np.array_equal(doubled, np.rint(doubled))


def _keys(place: NDArray[np.int64], sides: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for each row of whole numbers between 0 and sides."""
    keys: NDArray[np.int64] = place @ np.concatenate([[1], np.cumprod(sides[:-1])])
    return keys


def _numbered(keys: NDArray[np.int64]) -> tuple[int, NDArray[np.intp]]:
    """Return how many different keys there are, and for each row the number of its key."""
    top = int(keys.max()) + 1
    if top > 4 * len(keys) + 1000:
        unique, label = np.unique(keys, return_inverse=True)
        return len(unique), label
    used = np.bincount(keys, minlength=top) > 0
    return int(used.sum()), (np.cumsum(used) - 1)[keys]


def _one(prepared: Prepared) -> Mixture:
    """Return the single Gaussian that the points are centred and scaled by."""
    squares = prepared.scale**2
    covariance = squares if prepared.diagonal else np.diag(squares)
    return Mixture(np.ones(1), prepared.origin[None], covariance[None])


def _mean_and_covariance(stats: Stats) -> tuple[Array, Array]:
    """Return mean and covariance of a single component."""
    scatter = stats.scatter[0]
    return stats.mean[0], np.diag(scatter) if scatter.ndim == 1 else scatter


def _cumulated(count: int, weights: Array | None) -> Array:
    return np.arange(1.0, count + 1) if weights is None else np.cumsum(weights, dtype=np.float64)


def _evenly(count: int, weights: Array | None, total: float) -> NDArray[np.intp]:
    """Return rows at even distances of cumulated weight: weights equal repeated rows."""
    marks = (np.arange(_DRAWN) + 0.5) * (total / _DRAWN)
    edges = _cumulated(count, weights)
    return np.minimum(np.searchsorted(edges, marks, side="right"), count - 1)
