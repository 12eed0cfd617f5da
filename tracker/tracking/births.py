"""How many objects an unexplained patch holds, by evidence."""

from __future__ import annotations

import numpy as np

from tracker.config import TrackingOptions
from tracker.mixture import (
    Coverage,
    Mixture,
    Prior,
    Stats,
    collect,
    e_step,
    m_step,
    squared_distances,
)
from tracker.tracking.blobs import Blobs
from tracker.tracking.sizes import SizeModel
from tracker.tracking.state import State
from tracker.types import Array

_GROUP = 1.6  # patches beyond this multiple of the typical area may hold several objects
_MOST = 6  # objects looked for in one patch
_INSIDE, _OUTSIDE = 0.85, 0.03  # probability of foreground within and without an object
_EVIDENCE = 60.0  # effective samples of one object
_PRICE = 4.0  # nats that one more object must gain
_ROUNDS = 12
SMALLEST = 12.0  # px², the least that can be an object
_SHARE = 0.25  # of the largest object known, likewise


def resolve(rest: Blobs, state: State, options: TrackingOptions) -> Stats:
    """Return mass, mean and extent of each new object in the unexplained patches."""
    sizes = state.sizes
    if sizes is None:
        typical = np.median(state.objects.areas) if len(state.objects) else 0.0
        largest = rest.mass.max() if not len(state.objects) else typical
        kept = rest.mass >= max(SMALLEST, _SHARE * float(largest))
        return Stats(rest.mass[kept], rest.means[kept], rest.scatters[kept])
    expected = sizes.areas(rest.means)
    parts: list[Stats] = []
    for b in np.flatnonzero(rest.mass >= np.maximum(options.birth_area * expected, SMALLEST)):
        one = slice(b, b + 1)
        extent = sizes.clamp(rest.scatters[one], rest.means[one])
        single = Stats(rest.mass[one], rest.means[one], extent)
        if rest.mass[b] > _GROUP * expected[b]:
            parts.append(split(rest.coordinates[rest.labels == b], rest.spacing, sizes))
        else:
            parts.append(single)
    if not parts:
        return Stats(np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2, 2)))
    return Stats(
        np.concatenate([p.mass for p in parts]),
        np.concatenate([p.mean for p in parts]),
        np.concatenate([p.scatter for p in parts]),
    )


def split(points: Array, spacing: float, sizes: SizeModel, *, most: int = _MOST) -> Stats:
    """Fit 1, 2, ... objects of the typical extent to a patch and keep the best explanation.

    Each count is scored by the likelihood of the patch and of the empty cells around it, worth
    a limited number of independent samples, less a price for each object.
    """
    single = collect(points, np.full((1, len(points)), spacing**2))
    extent = sizes.clamp(single.scatter, single.mean)
    single = Stats(single.mass, single.mean, extent)
    low = points.min(axis=0) - 4 * spacing
    cells = np.rint((points - low) / spacing).astype(np.intp)
    width, height = cells.max(axis=0) + 5
    mask = np.zeros((height, width), dtype=bool)
    mask[cells[:, 1], cells[:, 0]] = True
    ys, xs = np.mgrid[0:height, 0:width]
    lattice = np.stack([xs.ravel(), ys.ravel()], axis=1) * spacing + low
    filled = mask.ravel()
    expected = float(sizes.areas(single.mean)[0])
    most = int(min(most, np.ceil(single.mass[0] / (0.5 * expected))))
    best, best_score = single, -np.inf
    likelihood = Coverage(0.1)
    for count in range(1, most + 1):
        means = _spread_out(points, count, sizes, single)
        if count == 1:
            mixture = Mixture(np.ones(1), means, single.scatter)
        else:
            extents = sizes.covariances(means, np.repeat(single.scatter, count, axis=0))
            mixture = Mixture(np.full(count, 1 / count), means, extents)
        flat = Prior(mixture.means, np.zeros((count, 2, 2)), mixture.covariances, np.inf)
        stats = e_step(points, mixture, likelihood=likelihood)
        for _ in range(_ROUNDS):
            if stats.mass.min() < 1:
                break
            mixture = m_step(stats, flat)
            stats = e_step(points, mixture, likelihood=likelihood)
        cover = likelihood.cover(squared_distances(lattice, mixture))
        chance = _OUTSIDE + (_INSIDE - _OUTSIDE) * (1 - np.prod(1 - cover, axis=0))
        logs = np.where(filled, np.log(chance), np.log1p(-chance))
        score = float(logs.sum()) * _EVIDENCE * spacing**2 / expected - _PRICE * count
        if score > best_score:
            best_score = score
            best = Stats(stats.mass * spacing**2, mixture.means, mixture.covariances)
    return best


def _spread_out(points: Array, count: int, sizes: SizeModel, single: Stats) -> Array:
    """Return starting means by Lloyd's rounds in units of the typical extent."""
    if count == 1:
        return single.mean
    lower = np.linalg.cholesky(sizes.covariances(single.mean, single.scatter)[0])
    scaled = np.linalg.solve(lower, points.T).T
    centres = [scaled[np.argmax(((scaled - scaled.mean(axis=0)) ** 2).sum(axis=1))]]
    for _ in range(count - 1):
        nearest = np.min([((scaled - c) ** 2).sum(axis=1) for c in centres], axis=0)
        centres.append(scaled[np.argmax(nearest)])
    means = np.array(centres)
    for _ in range(10):
        label = ((scaled[:, None, :] - means) ** 2).sum(axis=2).argmin(axis=1)
        counts = np.maximum(np.bincount(label, minlength=count), 1)
        sums = [np.bincount(label, weights=scaled[:, d], minlength=count) for d in range(2)]
        means = np.stack(sums, axis=1) / counts[:, None]
    return means @ lower.T
