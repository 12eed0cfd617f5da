"""Synthetic worlds with exact truth: for tests, documentation, benchmarks and `tracker run demo`.

Three kinds. `heights` and `eruptions` are small samples of known mixtures. A `Meeting` is two
objects and their common mask as bare point sets, for the mathematics alone. A `Stage` draws
pictures of a place that a fixed camera looks at, with actors who walk, stop, meet and hide, and
knows exactly where each of them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tracker.types import Array, Image, Snapshot

MeetingKind: TypeAlias = Literal["full crossing", "partial crossing", "bounce", "stop together"]
MEETING_KINDS: tuple[MeetingKind, ...] = get_args(MeetingKind)

Floats: TypeAlias = NDArray[np.float32]
Colour: TypeAlias = tuple[float, float, float]  # BGR, grey levels

# Samples ------------------------------------------------------------------------------------------


def heights(count: int = 1000, seed: int = 4) -> Array:
    """Return the heights of two groups of people, shape (count,), cm.

    Two in five are drawn from N(178, 7²), the others from N(165, 6²).
    """
    rng = np.random.default_rng(seed)
    tall = rng.random(count) < 0.4
    return np.where(tall, rng.normal(178, 7, count), rng.normal(165, 6, count))


def eruptions(count: int = 400, seed: int = 2) -> Array:
    """Return how long a geyser erupts and how long it rests then, shape (count, 2), minutes.

    Of the eruptions 35 % are short, around 2 minutes with a rest of 55, the others long, around
    4.3 minutes with a rest of 80; within each kind the longer the eruption, the longer the rest.
    """
    rng = np.random.default_rng(seed)
    short = rng.multivariate_normal((2.0, 55.0), ((0.07, 0.5), (0.5, 34.0)), count)
    long = rng.multivariate_normal((4.3, 80.0), ((0.17, 0.9), (0.9, 36.0)), count)
    return np.where((rng.random(count) < 0.35)[:, None], short, long)


# Meetings -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meeting:
    """Objects that come together and part, seen only as the union of their masks.

    Parameters
    ----------
    kind
        One of `MEETING_KINDS`, or how many objects there are.
    points
        One array of shape (n, 2) a frame: whole pixel coordinates x, y of the union, ragged at its
        edges and with holes.
    centres
        Shape (frames, objects, 2), px.
    covariances
        Shape (objects, 2, 2), px²: the extent of each object, whose outline wobbles about the
        ellipse at 2 standard deviations.
    overlapped
        Shape (frames,), True where masks share pixels.
    """

    kind: str
    points: tuple[Array, ...]
    centres: Array
    covariances: Array
    overlapped: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MeetingScore:
    """How well a tracker came through a meeting.

    Parameters
    ----------
    kept
        True where all objects are tracked before and after, each under the same id.
    error
        Median distance while overlapped, over all objects, between an object's centre and the
        track that had it before they met, px; infinite where that track is missing.
    """

    kept: bool
    error: float


def meeting(
    kind: MeetingKind,
    rng: np.random.Generator,
    *,
    closeness: float | None = None,
    pause: float | None = None,
    alike: bool = False,
) -> Meeting:
    """Make a random meeting of two objects; the same `rng` state makes the same meeting.

    Sizes (standard deviations of 8 to 14 px, aspects of 1 to 2), headings and speeds (3 to 8 px a
    frame) are random. In a full crossing one object covers the other in the middle; in a partial
    crossing they pass side by side; in a bounce they turn back; in "stop together" they stand in
    contact for some 15 frames and then go on or turn back.

    Parameters
    ----------
    kind
        One of `MEETING_KINDS`.
    rng
        Where the randomness comes from.
    closeness
        How near they come, as a share of the distance at which the outlines touch; None: as the
        kind has it.
    pause
        Frames for which they stand, where they stop; None: as the kind has it.
    alike
        True where both are of one shape, in whatever directions they lie.
    """
    if kind not in MEETING_KINDS:
        raise ValueError(f"no meeting is of kind {kind!r}; use one of {', '.join(MEETING_KINDS)}")
    shapes = [_random_covariance(rng) for _ in range(2)]
    if alike:
        turn = _rotation(rng.uniform(0, np.pi))
        shapes[1] = turn @ shapes[0] @ turn.T
    covariances = np.stack(shapes)
    usual = rng.uniform(13, 17) if kind == "stop together" else 0.0
    pause = usual if pause is None or kind != "stop together" else pause
    turns = kind == "bounce" or (kind == "stop together" and bool(rng.integers(2)))
    half = round(rng.uniform(32, 42) + pause / 2)
    times = np.arange(-half, half + 1, dtype=float)

    axis = _direction(rng.uniform(0, 2 * np.pi))  # from the second object to the first, midway
    speeds = rng.uniform(3, 8, 2)
    if turns:
        headings = [
            -axis @ _rotation(rng.uniform(-0.4, 0.4)),
            axis @ _rotation(rng.uniform(-0.4, 0.4)),
        ]
        usual = rng.uniform(0.5, 0.9)
    else:
        first, between = rng.uniform(0, 2 * np.pi), rng.uniform(1.3, np.pi) * rng.choice([-1, 1])
        headings = [_direction(first), _direction(first + between)]
        relative = speeds[0] * headings[0] - speeds[1] * headings[1]
        axis = np.array([-relative[1], relative[0]]) / np.linalg.norm(relative)
        usual = rng.uniform(0, 0.08) if kind == "full crossing" else rng.uniform(0.4, 0.8)
    velocities = speeds[:, None] * np.stack(headings)
    reach = 2 / np.sqrt(np.einsum("i,kij,j->k", axis, np.linalg.inv(covariances), axis))
    offset = (usual if closeness is None else closeness) * reach.sum() * axis

    along = velocities @ axis
    normal, tangent = along[:, None] * axis, velocities - along[:, None] * axis
    onward = _pace(times, pause, turns=False)[:, None, None]
    across = _pace(times, pause, turns=turns)[:, None, None]
    centres = np.stack([offset, -offset]) / 2 + tangent * onward + normal * across
    return _seen_as_one(kind, centres + _wander(times, rng), covariances, rng)


def gathering(count: int, rng: np.random.Generator) -> Meeting:
    """Make a random meeting of several objects that cross one place within a few frames.

    They come from all sides, sized and fast as those of `meeting`, each up to four frames earlier
    or later than the middle and up to a third of its length beside it.

    Parameters
    ----------
    count
        How many objects there are.
    rng
        Where the randomness comes from.
    """
    covariances = np.stack([_random_covariance(rng) for _ in range(count)])
    half = round(rng.uniform(36, 46))
    times = np.arange(-half, half + 1, dtype=float)
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(count) / count
    angles += rng.uniform(-0.4, 0.4, count)
    headings = np.stack([_direction(angle) for angle in angles])
    beside = headings @ _rotation(np.pi / 2)
    lengths = 2 * np.linalg.det(covariances) ** 0.25
    offsets = (rng.uniform(-1, 1, count) * lengths / 3)[:, None] * beside
    speeds, late = rng.uniform(3, 8, count), rng.uniform(-4, 4, count)
    ways = speeds * (times[:, None] - late)
    centres = offsets + ways[:, :, None] * headings + _wander(times, rng, count)
    return _seen_as_one(f"{count} objects", centres, covariances, rng)


def _seen_as_one(
    kind: str, centres: Array, covariances: Array, rng: np.random.Generator
) -> Meeting:
    """Draw objects frame by frame, and keep nothing but the union of their masks."""
    frames, objects, _ = centres.shape
    centres = centres - (np.floor(centres.min((0, 1))) - 80)  # clear of the picture's border
    wobbles = [_Wobble(frames, rng) for _ in range(objects)]
    size = np.ceil(centres.max((0, 1))).astype(int) + 80
    points, overlapped = [], np.zeros(frames, bool)
    for i in range(frames):
        count = np.zeros(size[::-1], np.uint8)
        for k in range(objects):
            x, y, inside = wobbles[k].silhouette(i, centres[i, k], covariances[k], rng)
            count[y : y + inside.shape[0], x : x + inside.shape[1]] += inside
        overlapped[i] = bool((count > 1).any())
        row, column = np.nonzero(count)
        kept = rng.random(len(row)) > 0.03  # pin holes
        points.append(np.column_stack([column, row])[kept].astype(float))
    return Meeting(kind, tuple(points), centres, covariances, overlapped)


def score_meeting(truth: Meeting, snapshots: Sequence[Snapshot]) -> MeetingScore:
    """Score a tracker's snapshots, one for each frame of the meeting.

    Raises
    ------
    ValueError
        Where there are not as many snapshots as frames.
    """
    if len(snapshots) != len(truth.points):
        raise ValueError(
            f"a meeting of {len(truth.points)} frames wants as many snapshots, not "
            f"{len(snapshots)}; hand over one for each frame"
        )
    during: list[int] = np.flatnonzero(truth.overlapped).tolist()
    before = owners(truth, snapshots, during[0] - 1)
    after = owners(truth, snapshots, len(snapshots) - 1)
    errors = []
    for i in during:
        means = {track.id: track.mean for track in snapshots[i].tracks}
        errors += [
            float(np.linalg.norm(means[owner] - truth.centres[i, k])) if owner in means else np.inf
            for k, owner in enumerate(before)
        ]
    return MeetingScore(None not in before and before == after, float(np.median(errors)))


def owners(truth: Meeting, snapshots: Sequence[Snapshot], frame: int) -> list[int | None]:
    """Return for each object the id of the track nearest to the centre, if it is inside."""
    found: list[int | None] = []
    for centre, covariance in zip(truth.centres[frame], truth.covariances, strict=True):
        inverse = np.linalg.inv(covariance)
        distances = {
            track.id: float((track.mean - centre) @ inverse @ (track.mean - centre))
            for track in snapshots[frame].tracks
            if track.id not in found
        }
        nearest = min(distances, key=lambda name: distances[name], default=None)
        found.append(nearest if nearest is not None and distances[nearest] < 4 else None)
    return found


class _Wobble:
    """An outline that breathes: slowly changing harmonics of the radius of a unit circle."""

    _ORDERS = np.arange(2, 6)
    _MEMORY = 0.9  # correlation between one frame and the next

    def __init__(self, frames: int, rng: np.random.Generator) -> None:
        noise = rng.normal(size=(frames, len(self._ORDERS), 2)) @ np.array([1, 1j]) * 0.035
        self._harmonics = np.empty_like(noise)
        self._harmonics[0] = noise[0]
        fresh = np.sqrt(1 - self._MEMORY**2)
        for i in range(1, frames):
            self._harmonics[i] = self._MEMORY * self._harmonics[i - 1] + fresh * noise[i]

    def silhouette(
        self, frame: int, centre: Array, covariance: Array, rng: np.random.Generator
    ) -> tuple[int, int, NDArray[np.bool_]]:
        """Return left, top and mask of an object, its edge ragged by a few pixels."""
        reach = np.ceil(3 * np.sqrt(np.diagonal(covariance))).astype(int)
        corner = np.floor(centre).astype(int) - reach
        offsets = [corner[d] + np.arange(2 * reach[d] + 2) - centre[d] for d in range(2)]
        x, y = np.meshgrid(*offsets)
        whitening = np.linalg.inv(2 * np.linalg.cholesky(covariance))
        circle = whitening[0, 0] * x + 1j * (whitening[1, 0] * x + whitening[1, 1] * y)
        radius = np.abs(circle)
        phase = circle / np.maximum(radius, 1e-9)
        outline, power = np.ones_like(radius), phase
        for harmonic in self._harmonics[frame]:
            power = power * phase
            outline += (harmonic * power).real
        ragged = rng.normal(0, 0.06, radius.shape)
        return int(corner[0]), int(corner[1]), radius < outline + ragged


def _random_covariance(rng: np.random.Generator) -> Array:
    size, aspect = rng.uniform(8, 14), rng.uniform(1, 2)
    turn = _rotation(rng.uniform(0, np.pi))
    covariance: Array = turn @ np.diag([size**2 * aspect, size**2 / aspect]) @ turn.T
    return covariance


def _pace(times: Array, pause: float, *, turns: bool) -> Array:
    """Return the way made by each time at unit speed, 0 midway, with a pause around the middle."""
    softness = 1.5  # frames in which a walker stops

    def ramp(time: Array) -> Array:
        return softness * np.logaddexp(0, time / softness)

    ahead, behind = ramp(times - pause / 2), ramp(-times - pause / 2)
    if not turns:
        return ahead - behind
    return 2 * float(ramp(np.array(-pause / 2))) - ahead - behind


def _wander(times: Array, rng: np.random.Generator, objects: int = 2) -> Array:
    """Return small random accelerations as ways, zero with zero speed midway.

    The shape is (frames, objects, 2).
    """
    half = len(times) // 2
    ways = [rng.normal(0, 0.1, (half, objects, 2)).cumsum(0).cumsum(0) for _ in range(2)]
    return np.concatenate([ways[0][::-1], np.zeros((1, objects, 2)), ways[1]])


def _direction(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle)])


def _rotation(angle: float) -> Array:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


# Actors -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A filled ellipse of a figure.

    Parameters
    ----------
    x, y
        Its centre in the figure, whose origin is near its middle, px; y grows downwards.
    half_width, half_height
        Semi-axes, px.
    colour
        BGR, grey levels.
    swing
        How far it swings about its upper end while the actor walks, radians; limbs of opposite
        sign swing against each other.
    """

    x: float
    y: float
    half_width: float
    half_height: float
    colour: Colour
    swing: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """What an actor looks like.

    Parameters
    ----------
    parts
        Painted in this order.
    raggedness
        How far the outlines stray from the ellipses, as a share of their radius.
    upright
        False where the figure is seen from above: its x axis then points along its heading.
    stride
        Way in which its limbs swing once to and fro, px.
    """

    parts: tuple[Part, ...]
    raggedness: float = 0.0
    upright: bool = True
    stride: float = 40.0

    @property
    def reach(self) -> tuple[float, float]:
        """How far from the origin the figure may reach in x and y in any pose, px."""
        wide = high = 0.0
        for part in self.parts:
            swung = 2 * part.half_height * abs(np.sin(part.swing))
            stretch = 1 + 3 * self.raggedness
            wide = max(wide, abs(part.x) + swung + stretch * part.half_width)
            high = max(high, abs(part.y) + stretch * part.half_height)
        if not self.upright:
            wide = high = float(np.hypot(wide, high))
        return wide, high


