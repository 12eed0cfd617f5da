"""What a frame shows of each object: which points are whose, and their statistics.

Objects whose gates share no patch are solved in closed form, from the statistics of their patches;
objects in contact by rounds of EM under the coverage likelihood, shapes frozen.
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
    Stats,
    collect,
    e_step,
    m_step,
    squared_distances,
)
from tracker.tracking.births import split
from tracker.tracking.blobs import Blobs
from tracker.tracking.contact import touching
from tracker.tracking.state import Objects, State
from tracker.types import Array

_GATE = 1.15  # reach of a gate beyond the outline
_TOUCH = 0.1  # share of a patch or of an object that must overlap to belong together
_EXCESS = 1.6  # foreground beyond this multiple of an object's area wants another explanation
_EXPLAINED = 1.35  # reach, in radii, within which an object explains a point
_VEILED = 0.05  # share of an object behind fixed things from which they are taken into account
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
        Shapes (k, 2) in px and (k, 2, 2) in px², of that foreground.
    alone, contact
        Shape (k,), whether it was solved by itself; whether it touches another object.
    doubtful
        Shape (k,), whether the evidence does without it.
    colors, reach
        Shapes (k, COLOR_BINS) and (k, 4), see `Objects`.
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
    alone: NDArray[np.bool_]
    contact: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    colors: Array
    reach: Array
    unexplained: NDArray[np.bool_]
    log_likelihood: float
    iterations: int


def sight(prior: State, blobs: Blobs, options: TrackingOptions) -> Sightings:
    """Find what the patches of a frame show of the predicted objects."""
    objects = prior.objects
    k = len(objects)
    unexplained = np.ones(len(blobs.coordinates), dtype=bool)
    mass = np.zeros(k)
    exposed = np.zeros(k)
    open_area = objects.areas  # what no other object covers
    mean = objects.means.copy()
    scatter = objects.extents.copy()
    alone = np.zeros(k, dtype=bool)
    contact = np.zeros(k, dtype=bool)
    doubtful = np.zeros(k, dtype=bool)
    colors = objects.colors.copy()
    reach = objects.reach.copy()
    log_likelihood, iterations = 0.0, 0
    veil = _veil(prior)
    whole = objects.areas
    if prior.sizes is not None:
        whole = np.minimum(whole, prior.sizes.largest(objects.means))
    for members, patches in _groups(objects, blobs):
        if len(patches) == 0:
            contact[members] = len(members) > 1
            continue
        own = blobs.members(patches)
        total = blobs.mass[patches].sum()
        one = members[0]
        fit = None
        # While no sizes are known, a patch that outgrows its object is the object coming into view.
        large = prior.sizes is not None and total > _EXCESS * whole[one]
        if len(members) > 1 or large or veil[one] > _VEILED:
            fit = _fit_group(prior, members, own, blobs, options)
        if fit is None:
            stats = _merged(blobs, patches)
            mass[one], exposed[one] = stats.mass[0], stats.mass[0]
            mean[one], scatter[one] = stats.mean[0], stats.scatter[0]
            alone[one] = True
            unexplained[own] = False
            reach[one] = _reach(blobs.boxes[patches], stats)
        else:
            mass[members], mean[members] = fit.stats.mass, fit.stats.mean
            scatter[members] = fit.stats.scatter
            exposed[members] = fit.exposed
            open_area[members] *= fit.open_share
            contact[members] = len(members) > 1
            unexplained[own] = fit.unexplained
            doubtful[members] = fit.doubtful
            log_likelihood += fit.stats.log_likelihood
            iterations = max(iterations, options.rounds)
        if blobs.colors is not None and len(members) == 1:
            counts = np.bincount(
                blobs.colors[own], weights=blobs.weights[own], minlength=colors.shape[1]
            )
            rate = COLOR_RATE if objects.hits[members[0]] else 1.0
            colors[members[0]] += rate * (counts / counts.sum() - colors[members[0]])
    return Sightings(
        mass=mass,
        exposed=exposed,
        open_area=open_area,
        veil=veil,
        mean=mean,
        scatter=scatter,
        alone=alone,
        contact=contact,
        doubtful=doubtful,
        colors=colors,
        reach=reach,
        unexplained=unexplained,
        log_likelihood=log_likelihood,
        iterations=iterations,
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    stats: Stats
    exposed: Array
    open_share: Array
    doubtful: NDArray[np.bool_]
    unexplained: NDArray[np.bool_]


def _fit_group(
    state: State,
    members: NDArray[np.intp],
    own: NDArray[np.intp],
    blobs: Blobs,
    options: TrackingOptions,
) -> _Fit | None:
    """Run rounds of EM on objects that touch, under the coverage likelihood, shapes frozen.

    One object whose patch is too large for it is such a group too: it touches others that are
    not known yet. Returns None where the evidence says that it is alone after all.
    """
    objects = state.objects.chosen(members)
    points, weights = blobs.coordinates[own], blobs.weights[own]
    k = len(objects)
    hidden = _within(state.hidden, objects)
    if k == 1 and state.sizes is not None and len(hidden) == 0:
        parts = split(points, blobs.spacing, state.sizes)
        if len(parts.mass) == 1:
            return None
        nearest = ((parts.mean - objects.means) ** 2).sum(axis=1).argmin()
        objects = replace(
            objects,
            states=np.hstack([parts.mean[[nearest]], objects.states[:, 2:]]),
            extents=parts.scatter[[nearest]],
        )
    prior = Prior(
        objects.means,
        np.linalg.inv(objects.uncertainties[:, :2, :2]).astype(np.float64),
        objects.extents,
        np.inf,
        options.effective_points,
    )
    affinity = None
    if k > 1 and blobs.colors is not None:
        histogram = objects.colors[:, blobs.colors[own]] + 0.01
        affinity = (histogram / histogram.max(axis=0)) ** _COLOR_POWER
    likelihood = Coverage(options.softness, affinity)
    mixture = Mixture(np.full(k, 1 / k), objects.means, objects.extents)

    def statistics(mixture: Mixture) -> Stats:
        stats = e_step(points, mixture, likelihood=likelihood, weights=weights)
        if len(hidden) == 0:
            return stats
        # A fixed occluder is missing data: its cells count in the sums, as if the object went on
        # behind it, but not as information.
        cover = likelihood.cover(squared_distances(hidden, mixture)) * state.scene.step**2
        return replace(stats + collect(hidden, cover), mass=stats.mass)

    stats = statistics(mixture)
    for _ in range(options.rounds):
        mixture = m_step(stats, prior)
        stats = statistics(mixture)
    distances = squared_distances(points, mixture)
    cover = likelihood.cover(distances)
    exclusive = cover * (np.prod(1 - cover, axis=0) / np.maximum(1 - cover, 1e-12))
    unexplained = distances.min(axis=0) > (2 * _EXPLAINED) ** 2
    exposed = exclusive @ weights
    doubtful = np.zeros(k, dtype=bool)
    if k > 1 and state.sizes is not None:
        typical = state.sizes.areas(objects.means)
        if weights.sum() < _DOUBT * typical.sum():
            enough = len(split(points, blobs.spacing, state.sizes, most=k).mass)
            least = np.argsort(exposed / objects.areas, kind="stable")
            doubtful[least[: k - enough]] = True
    return _Fit(stats, exposed, _open_share(mixture), doubtful, unexplained)


def _groups(objects: Objects, blobs: Blobs) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return, for each set of objects that share patches or touch, its objects and its patches."""
    k = len(objects)
    gates = (objects.extents + objects.uncertainties[:, :2, :2]) * (2 * _GATE) ** 2
    half = np.sqrt(np.einsum("kii->ki", gates))
    low, high = objects.means - half, objects.means + half
    meet = (
        (low[:, None, 0] < blobs.boxes[None, :, 2])
        & (high[:, None, 0] > blobs.boxes[None, :, 0])
        & (low[:, None, 1] < blobs.boxes[None, :, 3])
        & (high[:, None, 1] > blobs.boxes[None, :, 1])
    )
    inverse = np.linalg.inv(gates)
    pair_object, pair_patch = np.nonzero(meet)
    # Most objects meet one patch that meets no other object: no need to look at its points.
    plain = (meet.sum(axis=1)[pair_object] == 1) & (meet.sum(axis=0)[pair_patch] == 1)
    apart = blobs.means[pair_patch] - objects.means[pair_object]
    plain &= np.einsum("pi,pij,pj->p", apart, inverse[pair_object], apart) < 1
    plain_object, plain_patch = pair_object[plain], pair_patch[plain]
    pair_object, pair_patch = pair_object[~plain], pair_patch[~plain]
    sizes = np.diff(blobs.starts)[pair_patch]
    pair = np.repeat(np.arange(len(pair_object)), sizes)
    offset = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    point = np.repeat(blobs.starts[pair_patch], sizes) + offset
    owner = pair_object[pair]
    apart = blobs.coordinates[point] - objects.means[owner]
    x, y = apart[:, 0], apart[:, 1]
    xx, xy, yy = (inverse[:, i, j][owner] for i, j in ((0, 0), (0, 1), (1, 1)))
    inside = np.where((xx * x + 2 * xy * y) * x + yy * y * y < 1, blobs.weights[point], 0.0)
    overlap = np.bincount(pair, weights=inside, minlength=len(pair_object))
    linked = (overlap > _TOUCH * blobs.mass[pair_patch]) | (
        overlap > _TOUCH * objects.areas[pair_object]
    )
    pair_object = np.concatenate([plain_object, pair_object[linked]])
    pair_patch = np.concatenate([plain_patch, pair_patch[linked]])

    # Few edges: joining sets by hand is quicker than a sparse graph.
    group = list(range(k))

    def root(one: int) -> int:
        while group[one] != one:
            group[one] = group[group[one]]
            one = group[one]
        return one

    owner_of: dict[int, int] = {}
    links = [*zip(*(i.tolist() for i in touching(objects)), strict=True)]
    for one, patch in zip(pair_object.tolist(), pair_patch.tolist(), strict=True):
        links.append((owner_of.setdefault(patch, one), one))
    for one, other in links:
        low, high = sorted((root(one), root(other)))
        group[high] = low
    members: dict[int, list[int]] = {}
    patches: dict[int, list[int]] = {}
    for one in range(k):
        members.setdefault(root(one), []).append(one)
    for patch in sorted(owner_of):
        patches.setdefault(root(owner_of[patch]), []).append(patch)
    return [
        (np.array(members[name]), np.array(patches.get(name, []), dtype=np.intp))
        for name in members
    ]


