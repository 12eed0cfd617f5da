"""How many objects an unexplained patch holds, by evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import cycle, islice
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tracker.config import TrackingOptions
from tracker.mixture import (
    Coverage,
    Mixture,
    Stats,
    inverses,
    longer,
    roots,
    silhouettes,
    squared_distances,
)
from tracker.tracking.blobs import Blobs
from tracker.tracking.lattice import Indices, cut
from tracker.tracking.sizes import SizeModel
from tracker.tracking.state import Objects, State
from tracker.types import Array, Event, Points

_GROUP = 1.6  # patches beyond this multiple of the typical area may hold several objects
MOST = 6  # objects looked for in one patch
_BUDGET = 1000.0  # points of the patches in which they are looked for at once, about
_LEAST_COST = 150.0  # points: a smaller patch takes no less time
_INSIDE, _OUTSIDE = 0.85, 0.03  # probability of foreground within and without an object
_EVIDENCE = 30.0  # effective samples of one object
_ENOUGH = 2  # counts in a row that explain a patch worse: more would not do better
_CELLS = 150.0  # that an object is made of where objects are counted, about
_BODY = 0.9  # quantile of the weights of a patch that those of a body have: more than limbs have
_MOST_POINTS, _MOST_CELLS = 1200.0, 3000.0  # of what is counted in, and of the box around it
_PRICE = 8.0  # nats that one more object must gain
_ANOTHER_EVIDENCE = 60.0  # effective samples of one object of another kind
_ROUNDS = 12
_TURNS = 3  # of fitting places, then sizes
_SWEEPS = 4  # over the objects, each of which may become larger or smaller
_STEP = 0.1  # of the logarithm of a side
_STEPS = _STEP * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
_LEAST_SPREAD = 0.1  # of the logarithm of a side
_SILHOUETTE = Coverage(0.1)
_FAR = 14.0  # squared standard deviations: a silhouette covers hardly 1e-4 of what is farther
_STILL = 0.006  # standard deviations: a fit that moves less than this has settled
_SMALLEST = 12.0  # px², the least that can be an object
_AT_THE_EDGE = 1.5  # points from the border of the picture: what is there is cut by it
_LEAST_INSIDE = 0.3  # share of an object that tells what comes into the picture
_LARGE = 2.5  # times the typical area, from which on an object is of another kind;
_BESIDE = 6.0  # standard deviations from it within which foreground may be more of it,
_OF_IT = 0.35  # unless it has this share of its area
_SLIGHT = 0.12  # of the typical area: what has less is no object, however it moves
_APART = 6.0  # standard deviations from all others, within which what has little is of them
_SHARE = 0.25  # of the largest object known, likewise


def smallest(state: State, options: TrackingOptions) -> float:
    """Return the least foreground that can be a new object anywhere in the picture, px²."""
    if state.sizes is None:
        return _SMALLEST
    inside = 1.0 if state.scene.size is None else _LEAST_INSIDE
    share = options.birth_area * inside
    if _small_ones(state, options):
        share = min(share, _SLIGHT)
    return max(_SMALLEST, share * state.sizes.smallest)


def affordable(points: Array, spent: float = 0.0) -> tuple[int, float]:
    """Say in how many patches objects may be looked for at once, so that no frame takes long.

    Parameters
    ----------
    points
        Shape (n,), how many points each patch has; those that matter most come first.
    spent
        Points for which time was spent already.

    Returns
    -------
    number, spent
        How many of the patches, from the first on: at least one where nothing was spent; and the
        points for which time will be spent with them.
    """
    costs = spent + np.maximum(points, _LEAST_COST).cumsum()
    number = max(int((costs <= _BUDGET).sum()), int(spent == 0 and len(costs) > 0))
    return number, float(costs[number - 1]) if number else spent


@dataclass(frozen=True, slots=True)
class Count:
    """How many objects a patch holds.

    Parameters
    ----------
    parts
        Mass, mean and extent of each, for the most probable number.
    chances
        Probabilities of 1, 2, ... objects; they sum to 1.
    """

    parts: Stats
    chances: Array

    @property
    def chance(self) -> float:
        """Probability that it holds as many."""
        return float(self.chances[len(self.parts.mass) - 1])


@dataclass(frozen=True, slots=True)
class Newborn:
    """k new objects.

    Parameters
    ----------
    stats
        Mass, mean and extent of each.
    question
        Shape (k,), the number of the patch in which they were counted, -1 where none was needed.
    counts
        By number of the patch, what was found in it.
    known
        By number of the patch, the ids of objects that were known in it.
    """

    stats: Stats
    question: NDArray[np.int64]
    counts: tuple[Count, ...] = ()
    known: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def uncounted(cls, stats: Stats) -> Newborn:
        """Return objects of which nobody asked how many they are."""
        return cls(stats, np.full(len(stats.mass), -1))

    @classmethod
    def counted(cls, count: Count, known: dict[int, int] | None = None) -> Newborn:
        """Return the objects of a patch but for those parts, by number, that have ids."""
        known = known or {}
        fresh = np.array([part not in known for part in range(len(count.parts.mass))])
        stats = _chosen(count.parts, fresh)
        return cls(stats, np.zeros(len(stats.mass), int), (count,), (tuple(known.values()),))

    def __len__(self) -> int:
        return len(self.question)

    def joined(self, other: Newborn) -> Newborn:
        """Return these objects and, behind them, the others."""
        both = self.stats, other.stats
        question = np.where(other.question < 0, -1, other.question + len(self.counts))
        return Newborn(
            Stats(
                np.concatenate([stats.mass for stats in both]),
                np.concatenate([stats.mean for stats in both]),
                np.concatenate([stats.scatter for stats in both]),
            ),
            np.concatenate([self.question, question]),
            self.counts + other.counts,
            self.known + other.known,
        )

    def largest(self, count: int) -> Newborn:
        """Return the largest of them, at most `count`, in their order."""
        if len(self) <= count:
            return self
        chosen = np.sort(np.argsort(-self.stats.mass, kind="stable")[:count])
        return replace(self, stats=_chosen(self.stats, chosen), question=self.question[chosen])

    def told(self, first_id: int) -> tuple[Event, ...]:
        """Say of each patch in which objects were counted how many they are, and how surely."""
        events = []
        for number, (count, known) in enumerate(zip(self.counts, self.known, strict=True)):
            ids = tuple((first_id + np.flatnonzero(self.question == number)).tolist())
            if ids:
                message = f"this patch is {len(count.parts.mass)}, p = {count.chance:.2f}"
                if len(known) + len(ids) < len(count.parts.mass):
                    message += f", of which {len(ids)} could be started"
                events.append(Event("group", known + ids, message))
        return tuple(events)


def _chosen(stats: Stats, which: NDArray[np.bool_] | Indices) -> Stats:
    """Return the statistics of some components."""
    return Stats(stats.mass[which], stats.mean[which], stats.scatter[which])


NOBODY = Newborn.uncounted(Stats(np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2, 2))))
"""No new object."""


def resolve(
    rest: Blobs, untouched: NDArray[np.bool_], state: State, options: TrackingOptions
) -> Newborn:
    """Return each new object in the unexplained patches.

    Parameters
    ----------
    rest
        The unexplained patches.
    untouched
        Shape (B,), which of them are not the rest of a patch that objects explain.
    state, options
        What is known, and the policy.
    """
    sizes = state.sizes
    if sizes is None:
        typical = np.median(state.objects.areas) if len(state.objects) else 0.0
        largest = rest.mass.max() if not len(state.objects) else typical
        # What is more of a patch with an object is the object coming into view.
        kept = untouched & (rest.mass >= max(_SMALLEST, _SHARE * float(largest)))
        return Newborn.uncounted(Stats(rest.mass[kept], rest.means[kept], rest.scatters[kept]))
    expected = sizes.newborn(rest.means)
    least = _least(rest.means, sizes, options)
    # What comes in beside an object may well be more of it, and the rest of a patch of a large one.
    least *= np.where(untouched, _come_in(rest, sizes, state.scene.size), 1.0)
    left = np.where(untouched, 0.0, _left_over(rest, state.objects, sizes))
    enough = rest.mass >= np.maximum(least, left)
    if _small_ones(state, options):
        some = untouched & (rest.mass >= _SLIGHT * sizes.areas(rest.means))
        enough |= some & _lonely(rest, enough, state.objects)
    enough &= rest.mass >= _SMALLEST
    crowded = enough & (rest.mass > _GROUP * expected)
    single = np.flatnonzero(enough & ~crowded)
    extents = sizes.clamp(rest.scatters[single], rest.means[single])
    found = Newborn.uncounted(Stats(rest.mass[single], rest.means[single], extents))
    # The largest first; what is left over is still there in the next frame.
    order = np.argsort(-rest.mass, kind="stable")
    asked = order[crowded[order]]
    number, _ = affordable(rest.mass[asked] / rest.spacing**2)
    for b in asked[:number]:
        count = split(rest.points(rest.labels == b), sizes)
        found = found.joined(Newborn.counted(count))
    return found


def slight(state: State, options: TrackingOptions) -> NDArray[np.bool_]:
    """Return which objects show less than usual ones do where they are, shape (k,)."""
    objects = state.objects
    if state.sizes is None or not _small_ones(state, options):
        return np.zeros(len(objects), dtype=bool)
    return np.asarray(objects.usual < _least(objects.means, state.sizes, options))


def _small_ones(state: State, options: TrackingOptions) -> bool:
    """Tell whether what is small may be an object, and not a piece of one.

    What stands upright comes apart into a head, a trunk and legs; and where the number of objects
    is known, they are of one kind.
    """
    number = options.objects or state.population
    return state.sizes is not None and not state.sizes.upright and not number


def _least(means: Array, sizes: SizeModel, options: TrackingOptions) -> Array:
    """Return the foreground that makes a usual new object at each position, (k,), px²."""
    share = sizes.least_share(options.birth_area)
    least: Array = np.maximum(share * sizes.newborn(means), options.birth_area * sizes.smallest)
    return least


def _distances(rest: Blobs, means: Array, extents: Array) -> Array:
    """Return how far the patches are from k ellipses, squared standard deviations, (k, B)."""
    apart = rest.means - means[:, None]
    squares: Array = np.einsum("kbi,kij,kbj->kb", apart, inverses(extents), apart)
    return squares


def _lonely(rest: Blobs, usual: NDArray[np.bool_], objects: Objects) -> NDArray[np.bool_]:
    """Return which patches are far from all objects and from the `usual` patches, shape (B,)."""
    means = np.concatenate([objects.means, rest.means[usual]])
    extents = np.concatenate([objects.extents, rest.scatters[usual]])
    return np.asarray((_distances(rest, means, extents) > _APART**2).all(axis=0))


def _left_over(rest: Blobs, objects: Objects, sizes: SizeModel) -> Array:
    """Return the foreground that large objects leave over where patches are, (B,), px².

    A lorry is no ellipse: its corners and its shadow lie outside, and each may have the size of a
    car.
    """
    large = objects.chosen(objects.areas > _LARGE * sizes.areas(objects.means))
    if not len(large):
        return np.zeros(len(rest))
    near = _distances(rest, large.means, large.extents) < _BESIDE**2
    left: Array = np.where(near, _OF_IT * large.areas[:, None], 0.0).max(axis=0)
    return left


def _come_in(rest: Blobs, sizes: SizeModel, picture: tuple[int, int] | None) -> Array:
    """Return the share of a typical object that has come into the picture with a patch, (B,).

    What the border of the picture cuts is still half outside, as deep as it is not yet inside.
    """
    if picture is None:
        return np.ones(len(rest))
    first, second = sizes.sides(rest.means)
    if not sizes.upright:
        first = second = np.sqrt(first * second)
    length = 4 * np.sqrt(np.array([first, second]).T)
    ends = cut(rest.boxes, picture, _AT_THE_EDGE * rest.spacing)
    shown = rest.boxes[:, 2:] - rest.boxes[:, :2]
    inside = np.where(ends[:, :2] | ends[:, 2:], np.minimum(shown / length, 1.0), 1.0)
    share: Array = np.maximum(inside.prod(axis=1), _LEAST_INSIDE)
    return share


def split(points: Points, sizes: SizeModel, *, most: int = MOST) -> Count:
    """Fit 1, 2, ... objects to a patch and keep the best explanation.

    Each count is scored by the likelihood of the patch and of the empty cells around it, worth
    a limited number of independent samples, by how far the objects' sizes are from typical ones,
    and by a price for each object: the logarithm of its posterior probability, up to a constant.
    """
    patch = _Patch.of(points, sizes)
    expected = float(sizes.areas(patch.single.mean)[0])
    most = int(min(most, np.ceil(patch.single.mass[0] / (0.5 * expected))))
    best, best_score, worse = patch.single, -np.inf, 0
    scores = []
    for count in range(1, most + 1):
        parts, score = _fitted(patch, count, sizes)
        score -= _PRICE * count
        scores.append(score)
        if score > best_score:
            best, best_score, worse = parts, score, 0
        elif (worse := worse + 1) == _ENOUGH:
            break
    if len(best.mass) > 1:
        gain = patch.another(best, sizes)
        scores[0] = max(scores[0], best_score + gain)
        if gain > 0:
            best, best_score = patch.free, scores[0]
    chances = np.exp(np.array(scores) - best_score)
    return Count(best, chances / chances.sum())


def united(points: Points, sizes: SizeModel, parts: Stats) -> bool:
    """Tell whether a patch is rather one object of another kind than the parts it is taken for."""
    patch = _Patch.of(points, sizes)
    # As they are at first, and then at their best.
    return patch.another(parts, sizes) > 0 and len(split(points, sizes).parts.mass) == 1


@dataclass(frozen=True, slots=True)
class _Patch:
    """A patch and the empty ground around it.

    Parameters
    ----------
    points
        Shape (n, 2), px.
    free, single
        Mass, mean and scatter of all of it; the same with the scatter limited as one object's is.
    columns, rows
        Where the columns and rows of the m cells of the box around it are, px.
    worth
        Independent samples that one cell is worth.
    covered, rise
        Shape (m,), the probability of what each cell shows if an object covers it, and by how much
        it rises if none does.
    """

    points: Array
    free: Stats
    single: Stats
    columns: Array
    rows: Array
    worth: float
    covered: Array
    rise: Array

    @classmethod
    def of(cls, patch: Points, sizes: SizeModel) -> _Patch:
        """Return a patch on a lattice that is just fine enough."""
        points, weights = patch.coordinates, patch.masses
        middle = points.T.copy().mean(axis=1)[None]
        place = int(_BODY * (len(weights) - 1))
        usual = np.partition(weights, place)[place]
        points, spacing = _coarsened(
            points, weights / usual, patch.spacing, float(sizes.areas(middle)[0])
        )
        places = points.T.copy()
        mean = places.mean(axis=1)
        apart = places - mean[:, None]
        # A point stands for a square: a line of them is not of no width.
        scatter = apart @ apart.T / len(points) + spacing**2 / 12 * np.eye(2)
        free = Stats(np.array([weights.sum()]), mean[None], scatter[None])
        single = Stats(free.mass, free.mean, sizes.clamp(free.scatter, free.mean))
        low = places.min(axis=1) - 4 * spacing
        column, row = np.rint((places - low[:, None]) / spacing).astype(np.intp)
        mask = np.zeros((row.max() + 5, column.max() + 5), dtype=bool)
        mask[row, column] = True
        columns, rows = (
            first + spacing * np.arange(count)
            for first, count in zip(low, mask.shape[::-1], strict=True)
        )
        worth = _EVIDENCE * spacing**2 / float(sizes.areas(single.mean)[0])
        filled = mask.ravel()
        covered = np.where(filled, _INSIDE, 1 - _INSIDE)
        rise = np.where(filled, _OUTSIDE - _INSIDE, _INSIDE - _OUTSIDE)
        return cls(points, free, single, columns, rows, worth, covered, rise)

    @property
    def cells(self) -> Array:
        """Shape (m, 2), row by row, px."""
        cells: Array = np.stack(np.meshgrid(self.columns, self.rows), axis=-1).reshape(-1, 2)
        return cells

    def evidence(self, empty: Array, cells: Indices | None = None) -> Array:
        """Return the log-likelihood of the patch where objects leave cells empty, (..., m).

        Or that of some of its cells.
        """
        covered, rise = self.covered, self.rise
        if cells is not None:
            covered, rise = covered.take(cells), rise.take(cells)
        return np.asarray(np.log(covered + rise * empty).sum(axis=-1) * self.worth)

    def likelihood(self, parts: Stats) -> float:
        """Return the log-likelihood of the patch under some objects."""
        shares = np.full(len(parts.mass), 1 / len(parts.mass))
        mixture = Mixture(shares, parts.mean, parts.scatter)
        empty = 1 - _SILHOUETTE.cover(squared_distances(self.cells, mixture))
        return float(self.evidence(np.prod(empty, axis=0)))

    def another(self, parts: Stats, sizes: SizeModel) -> float:
        """Return by how much one object of another kind is more probable than usual ones, nats.

        What an object is unlike an ellipse grows with it.
        """
        gain = self.likelihood(self.free) - self.likelihood(parts)
        expected = float(sizes.areas(self.single.mean)[0])
        gain *= _ANOTHER_EVIDENCE / _EVIDENCE * expected / self.free.mass[0]
        gain += _PRICE * (len(parts.mass) - 1)
        return float(gain - sizes.surprise(self.free.scatter, self.free.mean))

    def squares(self, means: Array, headings: Array) -> Array:
        """Return how far the cells are from objects along and across these, squared, (k, 2, m)."""
        twice = headings[0].clip(-1, 1)
        cosine = np.sqrt((1 + twice) / 2)[:, None]
        sine = np.copysign(np.sqrt((1 - twice) / 2), headings[1])[:, None]
        x, y = self.columns - means[:, :1], self.rows - means[:, 1:]
        ways = np.empty((len(means), 2, len(self.rows), len(self.columns)))
        np.add((sine * y)[:, :, None], (cosine * x)[:, None, :], out=ways[:, 0])
        np.subtract((cosine * y)[:, :, None], (sine * x)[:, None, :], out=ways[:, 1])
        ways *= ways
        return ways.reshape(len(means), 2, -1)


def _fitted(patch: _Patch, count: int, sizes: SizeModel) -> tuple[Stats, float]:
    """Fit so many objects to a patch: places and sizes in turns.

    Returns
    -------
    parts, score
        Mass, mean and extent of each, and their log-posterior without the price.
    """
    means = _spread_out(patch.points, count, sizes, patch.single)
    like = np.repeat(patch.single.scatter, count, axis=0)
    stretch = np.zeros((count, 2))
    if count == 1:
        stretch = sizes.stretch(like, means)
    pairs = np.divmod(np.arange(count * len(patch.points)), len(patch.points))
    score = -np.inf
    for _ in range(_TURNS):
        extents = sizes.covariances(means, like, stretch)
        mixture = Mixture(np.full(count, 1 / count), means, extents)
        near = silhouettes(patch.points, mixture, pairs, likelihood=_SILHOUETTE)
        stats = near.e_step(means, scored=False)
        stride, way = np.ones(count), np.zeros((count, 2))
        for _ in range(_ROUNDS):
            # Of fixed shapes, and with nothing known before, their mean is the M-step.
            before, way = way, near.way(stats.mean, means)
            if stats.mass.min() < 1 or np.abs(way).max() < _STILL:
                break
            stride = longer(stride, way, before)
            means = means + stride[:, None] * (stats.mean - means)
            stats = near.e_step(means, scored=False)
        if count > 1:
            like = stats.scatter
        stretch, score, changed = _sized(patch, means, like, stretch, sizes)
        if not changed:
            break
    whole = patch.single.mass[0] / len(patch.points)
    return Stats(stats.mass * whole, means, sizes.covariances(means, like, stretch)), score


def _sized(
    patch: _Patch, means: Array, like: Array, stretch: Array, sizes: SizeModel
) -> tuple[Array, float, bool]:
    """Stretch objects at fixed places, step by step, as long as that explains the patch better.

    Returns
    -------
    stretch, score, changed
        Shape (k, 2), as `SizeModel.covariances` takes it; the log-posterior; whether it rose.
    """
    cost = 0.5 / max(sizes.spread, _LEAST_SPREAD) ** 2
    squares = patch.squares(means, sizes.headings(like))
    sharpness = 1 / sizes.sides(means).T  # (k, 2), of typical objects

    def distances(k: int, stretch: Array, cells: Indices | slice) -> Array:
        """Return how far cells are from object k, stretched in n ways, squared, shape (n, m)."""
        # No `@`: BLAS wakes threads for long rows, and those wait longer than they multiply.
        along, across = squares[k][:, cells]
        one, other = (sharpness[k] * np.exp(-2 * stretch)).T[:, :, None]
        result: Array = one * along
        result += other * across
        return result

    def variants(k: int) -> tuple[Indices, Array, Array]:
        """Return object k as it is and each way of a step: see `views`."""
        # Cells that it may cover, made longer and wider by a step.
        near = np.flatnonzero(distances(k, stretch[k : k + 1] + _STEP, slice(None)) < _FAR)
        tried = np.concatenate([stretch[k : k + 1], stretch[k] + _STEPS])
        return near, tried, 1 - _SILHOUETTE.cover(distances(k, tried, near))

    count, stretch = len(means), stretch.copy()
    # Of each object: the cells near it, n ways to stretch it, and what each leaves empty of these.
    views = [variants(k) for k in range(count)]
    empty = np.ones((count, squares.shape[2]))
    for k, (near, _, alone) in enumerate(views):
        empty[k, near] = alone[0]
    begin = score = float(patch.evidence(empty.prod(axis=0))) - cost * float((stretch**2).sum())
    in_vain = 0  # how many were tried since one of them changed
    for k in islice(cycle(range(count)), _SWEEPS * count):
        near, tried, alone = views[k]
        others = empty[np.arange(count) != k].take(near, axis=1).prod(axis=0)
        scores = patch.evidence(alone * others, near) - cost * (tried**2).sum(axis=1)
        best = int(scores.argmax())
        gain = float(scores[best] - scores[0])
        in_vain += 1
        if gain > 1e-9:
            score, stretch[k], empty[k, near] = score + gain, tried[best], alone[best]
            views[k], in_vain = variants(k), 0
        elif in_vain == count:
            break
    return stretch, score, score > begin


def _coarsened(points: Array, weights: Array, spacing: float, area: float) -> tuple[Array, float]:
    """Return the points on a lattice just fine enough for objects of some area, and its spacing.

    A cell of it is there where at least half of it was: the count does not hang on single points,
    nor on those that count little.
    In a patch too large for all that are looked for, cells are larger: it holds more than those.
    """
    low = np.array([column.min() for column in points.T])
    box = float(np.prod([column.max() for column in points.T] - low))
    most = max(len(points) / _MOST_POINTS, box / spacing**2 / _MOST_CELLS)
    factor = max(round(np.sqrt(area / _CELLS) / spacing), ceil(np.sqrt(most)))
    if factor < 2:
        return points[weights >= 0.5], spacing
    cells = np.rint((points - low) / spacing).astype(np.intp) // factor
    width = int(cells[:, 0].max()) + 1
    filled = np.bincount(cells[:, 1] * width + cells[:, 0], weights)
    rows, columns = np.divmod(np.flatnonzero(filled >= min(factor**2 / 2, filled.max())), width)
    coarse = np.stack([columns, rows], axis=1) * factor + (factor - 1) / 2
    return low + spacing * coarse, spacing * factor


def _spread_out(points: Array, count: int, sizes: SizeModel, single: Stats) -> Array:
    """Return starting means by Lloyd's rounds in units of the typical extent."""
    if count == 1:
        return single.mean
    lower, inverse = roots(sizes.covariances(single.mean, single.scatter)[0])
    x, y = scaled = inverse @ points.T
    farthest = [int(_apart(scaled, scaled.mean(axis=1, keepdims=True)).argmax())]
    for _ in range(count - 1):
        farthest.append(int(_apart(scaled, scaled[:, farthest]).min(axis=0).argmax()))
    means = scaled[:, farthest]
    label = np.zeros(len(points), dtype=np.intp)
    for _ in range(10):
        before, label = label, _apart(scaled, means).argmin(axis=0)
        if (label == before).all():
            break
        sums = [np.bincount(label, along, count) for along in (x, y)]
        means = np.array(sums) / np.maximum(np.bincount(label, minlength=count), 1)
    starts: Array = (lower @ means).T
    return starts


def _apart(points: Array, centres: Array) -> Array:
    """Return the squared distances of points, (2, n), from centres, (2, k), shape (k, n)."""
    x, y = apart = points[:, None, :] - centres[:, :, None]
    apart *= apart
    x += y
    squares: Array = x
    return squares
