"""Changes of light: how much brighter or darker a picture is than the background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.grid import Mask
from tracker.types import Image

LOOKED_AT = 6000
"""Cells that the gain of the whole picture is read from."""

DARKEST = 12.0
"""Background level under which a ratio says nothing, grey levels."""

STEADY = 0.015
"""Relative change of the gain that is not worth following."""

COARSE_SIDE = 60
"""Cells along the picture's shorter side on which neighbourhoods are compared."""

NEIGHBOURHOOD = 6
"""The picture's shorter side is this many neighbourhoods wide: a lamp lights places unevenly."""


def gain(image: Image, reference: Image) -> NDArray[np.float32]:
    """Return the ratio of `image` to `reference` for each channel, shape (3,).

    The median over the picture: objects are the minority. 1 where the light is steady.
    """
    stride = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / LOOKED_AT)))
    # Channels first: every operation runs along the cells.
    new, old = (
        np.ascontiguousarray(whole[::stride, ::stride].reshape(-1, 3).T, np.float32)
        for whole in (image, reference)
    )
    lit = old.min(axis=0) >= DARKEST
    if np.count_nonzero(lit) < LOOKED_AT // 20:
        return np.ones(3, np.float32)
    ratio = np.median(((new + 1.0) / (old + 1.0))[:, lit], axis=1)
    steady = bool(np.abs(np.log(ratio)).max() < STEADY)
    return np.ones(3, np.float32) if steady else ratio.astype(np.float32)


def local_gain(
    image: Image, reference: NDArray[np.float32], protected: Mask | None = None
) -> NDArray[np.float32]:
    """Return the ratio of `image` to `reference` around each cell, shape (height, width, 3).

    What is `protected` (255) is left out and gets the ratio of its surroundings.
    """
    height, width = image.shape[:2]
    step = max(1, min(height, width) // COARSE_SIDE)
    size = (max(1, width // step), max(1, height // step))
    use = np.ones((height, width, 1), np.float32)
    if protected is not None:
        use[protected > 0] = 1e-3
    side = 2 * (min(size) // (2 * NEIGHBOURHOOD)) + 1
    new, old = (
        cv2.blur(cv2.resize(lit, size, interpolation=cv2.INTER_AREA), (side, side))
        for lit in ((image + np.float32(1.0)) * use, (reference + np.float32(1.0)) * use)
    )
    return np.asarray(cv2.resize(cv2.divide(new, old), (width, height)), np.float32)
