"""Fixed things that hide objects: a post, a sign, a plant.

They show as places with hardly any foreground within a busy neighbourhood.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FEWEST_SIGHTINGS = 5.0
"""How often an object must have been expected at a place before its absence says anything."""

HIDDEN = 0.25
"""Foreground rate, relative to the neighbourhood, under which something hides the objects."""

SMALLEST = 0.12
"""Area of an occluder, relative to an object's."""


def find_occluders(masks: NDArray[np.uint8], area: float) -> NDArray[np.bool_] | None:
    """Return the cells that hide objects, or None where there are none.

    Parameters
    ----------
    masks
        Shape (count, height, width), 255 where a sampled frame has foreground.
    area
        Of a typical object, in cells.
    """
    rate = np.mean(masks > 0, axis=0, dtype=np.float32)
    near = cv2.GaussianBlur(rate, (0, 0), 1.0)
    around = cv2.GaussianBlur(rate, (0, 0), 0.7 * float(np.sqrt(area)))
    hidden = (near < HIDDEN * around) & (around * len(masks) > FEWEST_SIGHTINGS)
    opened = cv2.morphologyEx(hidden.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    large = np.flatnonzero(boxes[:, cv2.CC_STAT_AREA] >= SMALLEST * area)
    large = large[large > 0]
    if count == 1 or len(large) == 0:
        return None
    return np.isin(labels, large)