@dataclass(frozen=True, eq=False)
class Actor:
    """A figure on its way.

    Parameters
    ----------
    figure
        What it looks like.
    path
        Shape (frames, 2), where the figure's origin is in each frame, px; NaN where it is away.
    mirrored
        True where the figure faces left.
    """

    figure: Figure
    path: Array
    mirrored: bool = False

    @cached_property
    def velocity(self) -> Array:
        """Shape (frames, 2), px per frame; zero where it is away."""
        steps = np.diff(self.path, axis=0, append=np.nan)
        steps = np.where(np.isnan(steps), np.diff(self.path, axis=0, prepend=np.nan), steps)
        return np.nan_to_num(steps)

    @cached_property
    def travelled(self) -> Array:
        """Shape (frames,), way made so far, px."""
        return np.asarray(np.cumsum(np.hypot(*self.velocity.T)))


def route(
    waypoints: Sequence[tuple[float, float, float]], *, fps: float, frame_count: int
) -> Array:
    """Return a smooth path through waypoints (time in seconds, x, y), shape (frame_count, 2).

    Two neighbouring waypoints at one place are a stop. Before the first and after the last the path
    is NaN.
    """
    from scipy.interpolate import PchipInterpolator

    knots = np.array(waypoints)
    times = np.arange(frame_count) / fps
    path: Array = PchipInterpolator(knots[:, 0], knots[:, 1:], extrapolate=False)(times)
    return path


