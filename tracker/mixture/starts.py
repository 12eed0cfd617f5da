"""Where EM starts: means, covariances and weights from a look at the points."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tracker.mixture.data import Chunk, Moments
from tracker.mixture.family import Family
from tracker.mixture.features import BLOCK, centred
from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

STARTS = ("kmeans", "k-means++", "random", "random_from_data", "random_sample")
_LLOYD = 300  # rounds of k-means at most


def begin(
    how: str,
    drawn: Chunk,
    moments: Moments,
    family: Family,
    components: int,
    random: np.random.Generator,
    *,
    clutter: float = 0.0,
) -> Mixture:
    """Return a first mixture.

    Parameters
    ----------
    how
        One of `STARTS`. `kmeans` takes the moments of the clusters of k-means, `random` those under
        random responsibilities. The others take distinct points as means: `k-means++` points that
        are far apart, `random_from_data` any, both with a covariance so small that the first E-step
        gives each point to the nearest mean; `random_sample` any, with the sample covariance.
    drawn
        Points and weights to choose from.
    moments
        Of all data.
    family
        What the mixture has to respect.
    components
        K.
    random
        Where chance comes from.
    clutter
        The share of the points that may belong to no component.
    """
    points, weights = drawn
    k, d = components, points.shape[1]
    w = np.ones(len(points)) if weights is None else weights.astype(np.float64)
    x = points.astype(np.float64)
    if how == "random":
        r = random.uniform(size=(len(x), k)).T
        return family.maximum(_summed(x, r / r.sum(axis=0) * w, family))
    if how == "kmeans":
        centres, label = kmeans(x, w, k, random, trim=clutter)
        stats = _summed(x, ((label == j) * w for j in range(k)), family)
        empty = stats.mass == 0
        mean = np.where(empty[:, None], centres, stats.mean)
        return family.maximum(Stats(stats.mass, mean, stats.scatter, points=stats.points))
    choose = far_apart if how == "k-means++" else distinct
    chosen = choose(x, w, k, random)
    mean, mass = x[chosen], np.full(k, moments.points / k)
    if how == "random_sample" or clutter:
        # Beside clutter, a narrow component would explain no point but its own.
        covariance = moments.covariance
    else:
        covariance = np.zeros((d, d))
        if not family.regular:
            covariance = np.diag(1e-6 * np.maximum(np.diag(moments.covariance), 1e-300))
    scatter = np.repeat(covariance[None], k, axis=0)
    if family.diagonal:
        scatter = np.diagonal(scatter, axis1=1, axis2=2)
    first = family.maximum(Stats(mass, mean, scatter, points=moments.points))
    return Mixture(first.weights, mean, first.covariances)


def _summed(points: Array, r: Iterable[Array], family: Family) -> Stats:
    """Return the statistics of points that are shared out by r, each row of shape (N,)."""
    parts = [centred(points.T, row, family.diagonal) for row in r]
    mass, mean, scatter = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("mass", "mean", "scatter")
    )
    return Stats(mass, mean, scatter, points=float(mass.sum()))


def distinct(
    points: Array, weights: Array, count: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Return the rows of distinct random points; where there are too few, some twice.

    A row of weight w is drawn as w rows would be.
    """
    left, chosen = weights.copy(), []
    for _ in range(count):
        i = _drawn(left, random)
        chosen.append(i)
        left[(points == points[i]).all(axis=1)] = 0
        if not left.any():
            left = weights.copy()
    return np.array(chosen)


def far_apart(
    points: Array, weights: Array, count: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Return rows drawn by k-means++ (Arthur & Vassilvitskii 2007), the best of a few each time."""
    tries = 2 + int(np.log(count))
    chosen = [_drawn(weights, random)]
    nearest = _squares(points, points[chosen[0]])
    for _ in range(1, count):
        potential = nearest * weights
        if not potential.any():
            chosen.extend(int(i) for i in distinct(points, weights, count - len(chosen), random))
            break
        candidates = [_drawn(potential, random) for _ in range(tries)]
        reached = [np.minimum(nearest, _squares(points, points[i])) for i in candidates]
        best = int(np.argmin([float(weights @ near) for near in reached]))
        chosen.append(candidates[best])
        nearest = reached[best]
    return np.array(chosen)


def kmeans(
    points: Array,
    weights: Array,
    count: int,
    random: np.random.Generator,
    *,
    trim: float = 0.0,
) -> tuple[Array, NDArray[np.intp]]:
    """Return the centres and labels of k-means, started by k-means++.

    Parameters
    ----------
    points, weights
        Shapes (N, d) and (N,).
    count
        How many centres.
    random
        Where chance comes from.
    trim
        The share of the points, the farthest ones, that is left out of all clusters and labelled −1
        (Cuesta-Albertos, Gordaliza & Matrán 1997). As far points are then likely to be left out,
        the first centres are any distinct points.
    """
    origin = points.mean(axis=0)
    points = points - origin
    choose = distinct if trim else far_apart
    centres = points[choose(points, weights, count, random)]
    label = np.full(len(points), -1)
    for _ in range(_LLOYD):
        before, label = label, _nearest(points, centres)
        if trim:
            label[_farthest(_squares(points, centres[label]), weights, trim)] = -1
        if np.array_equal(before, label):
            break
        own, w = label[label >= 0], weights[label >= 0]
        mass = np.bincount(own, w, count)
        sums = np.array([np.bincount(own, w * x, count) for x in points[label >= 0].T]).T
        centres = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-300)[:, None], centres)
    return centres + origin, label


def _farthest(squares: Array, weights: Array, share: float) -> NDArray[np.intp]:
    """Return the rows with the greatest squares, of that share of the weight."""
    order = np.argsort(-squares, kind="stable")
    past = np.cumsum(weights[order])
    chosen: NDArray[np.intp] = order[past <= share * past[-1]]
    return chosen


def _nearest(points: Array, centres: Array) -> NDArray[np.intp]:
    """Return the nearest centre of each point."""
    label = np.empty(len(points), np.intp)
    half = 0.5 * (centres * centres).sum(axis=1)
    for start in range(0, len(points), BLOCK):
        part = slice(start, start + BLOCK)
        label[part] = (points[part] @ centres.T - half).argmax(axis=1)
    return label


def _squares(points: Array, centre: Array) -> Array:
    apart = points - centre
    squares: Array = np.einsum("nd,nd->n", apart, apart)
    return squares


def _drawn(weights: Array, random: np.random.Generator) -> int:
    """Return a row drawn by its weight; whole weights draw as repeated rows would."""
    edges = np.cumsum(weights)
    i = int(np.searchsorted(edges, random.random() * edges[-1], side="right"))
    return min(i, int(np.flatnonzero(weights)[-1]))
