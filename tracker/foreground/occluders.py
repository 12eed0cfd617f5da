"""Fixed things that hide objects: a post, a sign, a plant.

They show as places with hardly any foreground within a busy neighbourhood.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.grid import Mask

FEWEST_SIGHTINGS = 5.0
"""How often an object must have been expected at a place before its absence says anything; half of
that suffices around such a place."""

HIDDEN = 0.25
"""Foreground rate, relative to the neighbourhood, under which something hides the objects."""

EMPTY = 0.05
"""The same for the mean over an occluder."""

SMALLEST, LARGEST = 0.12, 1.0
"""Area of an occluder, relative to an object's: what is larger is where nobody goes."""

RING = 0.4
"""Width of the ring around an occluder, in lengths of an object,"""

BUSY = 0.5
"""the rate in it, relative to the neighbourhood, that shows that objects pass there,"""

ENCLOSED = 0.75
"""and the share of the ring that must be so: the verge of a road is busy on one side only."""

SQUARE = np.ones((3, 3), np.uint8)


def find_occluders(masks: Sequence[Mask], area: float) -> NDArray[np.bool_] | None:
    """Return the cells that hide objects, or None where there are none.

    Parameters
    ----------
    masks
        The foreground of each sampled frame.
    area
        Of a typical object, in cells.
    """
    length = float(np.sqrt(area))
    rate = np.asarray(np.mean(masks, axis=0, dtype=np.float32) / np.float32(255))
    near = np.asarray(cv2.GaussianBlur(rate, (0, 0), 1.0))
    smooth = np.asarray(cv2.GaussianBlur(rate, (0, 0), 0.15 * length))
    around = np.asarray(cv2.GaussianBlur(rate, (0, 0), 0.7 * length))
    expected = around * len(masks)
    bare = near < HIDDEN * around
    sure, likely = (
        cv2.morphologyEx((bare & (expected > least)).astype(np.uint8), cv2.MORPH_OPEN, SQUARE)
        for least in (FEWEST_SIGHTINGS, FEWEST_SIGHTINGS / 2)
    )
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(likely, connectivity=8)
    told = np.bincount(labels[sure > 0], minlength=count) > 0
    reach = max(1, round(RING * length))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    occluders = np.zeros(rate.shape, bool)
    for label in range(1, count):
        left, top, wide, high, cells = (int(number) for number in boxes[label])
        if not told[label] or not SMALLEST * area <= cells <= LARGEST * area:
            continue
        top, left, bottom, right = top - reach, left - reach, top + high, left + wide
        window = np.s_[max(top, 0) : bottom + reach, max(left, 0) : right + reach]
        inside = labels[window] == label
        level = float(around[window][inside].mean())
        ring = (cv2.dilate(inside.astype(np.uint8), kernel) > 0) & ~inside
        enclosed = float(np.mean(smooth[window][ring] > BUSY * level))
        if rate[window][inside].mean() < EMPTY * level and enclosed >= ENCLOSED:
            occluders[window] |= inside
    return occluders if occluders.any() else None