@dataclass(frozen=True, slots=True)
class Post:
    """A round pillar that hides those who pass behind it.

    Parameters
    ----------
    x
        Its axis, px.
    top, base
        Rows where it ends and where it stands, px: whoever's feet are above the base is behind.
    half_width
        px.
    colour
        BGR, grey levels.
    """

    x: float
    top: float
    base: float
    half_width: float
    colour: Colour = (96, 112, 104)


# The stage ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where an actor is in one frame.

    Parameters
    ----------
    particle
        Number of the actor, from 1.
    centre
        Centroid x, y of its whole silhouette, whether seen or hidden, px.
    box
        Left, top, width, height of its whole silhouette, px.
    visibility
        Share, 0 to 1, of the silhouette that is seen: inside the picture and not behind anything.
    """

    particle: int
    centre: tuple[float, float]
    box: tuple[float, float, float, float]
    visibility: float


@dataclass(frozen=True, eq=False)
class Stage:
    """A place that a fixed camera looks at, and everyone who comes by.

    Parameters
    ----------
    width, height
        Size of the picture, px.
    fps
        Frames per second.
    frame_count
        Number of frames.
    actors
        Numbered from 1 in this order.
    posts
        What hides them.
    seed
        Of the place's texture and the camera's noise.
    noise
        Standard deviation of the camera's noise, grey levels.
    drift
        How far the light strays from its mean during the scene, as a share.
    shadow
        Share of the light that a shadow takes away.
    """

    width: int
    height: int
    fps: float
    frame_count: int
    actors: tuple[Actor, ...]
    posts: tuple[Post, ...] = ()
    seed: int = 0
    noise: float = 2.0
    drift: float = 0.02
    shadow: float = 0.3

    def time(self, index: int) -> float:
        """Return the time of a frame, s."""
        return index / self.fps

    def render(self, index: int) -> Image:
        """Return frame `index`, shape (height, width, 3), BGR.

        A frame depends on its index alone, whichever others were drawn before.
        """
        picture = self._place.copy()
        cast = self._cast(index)
        if self.shadow:
            for silhouette in cast:
                if silhouette.particle is not None:
                    left, top, shade = silhouette.shadow()
                    on, of = _overlap(picture, left, top, shade)
                    picture[on] *= 1 - self.shadow * shade[of][:, :, None]
        for silhouette in reversed(cast):
            on, of = _overlap(picture, silhouette.left, silhouette.top, silhouette.opacity)
            opacity = silhouette.opacity[of][:, :, None]
            picture[on] += opacity * (silhouette.colours[of] - picture[on])
        phase = 2 * np.pi * (index / self.frame_count + 0.1)
        picture *= np.float32(1 + self.drift * np.sin(phase))
        if self.noise:
            x, y = np.random.default_rng((self.seed, index)).integers(0, _NOISE_MARGIN, 2)
            picture += self._grain[y : y + self.height, x : x + self.width]
        np.clip(picture, 0, 255, out=picture)
        return np.rint(picture).astype(np.uint8)

    def truth(self, index: int) -> tuple[Sighting, ...]:
        """Return where the actors are whose silhouettes reach into the picture, by number."""
        return tuple(sighting for sighting, _ in self._seen(index))

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return the pixels of which actors fill at least half, shape (height, width)."""
        filled = np.zeros((self.height, self.width), np.float32)
        for _, (window, seen) in self._seen(index):
            filled[window] += seen
        return filled >= 0.5

    @cached_property
    def sightings(self) -> tuple[tuple[Sighting, ...], ...]:
        """The truth of all frames."""
        return tuple(self.truth(index) for index in range(self.frame_count))

    def mot(self) -> str:
        """Return the truth as MOTChallenge rows.

        The columns are frame (from 1), id, left, top, width, height, 1, 1, visibility.
        """
        return "".join(
            f"{index + 1},{sighting.particle},{left:.1f},{top:.1f},{width:.1f},{height:.1f},"
            f"1,1,{sighting.visibility:.3f}\n"
            for index, sightings in enumerate(self.sightings)
            for sighting in sightings
            for left, top, width, height in (sighting.box,)
        )

    def table(self) -> str:
        """Return the truth as comma-separated columns with the names that tracks.csv uses.

        The columns are frame (from 0), particle, x, y, time, left, top, width, height, visible.
        """
        header = "frame,particle,x,y,time,left,top,width,height,visible\n"
        return header + "".join(
            f"{index},{sighting.particle},{x:.3f},{y:.3f},{self.time(index):.6f},"
            f"{left:.1f},{top:.1f},{width:.1f},{height:.1f},{sighting.visibility:.3f}\n"
            for index, sightings in enumerate(self.sightings)
            for sighting in sightings
            for (x, y), (left, top, width, height) in ((sighting.centre, sighting.box),)
        )

    @cached_property
    def _place(self) -> Floats:
        return _plaza(self.width, self.height, self.posts, np.random.default_rng(self.seed))

    @cached_property
    def _grain(self) -> Floats:
        """Noise somewhat larger than the picture; each frame looks at another part of it."""
        rng = np.random.default_rng((self.seed, 1))
        size = (self.height + _NOISE_MARGIN, self.width + _NOISE_MARGIN, 3)
        return rng.standard_normal(size, np.float32) * np.float32(self.noise)

    @cached_property
    def _pillars(self) -> tuple[_Silhouette, ...]:
        return tuple(_pillar(post) for post in self.posts)

    def _cast(self, index: int) -> list[_Silhouette]:
        """Return everything that stands in the place, the nearest to the camera first."""
        if not 0 <= index < self.frame_count:
            raise IndexError(
                f"frame {index} is not in a scene of {self.frame_count} frames; count from 0"
            )
        actors = [
            _pose(actor, index, number)
            for number, actor in enumerate(self.actors, 1)
            if not np.isnan(actor.path[index, 0])
        ]
        return sorted([*actors, *self._pillars], key=lambda item: item.base, reverse=True)

    def _seen(self, index: int) -> list[tuple[Sighting, tuple[_Window, Floats]]]:
        """Return for each actor in the picture its truth, and where and how much it is seen."""
        clear = np.ones((self.height, self.width), np.float32)  # what nearer things leave to see
        found = []
        for silhouette in self._cast(index):
            on, of = _overlap(clear, silhouette.left, silhouette.top, silhouette.opacity)
            opacity = silhouette.opacity[of]
            seen = opacity * clear[on]
            clear[on] -= seen
            if silhouette.particle is not None and opacity.any():
                found.append((silhouette.sighting(float(seen.sum())), (on, seen)))
        return sorted(found, key=lambda item: item[0].particle)


