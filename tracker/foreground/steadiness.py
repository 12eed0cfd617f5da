"""Whether the camera stands still: how far the whole picture has moved in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.grid import resized
from tracker.types import Image

_EVERY = 1.0  # s
_WIDTH = 160  # cells of the small pictures that are compared
_NARROW = 8  # cells along the shorter side: of fewer nobody can tell
LEAST = 0.75  # cells; less is noise, or the light
_FINE = 400  # cells of those in which a knock is looked for,
_NUDGE = 0.05  # shorter sides of the picture that one moves it by at most
_PLAIN = 8.0  # grey levels that tell something, whatever the codec does,
_EDGES = 0.002  # and share of the picture where there are such
_TELLING = 0.25  # share of the picture where a movement makes most of a difference
_MOST = 0.7  # share of it that must speak for the movement


class Steadiness:
    """Compares the picture with itself, once a second.

    The phase correlation of two pictures peaks where most of their edges lie over one another: what
    moves in front of a background that stands still does not shift it. Where the background has no
    edges it may all the same, so a movement counts if it explains most of the picture.
    """

    def __init__(self) -> None:
        self._before: Outlook | None = None
        self._time = -np.inf
        self._drift = 0.0

    def drift(self, image: Image, time: float, spacing: float) -> float:
        """Return the speed of the picture as a whole as it was measured last, px/s.

        Parameters
        ----------
        image
            Shape (height, width, 3), BGR.
        time
            Of the frame, s.
        spacing
            Pixels of the original picture for each of `image`.
        """
        elapsed = time - self._time
        if elapsed < _EVERY:
            return self._drift
        now, before = Outlook.of(image, _WIDTH), self._before
        if min(now.grey.shape) < _NARROW:
            return 0.0
        if before is not None:
            shift = _shift(before.grey, now.grey)
            cells = float(np.hypot(shift[0], shift[1]))
            moved = cells > LEAST and _explains(shift, before.grey, now.grey)
            self._drift = cells * spacing / now.scale / elapsed if moved else 0.0
        self._before, self._time = now, time
        return self._drift


@dataclass(frozen=True, slots=True)
class Outlook:
    """A picture without colour, made smaller, to find how far it was moved.

    Parameters
    ----------
    grey
        Shape (height, width), so small that two are compared within a millisecond or two.
    scale
        Its width relative to that of the picture.
    """

    grey: NDArray[np.float32]
    scale: float

    @classmethod
    def of(cls, image: Image, most: int = _FINE) -> Self:
        """Return that of a picture of shape (height, width, 3), at most so many cells wide."""
        height, width = image.shape[:2]
        scale = min(most / width, 1.0)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        return cls(resized(grey, size).astype(np.float32), scale)


def displacement(before: Outlook, now: Outlook) -> NDArray[np.float64]:
    """Return by how many cells the picture `now` is the one `before` moved, (dx, dy).

    0 where that does not explain most of what differs, or is less than can be told.
    """
    unmoved, least = np.zeros(2), min(now.grey.shape)
    if least < _NARROW:
        return unmoved
    shift = _shift(before.grey, now.grey)
    apart = np.array(shift) / now.scale
    moved = LEAST < np.hypot(*apart) < _NUDGE * least / now.scale
    return apart if moved and _explains_all_over(shift, before.grey, now.grey) else unmoved


def _shift(before: NDArray[np.float32], now: NDArray[np.float32]) -> Sequence[float]:
    """Return by how many cells most of what has edges has moved, x and y."""
    window = np.asarray(cv2.createHanningWindow(now.shape[::-1], cv2.CV_32F), np.float32)
    # Given the window itself, some versions of OpenCV change the pictures.
    shift, _ = cv2.phaseCorrelate(before * window, now * window)
    return shift


def _explains_all_over(
    shift: Sequence[float], before: NDArray[np.float32], now: NDArray[np.float32]
) -> bool:
    """Tell whether a movement explains what is plain in three quarters of the picture.

    What moves in front of a picture without edges explains what is plain, too, but in one place.
    """
    middle, centre = (length // 2 for length in now.shape)
    unlike = 0
    for place in product(
        (slice(middle), slice(middle, None)), (slice(centre), slice(centre, None))
    ):
        unlike += not _explains(shift, before[place], now[place], _PLAIN)
        if unlike > 1:
            return False
    return True


def _explains(
    shift: Sequence[float],
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    least: float = 1.0,
) -> bool:
    """Tell whether the picture is the one before, shifted by so many cells, rather than unmoved.

    Where these two differ most, each cell is asked to which of them it is nearer.
    """
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    moved = np.asarray(cv2.warpAffine(before, matrix, now.shape[::-1]))
    # What has just come into the picture speaks for nothing.
    seen = np.asarray(cv2.warpAffine(np.ones_like(before), matrix, now.shape[::-1])) > 0.99
    before, moved, now = before[seen], moved[seen], now[seen]
    if not len(now):
        return False
    difference = np.abs(moved - before)
    rank = int((1 - _TELLING) * len(difference))
    telling = difference >= max(float(np.partition(difference, rank)[rank]), least)
    nearer = np.abs(now - moved) < np.abs(now - before)
    return bool(telling.mean() > _EDGES and nearer[telling].mean() > _MOST)
