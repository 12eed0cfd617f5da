"""Connected patches of points and their statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from tracker.types import Array, Points

_NEIGHBOURS = np.ones((3, 3), dtype=bool)
_LARGEST_RASTER = 1 << 24  # cells; beyond that a search tree is cheaper


@dataclass(frozen=True, slots=True)
class Blobs:
    """Patches of touching points, sorted by patch.

    Parameters
    ----------
    coordinates
        Shape (n, 2), the points in order of their patch, px.
    weights
        Shape (n,), px².
    colors
        Shape (n,), or None.
    order
        Shape (n,), which point of the input each one is.
    spacing
        Distance between neighbouring points, px.
    starts
        Shape (B + 1,): patch b holds the points starts[b] to starts[b + 1].
    mass
        Shape (B,), px².
    boxes
        Shape (B, 4), smallest x, smallest y, largest x, largest y, px.
    means
        Shape (B, 2), px.
    scatters
        Shape (B, 2, 2), px².
    """

    coordinates: Array
    weights: Array
    colors: NDArray[np.uint8] | None
    order: NDArray[np.intp]
    spacing: float
    starts: NDArray[np.intp]
    mass: Array
    boxes: Array
    means: Array
    scatters: Array

    def __len__(self) -> int:
        return len(self.mass)

    def members(self, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the indices of the points of the chosen patches, in order."""
        if len(chosen) == 1:
            return np.arange(self.starts[chosen[0]], self.starts[chosen[0] + 1])
        return np.concatenate(
            [np.arange(self.starts[b], self.starts[b + 1]) for b in chosen]
            or [np.zeros(0, dtype=np.intp)]
        )


def find_blobs(points: Points) -> Blobs:
    """Join points that touch, diagonals included, into patches."""
    n = len(points)
    weights = (
        np.full(n, points.spacing**2) if points.weights is None else points.weights.astype(float)
    )
    if n == 0:
        empty = np.zeros(0)
        return Blobs(
            np.zeros((0, 2)),
            empty,
            points.colors,
            np.zeros(0, dtype=np.intp),
            points.spacing,
            np.zeros(1, dtype=np.intp),
            empty,
            np.zeros((0, 4)),
            np.zeros((0, 2)),
            np.zeros((0, 2, 2)),
        )
    coordinates = points.coordinates
    label, count = _label(np.rint((coordinates - coordinates.min(axis=0)) / points.spacing))
    order = np.argsort(label, kind="stable")
    coordinates, weights, label = coordinates[order], weights[order], label[order]
    colors = None if points.colors is None else points.colors[order]
    starts = np.searchsorted(label, np.arange(count + 1))
    first = starts[:-1]
    mass = np.add.reduceat(weights, first)
    lows = np.minimum.reduceat(coordinates, first, axis=0)
    highs = np.maximum.reduceat(coordinates, first, axis=0)
    means = np.add.reduceat(coordinates * weights[:, None], first, axis=0) / mass[:, None]
    centred = coordinates - means[label]
    x, y = centred[:, 0], centred[:, 1]
    moments = [np.add.reduceat(weights * p, first) / mass for p in (x * x, x * y, y * y)]
    xx, xy, yy = moments
    # A point stands for a square of the lattice, whose own variance is spacing² / 12.
    own = points.spacing**2 / 12
    scatters = np.stack([xx + own, xy, xy, yy + own], axis=1).reshape(-1, 2, 2)
    half = points.spacing / 2
    boxes = np.hstack([lows - half, highs + half])
    return Blobs(
        coordinates,
        weights,
        colors,
        order,
        points.spacing,
        starts,
        mass,
        boxes,
        means,
        scatters,
    )


def _label(cells: Array) -> tuple[NDArray[np.intp], int]:
    """Return which patch each cell of the lattice belongs to, and how many patches there are."""
    n = len(cells)
    width, height = cells.max(axis=0) + 1
    if width * height > _LARGEST_RASTER:
        pairs = cKDTree(cells).query_pairs(1, p=np.inf, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
        count, label = connected_components(graph, directed=False)
        return label, count
    raster = np.zeros((int(height), int(width)), dtype=bool)
    flat = (cells[:, 1] * width + cells[:, 0]).astype(np.intp)
    raster.reshape(-1)[flat] = True
    labels, count = ndimage.label(raster, _NEIGHBOURS)
    return labels.reshape(-1)[flat] - 1, count
