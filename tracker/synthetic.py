"""Synthetic worlds with exact truth: for tests, documentation, benchmarks and `tracker run demo`.

Two kinds. A `Meeting` is two objects and their common mask as bare point sets, for the mathematics
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tracker.types import Array, Snapshot

MeetingKind: TypeAlias = Literal["full crossing", "partial crossing", "bounce", "stop together"]
MEETING_KINDS: tuple[MeetingKind, ...] = get_args(MeetingKind)

# Meetings -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two objects that come together and part, seen only as the union of their masks.

    Parameters
    ----------
    kind
        One of `MEETING_KINDS`.
    points
        One array of shape (n, 2) a frame: whole pixel coordinates x, y of the union, ragged at its
        edges and with holes.
    centres
        Shape (frames, 2 objects, 2), px.
    covariances
        Shape (2 objects, 2, 2), px²: the extent of each object, whose outline wobbles about the
        ellipse at 2 standard deviations.
    overlapped
        Shape (frames,), True where the two masks share pixels.
    """

    kind: MeetingKind
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
        True where both objects are tracked before and after, each under the same id.
    error
        Median distance while overlapped, over both objects, between an object's centre and the
        track that had it before they met, px; infinite where that track is missing.
    """

    kept: bool
    error: float


def meeting(kind: MeetingKind, rng: np.random.Generator) -> Meeting:
    """Make a random meeting of two objects; the same `rng` state makes the same meeting.

    Sizes (standard deviations of 8 to 14 px, aspects of 1 to 2), headings and speeds (3 to 8 px a
    frame) are random. In a full crossing one object covers the other in the middle; in a partial
    crossing they pass side by side; in a bounce they turn back; in "stop together" they stand in
    contact for some 15 frames and then go on or turn back.
    """
    if kind not in MEETING_KINDS:
        raise ValueError(f"no meeting is of kind {kind!r}; use one of {', '.join(MEETING_KINDS)}")
    covariances = np.stack([_random_covariance(rng) for _ in range(2)])
    pause = rng.uniform(13, 17) if kind == "stop together" else 0.0
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
        closeness = rng.uniform(0.5, 0.9)
    else:
        first, between = rng.uniform(0, 2 * np.pi), rng.uniform(1.3, np.pi) * rng.choice([-1, 1])
        headings = [_direction(first), _direction(first + between)]
        relative = speeds[0] * headings[0] - speeds[1] * headings[1]
        axis = np.array([-relative[1], relative[0]]) / np.linalg.norm(relative)
        closeness = rng.uniform(0, 0.08) if kind == "full crossing" else rng.uniform(0.4, 0.8)
    velocities = speeds[:, None] * np.stack(headings)
    reach = 2 / np.sqrt(np.einsum("i,kij,j->k", axis, np.linalg.inv(covariances), axis))
    offset = closeness * reach.sum() * axis

    along = velocities @ axis
    normal, tangent = along[:, None] * axis, velocities - along[:, None] * axis
    onward = _pace(times, pause, turns=False)[:, None, None]
    across = _pace(times, pause, turns=turns)[:, None, None]
    centres = np.stack([offset, -offset]) / 2 + tangent * onward + normal * across
    centres += _wander(times, rng)
    centres -= np.floor(centres.min((0, 1))) - 80  # clear of the picture's border

    wobbles = [_Wobble(len(times), rng) for _ in range(2)]
    size = np.ceil(centres.max((0, 1))).astype(int) + 80
    points, overlapped = [], np.zeros(len(times), bool)
    for i in range(len(times)):
        count = np.zeros(size[::-1], np.uint8)
        for k in range(2):
            x, y, inside = wobbles[k].silhouette(i, centres[i, k], covariances[k], rng)
            count[y : y + inside.shape[0], x : x + inside.shape[1]] += inside
        overlapped[i] = bool((count == 2).any())
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
    before = _owners(truth, snapshots, during[0] - 1)
    after = _owners(truth, snapshots, len(snapshots) - 1)
    errors = []
    for i in during:
        means = {track.id: track.mean for track in snapshots[i].tracks}
        errors += [
            float(np.linalg.norm(means[owner] - truth.centres[i, k])) if owner in means else np.inf
            for k, owner in enumerate(before)
        ]
    return MeetingScore(None not in before and before == after, float(np.median(errors)))


def _owners(truth: Meeting, snapshots: Sequence[Snapshot], frame: int) -> list[int | None]:
    """Return for both objects the id of the track nearest to the centre, if it is inside."""
    owners: list[int | None] = []
    for centre, covariance in zip(truth.centres[frame], truth.covariances, strict=True):
        inverse = np.linalg.inv(covariance)
        distances = {
            track.id: float((track.mean - centre) @ inverse @ (track.mean - centre))
            for track in snapshots[frame].tracks
            if track.id not in owners
        }
        nearest = min(distances, key=lambda name: distances[name], default=None)
        owners.append(nearest if nearest is not None and distances[nearest] < 4 else None)
    return owners


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


def _wander(times: Array, rng: np.random.Generator) -> Array:
    """Return small random accelerations as ways, zero with zero speed midway, (frames, 2, 2)."""
    half = len(times) // 2
    ways = [rng.normal(0, 0.1, (half, 2, 2)).cumsum(0).cumsum(0) for _ in range(2)]
    return np.concatenate([ways[0][::-1], np.zeros((1, 2, 2)), ways[1]])


def _direction(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle)])


def _rotation(angle: float) -> Array:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