_Window: TypeAlias = tuple[slice, slice]
_NOISE_MARGIN = 128  # px


class _Silhouette(NamedTuple):
    """A thing as the camera sees it.

    `left` and `top` are the pixel where the arrays begin; `opacity` (h, w) says how much of each
    pixel it fills, `colours` (h, w, 3) with what; `base` is the row where it meets the ground.
    """

    left: int
    top: int
    opacity: Floats
    colours: Floats
    base: float
    particle: int | None = None

    def sighting(self, seen: float) -> Sighting:
        """Return its truth, given how many pixels of it are seen."""
        assert self.particle is not None, "posts have no truth"
        columns, rows = self.opacity.sum(0, float), self.opacity.sum(1, float)
        area = float(columns.sum())
        x = self.left + float(columns @ np.arange(len(columns))) / area
        y = self.top + float(rows @ np.arange(len(rows))) / area
        row, column = np.nonzero(self.opacity >= 0.5)
        box = (
            self.left + int(column.min()) - 0.5,
            self.top + int(row.min()) - 0.5,
            float(np.ptp(column) + 1),
            float(np.ptp(row) + 1),
        )
        return Sighting(self.particle, (x, y), box, min(1.0, seen / area))

    def shadow(self) -> tuple[int, int, Floats]:
        """Return left, top and strength (0 to 1) of its shadow, soft and to the right."""
        from scipy.ndimage import uniform_filter

        along, up = 0.5, 0.25  # how the sun lays a height down: so far right and so far back
        filled = np.flatnonzero(self.opacity.any(1))
        foot, tall = int(filled[-1]), int(filled[-1] - filled[0] + 1)
        margin = 4
        high, wide = int(up * tall) + 2 * margin, int(along * tall) + 2 * margin
        heights = (np.arange(high)[::-1] - margin) / up
        rows = np.rint(foot - heights).astype(int)
        lying = np.zeros((high, self.opacity.shape[1] + wide), np.float32)
        for i in np.flatnonzero((rows >= filled[0]) & (rows <= foot)):
            shift = margin + round(along * heights[i])
            lying[i, shift : shift + self.opacity.shape[1]] = self.opacity[rows[i]]
        soft = uniform_filter(lying, 5, mode="constant")
        return self.left - margin, self.top + foot - high + margin, soft


