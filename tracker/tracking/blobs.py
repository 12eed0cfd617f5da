"""Connected patches of points and their statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import totals
from tracker.tracking.lattice import Indices, Lattice, spans
from tracker.types import Array, Points


@dataclass(frozen=True, slots=True)
class Blobs:
    """The n points of a frame, row by row, and the patches that they make.

    Parameters
    ----------
    coordinates
        Shape (n, 2), px.
    weights, even
        Shape (n,), px²; whether all are the same.
    colors
        Shape (n,), or None.
    lattice
        Where each point is on the lattice; None without points.
    spacing
        Distance between neighbouring points, px.
    edges, owners
        Shapes (r + 1,) and (r,): the first point of each run of neighbours in a row, and n; and the
        patch that the run belongs to.
    labels
        Shape (n,), which patch each point belongs to.
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
    even: bool
    colors: NDArray[np.uint8] | None
    lattice: Lattice | None
    spacing: float
    edges: Indices
    owners: Indices
    labels: Indices
    mass: Array
    boxes: Array
    means: Array
    scatters: Array

    def __len__(self) -> int:
        return len(self.mass)

    def inside(self, means: Array, covariances: Array) -> tuple[Indices, Indices, Indices, Indices]:
        """Return which points lie in which ellipse, (x − μ)ᵀ Σ⁻¹ (x − μ) ≤ 1, run by run.

        Returns
        -------
        ellipses, patches, begin, end
            Shapes (s,), for each part of a run in an ellipse: whose patch it is of; its first
            point, and the one behind its last.
        """
        if self.lattice is None:
            none = np.zeros(0, dtype=np.intp)
            return none, none, none, none
        ellipse, begin, end = self.lattice.rows_inside(means, covariances)
        first = self.edges.searchsorted(begin, side="right") - 1
        row, run = spans(first, self.edges.searchsorted(end))
        begin = np.maximum(begin.take(row), self.edges.take(run))
        end = np.minimum(end.take(row), self.edges.take(run + 1))
        return ellipse.take(row), self.owners.take(run), begin, end

    def total(self, begin: Indices, end: Indices) -> Array:
        """Return the sum of the weights over ranges of points, from first to behind the last."""
        if self.even:
            return self.weights[:1] * (end - begin)
        before = np.zeros(len(self.weights) + 1)
        self.weights.cumsum(out=before[1:])
        total: Array = before.take(end) - before.take(begin)
        return total

    def points(self, which: NDArray[np.bool_]) -> Points:
        """Return some of the points."""
        return Points(self.coordinates[which], self.weights[which], spacing=self.spacing)

    def part(self, which: NDArray[np.bool_]) -> Blobs:
        """Return the patches that some of the points make."""
        if self.lattice is None or not which.any():
            return _NOTHING
        colors = None if self.colors is None else self.colors[which]
        return _patched(
            self.coordinates[which], self.weights[which], colors, self.lattice.part(which)
        )


def find_blobs(points: Points) -> Blobs:
    """Join points that touch, diagonals included, into patches."""
    n, spacing = len(points), points.spacing
    coordinates, weights, colors = points.coordinates, points.masses, points.colors
    if n == 0:
        return _NOTHING
    lattice, order = Lattice.of(coordinates, spacing)
    if order is not None:
        coordinates, weights = coordinates[order], weights[order]
        colors = None if colors is None else colors[order]
    return _patched(coordinates, weights, colors, lattice)


