"""Who is who after a contact.

While two objects touch, two histories stay open: each went its way, or they changed places. For
objects that look alike both put the same shapes in the same places, so one pair of estimates serves
both; what differs is which name goes with which, and that is settled when they part. The evidence
is how well motion kept them apart, and their colours and sizes before and after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from math import exp, log, log1p

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import lengths, quadratic
from tracker.tracking.lattice import Indices, boxes_around, overlapping
from tracker.tracking.state import Departure, Episode, Objects, State
from tracker.types import Array, Contact, ContactStage, Event

_TOUCHING = 6.4  # squared distance of two objects in units of the sum of their extents
_OVERLAP = 0.2  # depth from which bodies are in one another, where rims alone may touch by chance
_PARTED = 5  # frames apart from others after which a contact is judged
_COLOR_SAMPLES = 8.0  # independent colour samples that a view of an object is worth
_COLOR_FLOOR = 0.02  # share of a histogram that is uniform: any colour may turn up
_MOST_COLOR = 8.0  # nats that colours may add: light changes them, too
_SIZE_SPREAD = 0.1  # standard deviation of the logarithm of an object's length between two views
_MOST_MOTION = 7.0  # nats that motion may: of three in one patch it can take the wrong one
_MOST_ONWARD = 4.0  # nats that their ways before and after may add: who meets may turn
_STOPPED = 0.6  # share of its way from which an object went on, rather than stop for a while
_TURN = 0.05  # how likely objects that meet stop or turn rather than go on
_UNDECIDED = 1.0  # nats below which evidence tells nothing
_MOST_SIZE = 4.0  # nats that sizes may add: a posture is no proof


def touching(objects: Objects) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of objects whose outlines touch, or nearly: indices, each of shape (p,)."""
    # For equal circles of standard deviation s the outlines touch at a distance of 4 s, which is
    # 8 in these units; where shapes differ a little less.
    boxes = boxes_around(objects.means, _TOUCHING * objects.extents)
    first, second = overlapping(boxes, boxes)
    each = first < second
    first, second = first[each], second[each]
    if len(first) == 0:
        return first, second
    apart = objects.means[first] - objects.means[second]
    both = objects.extents[first] + objects.extents[second]
    touch = quadratic(apart, both) < _TOUCHING
    return first[touch], second[touch]


def follow_contacts(
    state: State, color_rate: float
) -> tuple[State, tuple[Contact, ...], tuple[Event, ...]]:
    """Open an episode for each new contact, and judge those that are over.

    Parameters
    ----------
    state
        After the objects were refined.
    color_rate
        Share of a colour histogram that each frame apart replaces.

    Returns
    -------
    state, contacts, events
        The names exchanged where that is the likelier history, and `identity` lowered by the
        probability of the other one; what is known of each contact; those that begin and end.
    """
    objects = state.objects
    if not state.episodes and not objects.contact.any():
        return state, (), ()
    episodes = {(e.first, e.second): e for e in state.episodes}
    ids, confirmed = objects.ids.tolist(), objects.confirmed.tolist()
    row = {name: k for k, name in enumerate(ids)}
    contacts: list[Contact] = []
    events: list[Event] = []
    open_now, departures = set(), cache(partial(_departures, state.episodes))
    for i, j, confusion, depth in _meetings(objects, state.period or 0.0):
        pair = (ids[i], ids[j])
        if pair not in episodes and depth < _OVERLAP:
            continue
        open_now.add(pair)
        episode = episodes.get(pair) or _opened(state, departures(), i, j)
        reported = episode.reported or (confirmed[i] and confirmed[j])
        if reported and not episode.reported:
            events.append(Event("contact", pair))
        episodes[pair] = episode.met(confusion, depth, reported=reported)
    unsettled = (objects.missing | objects.contact).tolist()
    colored = (~objects.contact & (objects.mass > 0)).tolist()
    for pair, episode in list(episodes.items()):
        here = [row[name] for name in pair if name in row]
        if len(here) == 2:
            i, j = here
            apart = pair not in open_now and not (unsettled[i] or unsettled[j])
            episode = episodes[pair] = episode.later((colored[i], colored[j]), apart=apart)
        verdict, stage = _Verdict(_log_odds(episode.confusion), 0.0), ContactStage.OPEN
        exchanged = False
        if len(here) < 2:
            stage = ContactStage.LOST  # which of the two was lost is as open as who is who
        elif episode.apart == _PARTED:
            both = np.array(here)
            now = state.with_objects(objects)
            verdict, stage = _judged(episode, now, both, color_rate), ContactStage.PARTED
            exchanged = verdict.exchanged
            if exchanged:
                objects = _exchanged(objects, *here)
        if stage is not ContactStage.OPEN:
            del episodes[pair]
            identity = objects.identity.copy()
            # What was lost before it proved to be there may never have been.
            if stage is ContactStage.PARTED or episode.reported:
                identity[here] *= 1 - verdict.swap
            objects = replace(objects, identity=identity)
        if not episode.reported:
            continue
        if stage is ContactStage.PARTED:
            events.append(Event("parting", pair, f"P(swap) = {verdict.swap:.3f}"))
        contacts.append(
            Contact(
                tracks=pair,
                stage=stage,
                touching=pair in open_now,
                depth=episode.depth,
                swap=verdict.swap,
                decided_by=verdict.decided_by,
                exchanged=exchanged,
            )
        )
    state = replace(state, objects=objects, episodes=tuple(episodes.values()))
    return state, tuple(contacts), tuple(events)


