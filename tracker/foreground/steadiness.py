"""Whether the camera stands still: how far the whole picture has moved in a second."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.types import Image

_EVERY = 1.0  # s
_WIDTH = 160  # cells of the small pictures that are compared
_NARROW = 8  # cells along the shorter side: of fewer nobody can tell
_LEAST = 0.75  # cells; less is noise, or the light
_TELLING = 0.25  # share of the picture where a movement makes most of a difference
_MOST = 0.7  # share of it that must speak for the movement


class Steadiness:
    """Compares the picture with itself, once a second.

    The phase correlation of two pictures peaks where most of their edges lie over one another: what
    moves in front of a background that stands still does not shift it. Where the background has no
    edges it may all the same, so a movement counts if it explains most of the picture.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
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
        height, width = image.shape[:2]
        scale = min(_WIDTH / width, 1.0)
        size = round(width * scale), round(height * scale)
        if min(size) < _NARROW:
            return 0.0
        grey = cv2.cvtColor(
            cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
        )
        now, before = np.asarray(grey, np.float32), self._before
        if before is not None:
            window = np.asarray(cv2.createHanningWindow(size, cv2.CV_32F), np.float32)
            # Given the window itself, some versions of OpenCV change the pictures.
            shift, _ = cv2.phaseCorrelate(before * window, now * window)
            cells = float(np.hypot(shift[0], shift[1]))
            moved = cells > _LEAST and _explains(shift, before, now)
            self._drift = cells * spacing / scale / elapsed if moved else 0.0
        self._before, self._time = now, time
        return self._drift


def _explains(
    shift: Sequence[float], before: NDArray[np.float32], now: NDArray[np.float32]
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
    telling = difference >= max(float(np.quantile(difference, 1 - _TELLING)), 1.0)
    nearer = np.abs(now - moved) < np.abs(now - before)
    return bool(nearer[telling].mean() > _MOST) if telling.any() else False
