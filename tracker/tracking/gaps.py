"""Objects that come back after an absence in which nobody followed them.

Whether one that ended is one that began later is a question of two histories: the same one was away
and came back, or one left for good and another came. Place, velocity, size and colours speak for
either, and so does how often objects come out of nowhere in this run. How objects of this run move,
how much they differ in size and colours, is learned from the run itself. All of it reads the same
forwards and backwards in time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import inverses, lengths
from tracker.tracking.lattice import Indices
from tracker.types import COLOR_BINS, Array, Points, Scene, Status, Track

_STRONG = 0.9  # probability from which on two objects are one
_ABSENCE = 2.0  # s, the typical absence
_RETURNS = 0.5  # share of those that vanish within the picture that come back
_OTHERWISE = 0.02  # share of absences in which things go otherwise than they do in sight
_HABIT = 0.5  # s over which the velocity at an end counts
_BEYOND = 1.0  # s in which one that comes to the border of the picture leaves it
_OFF = 0.5  # lengths by which the middle of what comes out from behind something may be off,
_HURRY = 0.5  # and lengths per second by which its velocity may be
_LAG = 1.0  # s over which it is learned how soon velocities are forgotten
_MEMORY = (0.5, 20.0)  # s, the least and the most of that
_SIZE_SPREAD = 0.15  # standard deviation of the logarithm of a length between two sights
_MOST_SIZE = 4.0  # nats that sizes may add: a posture is no proof
_VIEWS = 8  # frames that show the colours of an end
_COLOR_SAMPLES = 8.0  # independent colour samples that they are worth
_MOST_COLOR = 8.0  # nats that colours may add: light changes them, too


class Recording(Protocol):
    """The points of each frame of a run, by place."""

    def __getitem__(self, place: int, /) -> Points:
        """Return those of a frame."""


class Bridge(NamedTuple):
    """Two objects that are one.

    Parameters
    ----------
    first, second
        Their numbers: of the one that ended, and of the one that began later.
    sure
        Probability that they are one.
    rows
        Its rows while it was away, by place; none where nobody can tell its place.
    """

    first: int
    second: int
    sure: float
    rows: dict[int, Track]


def bridges(
    paths: Sequence[Mapping[int, Track]],
    times: Array,
    scene: Scene,
    recording: Recording | None = None,
) -> list[Bridge]:
    """Return which objects are one, where the evidence is strong; the latest absence first.

    Parameters
    ----------
    paths
        The rows of each object by the place of their frame, ascending.
    times
        Of the frames, s.
    scene
        What is known of the place: who comes to its border has left.
    recording
        What shows the colours; None: nothing does.
    """
    ends, begins = (_Ends.of(paths, times, last) for last in (True, False))
    ends = ends.chosen((ends.places < len(times) - 1) & ends.inside(scene, _BEYOND))
    begins = begins.chosen((begins.places > 0) & begins.inside(scene, -_BEYOND))
    later = ends.places[:, None] < begins.places
    if not later.any():
        return []
    away = begins.times - ends.times[:, None]
    odds = _RETURNS * later * _ABSENCE / (_ABSENCE + np.maximum(away, 0)) ** 2
    odds /= (1 + (len(ends) + len(begins)) / 2) / (times[-1] - times[0])
    manner = _Manner.of(paths, times, scene)
    evidence = manner.evidence(ends, begins, away)
    evidence += _sizes(paths, ends, begins)
    odds *= np.exp(evidence)
    likely = odds > _STRONG * np.exp(-_MOST_COLOR)
    if recording is not None and likely.any():
        some = np.ix_(likely.any(axis=1), likely.any(axis=0))
        asked = ends.numbers[some[0].ravel()], begins.numbers[some[1].ravel()]
        odds[some] *= np.exp(_colors(_looks(paths, recording), *asked))
    sure = odds / (1 + odds.sum(axis=0) + odds.sum(axis=1)[:, None] - odds)
    found = []
    for i, j in np.argwhere(sure >= _STRONG).tolist():
        first, second = int(ends.numbers[i]), int(begins.numbers[j])
        span = range(int(ends.places[i]), int(begins.places[j]) + 1)
        sides = paths[first][span[0]], paths[second][span[-1]]
        velocities = ends.velocities[i], begins.velocities[j]
        way = _way(sides, velocities, times[span[0] : span[-1] + 1], manner.wander)
        found.append(
            Bridge(first, second, float(sure[i, j]), dict(zip(span[1:], way, strict=False)))
        )
    return sorted(found, key=lambda one: -min(paths[one.second]))


@dataclass(frozen=True, slots=True)
class _Ends:
    """What is known of n objects where they were last, or first, seen.

    Parameters
    ----------
    numbers, places
        Shape (n,), which of the objects, and in which frame.
    times
        Shape (n,), s.
    means, velocities, boxes
        Shapes (n, 2), px, (n, 2), px/s, and (n, 4): left, top, right, bottom, px.
    lengths
        Shape (n,), px.
    """

    numbers: Indices
    places: Indices
    times: Array
    means: Array
    velocities: Array
    boxes: Array
    lengths: Array

    @classmethod
    def of(cls, paths: Sequence[Mapping[int, Track]], times: Array, last: bool) -> _Ends:
        """Look at the last, or the first, rows of all objects."""
        places = [max(rows) if last else min(rows) for rows in paths]
        near = [
            [track for n, track in rows.items() if abs(times[n] - times[place]) <= _HABIT]
            for place, rows in zip(places, paths, strict=True)
        ]
        tracks = [rows[place] for place, rows in zip(places, paths, strict=True)]
        boxes = np.array([track.box for track in tracks]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return cls(
            np.arange(len(paths)),
            np.array(places, dtype=np.intp),
            times[places],
            np.array([track.mean for track in tracks]).reshape(-1, 2),
            np.array([np.mean([t.velocity for t in rows], axis=0) for rows in near]).reshape(-1, 2),
            boxes,
            np.array([np.median(_lengths(rows)) for rows in near]),
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def chosen(self, which: NDArray[np.bool_]) -> _Ends:
        """Return some of them."""
        return _Ends(*(getattr(self, f.name)[which] for f in fields(self)))

    def inside(self, scene: Scene, elapsed: float) -> NDArray[np.bool_]:
        """Return which are within the picture, and still are some seconds later, shape (n,)."""
        if scene.size is None:
            return np.ones(len(self), dtype=bool)
        moved = self.boxes + elapsed * np.tile(self.velocities, 2)
        both = np.stack([self.boxes, moved])
        within = (both[..., :2] > 0) & (both[..., 2:] < np.array(scene.size) - 1)
        return np.asarray(within.all(axis=(0, 2)))


@dataclass(frozen=True, slots=True)
class _Manner:
    """How the objects of a run move: an Ornstein-Uhlenbeck process of the velocity.

    Parameters
    ----------
    speed
        Root mean square of a velocity along x or y, lengths per second.
    memory
        Time after which a velocity is forgotten to 1/e, s.
    area
        Of the picture, px².
    """

    speed: float
    memory: float
    area: float

    @property
    def wander(self) -> float:
        """Rate at which the variance of a velocity grows, lengths² per s³."""
        return 2 * self.speed**2 / self.memory

    @classmethod
    def of(cls, paths: Sequence[Mapping[int, Track]], times: Array, scene: Scene) -> _Manner:
        """Learn it from all rows."""
        lag = max(round(_LAG / float(np.median(np.diff(times)))), 1)
        pairs = [
            (track, rows[n + lag]) for rows in paths for n, track in rows.items() if n + lag in rows
        ]
        tracks = [track for rows in paths for track in rows.values()]
        means = np.array([track.mean for track in tracks])
        area = float(np.prod(np.ptp(means, axis=0) if scene.size is None else scene.size))
        velocities = np.array([track.velocity for track in tracks]) / _lengths(tracks)[:, None]
        # Medians, as tracks that leap from one thing to another are fast and forgetful.
        speed = float(np.sqrt(np.median((velocities**2).sum(axis=1)) / (2 * np.log(2))))
        memory = _MEMORY[1]
        if pairs:
            before, after = (
                np.array([t.velocity for t in side]) for side in zip(*pairs, strict=True)
            )
            square = (before**2 + after**2).sum(axis=1)
            kept = np.median(2 * (before * after).sum(axis=1) / np.maximum(square, 1e-9))
            memory = -_LAG / np.log(np.clip(kept, 1e-3, 0.99))
        return cls(speed, float(np.clip(memory, *_MEMORY)), area)

    def evidence(self, ends: _Ends, begins: _Ends, away: Array) -> Array:
        """Return how much likelier the places and velocities are if they are one, (n, m), nats.

        The place is where both velocities lead, the expected way between them; other objects turn
        up anywhere. That both go the same way is no evidence, as others do, too.
        """
        length = np.sqrt(ends.lengths[:, None] * begins.lengths)
        time = np.maximum(away, 1e-3) / self.memory
        kept = np.exp(-time)
        variance = (self.speed * length) ** 2
        noise = (_HURRY * length) ** 2
        wander = variance * self.memory**2  # of the way in the time of the memory
        # The way has the covariance c with each velocity, and g = c / (var v + cov v) times their
        # sum is what is expected of it.
        common = wander / self.memory * (1 - kept)
        gain = common / (variance * (1 + kept) + noise)
        spread = 2 * wander * (time - 1 + kept) - 2 * gain * common + 2 * (_OFF * length) ** 2
        velocities = ends.velocities[:, None], begins.velocities[None]
        off = begins.means - ends.means[:, None] - gain[..., None] * (velocities[0] + velocities[1])
        near = self.area / (2 * np.pi * spread) * np.exp(-0.5 * (off**2).sum(axis=2) / spread)
        likeness = kept * variance / (variance + noise)
        square = sum((v**2).sum(axis=2) for v in velocities) / (variance + noise)
        product = (velocities[0] * velocities[1]).sum(axis=2) / (variance + noise)
        same = (likeness * product - 0.5 * likeness**2 * square) / (1 - likeness**2)
        same -= np.log1p(-(likeness**2))
        evidence: Array = np.log((1 - _OTHERWISE) * near * np.exp(np.minimum(same, 0)) + _OTHERWISE)
        return evidence


def _sizes(paths: Sequence[Mapping[int, Track]], ends: _Ends, begins: _Ends) -> Array:
    """Return how much likelier the sizes are if they are one, shape (n, m), nats.

    Sizes are relative to what is usual in that row of the picture.
    """
    tracks = [track for rows in paths for track in rows.values()]
    rows = np.array([track.mean[1] for track in tracks])
    sizes = np.log(_lengths(tracks))
    # Rows within a pixel are one: what they differ by may be rounding.
    slope, level = np.polyfit(rows, sizes, 1) if np.ptp(rows) > 1 else (0.0, sizes.mean())
    spread = np.var(sizes - level - slope * rows) + _SIZE_SPREAD**2
    before, after = (np.log(s.lengths) - slope * s.means[:, 1] for s in (ends, begins))
    difference = (before[:, None] - after) ** 2
    alike, unlike = 2 * _SIZE_SPREAD**2, 2 * spread
    gain = 0.5 * np.log(unlike / alike) - 0.5 * difference * (1 / alike - 1 / unlike)
    evidence: Array = np.clip(gain, -_MOST_SIZE, _MOST_SIZE)
    return evidence


def _looks(paths: Sequence[Mapping[int, Track]], recording: Recording) -> Array:
    """Return the colours of n objects at their ends and begins, shape (2, n, COLOR_BINS).

    Histograms sum to 1, those of an object that was never seen apart from others to 0.
    """
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, rows in enumerate(paths):
        apart = [place for place, track in rows.items() if track.status is Status.SEEN]
        for side, places in enumerate((apart[-_VIEWS:], apart[:_VIEWS])):
            for place in places:
                wanted[place].append((side, number))
    looks = np.zeros((2, len(paths), COLOR_BINS))
    for place, views in sorted(wanted.items()):
        points = recording[place]
        if points.colors is None:
            continue
        for side, number in views:
            track = paths[number][place]
            off = points.coordinates - track.mean
            on = np.einsum("ni,ij,nj->n", off, inverses(track.covariance), off) < 4
            looks[side, number] += np.bincount(points.colors[on], minlength=COLOR_BINS)
    shares: Array = looks / np.maximum(looks.sum(axis=2, keepdims=True), 1)
    return shares


def _colors(looks: Array, ended: Indices, began: Indices) -> Array:
    """Return how much likelier the colours are if two objects are one, shape (n, m), nats.

    A sight is a few samples of what an object looks like; those of the same object are drawn from
    one distribution. Against that stands that they are as like by chance as the sights of any two
    objects of this run are: where all look alike, colours tell nothing.

    Parameters
    ----------
    looks
        See `_looks`.
    ended, began
        Shapes (n,) and (m,), the numbers of the objects.
    """
    from scipy.special import gammaln

    known = looks.sum(axis=2) > 0
    usual = (looks[known].sum(axis=0) + 1 / COLOR_BINS) / (known.sum() + 1)
    every = looks.sum(axis=0) / np.maximum(known.sum(axis=0), 1)[:, None]

    def alone(shares: Array) -> Array:
        """Return the logarithm of how likely the samples are, drawn from some distribution."""
        samples = _COLOR_SAMPLES * shares
        gain = gammaln(samples + usual) - gammaln(usual)
        result: Array = gain.sum(axis=-1) - gammaln(samples.sum(axis=-1) + 1)
        return result

    def together(some: Array, others: Array) -> Array:
        """Return how much likelier each of some is drawn with each of others than by itself."""
        apart = alone(some)[:, None] + alone(others)
        return np.asarray(np.exp([alone(one + others) for one in some] - apart))

    (before, after), others = (looks[0, ended], looks[1, began]), max(len(every) - 1, 1)
    by_chance = []
    for one, numbers in ((before, ended), (after, began)):
        like = together(one, every)
        rest = 1 + like.sum(axis=1) - like[np.arange(len(one)), numbers]
        beside = like[:, began if one is before else ended]
        by_chance.append((rest[:, None] - beside) / others)
    chance = np.maximum(np.maximum(by_chance[0], by_chance[1].T), 1 / others)
    seen = known[0, ended][:, None] & known[1, began]
    gain = np.where(seen, np.log(together(before, after) / chance), 0.0)
    evidence: Array = np.clip(gain, -_MOST_COLOR, _MOST_COLOR)
    return evidence


def _way(
    tracks: tuple[Track, Track], velocities: tuple[Array, Array], times: Array, wander: float
) -> list[Track]:
    """Return what an object was between two frames, or nothing where nobody can tell its place.

    It is on the cubic that joins both places and velocities, the mean way of a velocity that
    wanders at random at a rate q. The variance of that way is q T³ (s (1 - s))³ / 3 after a share s
    of the time T. The rate is that of the run, or what this way needs, if that is more.

    Parameters
    ----------
    tracks, velocities
        At its two ends, px/s.
    times
        Of the frames from the one end to the other, s.
    wander
        Rate at which the variance of a velocity grows, lengths² per s³.
    """
    (before, after), (begin, end) = tracks, velocities
    elapsed = times[-1] - times[0]
    share = (times[1:-1, None] - times[0]) / elapsed
    left = 1 - share
    step = after.mean - before.mean
    bend = 12 * ((step / elapsed - (begin + end) / 2) ** 2).sum() + ((end - begin) ** 2).sum()
    size = float(np.prod(_lengths(tracks)))  # px²
    rate = max(wander * size, bend / elapsed / 4)
    spread = rate * (elapsed * share * left) ** 3 / 3
    if (spread > size).any():
        return []
    means = before.mean + share**2 * (3 - 2 * share) * step
    means += elapsed * share * left * (left * begin - share * end)
    speeds = 6 * share * left * step / elapsed
    speeds += left * (1 - 3 * share) * begin - share * (2 - 3 * share) * end
    rows = []
    for mean, speed, part, variance in zip(means, speeds, share[:, 0], spread[:, 0], strict=True):

        def between(one: Array, other: Array, part: float = part) -> Array:
            return (1 - part) * one + part * other

        box = between(
            before.box - np.pad(before.mean, (0, 2)), after.box - np.pad(after.mean, (0, 2))
        )
        certain = between(before.position_covariance, after.position_covariance)
        rows.append(
            replace(
                before.moved(mean, speed, box + np.pad(mean, (0, 2))),
                covariance=between(before.covariance, after.covariance),
                position_covariance=certain + variance * np.eye(2),
                mass=0.0,
                status=Status.COASTING,
            )
        )
    return rows


def _lengths(tracks: Sequence[Track]) -> Array:
    """Return the geometric means of the standard deviations of their extents, shape (n,), px."""
    return lengths(np.array([track.covariance for track in tracks]))
