"""Points on a lattice, sorted by row, so that those within an ellipse are found by row.

What is looked for is found in time proportional to what is found, however many points and ellipses
there are; so nothing in a crowd is compared with everything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import sides
from tracker.types import Array

_EXACT = 1e-6  # share of the spacing by which points may be off the middles of their cells
_FEW = 2500  # pairs of boxes that are all compared
_FAR = 1 << 25  # cells; what is farther from the origin counts as being there, and keys are exact

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Lattice:
    """The cells of n points, row by row and from left to right.

    Parameters
    ----------
    corner
        Shape (2,), x and y of the cell in column 0 and row 0, px.
    spacing
        Distance between neighbouring cells, px.
    keys
        Shape (n,), row · width + column of each point, ascending.
    width, height
        Number of columns, with two empty ones at the right, and of rows.
    regular
        Whether each point is in the middle of a cell of its own.
    """

    corner: Array
    spacing: float
    keys: NDArray[np.int64]
    width: int
    height: int
    regular: bool

    @classmethod
    def of(cls, coordinates: Array, spacing: float) -> tuple[Lattice, Indices | None]:
        """Return the lattice of some points, and the order that sorts them if they are not yet.

        Parameters
        ----------
        coordinates
            Shape (n, 2), n > 0, px.
        spacing
            Distance between neighbouring points, px.
        """
        # In one piece, as large as what follows takes: glibc hands a heap that shrinks by more than
        # its largest pieces back to the system, and would fetch it anew, page by page, each frame.
        room = np.empty((2, 2, len(coordinates)))
        (x, left, columns, off_x), (y, top, rows, off_y) = map(
            _cells, coordinates.T, (spacing, spacing), room
        )
        width = columns + 2
        y *= width
        y += x
        keys = y.astype(np.int64)
        ascending, order = bool((keys[1:] > keys[:-1]).all()), None
        if not ascending:
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            ascending = bool((keys[1:] > keys[:-1]).all())
        regular = max(off_x, off_y) < _EXACT and ascending
        return cls(np.array([left, top]), spacing, keys, width, rows, regular), order

    def part(self, which: NDArray[np.bool_]) -> Lattice:
        """Return the lattice with some of its points."""
        return replace(self, keys=self.keys[which])

    def runs(self) -> Indices:
        """Return the first point of each run of neighbours in a row, and n, shape (r + 1,)."""
        # The empty columns part the end of a row from the beginning of the next one.
        breaks = np.flatnonzero(self.keys[1:] > self.keys[:-1] + 1)
        edges = np.zeros(len(breaks) + 2, dtype=np.intp)
        edges[-1] = len(self.keys)
        np.add(breaks, 1, out=edges[1:-1])
        return edges

    def patches(self, starts: Indices, ends: Indices) -> tuple[Indices, int]:
        """Join runs that touch, diagonals included.

        Returns
        -------
        labels, count
            Shape (r,), which patch each run belongs to; how many patches there are, numbered by
            their first point.
        """
        first, last = self.keys.take(starts), self.keys.take(ends - 1)
        # Runs of the next row that reach from one column before to one behind.
        begin = last.searchsorted(first + (self.width - 1))
        end = first.searchsorted(last + (self.width + 1), side="right")
        return joined(*spans(begin, end), len(starts))

    def cells(self, keys: NDArray[np.int64]) -> Array:
        """Return the positions of some keys, shape (m, 2), px."""
        rows, columns = np.divmod(keys, self.width)
        return self.corner + self.spacing * np.stack([columns, rows], axis=1)

    def inside(
        self, means: Array, covariances: Array, every: Indices | None = None
    ) -> tuple[Indices, Indices]:
        """Return which points lie in which ellipse, (x − μ)ᵀ Σ⁻¹ (x − μ) ≤ 1.

        Parameters
        ----------
        means
            Shape (k, 2), px.
        covariances
            Shape (k, 2, 2), px².
        every
            Shape (k,), numbers m: one point in m of one row in m will do, so of m² points about
            one. Ellipses with the same m get the same points. None: all points of each.

        Returns
        -------
        ellipses, points
            Shapes (p,), the pairs, by ellipse and then by point.
        """
        ellipse, begin, end = self.rows_inside(means, covariances, every)
        span, point = spans(begin, end, None if every is None else every[ellipse])
        return ellipse[span], point

    def rows_inside(
        self, means: Array, covariances: Array, every: Indices | None = None
    ) -> tuple[Indices, Indices, Indices]:
        """Return which points lie in which ellipse, row by row; see `inside`.

        Returns
        -------
        ellipses, begin, end
            Shapes (r,), for each row of each ellipse: the first point in it, and the one behind the
            last.
        """
        x, y = ((means - self.corner) / self.spacing).T
        xx, xy, _, yy = covariances.reshape(-1, 4).T / self.spacing**2
        begin, end = _whole(y, np.sqrt(yy), self.height)
        ellipse, row = spans(begin, end, every)
        # In a row that is some way up, the middle is off by the slope and the ends are closer.
        slope = xy / yy
        of_ellipse = np.array([x, y, slope, xx - slope * xy, yy])
        x, y, slope, width, height = of_ellipse.take(ellipse, axis=1)
        up = row - y
        reach = np.sqrt(np.maximum(width * (1 - up * up / height), 0.0))
        columns = _whole(x + slope * up, reach, self.width - 2)
        begin, end = self.keys.searchsorted(columns + row * self.width)
        return ellipse, begin, end


def _whole(middle: Array, reach: Array, count: int) -> NDArray[np.int64]:
    """Return which whole numbers below `count` lie within reach of some middles.

    Returns
    -------
    ends
        Shape (2, n): the first of them, and the one behind the last; there may be none between.
    """
    ends = np.empty((2, len(middle)))
    np.ceil(middle - reach, out=ends[0])
    np.floor(middle + reach, out=ends[1])
    ends[1] += 1
    np.maximum(ends, 0, out=ends)  # of few numbers, `clip` takes several times as long
    np.minimum(ends, count, out=ends)
    return ends.astype(np.int64)


def _cells(values: Array, spacing: float, room: Array) -> tuple[Array, float, int, float]:
    """Number the cells of a lattice along one axis from the first one.

    Parameters
    ----------
    values
        Shape (n,), px.
    spacing
        Distance between neighbouring cells, px.
    room
        Shape (2, n), to be written to; the cells are in it.

    Returns
    -------
    cells, origin, count, off
        Shape (n,), whole numbers; where cell 0 is, px; how many cells there are; the farthest that
        a value is from the middle of its cell, in cells.
    """
    low, high = float(values.min()), float(values.max())
    phase = low % spacing
    first, last = (min(max(round((value - phase) / spacing), -_FAR), _FAR) for value in (low, high))
    origin, count = phase + spacing * first, last - first + 1
    cells, exact = room
    np.subtract(values, origin, out=exact)
    exact /= spacing
    np.rint(exact, out=cells)
    exact -= cells
    off = max(float(exact.max()), -float(exact.min()))
    if count > _FAR:
        np.clip(cells, 0, last - first, out=cells)
    return cells, origin, count, off


def spans(begin: Indices, end: Indices, every: Indices | None = None) -> tuple[Indices, Indices]:
    """List the numbers of some half-open ranges: which range each is from, and the number.

    Of a range for which `every` says m, the multiples of m alone.
    """
    if every is not None:
        begin, end = -(-begin // every), -(-end // every)
    counts = np.maximum(end - begin, 0)
    owner = np.arange(len(counts)).repeat(counts)
    number = np.arange(len(owner))
    number += (begin + counts - counts.cumsum()).repeat(counts)
    return owner, number if every is None else number * every[owner]


def boxes_around(means: Array, covariances: Array) -> Array:
    """Return the boxes around ellipses (x − μ)ᵀ Σ⁻¹ (x − μ) ≤ 1, as `overlapping` takes them."""
    half = sides(covariances)
    return np.concatenate([means - half, means + half], axis=1)


def cut(boxes: Array, size: tuple[int, int], margin: float) -> NDArray[np.bool_]:
    """Return which sides of boxes around points the border of the picture cuts off, shape (k, 4).

    Parameters
    ----------
    boxes
        Shape (k, 4), smallest x, smallest y, largest x, largest y, px.
    size
        Width and height of the picture, px.
    margin
        How far from the border a point is at it, px: mostly the distance of neighbouring points.
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([low <= margin, high >= np.array(size) - 1 - margin], axis=1)


