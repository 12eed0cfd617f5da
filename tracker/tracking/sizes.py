"""How large objects are in this scene, learned from patches that hold a single object.

The length of an object, s = √area, is linear in the image row (perspective); its shape at unit
area is either fixed (upright things: people) or given by two eigenvalues with any heading (animals,
cars).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.types import Array

_FEWEST = 8  # patches that make a model
_BINS = 8  # of image rows, for the slope
_SINGLE = 0.4  # quantile of the area-weighted lengths that a single object has: groups lie above
_UPRIGHT_ANGLE = np.deg2rad(25.0)
_CLAMP = 1.75  # spreads by which a length may differ from the typical one,
_CLAMP_RANGE = (0.3, 0.9)  # within these limits, as logarithms
_KEPT = 800  # newest patches remembered


@dataclass(frozen=True, slots=True)
class Patches:
    """Moments of single patches of foreground, newest last.

    Parameters
    ----------
    means
        Shape (n, 2), px.
    covariances
        Shape (n, 2, 2), px².
    areas
        Shape (n,), px².
    """

    means: Array
    covariances: Array
    areas: Array

    def __len__(self) -> int:
        return len(self.areas)

    def joined(self, other: Patches) -> Patches:
        """Return both, the oldest forgotten."""
        return Patches(
            np.concatenate([self.means, other.means])[-_KEPT:],
            np.concatenate([self.covariances, other.covariances])[-_KEPT:],
            np.concatenate([self.areas, other.areas])[-_KEPT:],
        )


NO_PATCHES = Patches(np.zeros((0, 2)), np.zeros((0, 2, 2)), np.zeros(0))


@dataclass(frozen=True, slots=True)
class SizeModel:
    """The typical object at each image row.

    Parameters
    ----------
    intercept, slope
        s = intercept + slope · y, px.
    rows
        Smallest and largest y with objects to learn from; beyond them s stays as it is there.
    shape
        Shape (2, 2), covariance of an upright object of area 1, or the diagonal matrix of its
        eigenvalues, the largest first.
    upright
        Whether the shape keeps its heading.
    spread
        Standard deviation of log s among single objects.
    """

    intercept: float
    slope: float
    rows: tuple[float, float]
    shape: Array
    upright: bool
    spread: float

    def lengths(self, means: Array) -> Array:
        """Return s at each position, shape (k,), px."""
        return self.intercept + self.slope * np.clip(means[:, 1], *self.rows)

    def areas(self, means: Array) -> Array:
        """Return the area of a typical object at each position, shape (k,), px²."""
        return self.lengths(means) ** 2

    @property
    def smallest(self) -> float:
        """The area of a typical object where these are smallest, px²."""
        return min(self.intercept + self.slope * row for row in self.rows) ** 2

    def covariances(self, means: Array, like: Array) -> Array:
        """Return typical extents, shape (k, 2, 2), px².

        Parameters
        ----------
        means
            Shape (k, 2), px.
        like
            Shape (k, 2, 2): where objects have any heading, theirs.
        """
        areas = self.areas(means)
        if self.upright:
            return areas[:, None, None] * self.shape
        _, _, heading = _parts(like)
        long, short = np.diagonal(self.shape)
        return _whole(areas * (long + short) / 2, areas * (long - short) / 2, heading)

    def clamp(self, covariances: Array, means: Array, freedom: Array | float = 1.0) -> Array:
        """Limit how far the lengths of each extent differ from the typical ones.

        Without this one ellipse swallows a group. The eigenvalues of the extent are clipped, in
        units of those of the typical one.

        Parameters
        ----------
        covariances
            Shape (k, 2, 2), px².
        means
            Shape (k, 2), px.
        freedom
            Shape (k,) or a number: power of the limit.
        """
        allowed = np.clip(_CLAMP * self.spread, *_CLAMP_RANGE)
        limit = np.exp(2 * allowed * freedom)
        first, second = self.areas(means) * np.diagonal(self.shape)[:, None]  # what is typical
        if self.upright:  # in units of that
            across = np.sqrt(first * second)
            sides = np.array([first, across, across, second]).T.reshape(-1, 2, 2)
            covariances, first, second = covariances / sides, np.ones(1), np.ones(1)
        # Otherwise the typical extent has the heading of this one.
        middle, half, heading = _parts(covariances)
        long = np.minimum(np.maximum(middle + half, first / limit), first * limit)
        short = np.minimum(np.maximum(middle - half, second / limit), second * limit)
        clamped = _whole((long + short) / 2, (long - short) / 2, heading)
        return clamped * sides if self.upright else clamped

    def largest(self, means: Array) -> Array:
        """Return the area above which a patch is hardly a single object, shape (k,), px²."""
        areas: Array = self.areas(means) * np.exp(2 * self.spread)
        return areas


def fit_sizes(patches: Patches) -> SizeModel | None:
    """Fit the size model, or return None where there is too little to learn from.

    Groups of objects lie above and fragments below a single object; quantiles weighted by area see
    through both.
    """
    if len(patches) < _FEWEST:
        return None
    lengths = np.sqrt(patches.areas)
    rows = patches.means[:, 1]
    typical = _quantile(lengths, patches.areas, _SINGLE)
    intercept, slope = typical, 0.0
    edges = np.array([_quantile(rows, patches.areas, q) for q in np.linspace(0, 1, _BINS + 1)])
    bins = np.clip(np.searchsorted(edges, rows, side="right") - 1, 0, _BINS - 1)
    if len(patches) >= 5 * _BINS and edges[-1] - edges[0] > 2 * typical:
        centres: list[float] = []
        heights: list[float] = []
        counts: list[float] = []
        for b in range(_BINS):
            inside = bins == b
            if inside.sum() >= 4:
                centres.append(float(rows[inside].mean()))
                heights.append(_quantile(lengths[inside], patches.areas[inside], _SINGLE))
                counts.append(float(inside.sum()))
        if len(centres) >= 4:
            slope, intercept = _line(np.array(centres), np.array(heights), np.array(counts))
    lowest, highest = (_quantile(rows, patches.areas, q) for q in (0.02, 0.98))
    # Nearer things are lower in the picture and larger; the reverse is an accident of fragments.
    if slope < 0 or intercept + slope * lowest < 0.3 * typical:
        intercept, slope = typical, 0.0
    ratio = lengths / (intercept + slope * np.clip(rows, lowest, highest))
    single = (ratio > 0.6) & (ratio < 1.5)
    if single.sum() < _FEWEST:
        return None
    spread = float(np.clip(1.4826 * np.median(np.abs(np.log(ratio[single]))), 0.05, 0.5))
    unit = patches.covariances[single] / patches.areas[single][:, None, None]
    values, axes = np.linalg.eigh(unit)
    tilt = np.arctan2(np.abs(axes[:, 0, 1]), np.abs(axes[:, 1, 1]))  # of the long axis to vertical
    long = np.sqrt(values[:, 1] / np.maximum(values[:, 0], 1e-12))
    upright = bool(np.median(long) > 1.3 and np.mean(tilt[long > 1.3] < _UPRIGHT_ANGLE) > 0.7)
    if upright:
        middle = np.median(unit, axis=0)
        shape = np.diag(np.diag(middle))
    else:
        shape = np.diag(np.median(values, axis=0)[::-1])
    span = (lowest, highest)
    return SizeModel(intercept, slope, span, shape, upright, spread)


def _parts(matrices: Array) -> tuple[Array, Array, Array]:
    """Take symmetric 2 x 2 matrices apart, with eigenvalues m ± h.

    Returns
    -------
    middle, half, heading
        Shapes (k,), (k,) and (2, k): m, h ≥ 0 and the cosine and sine of twice the angle of the
        long axis, which is x where the matrix is round.
    """
    xx, xy, _, yy = matrices.reshape(-1, 4).T
    across = (xx - yy) / 2
    half = np.hypot(across, xy)
    safe = np.maximum(half, 1e-300)
    heading = np.array([np.where(half > 0, across / safe, 1.0), xy / safe])
    return (xx + yy) / 2, half, heading


def _whole(middle: Array, half: Array, heading: Array) -> Array:
    """Put together what `_parts` took apart."""
    across, xy = half * heading
    return np.array([middle + across, xy, xy, middle - across]).T.reshape(-1, 2, 2)


def _quantile(values: Array, weights: Array, level: float) -> float:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order])
    place = min(int(np.searchsorted(share, level * share[-1])), len(values) - 1)
    return float(values[order][place])


def _line(x: Array, y: Array, weights: Array) -> tuple[float, float]:
    """Fit y = intercept + slope · x by least absolute deviations (reweighted least squares)."""
    robust = weights.copy()
    slope = intercept = 0.0
    for _ in range(20):
        share = robust / robust.sum()
        middle, height = share @ x, share @ y
        slope = share @ ((x - middle) * (y - height)) / (share @ (x - middle) ** 2)
        intercept = height - slope * middle
        robust = weights / np.maximum(np.abs(y - intercept - slope * x), 0.02 * y.mean())
    return float(slope), float(intercept)