def identities(state: State, color_rate: float) -> Array:
    """Return the probability that each object is the one that got its id, shape (k,).

    While contacts are open, either history may be the true one; one of the two that was seen apart
    meanwhile tells something.
    """
    objects = state.objects
    identity = objects.identity.tolist()
    row = {name: k for k, name in enumerate(objects.ids.tolist())}
    for episode in state.episodes:
        here = [row[name] for name in (episode.first, episode.second) if name in row]
        if not (episode.reported and here):
            continue
        doubt = episode.confusion
        if len(here) == 2 and max(episode.sights) >= _PARTED:
            doubt = max(doubt, _by_looks(episode, objects, np.array(here), color_rate).chance)
        for k in here:
            identity[k] *= 1 - doubt
    return np.array(identity)


def _meetings(objects: Objects, elapsed: float) -> list[tuple[int, int, float, float]]:
    """Return the pairs of objects that touch, with their confusion and depth."""
    first, second = touching(objects)
    met = objects.contact[first] & objects.contact[second]
    if not met.any():
        return []
    first, second = first[met], second[met]
    confusions, depths = _confusion(objects, first, second, elapsed), _depth(objects, first, second)
    columns = (first.tolist(), second.tolist(), confusions.tolist(), depths.tolist())
    return list(zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The evidence that two objects changed places, as the logarithm of its odds."""

    motion: float
    appearance: float

    @property
    def exchanged(self) -> bool:
        """Whether the names are better exchanged."""
        return self.motion + self.appearance > 0

    @property
    def chance(self) -> float:
        """Probability that they changed places."""
        return 1 / (1 + exp(-self.motion - self.appearance))

    @property
    def swap(self) -> float:
        """Probability that the names are wrong, once they are exchanged where that is better."""
        return min(self.chance, 1 - self.chance)

    @property
    def decided_by(self) -> str:
        """Which evidence is the stronger."""
        if max(abs(self.motion), abs(self.appearance)) < _UNDECIDED:
            return "neither"
        return "motion" if abs(self.motion) > abs(self.appearance) else "appearance"


def _departures(episodes: Iterable[Episode]) -> dict[int, Departure]:
    """Return how each object, by its id, came into its first contact that is not settled."""
    first: dict[int, Departure] = {}
    for episode in episodes:
        names = episode.first, episode.second
        for name, departure in zip(names, episode.departures, strict=True):
            if name not in first or departure.time < first[name].time:
                first[name] = departure
    return first


def _opened(state: State, departures: Mapping[int, Departure], i: int, j: int) -> Episode:
    objects, both = state.objects, np.array([i, j])
    names = int(objects.ids[i]), int(objects.ids[j])
    # Copies: a view would keep what was known of everybody for as long as the contact lasts.
    first, second = (
        departures.get(name)
        or Departure(state.time or 0.0, objects.states[k].copy(), objects.errors[k].copy())
        for name, k in zip(names, (i, j), strict=True)
    )
    return Episode(*names, objects.colors[both], lengths(objects.extents[both]), (first, second))


def _confusion(objects: Objects, first: Indices, second: Indices, elapsed: float) -> Array:
    """Return the probabilities of taking one for the other by position and velocity, shape (p,).

    Half the Bhattacharyya coefficient of the two estimates, the bound on Bayes' error (Kailath
    1967): nearly 0 while they are apart in place or in speed, 1/2 where they coincide in both.
    The place is that of their closest approach since the frame before; and what meets may turn,
    so that speed alone never tells for sure.
    """
    both = objects.errors[first] + objects.errors[second]
    between = objects.states[first] - objects.states[second]
    apart, speed = between[:, :2], between[:, 2:]
    closing = (apart * speed).sum(axis=1) / np.maximum((speed * speed).sum(axis=1), 1e-12)
    nearest = apart - np.clip(closing, 0, elapsed)[:, None] * speed
    place = np.exp(-0.125 * quadratic(nearest, both[:, :2, :2]))
    going_on = np.exp(-0.125 * quadratic(speed, both[:, 2:, 2:]))
    confusion: Array = 0.5 * place * (_TURN + (1 - _TURN) * going_on)
    return confusion


def _depth(objects: Objects, first: Indices, second: Indices) -> Array:
    """Return how deep two outlines are in one another, along the line of their centres, (p,)."""
    apart = objects.means[first] - objects.means[second]
    distance = np.maximum(np.hypot(*apart.T), 1e-9)
    reach = sum(
        2 * distance / np.sqrt(quadratic(apart, objects.extents[one])).clip(1e-12)
        for one in (first, second)
    )
    depth: Array = np.clip(1 - distance / reach, 0, 1)
    return depth


def _log_odds(confusion: float) -> float:
    """Return what motion says of an exchange, nats."""
    likely = min(max(confusion, 1e-9), 0.5)
    return max(log(likely) - log1p(-likely), -_MOST_MOTION)


def _onward(episode: Episode, state: State, both: NDArray[np.intp]) -> float:
    """Return what the ways before and after a contact say of an exchange, nats.

    Who goes on is, after a while, where it was bound for, but for a share of its way that is the
    scene's (`Wander`); who turns may be anywhere that far. Who stopped on the way may have turned
    as well, whichever is which.
    """
    objects, now = state.objects, state.time or 0.0
    onward, progress = np.zeros((2, 2)), np.ones((2, 2))  # of each of the two as either one now
    for k, (one, length) in enumerate(zip(episode.departures, episode.lengths, strict=True)):
        elapsed = now - one.time
        way, gone = elapsed * one.state[2:], objects.means[both] - one.state[:2]
        if np.hypot(*way) > length:
            progress[k] = gone @ way / (way @ way)
        ahead = np.hstack([np.eye(2), elapsed * np.eye(2)])
        errors = ahead @ one.errors @ ahead.T + objects.errors[both, :2, :2]
        unsure = np.trace(errors, axis1=1, axis2=2)
        reach = (np.hypot(*way) + length) ** 2
        spread = state.wander.variance * reach + unsure
        missed = ((gone - way) ** 2).sum(axis=1)
        onward[k] = np.log((reach + unsure) / spread) - missed / spread
    kept, changed = onward.trace(), onward[::-1].trace()
    better = progress if kept > changed else progress[::-1]
    if better.diagonal().min() < _STOPPED:
        return 0.0
    goes = state.wander.steadiness * (1 - _TURN)
    changed, kept = np.log1p(goes * np.expm1([changed, kept]))
    return float(np.clip(changed - kept, -_MOST_ONWARD, _MOST_ONWARD))


def _judged(episode: Episode, state: State, both: NDArray[np.intp], color_rate: float) -> _Verdict:
    """Weigh all that is known of who is who, once both are seen apart."""
    told = _by_looks(episode, state.objects, both, color_rate)
    # Two that bounce go on in one another's ways: of that the ways tell nothing.
    bounced = _log_odds(_TURN / 2)
    motion = told.motion + _onward(episode, state, both)
    return _Verdict(min(max(motion, min(told.motion, bounced)), -bounced), told.appearance)


def _by_looks(
    episode: Episode, objects: Objects, both: NDArray[np.intp], color_rate: float
) -> _Verdict:
    """Weigh what the contact and the sights before and after it say of who is who."""
    sights = np.array(episode.sights)
    evidence, seen = 0.0, sights > 0  # for each going its way
    if episode.colors.sum() > 0:
        before = _smoothed(episode.colors)
        kept = ((1 - color_rate) ** np.maximum(sights, 1))[:, None]
        after = np.maximum((objects.colors[both] - kept * episode.colors) / (1 - kept), 0.0)
        after = _smoothed(after) * seen[:, None]
        difference = after[0] - after[1]
        color = _COLOR_SAMPLES * float(difference @ (np.log(before[0]) - np.log(before[1])))
        evidence += min(max(color, -_MOST_COLOR), _MOST_COLOR)
    if seen.all():
        now, then = np.log(lengths(objects.extents[both])), np.log(episode.lengths)
        size = float(now[0] - now[1]) * float(then[0] - then[1]) / _SIZE_SPREAD**2
        evidence += min(max(size, -_MOST_SIZE), _MOST_SIZE)
    return _Verdict(_log_odds(episode.confusion), -evidence)


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
        errors=objects.errors[order],
        trail=objects.trail[order],
        cruise=objects.cruise[order],
        extents=objects.extents[order],
        mass=objects.mass[order],
        seen=objects.seen[order],
        exposed=objects.exposed[order],
    )
