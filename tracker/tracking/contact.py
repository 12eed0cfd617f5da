"""Who is who after a contact.

While two objects touch, two histories stay open: each went its way, or they changed places. For
objects that look alike both put the same shapes in the same places, so one pair of estimates serves
both; what differs is which name goes with which, and that is settled when they part. The evidence
is how well motion kept them apart, and their colours and sizes before and after.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracker.tracking.state import Episode, Objects, State
from tracker.types import Array, Event

_PARTED = 5  # frames apart from others after which a contact is judged
_COLOR_SAMPLES = 8.0  # independent colour samples that a view of an object is worth
_COLOR_FLOOR = 0.02  # share of a histogram that is uniform: any colour may turn up
_MOST_COLOR = 8.0  # nats that colours may add: light changes them, too
_SIZE_SPREAD = 0.1  # standard deviation of the logarithm of an object's length between two views
_MOST_SIZE = 4.0  # nats that sizes may add: a posture is no proof


def touching(objects: Objects) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of objects whose outlines touch, or nearly: indices, each of shape (p,)."""
    first, second = np.triu_indices(len(objects), 1)
    apart = objects.means[first] - objects.means[second]
    both = objects.extents[first] + objects.extents[second]
    # For equal circles of standard deviation s the outlines touch at a distance of 4 s, which is
    # 8 in these units; where shapes differ a little less.
    distance = np.einsum("pi,pij,pj->p", apart, np.linalg.inv(both), apart)
    touch = distance < 6.4
    return first[touch], second[touch]


def follow_contacts(state: State, color_rate: float) -> tuple[State, tuple[Event, ...]]:
    """Open an episode for each new contact, and judge those that are over.

    Parameters
    ----------
    state
        After the objects were refined.
    color_rate
        Share of a colour histogram that each frame apart replaces.

    Returns
    -------
    state, events
        The names exchanged where that is the likelier history, and `identity` lowered by the
        probability of the other one.
    """
    objects = state.objects
    if not state.episodes and not objects.contact.any():
        return state, ()
    episodes = {(e.first, e.second): e for e in state.episodes}
    row = {int(name): k for k, name in enumerate(objects.ids)}
    events: list[Event] = []
    open_now = set()
    for i, j in zip(*touching(objects), strict=True):
        if not (objects.contact[i] and objects.contact[j]):
            continue
        pair = (int(objects.ids[i]), int(objects.ids[j]))
        open_now.add(pair)
        if pair not in episodes:
            episodes[pair] = _opened(objects, int(i), int(j))
            if objects.confirmed[i] and objects.confirmed[j]:
                events.append(Event("contact", pair))
        confusion = max(episodes[pair].confusion, _confusion(objects, int(i), int(j)))
        episodes[pair] = replace(episodes[pair], confusion=confusion, apart=0)
    for pair, episode in list(episodes.items()):
        if pair[0] not in row or pair[1] not in row:
            del episodes[pair]
            continue
        i, j = row[pair[0]], row[pair[1]]
        both = np.array([i, j])
        if pair in open_now or (objects.missing | objects.contact)[both].any():
            continue
        if episode.apart + 1 < _PARTED:
            episodes[pair] = replace(episode, apart=episode.apart + 1)
            continue
        del episodes[pair]
        odds = _swap_log_odds(episode, objects, both, color_rate)
        swapped = 1 / (1 + np.exp(-odds))
        if odds > 0:
            objects, swapped = _exchanged(objects, i, j), 1 - swapped
        identity = objects.identity.copy()
        identity[both] *= 1 - swapped
        objects = replace(objects, identity=identity)
        if objects.confirmed[both].all():
            events.append(Event("parting", pair, f"P(swap) = {swapped:.3f}"))
    return replace(state, objects=objects, episodes=tuple(episodes.values())), tuple(events)


def _opened(objects: Objects, i: int, j: int) -> Episode:
    both = np.array([i, j])
    return Episode(
        int(objects.ids[i]), int(objects.ids[j]), objects.colors[both], objects.lengths[both]
    )


def _confusion(objects: Objects, i: int, j: int) -> float:
    """Return the probability of taking one for the other by position and velocity.

    Half the Bhattacharyya coefficient of the two estimates, the bound on Bayes' error (Kailath
    1967): nearly 0 while they are apart in place or in speed, 1/2 where they coincide in both.
    """
    apart = objects.states[i] - objects.states[j]
    both = objects.uncertainties[i] + objects.uncertainties[j]
    return float(0.5 * np.exp(-0.125 * apart @ np.linalg.solve(both, apart)))


def _swap_log_odds(
    episode: Episode, objects: Objects, both: NDArray[np.intp], color_rate: float
) -> float:
    """Return the logarithm of P(they changed places) / P(each went its way)."""
    confusion = np.clip(episode.confusion, 1e-9, 0.5)
    evidence = 0.0  # for each going its way
    if episode.colors.sum() > 0:
        before = _smoothed(episode.colors)
        kept = (1 - color_rate) ** _PARTED
        after = np.maximum((objects.colors[both] - kept * episode.colors) / (1 - kept), 0.0)
        difference = _smoothed(after)[0] - _smoothed(after)[1]
        color = _COLOR_SAMPLES * float(difference @ (np.log(before[0]) - np.log(before[1])))
        evidence += float(np.clip(color, -_MOST_COLOR, _MOST_COLOR))
    lengths = np.log(objects.lengths[both]), np.log(episode.lengths)
    size = (lengths[0][0] - lengths[0][1]) * (lengths[1][0] - lengths[1][1]) / _SIZE_SPREAD**2
    evidence += float(np.clip(size, -_MOST_SIZE, _MOST_SIZE))
    return float(np.log(confusion) - np.log1p(-confusion) - evidence)


def _smoothed(histograms: Array) -> Array:
    total = np.maximum(histograms.sum(axis=1, keepdims=True), 1e-12)
    shares: Array = (1 - _COLOR_FLOOR) * histograms / total + _COLOR_FLOOR / histograms.shape[1]
    return shares


def _exchanged(objects: Objects, i: int, j: int) -> Objects:
    """Give each of two objects the place of the other; the names keep what belongs to them."""
    order = np.arange(len(objects))
    order[[i, j]] = j, i
    return replace(
        objects,
        states=objects.states[order],
        uncertainties=objects.uncertainties[order],
        extents=objects.extents[order],
        mass=objects.mass[order],
        seen=objects.seen[order],
        exposed=objects.exposed[order],
    )