def _overlap(canvas: Floats, left: int, top: int, patch: Floats) -> tuple[_Window, _Window]:
    """Return where on the canvas a patch lies, and which part of the patch that is."""
    height, width = canvas.shape[:2]
    rows = slice(min(max(top, 0), height), min(max(top + patch.shape[0], 0), height))
    columns = slice(min(max(left, 0), width), min(max(left + patch.shape[1], 0), width))
    inside = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    if rows.start == rows.stop or columns.start == columns.stop:
        return (slice(0, 0), slice(0, 0)), (slice(0, 0), slice(0, 0))
    return (rows, columns), inside


def _pose(actor: Actor, index: int, particle: int) -> _Silhouette:
    """Draw an actor by itself, as it stands in a frame."""
    figure = actor.figure
    origin, velocity = actor.path[index], actor.velocity[index]
    speed = float(np.hypot(*velocity))
    # A walker who stops lets the limbs hang.
    phase = 2 * np.pi * actor.travelled[index] / figure.stride
    swing = float(np.sin(phase)) * speed / (speed + 0.5)
    reach = [int(np.ceil(length)) + 2 for length in figure.reach]
    left, top = (int(np.floor(origin[d])) - reach[d] for d in range(2))
    sides = [np.arange(2 * length + 2, dtype=np.float32) for length in reach]
    x = (sides[0] + np.float32(left - origin[0]))[None, :]
    y = (sides[1] + np.float32(top - origin[1]))[:, None]
    if figure.upright:
        x = -x if actor.mirrored else x
    elif speed:
        cosine, sine = (float(value) for value in velocity / speed)
        x, y = cosine * x + sine * y, cosine * y - sine * x

    opacity = np.zeros((len(sides[1]), len(sides[0])), np.float32)
    colours = np.empty((*opacity.shape, 3), np.float32)
    colours[:] = figure.parts[0].colour
    for number, part in enumerate(figure.parts):
        filled = _filled(part, x, y, part.swing * swing, _Outline(figure.raggedness, number, index))
        shade = np.array(part.colour, np.float32)
        colours += filled[:, :, None] * (shade - colours)
        np.maximum(opacity, filled, out=opacity)
    colours *= (1.06 - 0.10 * x / figure.reach[0])[:, :, None]  # the sun stands on the left
    foot = top + int(np.flatnonzero((opacity >= 0.5).any(1))[-1])
    base = float(origin[1]) if not figure.upright else float(foot)
    return _Silhouette(left, top, opacity, colours, base, particle)


