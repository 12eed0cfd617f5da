"""The state of the tracker: a plain value that pickles, and so the checkpoint too."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import lengths, outline_areas, quadratic, sides
from tracker.tracking.lattice import Lattice
from tracker.tracking.sizes import NO_PATCHES, Patches, SizeModel
from tracker.types import COLOR_BINS, Array, Footprint, Scene

_APART = 5  # frames apart from others that prove an object
_JITTER = (1e-5, 0.05)  # least and most variance of a middle, as a share of the extent
_DIFFERENCES = np.array([[1.0, -2, 1, 0], [0, 1, -2, 1], [-1, 3, -3, 1]])  # two second, one third
_CONTRAST = np.array([-0.5, -0.5, 1.0])
_MOST_DIFFERENCES = 1000.0  # beyond these, older ones are forgotten
_MOST_CHANGES = 200.0  # of velocities; beyond these, older ones are forgotten


@dataclass(frozen=True, slots=True)
class Objects:
    """The k objects that are followed, as arrays over them, by ascending id.

    Parameters
    ----------
    ids
        Shape (k,).
    states
        Shape (k, 4): x, y in px, their velocities in px/s.
    uncertainties
        Shape (k, 4, 4), P, the covariance of `states` by which a frame is weighed against them.
        They set how much a frame counts, and are deliberately wide: a real mask is at times
        wrong by more than its usual jitter.
    errors
        Shape (k, 4, 4), the covariance of the error of `states` when the frames are weighed in
        that way and are as precise as they have proved to be (`State.jitter`).
    trail
        Shape (k, 4, 2), the middles that the last four frames showed of it alone, px, else NaN.
    cruise
        Shape (k, 2), the velocity with which it went on of late while it was seen, px/s.
    extents
        Shape (k, 2, 2), Σ, px².
    mass
        Shape (k,), foreground of the newest frame, px².
    usual
        Shape (k,), foreground that the object alone usually has, px².
    colors
        Shape (k, COLOR_BINS), histogram, sums to 1.
    reach
        Shape (k, 4), distance of the left, top, right and bottom edge from the mean, in standard
        deviations of the extent along x or y.
    origin
        Shape (k, 2), where it was first seen, px; infinite once it was whole twice its length away.
    piece
        Shape (k, 2), where it was when the evidence began to say that it is a piece of a larger
        object, px; NaN where it says otherwise, and once the object is seen apart.
    born, seen, exposed
        Shape (k,), seconds: when first seen; last seen; last seen with a part that no other
        object covers.
    age, hits
        Shape (k,), frames since birth; frames in which the object was seen.
    singled
        Shape (k,), frames in which it was seen apart from all others.
    unusual
        Shape (k,), frames apart in which its shape was none of the scene's usual ones, less those
        in which it was.
    doubtful, doubted
        Shape (k,), whether the evidence last said that there are fewer objects here; seconds for
        which it has said so.
    examined, lone
        Shape (k,), the foreground, px², for which it was last asked whether an object is alone in a
        patch that is too large for it, 0 where there is no such patch; whether it was.
    measured
        Shape (k,), whether it was ever seen whole and by itself, so that its extent is its own.
    confirmed
        Shape (k,), whether the evidence suffices to report the object.
    missing, behind, contact
        Shape (k,), whether the newest frame did not show it; whether much of it is behind fixed
        things; whether it touches another.
    existence, identity
        Shape (k,), probabilities that there is an object and that it still is the same one.
    """

    ids: NDArray[np.int64]
    states: Array
    uncertainties: Array
    errors: Array
    trail: Array
    cruise: Array
    extents: Array
    mass: Array
    usual: Array
    colors: Array
    reach: Array
    origin: Array
    piece: Array
    born: Array
    seen: Array
    exposed: Array
    age: NDArray[np.int64]
    hits: NDArray[np.int64]
    singled: NDArray[np.int64]
    unusual: NDArray[np.int64]
    doubtful: NDArray[np.bool_]
    doubted: Array
    examined: Array
    lone: NDArray[np.bool_]
    measured: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    behind: NDArray[np.bool_]
    contact: NDArray[np.bool_]
    existence: Array
    identity: Array

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def means(self) -> Array:
        """Shape (k, 2), px."""
        return self.states[:, :2]

    @property
    def lengths(self) -> Array:
        """Shape (k,), the geometric mean of the standard deviations of the extent, px."""
        return lengths(self.extents)

    @property
    def areas(self) -> Array:
        """Shape (k,), area of the outline at two standard deviations, px²."""
        return outline_areas(self.extents)

    @property
    def filled(self) -> Array:
        """Shape (k,), the share of its outline that is foreground as a rule."""
        filled: Array = self.usual / self.areas
        return filled

    @property
    def proven(self) -> NDArray[np.bool_]:
        """Shape (k,), whether it was seen apart from all others for long enough."""
        return self.singled >= _APART

    @property
    def mobile(self) -> NDArray[np.bool_]:
        """Shape (k,), whether it was whole twice its length away from where it was first seen."""
        mobile: NDArray[np.bool_] = np.isinf(self.origin[:, 0])
        return mobile

    @property
    def rooted(self) -> NDArray[np.bool_]:
        """Shape (k,), whether it has proved true and yet never went its way."""
        return self.confirmed & ~self.mobile

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Objects:
        """Return some of the objects."""
        return Objects(*(getattr(self, f.name)[which] for f in fields(self)))

    def joined(self, other: Objects) -> Objects:
        """Return these objects and, behind them, the others."""
        return Objects(
            *(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self))
        )


def no_objects() -> Objects:
    """Return an empty collection."""
    zero, flag, count = np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64)
    return Objects(
        ids=count,
        states=np.zeros((0, 4)),
        uncertainties=np.zeros((0, 4, 4)),
        errors=np.zeros((0, 4, 4)),
        trail=np.zeros((0, 4, 2)),
        cruise=np.zeros((0, 2)),
        extents=np.zeros((0, 2, 2)),
        mass=zero,
        usual=zero,
        colors=np.zeros((0, COLOR_BINS)),
        reach=np.zeros((0, 4)),
        origin=np.zeros((0, 2)),
        piece=np.zeros((0, 2)),
        born=zero,
        seen=zero,
        exposed=zero,
        age=count,
        hits=count,
        singled=count,
        unusual=count,
        doubtful=flag,
        doubted=zero,
        examined=zero,
        lone=flag,
        measured=flag,
        confirmed=flag,
        missing=flag,
        behind=flag,
        contact=flag,
        existence=zero,
        identity=zero,
    )


NO_SCENE = Scene()
"""A place of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Departure:
    """An object on its way into a contact.

    Parameters
    ----------
    time
        When, s.
    state, errors
        Shapes (4,) and (4, 4), its `Objects.states` and `Objects.errors` then.
    """

    time: float
    state: Array
    errors: Array


