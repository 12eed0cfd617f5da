"""Connected patches of points and their statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import sums
from tracker.tracking.lattice import Indices, Lattice
from tracker.types import Array, Points

Complex: TypeAlias = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True, slots=True)
class Blobs:
    """The n points of a frame, row by row, and the patches that they make.

    Parameters
    ----------
    coordinates
        Shape (n, 2), px.
    weights
        Shape (n,), px².
    colors
        Shape (n,), or None.
    lattice
        Where each point is on the lattice; None without points.
    spacing
        Distance between neighbouring points, px.
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
    colors: NDArray[np.uint8] | None
    lattice: Lattice | None
    spacing: float
    labels: Indices
    mass: Array
    boxes: Array
    means: Array
    scatters: Array

    def __len__(self) -> int:
        return len(self.mass)

    def chosen(self, which: NDArray[np.bool_]) -> Points:
        """Return some of the points."""
        return Points(
            self.coordinates[which],
            self.weights[which],
            None if self.colors is None else self.colors[which],
            self.spacing,
        )


def find_blobs(points: Points) -> Blobs:
    """Join points that touch, diagonals included, into patches."""
    n, spacing = len(points), points.spacing
    coordinates, weights, colors = points.coordinates, points.weights, points.colors
    if n == 0:
        return _NOTHING
    lattice, order = Lattice.of(coordinates, spacing)
    if order is not None:
        coordinates = coordinates[order]
        weights = None if weights is None else weights[order]
        colors = None if colors is None else colors[order]
    starts, owners, count = lattice.patches()
    ends = np.append(starts[1:], n)
    run = _runs(coordinates, weights, lattice, starts, ends)

    def total(values: Any) -> Any:
        """Sum over the runs of each patch."""
        return sums(owners, values.real, count) + 1j * sums(owners, values.imag, count)

    mass = sums(owners, run.mass, count)
    centres = total(run.mass * run.middles) / mass
    apart = run.middles - centres[owners]
    norms = total(run.mass * (run.norms + np.abs(apart) ** 2)).real / mass
    squares = total(run.mass * (run.squares + apart**2)) / mass
    # A point stands for a square of the lattice, whose own variance is spacing² / 12.
    own = spacing**2 / 12
    xx, yy = (norms + squares.real) / 2 + own, (norms - squares.real) / 2 + own
    xy = squares.imag / 2
    by_patch = np.argsort(owners, kind="stable")
    first = np.searchsorted(owners[by_patch], np.arange(count))
    lows = np.minimum.reduceat(lattice.cells(lattice.keys[starts])[by_patch], first)
    highs = np.maximum.reduceat(lattice.cells(lattice.keys[ends - 1])[by_patch], first)
    return Blobs(
        coordinates=coordinates,
        weights=np.broadcast_to(spacing**2, n) if weights is None else weights,
        colors=colors,
        lattice=lattice,
        spacing=spacing,
        labels=np.repeat(owners, ends - starts),
        mass=mass,
        boxes=np.hstack([lows - spacing / 2, highs + spacing / 2]),
        means=np.stack([centres.real, centres.imag], axis=1),
        scatters=np.stack([xx, xy, xy, yy], axis=1).reshape(-1, 2, 2),
    )


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs of neighbours in a row; places as complex numbers z = x + iy.

    z² and |z|² hold all second moments. `mass` is in px², `norms` and `squares` are the means of
    |z − middle|² and (z − middle)²; all have the shape (r,).
    """

    mass: Array
    middles: Complex
    norms: Array
    squares: Complex


def _runs(
    coordinates: Array, weights: Array | None, lattice: Lattice, starts: Indices, ends: Indices
) -> _Runs:
    """Sum up the points of each run, or say what the sums must be where nothing is irregular."""
    lengths = ends - starts
    if weights is None and lattice.regular:
        first, last = (lattice.cells(lattice.keys[at]) for at in (starts, ends - 1))
        middle = (first + last) / 2
        number = lengths.astype(np.float64)
        spread = lattice.spacing**2 * (number**2 - 1) / 12  # of so many in a row
        mass = lattice.spacing**2 * number
        return _Runs(mass, middle[:, 0] + 1j * middle[:, 1], spread, spread + 0j)
    z = np.ascontiguousarray(coordinates, dtype=np.float64).view(np.complex128)[:, 0]
    if weights is None:
        weights = np.full(len(z), lattice.spacing**2)

    def total(values: Any) -> Any:
        """Sum over the points of each run."""
        return np.add.reduceat(values, starts)

    mass = total(weights)
    middles = total(weights * z) / mass
    centred = z - np.repeat(middles, lengths)
    norms = total(weights * (centred.real**2 + centred.imag**2)) / mass
    return _Runs(mass, middles, norms, total(weights * centred**2) / mass)


_NONE = np.zeros(0)
_NOTHING = Blobs(
    coordinates=np.zeros((0, 2)),
    weights=_NONE,
    colors=None,
    lattice=None,
    spacing=1.0,
    labels=np.zeros(0, dtype=np.intp),
    mass=_NONE,
    boxes=np.zeros((0, 4)),
    means=np.zeros((0, 2)),
    scatters=np.zeros((0, 2, 2)),
)