class _Outline(NamedTuple):
    """How ragged an outline is; the part's number and the frame choose one of many."""

    raggedness: float
    number: int
    frame: int


def _filled(part: Part, x: Floats, y: Floats, angle: float, outline: _Outline) -> Floats:
    """Return how much of each pixel an ellipse fills, turned by `angle` about its upper end."""
    u, v = x - part.x, y - (part.y - part.half_height)
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    u, v = cosine * u + sine * v, cosine * v - sine * u - part.half_height
    u, v = u / part.half_width, v / part.half_height
    radius = np.maximum(np.sqrt(u * u + v * v), np.float32(1e-6))
    slope = np.sqrt((u / part.half_width) ** 2 + (v / part.half_height) ** 2) / radius
    # The distance to the outline, to first order; within the ellipse the slope is at least this.
    slope = np.maximum(slope, 1 / max(part.half_width, part.half_height))
    edge: float | Floats = 1.0
    if outline.raggedness:
        turn = np.arctan2(v, u) + outline.number
        tufts = np.sin(5 * turn + 0.11 * outline.frame) + np.sin(11 * turn - 0.07 * outline.frame)
        edge = 1 + outline.raggedness * (tufts + np.sin(17 * turn))
    filled: Floats = np.clip((edge - radius) / slope + 0.5, 0, 1)
    return filled


