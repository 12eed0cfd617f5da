"""How large objects are in this scene, learned from patches that hold a single object.

The length of an object, s = √area, is linear in the image row (perspective); its shape at unit
area is either fixed (upright things: people) or given by two eigenvalues with any heading (animals,
cars).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import roots
from tracker.types import Array

FEWEST = 8  # patches that make a model
_FEWEST_FOR_SLOPE = 40  # and these one with a perspective
_HORIZONS = np.array([-4, -2, -1, -0.5, -0.3, -0.2, -0.1, -0.05, 0, 0.05, 0.1, 0.15, 0.2])
# rows where they are looked for, relative to those of the patches
_FLAT = 2.0  # px between their rows within which all are equally far, as on a conveyor belt
_RIDGE = 0.15  # spread of log s along the ridge of single objects
_SMOOTHING = np.exp(-(np.arange(-8, 9) ** 2) / 18)  # of that spread, in steps of a third of it
_PERSPECTIVE_GAIN = 0.3  # share more than none that a perspective up to a horizon must explain
_FARTHEST = 0.02  # share of the lengths that lies beyond the farthest row with objects
_LEAST = 3.5  # px, length of the farthest object
_SINGLE = 0.4  # quantile of the area-weighted lengths that a single object has: groups lie above
_LENGTHY = 1.3**2  # ratio of the variances from which on something is longer than wide
_AS_TALL = 0.2  # of the logarithm of a height within which one who stands is as tall as others
_MOSTLY = 0.65  # share of the heights that must be so for them to tell the sizes,
_TALLER_GAIN = 1.1  # and how much more that must be than are so by the sizes that areas tell
_UPRIGHT_ANGLE = np.deg2rad(25.0)
OWN = 100.0  # points that an object's own extent is worth against those of a frame
_LONG = 0.3  # (λ₁ − λ₂) / (λ₁ + λ₂) of what is a third as long again as it is wide,
_SLENDER = 0.6  # and of what is twice as long
_HUGE = 4.0  # times the typical length: a bus among walkers, which outweighs many of them
_CLAMP = 1.75  # spreads by which a length may differ from the typical one,
_CLAMP_RANGE = (0.3, 0.9)  # within these limits, as logarithms
_CLASSES = 2.0  # spreads of log s over all kinds of objects, relative to that of the usual kind
_ALIKE = 0.15  # spread of log s below which objects are of one kind
_RARE = 16.0  # nats, what tells against a kind that nobody expects,
_VARIED = 0.7  # and the spread of log s over such
_STAYED = 0.03  # lengths, and of the logarithm of the length, within which a patch has stayed
_RECENT = 50  # patches among which one that stands is found again
_KEPT = 800  # newest patches remembered,
_SURVEYED = 3000  # and about as many of a survey's


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
        """Return both, those of `other` last."""
        return Patches(
            np.concatenate([self.means, other.means]),
            np.concatenate([self.covariances, other.covariances]),
            np.concatenate([self.areas, other.areas]),
        )

    def newest(self) -> Patches:
        """Return them without the oldest, which are forgotten."""
        return self.part(np.arange(len(self)) >= len(self) - _KEPT)

    def thinned(self) -> Patches:
        """Return as many of them as are remembered of a survey, from all over it."""
        return self.part(np.arange(len(self)) % max(ceil(len(self) / _SURVEYED), 1) == 0)

    def part(self, which: NDArray[np.bool_]) -> Patches:
        """Return some of them, those where `which`, shape (n,), is true."""
        return Patches(self.means[which], self.covariances[which], self.areas[which])

    def staying(self, before: Patches) -> NDArray[np.bool_]:
        """Return which stand where the m patches `before` stood, shape (n, m)."""
        lengths, known = np.sqrt(self.areas), np.sqrt(before.areas)
        apart = self.means[:, None] - before.means
        near = np.asarray((apart**2).sum(axis=2) < (_STAYED * known) ** 2)
        near &= np.abs(np.log(lengths[:, None] / known)) < _STAYED
        return near

    def fresh(self, known: Patches) -> Patches:
        """Return those that do not stand where one of the newest of `known` stood."""
        recent = known.part(np.arange(len(known)) >= len(known) - _RECENT)
        return self.part(np.asarray(~self.staying(recent).any(axis=1)))


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
    typical
        Area of a typical object, wherever it is, px².
    """

    intercept: float
    slope: float
    rows: tuple[float, float]
    shape: Array
    upright: bool
    spread: float
    typical: float

    def lengths(self, means: Array) -> Array:
        """Return s at each position, shape (k,), px."""
        if not self.slope:
            return np.full(len(means), self.intercept)
        first, last = self.rows
        return self.intercept + self.slope * np.minimum(np.maximum(means[:, 1], first), last)

    def areas(self, means: Array) -> Array:
        """Return the area of a typical object at each position, shape (k,), px²."""
        return self.lengths(means) ** 2

    @property
    def flat(self) -> bool:
        """Whether objects are seen from above: they have any heading, and one size everywhere."""
        return not self.upright and not self.slope

    @property
    def smallest(self) -> float:
        """The area of a typical object where these are smallest, px²."""
        return min(self.intercept + self.slope * row for row in self.rows) ** 2

    def newborn(self, means: Array) -> Array:
        """Return the area that makes a whole new object at each position, shape (k,), px².

        Beyond the farthest row with objects nothing is known, and small things are noise.
        """
        areas = self.areas(means)
        return np.where(means[:, 1] < self.rows[0], np.maximum(areas, self.typical), areas)

    def least_share(self, usual: float) -> float:
        """Return the share of the typical area that makes an object, where `usual` often does.

        Where sizes vary much, small objects have less: two spreads of the length below the typical.
        """
        return min(usual, float(np.exp(-2 * 2 * self.spread)))

    def covariances(self, means: Array, like: Array, stretch: Array | None = None) -> Array:
        """Return typical extents, or such as differ from them, shape (k, 2, 2), px².

        Parameters
        ----------
        means
            Shape (k, 2), px.
        like
            Shape (k, 2, 2): where objects have any heading, theirs.
        stretch
            Shape (k, 2), logarithms of the ratios of the sides to typical ones: along x and y of
            what is upright, else along and across.
        """
        first, second = self.sides(means, stretch)
        if self.upright:
            zeros = np.zeros_like(first)
            return np.array([first, zeros, zeros, second]).T.reshape(-1, 2, 2)
        return _whole((first + second) / 2, (first - second) / 2, self.headings(like))

    def sides(self, means: Array, stretch: Array | None = None) -> Array:
        """Return the variances of typical extents, or others, along their axes, (2, k), px²."""
        sides: Array = self.areas(means) * self.shape.diagonal()[:, None]
        if stretch is not None:
            sides = sides * np.exp(2 * stretch.T)
        return sides

    def headings(self, like: Array) -> Array:
        """Return the cosine and sine of twice the angle of the axes of such extents, (2, k)."""
        if self.upright:
            return np.array([np.ones(len(like)), np.zeros(len(like))])
        return _parts(like)[2]

    def stretch(self, covariances: Array, means: Array) -> Array:
        """Return how far extents differ from the typical ones, as `covariances` takes it."""
        typical = self.sides(means)
        middle, half, _ = _parts(covariances)
        sides = np.array([middle + half, middle - half])
        if self.upright:
            sides = np.diagonal(covariances, axis1=1, axis2=2).T
        return np.asarray(np.log(sides / typical).T / 2)

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
        least, most = _CLAMP_RANGE
        allowed = min(max(_CLAMP * self.spread, least), most)
        limit = np.exp(2 * allowed * freedom)
        first, second = self.sides(means)  # what is typical
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

    def surprise(self, covariances: Array, means: Array) -> float:
        """Return how much an extent of shape (1, 2, 2), px², tells against an object, nats.

        The logarithms of both its lengths are Gaussian around the typical ones; or it is of a rare
        kind, such as a car among walkers, of which lengths vary more.
        """
        _, inverse = roots(self.covariances(means, covariances))
        middle, half, _ = _parts(inverse @ covariances @ inverse.swapaxes(1, 2))
        ratio = np.array([middle + half, middle - half])
        away = float(np.square(np.log(ratio) / 2).sum() / 2)
        return min(away / (_CLASSES * self.spread) ** 2, _RARE + away / _VARIED**2)

    @property
    def alike(self) -> bool:
        """Whether all objects are of one kind, so that what is larger than one is several."""
        return self.spread < _ALIKE

    def largest(self, means: Array) -> Array:
        """Return the area above which a patch is hardly a single object, shape (k,), px²."""
        areas: Array = self.areas(means) * np.exp(2 * self.spread)
        return areas


