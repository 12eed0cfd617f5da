"""What a frame shows of each object: which points are whose, and their statistics.

Objects whose gates share no patch are solved in closed form, from the statistics of their patches;
objects in contact by rounds of EM under the coverage likelihood, shapes frozen. Both are done for
all objects of a frame at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracker.config import TrackingOptions
from tracker.mixture import (
    Coverage,
    Mixture,
    Prior,
    Silhouettes,
    Stats,
    inverses,
    longer,
    m_step,
    outline_areas,
    sides,
    silhouettes,
    sums,
)
from tracker.tracking.births import MOST, NOBODY, Newborn, affordable, split
from tracker.tracking.blobs import Blobs
from tracker.tracking.groups import Groups, find_groups
from tracker.tracking.lattice import Indices, boxes_around, cut, overlapping, spans
from tracker.tracking.sizes import OWN, SizeModel, facing, slender
from tracker.tracking.state import Objects, State
from tracker.types import COLOR_BINS, Array

_EXCESS = 1.6  # foreground beyond this multiple of an object's area wants another explanation
_ENTIRE = 0.6  # of the typical area: a patch that is an object, and no part of one
_SCATTERED = 0.45  # share of their ellipse below which patches are far apart
_EXPLAINED = 1.35  # reach, in radii, within which an object explains a point
_FITS = 4  # of those in contact at most, as they turn between them
_TURNED = 0.02  # by at least this share of their extents
_SETTLED = 0.002  # standard deviations: a fit that moves less in a round is done,
_GRAIN = 0.02  # of the spacing: or less than this
_PLENTY = 400.0  # points by which an object is fitted as well as by more
_SLACK = 0.3  # radii by which an object may move before its surroundings are looked up again
_VEILED = 0.05  # share of an object behind fixed things from which they are taken into account
_STRAY = 0.5  # standard deviations of its extent by which a missing object is elsewhere
_ANEW = 0.2  # relative change of a patch after which its object is asked about again
_DOUBT_EVERY = 3  # frames from one such question to the next
THIN, _HARDLY = 0.5, 0.2  # shares of its ellipse that whatever is stout fills, and anything at all
_DOUBT = 0.75  # foreground below this multiple of what the objects cover may hold fewer
_COLOR_POWER = 0.7
COLOR_RATE = 0.1  # share of a histogram that each frame apart replaces


@dataclass(frozen=True, slots=True)
class Sightings:
    """What a frame shows of k objects.

    Parameters
    ----------
    mass
        Shape (k,), foreground of each, px²; shared pixels count for all who cover them.
    exposed
        Shape (k,), the part of it that no other object covers, px².
    open_area
        Shape (k,), area of the outline that no other outline covers, px².
    veil
        Shape (k,), share of the outline that is behind fixed things.
    mean, scatter
        Shapes (k, 2) in px and (k, 2, 2) in px², of that foreground; where others share it, the
        scatter is the extent as it has turned with it.
    parted, extents
        Shape (k,), whether the evidence found several objects in its patch; shape (k, 2, 2), px²,
        the extent as it was known before, or where there are several, that of its part.
    alone, entire, contact
        Shape (k,), whether it was solved by itself; whether by all of it, as the border of the
        picture cuts nothing off; whether it touches another object.
    doubtful
        Shape (k,), whether the evidence does without it.
    colors, reach
        Shapes (k, COLOR_BINS) and (k, 4), see `Objects`.
    examined, lone
        Shape (k,), see `Objects`.
    found
        The others in patches of which the evidence says that one object is not all.
    unexplained
        Shape (n,), which points of the patches no object explains.
    log_likelihood
        Sum over the points that took part in a contact, nats.
    iterations
        Most rounds that a group took.
    """

    mass: Array
    exposed: Array
    open_area: Array
    veil: Array
    mean: Array
    scatter: Array
    parted: NDArray[np.bool_]
    extents: Array
    alone: NDArray[np.bool_]
    entire: NDArray[np.bool_]
    contact: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    colors: Array
    reach: Array
    examined: Array
    lone: NDArray[np.bool_]
    found: Newborn
    unexplained: NDArray[np.bool_]
    log_likelihood: float
    iterations: int


def sight(prior: State, blobs: Blobs, options: TrackingOptions) -> Sightings:
    """Find what the patches of a frame show of the predicted objects."""
    objects = prior.objects
    groups = find_groups(objects, blobs)
    own = groups.of_object
    foreground = groups.patches.mass[own]
    shown, single = foreground > 0, groups.members[own] == 1
    veil = _veil(prior)
    completed = _completed(prior, groups, blobs.spacing)
    solvable = shown & single & (veil <= _VEILED)
    guess = _alone_or_not(prior, solvable, completed.cut, groups, blobs)
    alone = guess.alone
    mass = np.where(alone, foreground, 0.0)
    mean = np.where(alone[:, None], completed.mean, objects.means)
    scatter = np.where(alone[:, None, None], completed.scatter, objects.extents)
    exposed, open_area = mass.copy(), objects.areas  # what no other object covers
    taken = np.zeros(len(groups) + 1, dtype=bool)
    taken[own[alone]] = True
    if len(guess.found):  # all that is in these patches is told by now
        known = [name for names in guess.found.known for name in names]
        taken[own[np.isin(objects.ids, known)]] = True
    unexplained = (~taken[groups.of_patch]).take(blobs.labels)
    doubtful = np.zeros(len(objects), dtype=bool)
    log_likelihood, iterations = 0.0, 0
    fitted = np.flatnonzero(shown & ~alone)
    if len(fitted):
        fit = _fit(prior, guess, fitted, groups, blobs, options)
        mass[fitted], mean[fitted] = fit.stats.mass, fit.stats.mean
        scatter[fitted] = fit.stats.scatter
        exposed[fitted] = fit.exposed
        open_area[fitted] *= fit.open_share
        unexplained[fit.explained] = False
        log_likelihood, iterations = fit.log_likelihood, fit.rounds
        doubtful = _doubts(prior, exposed, groups, blobs, guess.spent)
    return Sightings(
        mass=mass,
        exposed=exposed,
        open_area=open_area,
        veil=veil,
        mean=mean,
        scatter=scatter,
        parted=guess.parted,
        extents=guess.extents,
        alone=alone,
        entire=alone & ~completed.cut,
        contact=~single,
        doubtful=doubtful,
        colors=_colors(objects, single & shown, groups, blobs),
        reach=_reach(objects, alone, groups),
        examined=guess.examined,
        lone=guess.lone,
        found=guess.found,
        unexplained=unexplained,
        log_likelihood=log_likelihood,
        iterations=iterations,
    )


@dataclass(frozen=True, slots=True)
class _Completed:
    """The patches of k objects, with what the border of the picture cuts off.

    Their mean, (k, 2), and scatter, (k, 2, 2); whether they end at the border, (k,).
    """

    mean: Array
    scatter: Array
    cut: NDArray[np.bool_]


def _completed(prior: State, groups: Groups, spacing: float) -> _Completed:
    """Complete the patches of those who go out of the picture.

    They keep the length they had, and are where the last edge shows them: the mean of what is left
    would wait at the border. Of who comes in nobody knows the length yet.
    """
    objects, own = prior.objects, groups.of_object
    mean, scatter = groups.patches.mean[own], groups.patches.scatter[own]
    if prior.scene.size is None:
        return _Completed(mean, scatter, np.zeros(len(objects), dtype=bool))
    boxes = groups.boxes[own]
    ends = cut(boxes, prior.scene.size, spacing)
    beyond = (ends[:, :2] ^ ends[:, 2:]) & objects.measured[:, None]
    if beyond.any():
        sd, seen = sides(objects.extents), sides(scatter)
        beyond &= seen < sd
        reach = objects.reach * np.concatenate([sd, sd], axis=1)
        middle = np.where(ends[:, :2], boxes[:, 2:] - reach[:, 2:], boxes[:, :2] + reach[:, :2])
        mean = np.where(beyond, middle, mean)
        longer = np.where(beyond, sd / np.maximum(seen, 1e-9), 1.0)
        scatter = scatter * longer[:, :, None] * longer[:, None, :]
    return _Completed(mean, scatter, np.asarray(ends.any(axis=1)))


@dataclass(frozen=True, slots=True)
class _Guess:
    """Who is alone in its patches, and from where to start the fit of those who are not.

    Who else is in these patches is `found`. What that took is `spent`, see `affordable`.
    """

    alone: NDArray[np.bool_]
    parted: NDArray[np.bool_]
    means: Array
    extents: Array
    examined: Array
    lone: NDArray[np.bool_]
    found: Newborn
    spent: float


def _alone_or_not(
    prior: State,
    single: NDArray[np.bool_],
    cut_off: NDArray[np.bool_],
    groups: Groups,
    blobs: Blobs,
) -> _Guess:
    """Tell objects that are alone in their patches from those that touch others not known yet.

    An object whose patch is too large for it is asked about, and before one gets the right to an
    odd shape, whose patch is too large for a usual one; the answer holds until the patch changes,
    and a frame has only so many questions. One whose patches lie beside one another is asked about
    again and again.
    """
    objects, sizes = prior.objects, prior.sizes
    means, extents = objects.means.copy(), objects.extents.copy()
    foreground = groups.patches.mass[groups.of_object]
    parted = np.zeros(len(objects), dtype=bool)
    if sizes is None:
        # A patch that outgrows its object is the object coming into view.
        return _Guess(single, parted, means, extents, np.zeros(len(objects)), single, NOBODY, 0.0)
    most = _EXCESS * np.minimum(objects.areas, sizes.largest(objects.means))
    if prior.alike:  # two who came as one keep having a shape that is none of the usual ones
        usual = np.where(objects.unusual > 0, _EXCESS * sizes.areas(objects.means), np.inf)
        most = np.minimum(most, usual)
    beside = single & _beside(blobs, groups, sizes)[groups.of_object]
    large = beside | (single & (foreground > most))
    change = np.abs(foreground - objects.examined)
    due = change > _ANEW * objects.examined
    due |= beside & (objects.age % _DOUBT_EVERY == 0)
    asked = np.flatnonzero(large & due)
    examined = np.where(large, objects.examined, 0.0)
    lone = large & objects.lone
    if not len(asked):
        alone = single & (lone | ~large)
        return _Guess(alone, parted, means, extents, examined, lone, NOBODY, 0.0)
    number, spent = affordable(foreground[asked] / blobs.spacing**2)
    asked = asked[:number]
    of_points, found = groups.of_points(blobs), NOBODY
    for k in asked:
        count = split(blobs.points(of_points == groups.of_object[k]), sizes)
        parts = count.parts
        examined[k], lone[k] = foreground[k], len(parts.mass) == 1
        nearest = int(((parts.mean - means[k]) ** 2).sum(axis=1).argmin())
        if not lone[k]:
            parted[k] = True
            means[k], extents[k] = parts.mean[nearest], parts.scatter[nearest]
            # What is of many sizes, or still comes in, may be one after all.
            if prior.alike and not cut_off[k]:
                found = found.joined(Newborn.counted(count, {nearest: int(objects.ids[k])}))
    return _Guess(single & (lone | ~large), parted, means, extents, examined, lone, found, spent)


def _beside(blobs: Blobs, groups: Groups, sizes: SizeModel) -> NDArray[np.bool_]:
    """Return which groups hold patches beside one another that are objects each, shape (G,).

    Of one that stands upright the parts are above one another; those of any other have no ground
    between them that is as large as they are.
    """
    whole = blobs.mass > _ENTIRE * sizes.areas(blobs.means)
    if not sizes.upright:
        several = np.bincount(groups.of_patch[whole], minlength=len(groups) + 1)[: len(groups)] > 1
        scattered = groups.patches.mass < _SCATTERED * outline_areas(groups.patches.scatter)
        return np.asarray(several & scattered)
    left, right = np.full(len(groups) + 1, -np.inf), np.full(len(groups) + 1, np.inf)
    np.maximum.at(left, groups.of_patch[whole], blobs.boxes[whole, 0])
    np.minimum.at(right, groups.of_patch[whole], blobs.boxes[whole, 2])
    return np.asarray(left > right)[: len(groups)]


@dataclass(frozen=True, slots=True)
class _Fit:
    stats: Stats
    log_likelihood: float
    exposed: Array
    open_share: Array
    rounds: int
    explained: Indices


def _fit(
    state: State,
    guess: _Guess,
    rows: Indices,
    groups: Groups,
    blobs: Blobs,
    options: TrackingOptions,
) -> _Fit:
    """Run rounds of EM on some objects, under the coverage likelihood, shapes frozen.

    Where objects lie on the ground, each turns after these rounds as what it covers does; who is
    slender begins again so, as with a wrong heading it takes from others what lies along it.
    """
    group = groups.of_object[rows]
    mixture = Mixture(np.full(len(rows), 1 / len(rows)), guess.means[rows], guess.extents[rows])
    predicted = mixture.means
    precisions = inverses(state.objects.uncertainties[rows, :2, :2])
    shares = _shown(state, rows)
    chances = (state.objects.colors[rows] + 0.01) ** _COLOR_POWER
    every = _every(groups, rows, state.objects.areas / blobs.spacing**2)

    def surroundings(mixture: Mixture) -> tuple[Silhouettes, Indices]:
        """Return each object with the points near it, and which points of the frame these are."""
        reach = max(Coverage(options.softness).reach, 2 * _EXPLAINED) + 2 * _SLACK
        gates = reach**2 * mixture.covariances
        assert blobs.lattice is not None, "these objects have points"
        component, point = blobs.lattice.inside(mixture.means, gates, every)
        its = groups.of_patch.take(blobs.labels.take(point))
        mine = np.flatnonzero(its == group.take(component))
        component, point = component.take(mine), point.take(mine)
        affinity = _affinity(chances, component, point, blobs)
        points, number = _numbered(point, len(blobs.labels))
        coordinates, weights = blobs.coordinates[points], blobs.weights[points]
        if every is not None:
            share = np.zeros(len(points))
            share[number] = every[component] ** 2
            weights = weights * share
        missing = None
        behind, cells, areas = _unseen(state, rows, mixture.means, gates, every)
        if len(cells):
            # They count in the sums, as if the object went on there, but not as information.
            count = len(points) + len(cells)
            missing = np.arange(count) >= len(points)
            coordinates = np.concatenate([coordinates, cells])
            weights = np.concatenate([weights, areas])
            component = np.concatenate([component, behind])
            number = np.concatenate([number, np.arange(len(points), count)])
            order = np.argsort(component, kind="stable")
            component, number = component[order], number[order]
            if affinity is not None:
                affinity = np.concatenate([affinity, np.ones(len(cells))])[order]
        near = silhouettes(
            coordinates,
            mixture,
            (component, number),
            likelihood=Coverage(options.softness, affinity),
            weights=weights,
            shares=shares,
            missing=missing,
        )
        return near, points

    still = np.maximum(_SETTLED, _GRAIN * blobs.spacing / state.objects.lengths[rows])[:, None]

    def settled(mixture: Mixture) -> tuple[Silhouettes, Indices, Mixture, Stats, int]:
        """Run rounds of EM; return the surroundings, the mixture, its statistics and the rounds."""
        prior = Prior(predicted, precisions, mixture.covariances, np.inf, options.effective_points)
        near, points = surroundings(mixture)
        stats = near.e_step(mixture.means, scored=False)
        rounds, stride, way = 0, np.ones(len(rows)), np.zeros((len(rows), 2))
        while rounds < options.rounds:
            rounds += 1
            means = mixture.means
            mixture = m_step(stats, prior)
            before, way = way, near.way(mixture.means, means)
            if (np.abs(way) < still).all():
                break
            stride = longer(stride, way, before)
            means = means + stride[:, None] * (mixture.means - means)
            mixture = Mixture(mixture.weights, means, mixture.covariances)
            if np.hypot(*near.way(means, near.mixture.means).T).max() > 2 * _SLACK:
                near, points = surroundings(mixture)
            stats = near.e_step(mixture.means, scored=False)
        return near, points, mixture, stats, rounds

    lost, rounds, extents = state.objects.missing[rows], 0, mixture.covariances
    for _ in range(_FITS):
        mixture = Mixture(mixture.weights, mixture.means, extents)
        near, points, mixture, stats, took = settled(mixture)
        rounds += took
        distances = near.distances(mixture.means)
        cover = near.likelihood.cover(distances)
        if not state.lying:
            break
        # What is on trial may be a piece of what is beside it, and would come to lie along that.
        turning = np.minimum(stats.mass, options.effective_points)
        turning *= ~lost & state.objects.confirmed[rows]
        share = (turning / (turning + OWN))[:, None, None]
        turned = facing(extents, extents + share * (near.scatter(cover) - extents))
        stats = replace(stats, scatter=turned)
        before, extents = extents, np.where(slender(extents)[:, None, None], turned, extents)
        if np.abs(extents - before).max() < _TURNED * before.max():
            break
    if every is None:
        close = near.point[distances <= (2 * _EXPLAINED) ** 2]
        explained = points[close[close < len(points)]]
    else:  # there are points between those
        reach = (2 * _EXPLAINED) ** 2 * mixture.covariances
        component, patch, begin, end = blobs.inside(mixture.means, reach)
        mine = groups.of_patch.take(patch) == group.take(component)
        _, explained = spans(begin[mine], end[mine])
    exposed, log_likelihood = near.exposed(cover, lost)
    return _Fit(
        stats,
        log_likelihood,
        exposed,
        _open_share(near, mixture.means, group, lost),
        rounds,
        explained,
    )


def _shown(state: State, rows: Indices) -> Array | None:
    """Return the share of some objects that shows where they are, as `Silhouettes` takes it.

    A black car on a dark road shows little; of who walks upright and shows little the rest was
    hidden.
    """
    if state.sizes is None or state.sizes.upright:
        return None
    shares = np.minimum(np.maximum(state.objects.filled[rows], _HARDLY) / THIN, 1.0)
    return shares if (shares < 1).any() else None


def _every(groups: Groups, rows: Indices, points: Array) -> Indices | None:
    """Return which share of their points suffices some objects, see `Lattice.inside`.

    It is the same for all objects of a group, as they share points; None: all are needed.

    Parameters
    ----------
    groups, rows
        Which objects they are.
    points
        Shape (k,), how many points each object has.
    """
    group = groups.of_object[rows]
    fewest = np.full(len(groups), np.inf)
    np.minimum.at(fewest, group, points[rows])
    every = np.sqrt(fewest[group] / _PLENTY).astype(np.intp)
    return np.maximum(every, 1) if (every > 1).any() else None


def _unseen(
    state: State, rows: Indices, means: Array, gates: Array, every: Indices | None
) -> tuple[Indices, Array, Array]:
    """Return the cells within the gates of some objects where nobody sees them: missing data.

    Those behind fixed things; and those beyond the border of the picture, for who is reported: what
    may be a flicker goes on nowhere.

    Returns
    -------
    objects, cells, areas
        Shapes (m,), (m, 2), px, and (m,), px²: whose gate, where, and what each stands for.
    """
    found = []
    known = np.flatnonzero(state.objects.confirmed[rows])
    if state.scene.size is not None:
        boxes = boxes_around(means[known], gates[known])
        known = known[cut(boxes, state.scene.size, 0.0).any(axis=1)]
    for lattice, asked in ((state.hidden, np.arange(len(rows))), (state.beyond, known)):
        if lattice is not None and len(asked):
            some = None if every is None else every[asked]
            ellipse, cell = lattice.inside(means[asked], gates[asked], some)
            area = lattice.spacing**2 * (np.ones(len(cell)) if some is None else some[ellipse] ** 2)
            found.append((asked[ellipse], lattice.cells(lattice.keys[cell]), area))
    if not found:
        return np.zeros(0, dtype=np.intp), np.zeros((0, 2)), np.zeros(0)
    objects, cells, areas = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return objects, cells, areas


def _numbered(chosen: Indices, count: int) -> tuple[Indices, Indices]:
    """Return the different ones of some numbers below `count`, and which of them each is."""
    used = np.zeros(count, dtype=bool)
    used[chosen] = True
    ones = np.flatnonzero(used)
    number = np.empty(count, dtype=np.intp)
    number[ones] = np.arange(len(ones))
    return ones, number.take(chosen)


def _affinity(chances: Array, component: Indices, point: Indices, blobs: Blobs) -> Array | None:
    """Return how well each object's colours fit a point, relative to the best of those near it.

    Parameters
    ----------
    chances
        Shape (K, COLOR_BINS), how well each colour fits each component.
    component, point
        Shapes (P,), the pairs.
    blobs
        The frame.
    """
    if blobs.colors is None:
        return None
    chance = chances.take(component * COLOR_BINS + blobs.colors.take(point))
    best = np.zeros(len(blobs.labels))
    np.maximum.at(best, point, chance)
    chance /= best.take(point)
    return chance


def _open_share(near: Silhouettes, means: Array, group: Indices, lost: NDArray[np.bool_]) -> Array:
    """Return the share of each outline's area that no other outline of its group covers, (K,).

    Lost objects, shape (K,), cover only each other.
    """
    boxes = boxes_around(means, 4 * near.mixture.covariances)
    one, other = overlapping(boxes, boxes)
    pair = (one != other) & (group[one] == group[other]) & (lost[one] | ~lost[other])
    one, other = one[pair], other[pair]
    # Points of the one outline as the other one's whitened coordinates see them.
    turn = near.inverse[other] @ near.lower[one]
    shift = near.inverse[other] @ (means[one] - means[other])[:, :, None]
    covered = ((turn @ _OUTLINE + shift) ** 2).sum(axis=1) < 4.0
    starts = one.searchsorted(np.arange(len(means)))  # pairs stand by the one
    beside = np.flatnonzero(np.bincount(one, minlength=len(means)))
    hidden = np.zeros(len(means))
    hidden[beside] = np.count_nonzero(np.logical_or.reduceat(covered, starts[beside]), axis=1)
    share: Array = 1.0 - hidden / _OUTLINE.shape[1]
    return share


def _doubts(
    prior: State, exposed: Array, groups: Groups, blobs: Blobs, spent: float
) -> NDArray[np.bool_]:
    """Say which objects the evidence does without, shape (k,).

    A group with too little foreground for its objects is asked every few frames how many there
    are; what is lost already, and then the least exposed, is doubted until the next answer. What
    was lost is doubted before the first one, too: others may explain all that is there.
    """
    objects, sizes, own = prior.objects, prior.sizes, groups.of_object
    if sizes is None:
        # Nothing tells pieces of one object from small objects but that these come apart.
        whole = np.lexsort((-objects.usual, ~objects.proven, own))
        _, largest = np.unique(own[whole], return_index=True)
        pieces = ~objects.proven & (groups.patches.mass[own] > 0)
        pieces[whole[largest]] = False
        return pieces
    typical = sums(own, sizes.areas(objects.means), len(groups))
    scarce = (groups.members > 1) & (groups.patches.mass < _DOUBT * typical)
    scarce &= groups.patches.mass > 0
    doubtful = (objects.doubtful | objects.missing) & scarce[own]
    if not scarce.any():
        return doubtful
    _, oldest = np.unique(own, return_index=True)
    due = np.flatnonzero(scarce & (objects.age[oldest] % _DOUBT_EVERY == 0))
    number, _ = affordable(groups.patches.mass[due] / blobs.spacing**2, spent)
    for group in due[:number]:
        members = np.flatnonzero(own == group)
        points = blobs.points(groups.of_points(blobs) == group)
        most = min(len(members), MOST)
        enough = len(split(points, sizes, most=most).parts.mass)
        if enough == most:  # and perhaps more
            enough = len(members)
        share = exposed[members] / objects.areas[members]
        least = np.lexsort([share, ~objects.missing[members]])
        doubtful[members] = False
        doubtful[members[least[: len(members) - enough]]] = True
    return doubtful


def _colors(objects: Objects, single: NDArray[np.bool_], groups: Groups, blobs: Blobs) -> Array:
    """Blend the histogram of each object that touches no other with that of its points."""
    if blobs.colors is None or not single.any():
        return objects.colors
    bins = groups.of_points(blobs) * COLOR_BINS + blobs.colors
    counts = np.bincount(bins, blobs.weights, (len(groups) + 1) * COLOR_BINS)
    counts = counts.reshape(-1, COLOR_BINS)[groups.of_object[single]]
    rate = np.where(objects.hits[single], COLOR_RATE, 1.0)[:, None]
    colors = objects.colors.copy()
    colors[single] += rate * (counts / counts.sum(axis=1, keepdims=True) - colors[single])
    return colors


def _reach(objects: Objects, alone: NDArray[np.bool_], groups: Groups) -> Array:
    """Return how far the edges of an object's patches lie from their mean, in sd, shape (k, 4)."""
    reach = objects.reach.copy()
    own = groups.of_object[alone]
    mean = groups.patches.mean[own]
    sd = sides(groups.patches.scatter[own])
    boxes = groups.boxes[own]
    left, right = (mean - boxes[:, :2]) / sd, (boxes[:, 2:] - mean) / sd
    reach[alone] = np.concatenate([left, right], axis=1)
    return reach


