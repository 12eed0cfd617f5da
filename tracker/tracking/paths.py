"""Smooth paths of objects whose places are known in every frame, and how well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import totals
from tracker.tracking.lattice import Indices
from tracker.types import Array, Status, Track

_SHARP = 3.0  # times the typical bend of a path, where it becomes soft
_SOFTEST = 1e-3  # share of its stiffness that a path keeps anywhere
_STIFFNESS = 10.0 ** np.arange(-1, 3.1, 0.5)  # of paths, the largest that fits is taken


def smoothed(
    paths: Sequence[Mapping[int, Track]], times: Array, wanted: range | None = None
) -> list[dict[int, Track]]:
    """Lay the rows of objects on the stiffest paths that the uncertainty of their places allows.

    A path x minimises Σ w (y − x)² + λ Σ (x″)², which is the mean of a forward-backward smoother
    whose velocity is a random walk; λ is lowered where the path turns sharply, and otherwise the
    largest at which the places y are off by no more than their position covariance claims
    (Morozov's discrepancy principle).

    Parameters
    ----------
    paths
        The rows of each object by the number of their frame, ascending.
    times
        Of the frames, s.
    wanted
        The frames of which rows are returned; None: of all.
    """
    wanted = range(len(times)) if wanted is None else wanted
    told = [{n: track for n, track in rows.items() if n in wanted} for rows in paths]
    long = [number for number, rows in enumerate(paths) if len(rows) > 2]
    if not long:
        return told
    rows = _Rows.of([paths[number] for number in long])
    means = _laid(rows)
    velocities = rows.slopes(means, times)
    boxes = np.array([track.box for track in rows.tracks])
    boxes[:, :2] += means - rows.means
    objects = np.repeat(long, np.diff(rows.starts))
    here = np.flatnonzero((rows.frames >= wanted.start) & (rows.frames < wanted.stop))
    for row, number, frame in zip(
        here.tolist(), objects[here].tolist(), rows.frames[here].tolist(), strict=True
    ):
        told[number][frame] = rows.tracks[row].moved(means[row], velocities[row], boxes[row])
    return told


@dataclass(frozen=True, slots=True)
class _Rows:
    """The n rows of p objects, object by object.

    Parameters
    ----------
    tracks
        What is known in each row.
    frames
        Shape (n,), the number of its frame.
    starts
        Shape (p + 1,), the first row of each object, and n.
    means, variances
        Shapes (n, 2), px, and (n,), px²: the places, and how uncertain they are.
    """

    tracks: list[Track]
    frames: Indices
    starts: Indices
    means: Array
    variances: Array

    @classmethod
    def of(cls, paths: Sequence[Mapping[int, Track]]) -> _Rows:
        """Put the rows of objects behind one another."""
        tracks = [track for rows in paths for track in rows.values()]
        uncertain = np.array([track.position_covariance for track in tracks])
        return cls(
            tracks,
            np.array([frame for rows in paths for frame in rows]),
            np.cumsum([0, *map(len, paths)]),
            np.array([track.mean for track in tracks]),
            (uncertain[:, 0, 0] + uncertain[:, 1, 1]) / 2,
        )

    def slopes(self, places: Array, times: Array) -> Array:
        """Return the velocities, (n, 2), px/s: those of the parabolas through three rows each."""
        steps = np.diff(times[self.frames])
        steps[self.starts[1:-1] - 1] = 1.0  # these lead from one object to the next
        speeds = np.diff(places, axis=0) / steps[:, None]
        after = np.arange(len(places))
        before = after - 1
        before[self.starts[:-1]] += 1
        after[self.starts[1:] - 1] -= 1
        share = steps[before] / (steps[before] + steps[after])
        slopes: Array = speeds[before] + share[:, None] * (speeds[after] - speeds[before])
        return slopes


def _laid(rows: _Rows) -> Array:
    """Return the places of the rows on smooth paths, shape (n, 2), px."""
    counts, first = np.diff(rows.starts), rows.frames[rows.starts[:-1]]
    # All frames from the first row of an object to its last, object by object.
    ends = np.cumsum(rows.frames[rows.starts[1:] - 1] - first + 1)
    starts = np.append(0, ends)
    rank = rows.frames + np.repeat(starts[:-1] - first, counts)
    typical = _middles(rows.variances, rows.starts)
    weights = np.repeat(typical, counts) / rows.variances
    precision, seen = np.zeros(ends[-1]), np.zeros((ends[-1], 2))
    precision[rank], seen[rank] = weights, rows.means
    inner = np.ones(ends[-1], dtype=bool)
    inner[starts[:-1]] = inner[ends - 1] = False
    path = _path(seen, precision, _STIFFNESS[0] * inner)
    smooth, fits = rows.means, np.ones(len(counts), dtype=bool)
    for stiffness in _STIFFNESS:
        path = _path(seen, precision, stiffness * _bending(path, inner, starts))
        places = path[rank]
        errors = totals(weights * ((places - rows.means) ** 2).sum(axis=1), rows.starts)
        fits &= errors <= 2 * counts * typical
        if not fits.any():
            break
        smooth = np.where(np.repeat(fits, counts)[:, None], places, smooth)
    # In a contact an object may stop or turn at once.
    touching = np.array([track.status is Status.CONTACT for track in rows.tracks])
    return _near(smooth, rows.means, np.where(touching, np.sqrt(rows.variances), np.inf))


def _near(path: Array, places: Array, reach: Array) -> Array:
    """Bring a path, shape (n, 2), within so many px, shape (n,), of some places."""
    off = path - places
    far = np.maximum(np.hypot(*off.T), 1e-12)
    near: Array = places + off * np.minimum(reach / far, 1.0)[:, None]
    return near


def _bending(path: Array, inner: NDArray[np.bool_], starts: Indices) -> Array:
    """Return how stiff each place of the paths is, shape (n,): less where it turns sharply.

    These are the weights of a Cauchy error on x″, whose scale is the typical |x″| of the path.

    Parameters
    ----------
    path
        Shape (n, 2), path by path.
    inner
        Shape (n,), whether there is a place on either side; what is not inner does not bend.
    starts
        Shape (p + 1,), where each path begins, and n.
    """
    bends = np.zeros(len(path))
    bends[1:-1] = np.hypot(*(path[2:] - 2 * path[1:-1] + path[:-2]).T)
    typical = _middles(bends[inner], starts - 2 * np.arange(len(starts)))
    scale = np.repeat(_SHARP * typical + 1e-9, np.diff(starts))
    weights = 1 / (1 + (bends / scale) ** 2)
    softened: Array = np.maximum(weights, _SOFTEST) * inner  # gaps in the path hang on it
    return softened


def _path(places: Array, precision: Array, stiffness: Array) -> Array:
    """Solve (W + Dᵀ Λ D) x = W y, D being second differences: shapes (n, 2), (n,), (n,).

    The stiffness is that of the place in the middle of a second difference: 0 where paths end.
    """
    # Loading it takes longer than tracking dozens of frames, and live runs never get here.
    from scipy.linalg.lapack import dpbsv

    stiffness = stiffness[1:-1]
    bands = np.zeros((3, len(places)))
    bands[2] = precision
    bands[2, :-2] += stiffness
    bands[2, 1:-1] += 4 * stiffness
    bands[2, 2:] += stiffness
    bands[1, 1:-1] -= 2 * stiffness
    bands[1, 2:] -= 2 * stiffness
    bands[0, 2:] += stiffness
    # `solveh_banded` of few rows checks for longer than it solves.
    _, path, failed = dpbsv(bands, precision[:, None] * places, overwrite_ab=True)
    assert not failed, "the two ends of a path are seen, so the matrix is positive definite"
    solved: Array = path
    return solved


def _middles(values: Array, starts: Indices) -> Array:
    """Return the median of each group of neighbours, none empty; the upper one of two."""
    counts = np.diff(starts)
    order = np.lexsort((values, np.repeat(np.arange(len(counts)), counts)))
    middles: Array = values[order[starts[:-1] + counts // 2]]
    return middles