def _plaza(width: int, height: int, posts: Sequence[Post], rng: np.random.Generator) -> Floats:
    """Return a paved place with a strip of lawn at its far end, shape (height, width, 3)."""
    from scipy.ndimage import gaussian_filter, uniform_filter

    def cloud(size: float, strength: float) -> Floats:
        field = gaussian_filter(rng.standard_normal((height, width), np.float32), size)
        return np.asarray(field * np.float32(strength / field.std()), np.float32)

    y, x = np.mgrid[:height, :width].astype(np.float32)
    # Slabs, smaller in the distance.
    near = (0.55 + 0.45 * y / height) * max(width, 200) / 640
    depth = np.cumsum(1 / (26 * near[:, 0]))[:, None]
    course = np.floor(depth).astype(int)
    across = (x - width / 2) / (46 * near) + 0.5 * (course % 2) + 1000
    slab = np.floor(across).astype(int)
    tones = rng.normal(0, 5, (64, 64)).astype(np.float32)
    level = tones[course % 64, slab % 64]
    joint = np.minimum(
        np.minimum(depth % 1, 1 - depth % 1) * 26, 46 * np.minimum(across % 1, 1 - across % 1)
    )
    level = level - 26 * np.clip(1.6 - joint * near, 0, 1)
    level += cloud(width / 20, 5) + cloud(0.7, 4)
    picture = np.array([132, 142, 148], np.float32) + level[:, :, None]

    lawn = 0.13 * height + 3 * np.sin(x / width * 5)
    grass = np.array([62, 112, 88], np.float32) + (cloud(1.0, 9) + cloud(9, 6))[:, :, None]
    share = np.clip(lawn - y, 0, 1)[:, :, None]
    picture += share * (grass - picture)
    kerb = np.clip(2.5 - np.abs(y - lawn - 2), 0, 1)[:, :, None]
    picture += kerb * (np.array([168, 174, 176], np.float32) + level[:, :, None] / 2 - picture)

    for post in posts:
        left, top, shade = _pillar(post).shadow()
        on, of = _overlap(picture, left, top, shade)
        picture[on] *= 1 - 0.3 * np.asarray(uniform_filter(shade, 5), np.float32)[of][:, :, None]
    finished: Floats = np.clip(picture, 0, 255)
    return finished


def _pillar(post: Post) -> _Silhouette:
    """Draw a post by itself: a shaft with a band of paper around it, on a plinth, under a cap."""
    margin, round_off = 6, 0.28 * post.half_width
    left, top = int(post.x - post.half_width) - margin, int(post.top) - margin
    wide = int(2 * post.half_width) + 2 * margin + 2
    high = int(post.base - post.top + round_off) + 2 * margin
    x = np.arange(left, left + wide, dtype=np.float32)[None, :] - np.float32(post.x)
    y = np.arange(top, top + high, dtype=np.float32)[:, None]

    def tube(half_width: float, begin: float, end: float) -> Floats:
        bulge = round_off * np.sqrt(np.clip(1 - (x / half_width) ** 2, 0, 1))
        inside = np.minimum(half_width - np.abs(x), np.minimum(y - begin + bulge, end + bulge - y))
        filled: Floats = np.clip(inside + 0.5, 0, 1)
        return filled

    length, base = post.base - post.top, post.base - round_off
    colour = np.array(post.colour, np.float32)
    shades = [
        (tube(post.half_width, post.top, base), colour),
        (
            tube(post.half_width, post.top + 0.2 * length, post.top + 0.75 * length),
            np.array([176, 200, 206], np.float32),
        ),
        (
            tube(post.half_width, post.top + 0.34 * length, post.top + 0.52 * length),
            np.array([92, 84, 150], np.float32),
        ),
        (tube(post.half_width + 3, base - 0.07 * length, base), colour * 0.8),
        (tube(post.half_width + 3, post.top, post.top + 0.07 * length), colour * 0.7),
    ]
    opacity = np.zeros((high, wide), np.float32)
    colours = np.broadcast_to(colour, (high, wide, 3)).copy()
    for filled, shade in shades:
        colours += filled[:, :, None] * (shade - colours)
        np.maximum(opacity, filled, out=opacity)
    colours *= (1.05 - 0.35 * np.clip(x / post.half_width + 0.3, -1, 1.3) ** 2)[:, :, None]
    return _Silhouette(left, top, opacity, colours, post.base)


# Scenes -------------------------------------------------------------------------------------------

_SKIN: Colour = (140, 170, 214)


def person(shirt: Colour, trousers: Colour, hair: Colour = (30, 40, 60)) -> Figure:
    """Return somebody 70 px tall with swinging arms and legs."""
    return Figure(
        (
            Part(-1, 18, 5, 17, _dimmed(trousers), -0.42),
            Part(1, 18, 5, 17, trousers, 0.42),
            Part(0, -8, 10, 17, shirt),
            Part(1, -6, 3.5, 13, _dimmed(shirt), -0.5),
            Part(1, -28, 6.5, 7.5, _SKIN),
            Part(0, -30, 6.5, 5.5, hair),
        )
    )


def dog(fur: Colour) -> Figure:
    """Return a shaggy dog 55 px long that faces right."""
    far, near = _dimmed(fur), fur
    return Figure(
        (
            Part(-13, 11, 3.5, 9, far, -0.5),
            Part(11, 11, 3.5, 9, far, 0.5),
            Part(-10, 11, 4, 9, near, 0.5),
            Part(14, 11, 4, 9, near, -0.5),
            Part(-22, -6, 3.5, 7, near),
            Part(0, 0, 20, 10, near),
            Part(20, -8, 8, 7.5, near),
            Part(18, -5, 3, 6, far),
        ),
        raggedness=0.045,
        stride=30,
    )


