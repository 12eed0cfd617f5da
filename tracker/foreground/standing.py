"""What stands on the spot in every sample of a film, and stirs: the median shows it.

A wall, a post or a parked car is as still as the picture is noisy. A person who waits, or an animal
that rests, leans and turns: along its outline most samples differ from the median, by more than
edges do where the picture sways, and for longer than what passes by or flickers. What is plainly
not the ground that surrounds such a place is no background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import largest_channel
from tracker.foreground.ghosts import SMALLEST, Window, edge_strength, hull, outlined, widened
from tracker.foreground.grid import Mask
from tracker.types import Image

LEAST_STIR = 6.0
"""Grey levels by which most samples differ from the median where something stirs, at least,"""

STIRS = 3.0
"""times the noise of most places,"""

EDGES = 0.5
"""and cells by which edges would have to move."""

SLOW = 0.6
"""Share of that by which two samples in a row differ at most: what passes by is gone by then."""

STIRRING = 0.06
"""Share of an object's area that stirs at least,"""

SPAN = (0.12, 8.0)
"""and how large the place is that it takes, in areas of an object: it may be far, or a group."""

BODY = 0.1
"""Share of an object's area that is unlike the ground, at least,"""

FILLED = 0.15
"""and of the place."""

LEAST_CONTRAST = 25.0
"""Grey levels by which it stands out from the ground, at least,"""

STANDS_OUT = 0.4
"""and share of what objects do."""

ALIVE = 0.5
"""Share of its outline that stirs, at least."""

EVEN = 0.25
"""Share of the contrast by which the ground around the place differs from itself at most."""


def restless(
    middle: Image, spread: NDArray[np.float32], flicker: NDArray[np.float32], noise: float
) -> Mask:
    """Return where most samples differ from their median, and not for a moment.

    Parameters
    ----------
    middle
        Shape (height, width, 3), the median of the samples.
    spread, flicker
        Shape (height, width, 3), how far most samples are from the median and from the sample
        before, grey levels.
    noise
        Standard deviation of a channel in most places, grey levels.

    Returns
    -------
    restless
        Shape (height, width), 255 where it is.
    """
    stirs, passes = spread.max(axis=2), flicker.max(axis=2)
    found = (stirs > max(LEAST_STIR, STIRS * noise)) & (stirs > EDGES * edge_strength(middle))
    return np.where(found & (passes < SLOW * stirs), 255, 0).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual in a scene.

    Parameters
    ----------
    area, contrast
        Of an object, cells and grey levels.
    limit
        The largest difference that is noise in most places, grey levels.
    """

    area: float
    contrast: float
    limit: float


def beneath(ground: Image, stirs: Mask, usual: Usual) -> Iterator[tuple[Window, Mask, Image]]:
    """Find what stands in the background, and what is beneath it.

    Parameters
    ----------
    ground
        Shape (height, width, 3), the background.
    stirs
        Shape (height, width), see `restless`.
    usual
        What tells it from a trifle.

    Yields
    ------
    window, place, below
        Where, and there: 1 in the place that it takes, and the background without it.
    """
    length = np.sqrt(usual.area)
    closed = np.asarray(cv2.morphologyEx(stirs, cv2.MORPH_CLOSE, _disc(int(length / 6))), np.uint8)
    for window, inside in outlined(closed):
        stirring = np.count_nonzero(stirs[window][inside > 0])
        if stirring < max(SMALLEST, STIRRING * usual.area):
            continue
        window, part = widened(window, inside, ground.shape[:2], int(length / 2) + 4)
        place = hull(part)
        if not SPAN[0] < np.count_nonzero(place) / usual.area < SPAN[1]:
            continue
        place = np.asarray(cv2.dilate(place, _disc(2)), np.uint8)
        below = np.asarray(cv2.inpaint(ground[window], place, 3, cv2.INPAINT_TELEA), np.uint8)
        if _stands(ground[window], place, below, stirs[window], usual):
            yield window, place, below


def _stands(ground: Image, place: Mask, below: Image, stirs: Mask, usual: Usual) -> bool:
    """Tell whether something stands out from even ground in a place, and stirs along its outline.

    Parameters
    ----------
    ground, place, below
        See `beneath`.
    stirs
        Shape (h, w), 255 where most samples differ from the median.
    usual
        What tells it from a trifle.
    """
    apart = largest_channel(cv2.absdiff(ground, below))
    body = (apart > usual.limit) & (place > 0)
    least = max(SMALLEST, BODY * usual.area, FILLED * np.count_nonzero(place))
    near = _disc(max(2, int(np.sqrt(usual.area) / 4)))
    around = (cv2.dilate(place, near) > 0) & (place == 0)
    if np.count_nonzero(body) < least or not around.any():
        return False
    contrast = float(np.median(apart[body]))
    beside = ground[around].astype(np.float64)
    uneven = np.median(np.abs(beside - np.median(beside, axis=0)).max(axis=1))
    rim = cv2.morphologyEx(body.astype(np.uint8), cv2.MORPH_GRADIENT, _disc(1)) > 0
    alive = np.mean(cv2.dilate(stirs, _disc(1))[rim] > 0)
    stands_out = contrast > max(LEAST_CONTRAST, STANDS_OUT * usual.contrast)
    return bool(stands_out and uneven < EVEN * contrast and alive > ALIVE)


def _disc(radius: int) -> Mask:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
