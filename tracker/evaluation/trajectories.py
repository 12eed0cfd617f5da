"""Where each object was in each frame, whether that is truth or a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.types import Array

Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Where each object was in each frame.

    Parameters
    ----------
    frames
        Shape (n,), frame of each row, from 0.
    ids
        Shape (n,), object of each row.
    boxes
        Shape (n, 4), left, top, width, height, px; NaN where only points are known.
    points
        Shape (n, 2), x, y of the centre, px.

    Raises
    ------
    ValueError
        Where an object has two rows in one frame.
    """

    frames: Integers
    ids: Integers
    boxes: Array
    points: Array

    def __post_init__(self) -> None:
        order = np.lexsort([self.ids, self.frames])
        frames, ids = self.frames[order], self.ids[order]
        twice = np.flatnonzero((np.diff(frames) == 0) & (np.diff(ids) == 0))
        if len(twice):
            raise ValueError(
                f"object {ids[twice[0]]} has more than one row in frame {frames[twice[0]]} "
                "(from 0); give each object one row a frame"
            )

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def of_boxes(cls, frames: ArrayLike, ids: ArrayLike, boxes: ArrayLike) -> Trajectories:
        """Make rows whose points are the centres of their boxes."""
        corners: Array = np.asarray(boxes, float).reshape(-1, 4)
        centres = corners[:, :2] + corners[:, 2:] / 2
        return cls(np.asarray(frames, np.int64), np.asarray(ids, np.int64), corners, centres)

    @classmethod
    def of_points(cls, frames: ArrayLike, ids: ArrayLike, points: ArrayLike) -> Trajectories:
        """Make rows of which only the points are known."""
        centres: Array = np.asarray(points, float).reshape(-1, 2)
        unknown = np.full((len(centres), 4), np.nan)
        return cls(np.asarray(frames, np.int64), np.asarray(ids, np.int64), unknown, centres)

    @property
    def boxed(self) -> bool:
        """Whether every row has a box."""
        return bool(np.isfinite(self.boxes).all())

    def keys(self) -> list[tuple[int, int]]:
        """Return frame and id of each row."""
        return list(zip(self.frames.tolist(), self.ids.tolist(), strict=True))

    def select(self, rows: NDArray[np.bool_] | Integers) -> Trajectories:
        """Return the rows that a mask or an index array names."""
        return Trajectories(self.frames[rows], self.ids[rows], self.boxes[rows], self.points[rows])

    def by_frame(self, frames: Integers) -> list[Integers]:
        """Return, for each of the ascending `frames`, the indices of its rows."""
        order = np.argsort(self.frames, kind="stable")
        starts = np.searchsorted(self.frames[order], frames, side="left")
        ends = np.searchsorted(self.frames[order], frames, side="right")
        return [order[start:end] for start, end in zip(starts, ends, strict=True)]