def _merged(blobs: Blobs, patches: NDArray[np.intp]) -> Stats:
    """Join the statistics of some patches, as one component."""
    mass, means = blobs.mass[patches], blobs.means[patches]
    total = mass.sum()
    mean = mass @ means / total
    apart = means - mean
    within = np.einsum("b,bij->ij", mass, blobs.scatters[patches])
    between = np.einsum("b,bi,bj->ij", mass, apart, apart)
    return Stats(np.array([total]), mean[None], ((within + between) / total)[None])


def _reach(boxes: Array, stats: Stats) -> Array:
    """Return how far the edges of a patch lie from its mean, in standard deviations."""
    sd = np.sqrt(np.diagonal(stats.scatter[0]))
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return np.concatenate([(stats.mean[0] - low) / sd, (high - stats.mean[0]) / sd])


def _veil(state: State) -> Array:
    """Return the share of each object that is behind fixed things, shape (k,)."""
    objects = state.objects
    if len(state.hidden) == 0 or len(objects) == 0:
        return np.zeros(len(objects))
    mixture = Mixture(np.ones(len(objects)), objects.means, objects.extents)
    inside = squared_distances(state.hidden, mixture) < 4.0
    share: Array = np.minimum(inside.sum(axis=1) * state.scene.step**2 / objects.areas, 1.0)
    return share


def _within(points: Array, objects: Objects) -> Array:
    """Return the points near enough to some object to matter."""
    if len(points) == 0:
        return points
    mixture = Mixture(np.ones(len(objects)), objects.means, objects.extents)
    near = squared_distances(points, mixture).min(axis=0) < (2 * _EXPLAINED) ** 2
    kept: Array = points[near]
    return kept


def _open_share(mixture: Mixture) -> Array:
    """Return the share of each outline's area that no other outline covers, shape (K,)."""
    k = len(mixture)
    if k == 1:
        return np.ones(1)
    disc = 2 * np.linalg.cholesky(mixture.covariances) @ _DISC.T + mixture.means[:, :, None]
    points = disc.transpose(0, 2, 1).reshape(-1, 2)
    covered = squared_distances(points, mixture).reshape(k, k, -1) < 4.0
    covered[np.arange(k), np.arange(k)] = False
    share: Array = 1.0 - covered.any(axis=0).mean(axis=1)
    return share


def _sunflower(count: int) -> Array:
    """Return points spread evenly over the unit disc, shape (count, 2)."""
    i = np.arange(count) + 0.5
    angle, radius = np.pi * (3 - np.sqrt(5)) * i, np.sqrt(i / count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


_DISC = _sunflower(64)