def overlapping(first: Array, second: Array) -> tuple[Indices, Indices]:
    """Return which boxes of one collection overlap which of another.

    Parameters
    ----------
    first, second
        Shapes (k, 4) and (m, 4), smallest x, smallest y, largest x, largest y.

    Returns
    -------
    one, other
        Shapes (p,), the pairs.
    """
    if len(first) * len(second) <= _FEW:  # each with each is faster, where there are any at all
        left, top, right, bottom = first.T[:, :, None]
        meet = (second[:, 0] < right) & (second[:, 2] > left)
        meet &= (second[:, 1] < bottom) & (second[:, 3] > top)
        one, other = meet.nonzero()
        return one, other
    order = np.argsort(second[:, 0], kind="stable")
    left, top, right, bottom = second.T.take(order, axis=1)
    begin = left.searchsorted(first[:, 0] - (right - left).max())
    one, place = spans(begin, left.searchsorted(first[:, 2]))
    # One side after the other: most of those that may meet fail the first one.
    for mine, its in ((first[:, 0], right), (first[:, 1], bottom), (-first[:, 3], -top)):
        meet = np.flatnonzero(its.take(place) > mine.take(one))
        one, place = one.take(meet), place.take(meet)
    return one, order.take(place)


def joined(one: Indices, other: Indices, count: int) -> tuple[Indices, int]:
    """Return the connected sets of `count` things that the pairs link, numbered by first member."""
    group = np.arange(count)
    while len(one):
        low, high = group.take(one), group.take(other)
        apart = np.flatnonzero(low != high)
        if not len(apart):
            break
        one, other = one.take(apart), other.take(apart)
        low, high = np.minimum(low, high).take(apart), np.maximum(low, high).take(apart)
        np.minimum.at(group, high, low)
        while ((above := group.take(group)) != group).any():
            group = above
    first = group == np.arange(count)
    numbers = first.cumsum()
    return numbers.take(group) - 1, int(numbers[-1]) if count else 0