@dataclass(frozen=True, slots=True)
class Episode:
    """A contact of two objects, from the first touch until they have parted.

    Parameters
    ----------
    first, second
        Their ids.
    colors
        Shape (2, COLOR_BINS), their histograms before.
    lengths
        Shape (2,), their `Objects.lengths` before, px.
    departures
        How each came into its first contact that was not settled.
    confusion
        Largest probability so far of taking one for the other by motion alone, 0 to 1/2.
    depth
        Largest `Contact.depth` so far.
    apart
        Frames since they parted.
    sights
        Frames since it began that showed the colours of each alone.
    reported
        Whether both were confirmed at some time of it.
    """

    first: int
    second: int
    colors: Array
    lengths: Array
    departures: tuple[Departure, Departure]
    confusion: float = 0.0
    depth: float = 0.0
    apart: int = 0
    sights: tuple[int, int] = (0, 0)
    reported: bool = False

    @property
    def _before(self) -> tuple[int, int, Array, Array, tuple[Departure, Departure]]:
        """What was known when it began."""
        return self.first, self.second, self.colors, self.lengths, self.departures

    # `replace` takes several times as long, and a crowd has many contacts.
    def met(self, confusion: float, depth: float, *, reported: bool) -> Episode:
        """Return it after a frame in which they touch."""
        confusion, depth = max(self.confusion, confusion), max(self.depth, depth)
        return Episode(*self._before, confusion, depth, 0, self.sights, reported)

    def later(self, seen: tuple[bool, bool], *, apart: bool) -> Episode:
        """Return it after a frame that may show each of them alone, and both apart from others."""
        if not (apart or any(seen)):
            return self
        sights = (self.sights[0] + seen[0], self.sights[1] + seen[1])
        frames = self.apart + apart
        return Episode(*self._before, self.confusion, self.depth, frames, sights, self.reported)


@dataclass(frozen=True, slots=True)
class Jitter:
    """How precisely frames show the middles of objects, learned from how these jump.

    With white noise of variance R in the middles and white acceleration, third differences of a
    track have the variance 20 R + a / 2 and second differences 6 R + a / 2 (after Mehra 1970), so
    that their difference leaves R alone.

    Parameters
    ----------
    variance
        R as a share of the extent Σ.
    count
        Differences that it rests on.
    """

    variance: float = 0.002
    count: float = 0.25

    def learned(self, trail: Array, extents: Array) -> Jitter:
        """Return what is known after one more frame.

        Parameters
        ----------
        trail, extents
            Shapes (k, 4, 2) and (k, 2, 2); see `Objects`.
        """
        known = np.isfinite(trail[:, :, 0]).all(axis=1)
        number = np.count_nonzero(known)
        if number == 0:
            return self
        changes = _DIFFERENCES @ trail[known]  # (k, 3, 2)
        squares = quadratic(changes, extents[known, None]) / 2
        seen = float(squares.sum(axis=0) @ _CONTRAST) / (14 * number)
        count = min(self.count + number, _MOST_DIFFERENCES)
        share = number / count
        return Jitter(self.variance + share * (seen - self.variance), count)

    @property
    def level(self) -> float:
        """R as a share of Σ, within reason."""
        least, most = _JITTER
        return min(max(self.variance, least), most)


