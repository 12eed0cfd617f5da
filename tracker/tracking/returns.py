"""Who was lost: what turns up is given back the name that it had."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracker.config import TrackingOptions
from tracker.mixture import inverses
from tracker.tracking.assignment import assigned, certainty
from tracker.tracking.info import Info
from tracker.tracking.lattice import Indices
from tracker.tracking.state import State
from tracker.types import Array, Event

# Share of what turns up far from the lost that is none of them: within the picture, at its border.
_STRANGER = (0.05, 0.5)
# Lengths from where it should be at which a lost object may turn up: what is rooted, and others.
_RETURN = (1.5, 3.0)
_DOUBLED = 0.1  # of coast_seconds, for which the evidence takes two for one before that is believed
_CAME_OUT = 12.0  # standard deviations, three lengths, from these where the other one may turn up,
_UNLIKE = 0.35  # and how much larger or smaller it may seem, as a logarithm
_JUMPED = 3  # objects, and more than are left, that vanish at once where a recording jumps,
_AS_MUCH = 2.0  # and times what they were that turns up then at most


def recover(state: State, info: Info, options: TrackingOptions) -> tuple[State, Info]:
    """Give unexplained patches to coasting objects that may well have moved there.

    Where the number of objects is given, also to those of which there are too many where they are.
    """
    objects = state.objects
    doubled = np.zeros(len(objects), bool)
    if options.objects:
        doubled = _doubled(state, options)
    lost = np.flatnonzero(objects.missing | doubled)
    if len(lost) == 0:
        return state, info
    areas = objects.areas[lost]
    least = options.birth_area * np.where(doubled[lost], 1.0, 0.5) * areas
    rest, index = info.residual(float(least.min()))
    if len(rest) == 0:
        return state, info
    large = rest.mass[None, :] > least[:, None]
    small = rest.mass[None, :] < 2.5 * areas[:, None]
    apart = rest.means[None, :, :] - objects.means[lost][:, None, :]
    spread = objects.uncertainties[lost][:, :2, :2] + objects.extents[lost]
    cost = np.einsum("kbi,kij,kbj->kb", apart, inverses(spread), apart)
    strayed = (_strayed(state, options) | doubled)[lost]
    # Where most vanish at once in plain view, frames are left out of the recording; unless far more
    # turns up than they were, as where the sun shines into the lens.
    gone = objects.confirmed & objects.missing & ~objects.behind
    gone &= (state.time or 0.0) - objects.seen < 1.5 * (state.period or 0.0)
    there = objects.confirmed & ~objects.missing
    as_much = rest.mass.sum() < _AS_MUCH * objects.usual[gone].sum()
    jumped = gone[lost] & bool(gone.sum() >= max(_JUMPED, there.sum() + 1) and as_much)
    anywhere = (strayed | jumped)[:, None]
    reach = np.where(objects.rooted[lost], *_RETURN) ** 2 * areas
    near = np.einsum("kbi,kbi->kb", apart, apart) < reach[:, None]
    expected = near & (cost < 9.0)
    allowed = large & ((small & expected) | anywhere)
    if not allowed.any():
        return state, info
    rows, columns = assigned(cost, allowed)
    found, patches = lost[rows], columns
    states = objects.states.copy()
    uncertainties = objects.uncertainties.copy()
    far = ~expected[rows, columns]
    states[found, :2] = rest.means[patches]
    states[found[far], 2:] = 0.0
    uncertainties[found] = state.first_uncertainty(objects.extents[found])
    errors = objects.errors.copy()
    errors[found] = uncertainties[found]
    elsewhere = found[far]
    others = np.setdiff1d(np.flatnonzero(anywhere), rows[~far])
    free = np.setdiff1d(np.flatnonzero(large.any(axis=0)), columns[~far])
    squares = (apart**2).sum(axis=2)[np.ix_(others, free)]
    pairs = others.searchsorted(rows[far]), free.searchsorted(columns[far])
    chance = certainty(squares, pairs)
    rivals = len(others)
    if jumped.any():
        rivals = max(len(elsewhere), 1)
        chance = np.full(len(elsewhere), 1 / rivals)  # nobody saw their ways
    native = _native(state, elsewhere)
    identity = objects.identity.copy()
    identity[elsewhere] = _handed_over(identity[elsewhere], native, chance, rivals)
    now = state.time or 0.0
    mass, missing = objects.mass.copy(), objects.missing.copy()
    seen, exposed, hits = objects.seen.copy(), objects.exposed.copy(), objects.hits.copy()
    mass[found], missing[found] = rest.mass[patches], False
    seen[found] = exposed[found] = now
    hits[found] += 1
    unexplained = info.unexplained.copy()
    unexplained[index[np.isin(rest.labels, patches)]] = False
    back = replace(
        objects,
        states=states,
        uncertainties=uncertainties,
        errors=errors,
        mass=mass,
        missing=missing,
        seen=seen,
        exposed=exposed,
        hits=hits,
        identity=identity,
    )
    events = info.events + _returns(objects.ids[elsewhere], native * chance)
    return state.with_objects(back), replace(info, unexplained=unexplained, events=events)


def adopt(state: State, info: Info, options: TrackingOptions) -> tuple[State, Info]:
    """Give names that nobody has any more to the nearest on trial.

    Nobody noticed that an object was lost as long as others were in its place, and so it was taken
    for a new one where it turned up. Its name is that of one of the lost where all that there are
    have names; and of two that the evidence takes for one, where it came out from among these.
    """
    objects = state.objects
    found = np.flatnonzero(~objects.confirmed & ~objects.missing & (objects.hits > 1))
    if len(found) == 0:
        return state, info
    strayed = objects.confirmed & _strayed(state, options)
    lost = np.flatnonzero(strayed | _doubled(state, options))
    if len(lost) == 0:
        return state, info
    allowed = strayed[lost][:, None] | _came_out(state, lost, found, options)
    lines, ends = allowed.any(axis=1), allowed.any(axis=0)
    if not lines.any():
        return state, info
    lost, found, allowed = lost[lines], found[ends], allowed[np.ix_(lines, ends)]
    squares = ((objects.means[lost][:, None] - objects.means[found]) ** 2).sum(axis=2)
    rows, columns = assigned(squares, allowed)
    known, fresh = objects.chosen(lost[rows]), objects.chosen(found[columns])
    native, chance = _native(state, lost[rows]), certainty(squares, (rows, columns))
    again = replace(
        fresh,
        ids=known.ids,
        colors=known.colors,
        origin=known.origin,
        born=known.born,
        age=known.age,
        hits=known.hits,
        singled=known.singled,
        confirmed=known.confirmed,
        existence=known.existence,
        identity=_handed_over(known.identity, native, chance, len(lost)),
    )
    others = np.ones(len(objects), dtype=bool)
    others[lost[rows]] = others[found[columns]] = False
    together = objects.chosen(others).joined(again)
    info = replace(info, events=info.events + _returns(known.ids, native * chance))
    return state.with_objects(together.chosen(np.argsort(together.ids))), info


def _doubled(state: State, options: TrackingOptions) -> NDArray[np.bool_]:
    """Return which objects are one too many where they are, by the evidence, shape (k,)."""
    objects = state.objects
    doubted = objects.doubted > _DOUBLED * options.coast_seconds
    return objects.confirmed & ~objects.missing & objects.contact & doubted


def _came_out(
    state: State, doubled: Indices, found: Indices, options: TrackingOptions
) -> NDArray[np.bool_]:
    """Return who on trial may be who else was where one is too many, shape (doubled, found).

    It is of its size, and when it turned up it was beside it, and not at the border of the picture.
    """
    objects = state.objects
    since = ((state.time or 0.0) - objects.born[found])[:, None]
    ways = objects.states[doubled][:, None] - objects.states[found]
    apart = np.hypot(*np.moveaxis(ways[:, :, :2] - since * ways[:, :, 2:], -1, 0))
    unlike = np.abs(np.log(objects.usual[doubled][:, None] / objects.usual[found]))
    proved = (objects.hits >= options.birth_frames) & state.whole
    beside = apart < _CAME_OUT * objects.lengths[doubled][:, None]
    return np.asarray(beside & (unlike < _UNLIKE) & proved[found])


def _strayed(state: State, options: TrackingOptions) -> NDArray[np.bool_]:
    """Return which objects are lost that must be somewhere, as all that there are have names.

    Who was last seen at the border of the picture may have left, unless the number is given.
    """
    objects, number = state.objects, options.objects or state.population
    if not number or objects.confirmed.sum() < number:
        return np.zeros(len(objects), dtype=bool)
    waited = (state.time or 0.0) - objects.seen > 1.5 * (state.period or 0.0)
    strayed = objects.missing & waited
    return strayed if options.objects or not strayed.any() else strayed & state.whole


def _handed_over(identity: Array, native: Array, chance: Array, rivals: int) -> Array:
    """Return how probable it is that names are right after they were handed over, shape (k,).

    Parameters
    ----------
    identity
        Shape (k,), how probable it was before.
    native, chance
        Shape (k,), how probable it is that who turned up was lost, and then that it is this one.
    rivals
        How many were lost; whose name was wrong may get its own back by chance.
    """
    by_chance = (1 - identity) * (1 - chance) / max(rivals - 1, 1)
    after: Array = np.minimum(identity, native * (identity * chance + by_chance))
    return after


def _native(state: State, lost: NDArray[np.intp]) -> Array:
    """Return how probably what turns up far away is any of those that are `lost`, shape (k,).

    It may be none of them, above all where they had come to the border of the picture.
    """
    native: Array = 1 - np.where(state.whole[lost], *_STRANGER)
    return native


def _returns(ids: NDArray[np.int64], sure: Array) -> tuple[Event, ...]:
    pairs = zip(ids.tolist(), sure.tolist(), strict=True)
    return tuple(
        Event("return", (name,), f"far from where it was lost, p = {chance:.2f}")
        for name, chance in pairs
    )