def facing(covariances: Array, like: Array) -> Array:
    """Return extents of shape (k, 2, 2) with the axes of others, and their own lengths.

    Those that are nearly round face nowhere, and stay as they are.
    """
    middle, half, heading = _parts(covariances)
    return _whole(middle, half, np.where(half > _LONG * middle, _parts(like)[2], heading))


def slender(covariances: Array) -> NDArray[np.bool_]:
    """Return which extents, of shape (k, 2, 2), are twice as long as wide, and more; shape (k,)."""
    middle, half, _ = _parts(covariances)
    return np.asarray(half > _SLENDER * middle)


def distinct(patches: Patches, samples: NDArray[np.int64]) -> Patches:
    """Return the patches but for those that stand where they stood in the sample before.

    A group that rests for most of a film would count as often as all others together.

    Parameters
    ----------
    patches
        In the order of their samples.
    samples
        Shape (n,), which sample shows each patch.
    """
    newest = samples.copy()  # in which sample each patch was last seen to stand
    kept = np.ones(len(patches), dtype=bool)
    for sample in np.unique(samples):
        here, before = samples == sample, kept & (newest == sample - 1)
        stays = patches.part(here).staying(patches.part(before))
        newest[np.flatnonzero(before)[stays.any(axis=0)]] = sample
        kept[np.flatnonzero(here)[stays.any(axis=1)]] = False
    return patches if kept.sum() < FEWEST else patches.part(kept)