@dataclass(frozen=True, slots=True)
class Wander:
    """How far from their straight ways objects stray, learned from how their velocities change.

    Parameters
    ----------
    variance
        Mean square of the difference of a velocity and that of late, as a share of the mean of
        their squares: twice what their correlation lacks of 1.
    count
        Independent changes that it rests on.
    """

    variance: float = 0.25
    count: float = 4.0

    def learned(self, velocities: Array, cruise: Array, lengths: Array, weight: float) -> Wander:
        """Return what is known after one more frame.

        Parameters
        ----------
        velocities, cruise
            Shape (k, 2), of objects that were seen apart; see `Objects`.
        lengths
            Shape (k,), px; who moves less than one a second, rests.
        weight
            Share of an independent change that one object shows in one frame.
        """
        if len(velocities) == 0:
            return self
        change = velocities - cruise
        pace = (velocities**2 + cruise**2).sum(axis=1) + lengths**2
        seen = 2 * float(((change**2).sum(axis=1) / pace).mean())
        number = weight * len(velocities)
        count = min(self.count + number, _MOST_CHANGES)
        return Wander(self.variance + number / count * (seen - self.variance), count)

    @property
    def steadiness(self) -> float:
        """Correlation of a velocity with that of late, 0 where they have nothing in common."""
        return max(1 - self.variance / 2, 0.0)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the next step depends on.

    Parameters
    ----------
    objects
        Those that are followed.
    time
        Of the newest frame, s; None before the first.
    period
        Typical time between frames, s; None before the second.
    episodes
        The contacts that are not settled yet.
    next_id
        The id of the next object; ids are never used again.
    reach
        Shape (4,), typical `Objects.reach` of single objects.
    surveyed, patches
        What the size model is fitted to: patches of the survey, and those seen since.
    sizes
        The size model, or None while too little was seen.
    unlearned
        Patches that came since the last fit.
    scene
        What is known of the place.
    jitter
        How precisely a frame shows the middle of an object that is alone; see `Jitter`.
    wander
        How straight objects go on; see `Wander`.
    hidden
        The cells of the scene's occluders: what is there cannot be seen. None without any.
    beyond
        Cells around the picture, where nobody looks. None where its size is not known.
    population
        How many objects the place always holds, 0 where that changes or is not known.
    alike
        Whether a survey shows objects of one kind, so that what is larger than one is several.
    """

    objects: Objects = field(default_factory=no_objects)
    time: float | None = None
    period: float | None = None
    episodes: tuple[Episode, ...] = ()
    next_id: int = 1
    reach: Array = field(default_factory=lambda: np.full(4, 2.0))
    surveyed: Patches = NO_PATCHES
    patches: Patches = NO_PATCHES
    sizes: SizeModel | None = None
    unlearned: int = 0
    scene: Scene = NO_SCENE
    jitter: Jitter = Jitter()
    wander: Wander = Wander()
    hidden: Lattice | None = None
    beyond: Lattice | None = None
    population: int = 0
    alike: bool = False

    @property
    def footprint(self) -> Footprint:
        """Where the objects are; background models must not learn there."""
        return Footprint(
            self.objects.means, self.objects.extents, self.sizes is not None and self.sizes.flat
        )

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Shape (k,), which objects the border of the picture does not cut."""
        objects = self.objects
        if self.scene.size is None:
            return np.ones(len(objects), dtype=bool)
        margin = 2.2 * sides(objects.extents)
        low, high = objects.means > margin, objects.means < np.array(self.scene.size) - margin
        return np.asarray((low & high).all(axis=1))

    @property
    def lying(self) -> bool:
        """Whether a survey shows that objects do not stand upright, so that they turn."""
        return len(self.surveyed) > 0 and self.sizes is not None and not self.sizes.upright

    def with_objects(self, objects: Objects) -> State:
        """Return the state with other objects."""
        return replace(self, objects=objects)

    def first_uncertainty(self, extents: Array) -> Array:
        """Return the covariances of the states of new objects, shape (k, 4, 4).

        Parameters
        ----------
        extents
            Shape (k, 2, 2), px².
        """
        speed = 0.6 / self.period if self.period else 15.0  # sd, lengths a second
        uncertainties = np.zeros((len(extents), 4, 4))
        uncertainties[:, :2, :2] = 0.05 * extents
        uncertainties[:, 2, 2] = uncertainties[:, 3, 3] = (speed * lengths(extents)) ** 2
        return uncertainties