def _veil(state: State) -> Array:
    """Return the share of each object that is behind fixed things, shape (k,).

    Who is missing near one is where least would be seen of it: that is why it is missing.
    """
    objects = state.objects
    veil = _behind(state, objects.means, objects.extents)
    missing = np.flatnonzero(objects.missing & (veil > _VEILED))
    if len(missing):
        reach = _STRAY * sides(objects.extents[missing])
        places = objects.means[missing][:, None] + reach[:, None] * _AROUND
        extents = objects.extents[missing].repeat(len(_AROUND), axis=0)
        shares = _behind(state, places.reshape(-1, 2), extents)
        veil[missing] = shares.reshape(len(missing), -1).max(axis=1)
    return veil


def _behind(state: State, means: Array, extents: Array) -> Array:
    """Return the share of each ellipse that is behind fixed things, shape (k,)."""
    if state.hidden is None:
        return np.zeros(len(means))
    ellipse, _ = state.hidden.inside(means, 4.0 * extents)
    cells = np.bincount(ellipse, minlength=len(means))
    share: Array = np.minimum(cells * state.scene.step**2 / outline_areas(extents), 1.0)
    return share


def _sunflower(count: int) -> Array:
    """Return points spread evenly over the unit disc, shape (count, 2)."""
    i = np.arange(count) + 0.5
    angle, radius = np.pi * (3 - np.sqrt(5)) * i, np.sqrt(i / count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


_OUTLINE = 2 * _sunflower(64).T
_AROUND = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)])