def fit_sizes(patches: Patches) -> SizeModel | None:
    """Fit the size model, or return None where there is too little to learn from.

    Groups of objects lie above and fragments below a single object; quantiles weighted by area see
    through both, unless most are in groups: then the heights of what stands upright do.
    """
    if len(patches) < FEWEST:
        return None
    lengths = np.sqrt(patches.areas)
    rows = patches.means[:, 1]
    line = _perspective(rows, lengths)
    if not line[1]:
        line = _quantile(lengths, patches.areas, _SINGLE), 0.0
    found = _fitted(patches, line)
    return _standing(patches, found) if found is not None and found.upright else found


def _fitted(patches: Patches, line: tuple[float, float]) -> SizeModel | None:
    """Return the model whose lengths lie along a line over the rows, or None with too few there.

    Parameters
    ----------
    patches
        What was seen.
    line
        Intercept, px, and slope.
    """
    lengths, rows = np.sqrt(patches.areas), patches.means[:, 1]
    intercept, slope = line
    lowest, highest = _quantile(rows, lengths, _FARTHEST), float(rows.max())
    if slope:
        lowest = max(lowest, (_LEAST - intercept) / slope)
    span = (lowest, highest)
    ratio = lengths / (intercept + slope * np.clip(rows, *span))
    huge = ratio > _HUGE
    if huge.any():
        return fit_sizes(patches.part(~huge))
    single = (ratio > 0.6) & (ratio < 1.5)
    if single.sum() < FEWEST:
        return None
    spread = float(np.clip(1.4826 * np.median(np.abs(np.log(ratio[single]))), 0.05, 0.5))
    unit = patches.covariances[single] / patches.areas[single][:, None, None]
    mean, half, _ = _parts(unit)
    larger, smaller = mean + half, mean - half
    long = larger > _LENGTHY * smaller
    upright = bool(long.mean() > 0.5 and _upright(unit).sum() > 0.7 * long.sum())
    if upright:
        middle = np.median(unit, axis=0)
        shape = np.diag(np.diag(middle))
    else:
        shape = np.diag([np.median(larger), np.median(smaller)])
    typical = _quantile(lengths, patches.areas, _SINGLE)
    return SizeModel(intercept, slope, span, shape, upright, spread, typical**2)


