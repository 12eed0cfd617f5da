"""Identity over time, for people who call it from their own loop."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tracker.config import Config, TrackingOptions
from tracker.mixture import sides
from tracker.tracking.contact import identities
from tracker.tracking.info import Info
from tracker.tracking.lattice import Lattice
from tracker.tracking.policy import step
from tracker.tracking.sightings import COLOR_RATE
from tracker.tracking.state import NO_SCENE, State
from tracker.tracking.surveyed import surveyed
from tracker.types import (
    COLOR_BINS,
    Array,
    Diagnostics,
    Points,
    Scene,
    Snapshot,
    Status,
    Track,
)

_ACROSS = 300  # cells that lie along the shorter side of the picture,
_MARGIN = 1 / 3  # and how far they reach beyond it, in such sides
_STATUS = (Status.SEEN, Status.CONTACT, Status.COASTING)  # apart, touching, missing


def start(options: TrackingOptions, scene: Scene = NO_SCENE) -> State:
    """Return the state before the first frame; a survey of the scene teaches the sizes."""
    del options  # no setting matters before the first frame
    hidden = beyond = None
    if scene.occluders is not None and scene.occluders.any():
        hidden = _lattice(scene.occluders, scene.step)
    if scene.size is not None:
        beyond = _around(scene.size)
    return surveyed(State(scene=scene, hidden=hidden, beyond=beyond), scene)


def _around(size: tuple[int, int]) -> Lattice:
    """Return the lattice of cells around a picture of such width and height."""
    step = max(min(size) / _ACROSS, 1.0)
    width, height = (round(length / step) for length in size)
    margin = ceil(min(width, height) * _MARGIN)
    return _lattice(
        np.pad(np.zeros((height, width), bool), margin, constant_values=True), step, margin
    )


def _lattice(mask: NDArray[np.bool_], step: float, margin: int = 0) -> Lattice:
    """Return the lattice of the cells in a mask that begins so many cells before the picture."""
    rows, columns = np.nonzero(mask)
    cells = np.stack([columns, rows], axis=1).astype(np.float64) - margin
    return Lattice.of((cells + 0.5) * step - 0.5, step)[0]


def snapshot(index: int, time: float, state: State, info: Info) -> Snapshot:
    """Say what is known after a frame, of the objects that are sure enough to be reported."""
    objects = state.objects
    sd = sides(objects.extents)
    reach = objects.reach * np.concatenate([sd, sd], axis=1)
    low, size = objects.means - reach[:, :2], reach[:, :2] + reach[:, 2:]
    states = objects.states.copy()  # who writes into a track leaves the state alone
    every = [
        Track(*values)
        for values in zip(
            objects.ids.tolist(),
            states[:, :2],
            objects.extents.copy(),
            objects.errors[:, :2, :2].copy(),
            states[:, 2:],
            np.concatenate([low, size], axis=1),
            objects.mass.tolist(),
            objects.age.tolist(),
            map(_STATUS.__getitem__, np.where(objects.missing, 2, objects.contact).tolist()),
            objects.existence.tolist(),
            identities(state, COLOR_RATE).tolist(),
            strict=True,
        )
    ]
    total = float(info.blobs.mass.sum())
    left = float(info.blobs.weights[info.unexplained].sum())
    diagnostics = Diagnostics(
        points=len(info.blobs.weights),
        log_likelihood=info.log_likelihood,
        unexplained=left / total if total else 0.0,
        iterations=info.iterations,
        flood=info.flood,
        events=info.events,
        contacts=info.contacts,
    )
    tracks = tuple(compress(every, objects.confirmed.tolist()))
    candidates = tuple(compress(every, (~objects.confirmed).tolist()))
    return Snapshot(index, time, tracks, diagnostics, candidates=candidates)


class Tracker:
    """Follows objects through a stream of points; a thin holder of the state around `step`.

    Parameters
    ----------
    config
        A `Config`, its tracking section, or None for the defaults.
    scene
        What is known of the place: its size in px lets objects leave, its patches teach sizes.

    Examples
    --------
    >>> import numpy as np
    >>> tracker = Tracker()
    >>> for i in range(4):
    ...     points = np.argwhere(np.ones((9, 9))) + 3.0 * i
    ...     snapshot = tracker.update(points, time=i / 25)
    >>> [track.id for track in snapshot.tracks]
    [1]
    """

    def __init__(
        self, config: Config | TrackingOptions | None = None, scene: Scene = NO_SCENE
    ) -> None:
        if config is None:
            config = TrackingOptions()
        self.options = config.tracking if isinstance(config, Config) else config
        self.state = start(self.options, scene)
        self._frame = -1

    def update(self, points: Array | Points, time: float, weights: Array | None = None) -> Snapshot:
        """Take the foreground of one frame and return what is known after it.

        Parameters
        ----------
        points
            Shape (n, 2), columns x, y, px; or a `Points`.
        time
            Seconds, later than at the call before.
        weights
            Shape (n,), original pixels that each point stands for; None means one each. `Points`
            carry their own.

        Raises
        ------
        ValueError
            If the points are not (n, 2) finite numbers, the weights or colours do not fit them, or
            the time is not a number later than before.
        """
        if isinstance(points, Points):
            if weights is not None:
                raise ValueError(
                    "Weights were given beside Points, which carry their own; leave out one."
                )
        else:
            points = Points(points, weights)
        points = _checked(points)
        if not np.isfinite(time):
            raise ValueError(f"The time of a frame must be a finite number of seconds, not {time}.")
        self.state, info = step(self.state, points, float(time), self.options)
        self._frame += 1
        return snapshot(self._frame, float(time), self.state, info)


def _checked(points: Points) -> Points:
    """Return the points as arrays of the right kind, those without weight left out."""
    coordinates = np.asarray(points.coordinates, dtype=np.float64)
    if coordinates.shape == (0,):
        coordinates = coordinates.reshape(0, 2)
    if coordinates.ndim != 2 or coordinates.shape[1] != 2:
        raise ValueError(
            f"Points must have the shape (n, 2) with columns x, y, not {coordinates.shape}; "
            "one row for each foreground pixel."
        )
    if not np.isfinite(coordinates).all():
        raise ValueError("Points must be finite numbers; leave out rows with NaN or infinity.")
    if not 0 < points.spacing < np.inf:
        raise ValueError(
            f"The spacing of points must be a positive number of pixels, not {points.spacing}."
        )
    shape = (len(coordinates),)
    colors = points.colors
    if colors is not None and (colors.shape != shape or colors.max(initial=0) >= COLOR_BINS):
        raise ValueError(
            f"Colours must be indices below {COLOR_BINS} of the shape {shape}, one for each point; "
            f"the shape is {colors.shape}."
        )
    if points.weights is None:
        same = coordinates is points.coordinates
        return points if same else replace(points, coordinates=coordinates)
    weights = np.asarray(points.weights, dtype=np.float64)
    if weights.shape != shape:
        raise ValueError(
            f"Weights must have the shape {shape}, one for each point, not {weights.shape}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("Weights must be finite and not negative.")
    heavy = weights > 0
    return replace(
        points,
        coordinates=coordinates[heavy],
        weights=weights[heavy],
        colors=None if colors is None else colors[heavy],
    )