def _patched(
    coordinates: Array, weights: Array, colors: NDArray[np.uint8] | None, lattice: Lattice
) -> Blobs:
    """Describe the patches of points that are sorted as on the lattice."""
    edges, even = lattice.runs(), bool(weights.min() == weights.max())
    starts, ends = edges[:-1], edges[1:]
    owners, count = lattice.patches(starts, ends)
    runs = _runs(coordinates, weights, lattice, edges, even=even)
    order = owners.argsort(kind="stable")  # of the runs, patch by patch
    patches = owners.take(order).searchsorted(np.arange(count + 1))
    runs = runs.take(order, axis=1)
    each, middles, spreads = runs[0], runs[1:3], runs[3:]
    mass = totals(each, patches)
    means = totals(each * middles, patches) / mass
    apart = middles - means.repeat(patches[1:] - patches[:-1], axis=1)
    scatters = (
        totals(each * (spreads + apart.take(_ONE, 0) * apart.take(_OTHER, 0)), patches) / mass
    )
    scatters[_ONE == _OTHER] += lattice.spacing**2 / 12  # a point stands for a square
    return Blobs(
        coordinates=coordinates,
        weights=weights,
        even=even,
        colors=colors,
        lattice=lattice,
        spacing=lattice.spacing,
        edges=edges,
        owners=owners,
        labels=np.repeat(owners, ends - starts),
        mass=mass,
        boxes=_boxes(lattice, starts.take(order), ends.take(order), patches[:-1]),
        means=means.T,
        scatters=scatters.T[:, _MATRIX],
    )


_ONE, _OTHER = np.array([0, 0, 1]), np.array([0, 1, 1])  # the axes of xx, xy, yy
_HALF_A_CELL = np.array([-0.5, -0.5, 0.5, 0.5])  # from the middles of cells to the edges of a box
_MATRIX = np.array([[0, 1], [1, 2]])  # which of these stands where


def _boxes(lattice: Lattice, starts: Indices, ends: Indices, first: Indices) -> Array:
    """Return the box around each patch, shape (B, 4), of runs that are sorted by patch and row."""
    rows, left = np.divmod(lattice.keys.take(starts), lattice.width)
    right = lattice.keys.take(ends - 1) - rows * lattice.width
    cells = np.empty((len(first), 4))
    cells[:, 0] = np.minimum.reduceat(left, first)
    cells[:, 1] = rows[first]
    cells[:, 2] = np.maximum.reduceat(right, first)
    cells[:, 3] = np.maximum.reduceat(rows, first)
    cells += _HALF_A_CELL
    cells *= lattice.spacing
    cells += np.concatenate([lattice.corner, lattice.corner])
    return cells


def _runs(
    coordinates: Array, weights: Array, lattice: Lattice, edges: Indices, *, even: bool
) -> Array:
    """Sum up the points of each run, or say what the sums must be where nothing is irregular.

    Returns
    -------
    runs
        Shape (6, r): mass, px²; the middle, x and y in px; the moments about it, xx, xy, yy, px².
    """
    starts, ends = edges[:-1], edges[1:]
    lengths = ends - starts
    runs = np.zeros((6, len(lengths)))
    mass, middles, spreads = runs[0], runs[1:3], runs[3:]
    if lattice.regular and even:
        mass[:] = weights[0] * lengths
        middles[:] = (coordinates[starts] + coordinates[ends - 1]).T / 2
        spreads[0] = lattice.spacing**2 / 12 * (lengths * lengths - 1.0)  # of so many in a row
        return runs
    mass[:] = totals(weights, edges)
    if lattice.regular:  # only x differs within a run
        x = np.ascontiguousarray(coordinates[:, 0])
        middles[0], middles[1] = totals(weights * x, edges) / mass, coordinates[starts, 1]
        x -= middles[0].repeat(lengths)
        spreads[0] = totals(weights * x * x, edges) / mass
        return runs
    columns = np.ascontiguousarray(coordinates.T)
    middles[:] = totals(weights * columns, edges) / mass
    apart = columns - middles.repeat(lengths, axis=1)
    spreads[:] = totals(weights * apart[_ONE] * apart[_OTHER], edges) / mass
    return runs


_NONE = np.zeros(0)
_NOTHING = Blobs(
    coordinates=np.zeros((0, 2)),
    weights=_NONE,
    even=True,
    colors=None,
    lattice=None,
    spacing=1.0,
    edges=np.zeros(1, dtype=np.intp),
    owners=np.zeros(0, dtype=np.intp),
    labels=np.zeros(0, dtype=np.intp),
    mass=_NONE,
    boxes=np.zeros((0, 4)),
    means=np.zeros((0, 2)),
    scatters=np.zeros((0, 2, 2)),
)