def robot(paint: Colour) -> Figure:
    """Return a smooth round cleaning robot 54 px long."""
    return Figure((Part(0, 0, 27, 18, paint), Part(2, -5, 17, 8, _dimmed(paint, 1.25))))


def demo_scene() -> Stage:
    """Return the built-in scene: a plaza, four people, a dog and a robot in 14 seconds.

    Number 1 passes behind the pillar; 2 and 3 cross; 3 stands still for 3.5 s; the dog (5) and the
    robot (6) touch. 1, 4, 5 and 6 come in; 1, 2, 3 and 5 leave.
    """
    fps, frame_count = 25.0, 350

    def walk(*waypoints: tuple[float, float, float]) -> Array:
        return route(waypoints, fps=fps, frame_count=frame_count)

    actors = (
        Actor(
            person(shirt=(46, 46, 200), trousers=(90, 48, 36)),
            walk((0.4, -24, 204), (5, 235, 210), (9.5, 498, 206), (12.4, 664, 208)),
        ),
        Actor(
            person(shirt=(196, 88, 28), trousers=(44, 44, 48), hair=(60, 110, 150)),
            walk((0, 596, 300), (4.6, 312, 304), (9.6, -26, 316)),
            mirrored=True,
        ),
        Actor(
            person(shirt=(40, 200, 226), trousers=(110, 60, 30)),
            walk((0, 28, 312), (4.6, 312, 312), (7.6, 506, 322), (11.1, 506, 322), (14, 668, 330)),
        ),
        Actor(
            person(shirt=(150, 40, 140), trousers=(70, 30, 60), hair=(20, 20, 24)),
            walk((2.6, 664, 92), (8, 322, 98), (14, 10, 104)),
            mirrored=True,
        ),
        Actor(
            dog(fur=(26, 44, 70)),
            walk((1.0, 672, 418), (6.0, 320, 424), (7.9, 320, 424), (13.4, -36, 400)),
            mirrored=True,
        ),
        Actor(
            robot(paint=(70, 150, 30)),
            walk(
                (1.2, 130, 502),
                (5.4, 268, 420),
                (7.2, 268, 420),
                (8.8, 240, 366),
                (14, 500, 384),
            ),
        ),
    )
    post = Post(x=420, top=128, base=282, half_width=21)
    return Stage(640, 480, fps, frame_count, actors, (post,), seed=11)


def small_scene() -> Stage:
    """Return two objects that cross a small picture one above the other, for quick tests."""
    fps, frame_count = 25.0, 40
    ball = Figure((Part(0, 0, 9, 9, (40, 40, 210)),))
    bush = Figure((Part(0, 0, 11, 8, (70, 150, 30)),), raggedness=0.06)
    actors = tuple(
        Actor(figure, route(waypoints, fps=fps, frame_count=frame_count))
        for figure, waypoints in (
            (ball, ((0.0, -8, 40), (1.6, 152, 44))),
            (bush, ((0.0, 148, 88), (1.6, 12, 86))),
        )
    )
    return Stage(160, 120, fps, frame_count, actors, seed=3)


def crowd(
    count: int, width: int = 640, height: int = 480, *, frame_count: int = 250, seed: int = 0
) -> Stage:
    """Return `count` animals of 100 to 200 px² seen from above, on straight ways between the walls.

    They do not heed each other: in a small picture many of them touch.
    """
    rng = np.random.default_rng(seed)
    walls = np.array([width, height]) - 40.0
    if count < 1 or walls.min() <= 0:
        raise ValueError(
            f"a crowd of {count} in {width} x {height} px cannot be; take 1 or more in a picture "
            "larger than 40 x 40 px"
        )
    frames = np.arange(frame_count)[:, None]
    actors = []
    for _ in range(count):
        aspect, size = rng.uniform(1.3, 2.0), rng.uniform(5.7, 8.0)
        paint = tuple(rng.uniform(10, 70, 3).tolist())
        body = Part(0, 0, size * aspect**0.5, size / aspect**0.5, (paint[0], paint[1], paint[2]))
        way = rng.uniform(0, 2 * walls) + rng.uniform(1, 4) * frames * _direction(
            rng.uniform(0, 2 * np.pi)
        )
        path = 20 + walls - np.abs(way % (2 * walls) - walls)  # a way folded at the walls
        actors.append(Actor(Figure((body,), upright=False), path))
    return Stage(width, height, 25.0, frame_count, tuple(actors), seed=seed, shadow=0.0)


def _dimmed(colour: Colour, factor: float = 0.8) -> Colour:
    return (factor * colour[0], factor * colour[1], factor * colour[2])
