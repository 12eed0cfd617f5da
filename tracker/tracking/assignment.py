"""Which things go together, one with one, at the least cost in all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracker.tracking.lattice import Indices
from tracker.types import Array

_NONE = np.zeros(0, dtype=np.intp)
_FORBIDDEN = 1e9


def assigned(cost: Array, allowed: NDArray[np.bool_] | None = None) -> tuple[Indices, Indices]:
    """Return rows and columns that go together, as many as there are of the fewer, or as may.

    Parameters
    ----------
    cost
        Shape (n, m), finite.
    allowed
        Shape (n, m), which pairs may be; None: all of them.

    Returns
    -------
    rows, columns
        Shape (min(n, m),), or less where not all pairs may be; ascending rows.
    """
    if allowed is not None:
        lines, ends = np.flatnonzero(allowed.any(axis=1)), np.flatnonzero(allowed.any(axis=0))
        rows, columns = assigned(np.where(allowed, cost, _FORBIDDEN)[np.ix_(lines, ends)])
        rows, columns = lines[rows], ends[columns]
        kept = allowed[rows, columns]
        return rows[kept], columns[kept]
    if not cost.size:
        return _NONE, _NONE
    if len(cost) <= cost.shape[1]:
        columns = cost.argmin(axis=1)
        if len(np.unique(columns)) == len(columns):  # each gets its cheapest: nothing is cheaper
            return np.arange(len(columns)), columns
    # Loading it takes longer than tracking dozens of frames, and many runs never get here.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return rows, columns


def certainty(squares: Array, pairs: tuple[Indices, Indices]) -> Array:
    """Return how probable each pair of an assignment is, shape (k,), from the ways that it means.

    Ways are Gaussian, and as long as those of the pairs.

    Parameters
    ----------
    squares
        Shape (n, m), the squared length of the way from each row to each column.
    pairs
        Shapes (k,), which rows and columns were assigned to one another.
    """
    own = squares[pairs]
    spread = max(float(own.sum()) / max(len(own), 1), 1e-9)
    likely = np.exp(-squares / spread)
    rivals = np.maximum(likely.sum(axis=1)[pairs[0]], likely.sum(axis=0)[pairs[1]])
    sure: Array = likely[pairs] / np.maximum(rivals, 1e-300)
    return sure
