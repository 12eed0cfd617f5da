"""Smooth paths of objects whose places are known in every frame, and how well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpbsv

from tracker.types import Array, Status, Track

_SHARP = 3.0  # times the typical bend of a path, where it becomes soft
_SOFTEST = 1e-3  # share of its stiffness that a path keeps anywhere
_STIFFNESS = 10.0 ** np.arange(-1, 3.1, 0.5)  # of paths, the largest that fits is taken


def smoothed(rows: Mapping[int, Track], times: Array) -> dict[int, Track]:
    """Lay the rows of an object on the stiffest path that the uncertainty of their places allows.

    The path x minimises Σ w (y − x)² + λ Σ (x″)², which is the mean of a forward-backward smoother
    whose velocity is a random walk; λ is lowered where the path turns sharply, and otherwise the
    largest at which the places y are off by no more than their position covariance claims
    (Morozov's discrepancy principle).
    """
    places = np.array(list(rows)) - min(rows)
    tracks = list(rows.values())
    if len(tracks) < 3:
        return dict(rows)
    means = np.array([track.mean for track in tracks])
    variances = np.array([np.trace(track.position_covariance) / 2 for track in tracks])
    precision, seen = np.zeros(places[-1] + 1), np.zeros((places[-1] + 1, 2))
    typical = _middle(variances)
    precision[places], seen[places] = typical / variances, means
    smooth: Array = means
    whole = _path(seen, precision, np.full(len(seen) - 2, _STIFFNESS[0]))
    for stiffness in _STIFFNESS:
        whole = _path(seen, precision, stiffness * _bending(whole))
        path = whole[places]
        error = precision[places] @ ((path - means) ** 2).sum(axis=1)
        if error > 2 * len(places) * typical:
            break
        smooth = path
    smooth = _near(smooth, means, np.where(_touching(tracks), np.sqrt(variances), np.inf))
    velocities = np.gradient(smooth, times[list(rows)], axis=0)
    return {
        place: replace(
            track,
            mean=mean,
            velocity=velocity,
            box=track.box + np.concatenate([mean - track.mean, [0.0, 0.0]]),
        )
        for place, track, mean, velocity in zip(rows, tracks, smooth, velocities, strict=True)
    }


def _touching(tracks: Sequence[Track]) -> NDArray[np.bool_]:
    """Tell which rows are of a contact, where an object may stop or turn at once."""
    return np.array([track.status is Status.CONTACT for track in tracks])


def _near(path: Array, places: Array, reach: Array) -> Array:
    """Bring a path, shape (n, 2), within so many px, shape (n,), of some places."""
    off = path - places
    far = np.maximum(np.hypot(*off.T), 1e-12)
    near: Array = places + off * np.minimum(reach / far, 1.0)[:, None]
    return near


def _bending(path: Array) -> Array:
    """Return how stiff each inner place of a path is, shape (n - 2,): less where it turns sharply.

    These are the weights of a Cauchy error on x″, whose scale is the typical |x″| of the path.
    """
    bends = np.hypot(*(path[2:] - 2 * path[1:-1] + path[:-2]).T)
    weights = 1 / (1 + (bends / (_SHARP * _middle(bends) + 1e-9)) ** 2)
    softened: Array = np.maximum(weights, _SOFTEST)  # gaps in the path hang on it
    return softened


def _path(places: Array, precision: Array, stiffness: Array) -> Array:
    """Solve (W + Dᵀ Λ D) x = W y, D being second differences: shapes (n, 2), (n,), (n - 2,)."""
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


def _middle(values: Array) -> float:
    """Return the median, the upper one of two."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])