def _standing(patches: Patches, found: SizeModel) -> SizeModel:
    """Return what heights tell of those who stand upright, or `found` where that is no more.

    Two who walk side by side are twice as large as one, and as tall. Where most walk with others,
    areas take two for one, and one alone for a piece; or every row has its own mixture of them, and
    no perspective explains these.
    """
    upright = patches.part(_upright(patches.covariances))
    if len(upright) < FEWEST:
        return found
    heights, rows = np.sqrt(upright.covariances[:, 1, 1]), upright.means[:, 1]
    intercept, slope = _perspective(rows, heights)
    if not slope:
        intercept = float(np.exp(_mode(np.log(heights), heights)[1]))
    before = np.sqrt(found.sides(upright.means)[1])
    now = np.maximum(intercept + slope * rows, 1e-9)
    known, tall = (np.abs(np.log(heights / expected)) < _AS_TALL for expected in (before, now))
    least = max(_MOSTLY * heights.sum(), _TALLER_GAIN * heights[known].sum())
    if tall.sum() < FEWEST or heights[tall].sum() < least:
        return found
    # Of those as tall as one, what is wide is several.
    width = np.sqrt(np.quantile(upright.areas[tall] / heights[tall] ** 2, _SINGLE))
    fitted = _fitted(patches, (intercept * width, slope * width))
    return fitted if fitted is not None and fitted.upright else found


def _upright(covariances: Array) -> NDArray[np.bool_]:
    """Return which extents, of shape (k, 2, 2), are a third higher than they are wide, (k,)."""
    middle, half, heading = _parts(covariances)
    vertical = heading[0] < -np.cos(2 * _UPRIGHT_ANGLE)  # twice the angle from x, beyond that
    return np.asarray(vertical & (middle + half > _LENGTHY * (middle - half)))


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


def _perspective(rows: Array, lengths: Array) -> tuple[float, float]:
    """Return intercept and slope of the lengths over the rows, or zeros without a perspective.

    What is seen of objects lies along a ridge s = slope · (y − horizon): groups scatter above it
    and fragments below. For each horizon, the ratios s / (y − horizon) have a mode; the horizon
    with the most length within the mode is the true one, where it gains enough over none at all.
    """
    if len(rows) < _FEWEST_FOR_SLOPE:
        return 0.0, 0.0
    places = [int(q * (len(rows) - 1)) for q in (0.02, 0.98)]
    far, near = np.partition(rows, places)[places]
    if near - far < _FLAT:
        return 0.0, 0.0
    found = []
    for horizon in far + (near - far) * _HORIZONS:
        nearer = rows > horizon + 1
        ratio = lengths[nearer] / (rows[nearer] - horizon)
        found.append((*_mode(np.log(ratio), lengths[nearer]), float(horizon)))
    within, level, horizon = max(found)
    # The more the sizes differ over the picture, the more that must explain.
    gain = 1 + _PERSPECTIVE_GAIN * (near - far) / (near - horizon)
    if within < gain * _mode(np.log(lengths), lengths)[0]:
        return 0.0, 0.0
    slope = float(np.exp(level))
    return -slope * horizon, slope


def _mode(values: Array, weights: Array) -> tuple[float, float]:
    """Return the weight within the mode of some values, smoothed by `_RIDGE`, and the mode."""
    step = _RIDGE / 3
    low = values.min() - 4 * _RIDGE
    counts = np.bincount(((values - low) / step).astype(np.intp), weights)
    smooth = np.convolve(counts, _SMOOTHING, "same")
    place = int(smooth.argmax())
    return float(smooth[place]), float(low + (place + 0.5) * step)
