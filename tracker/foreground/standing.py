"""What stands on the spot in every sample of a film, and stirs: the median shows it.

A wall, a post or a parked car is as still as the picture is noisy. A person who waits, or an animal
that rests, leans and turns: along its outline most samples differ from the median, by more than
is usual at edges as strong, and for longer than what passes by or flickers. What is plainly not the
ground that surrounds such a place is no background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import largest_channel
from tracker.foreground.ghosts import SMALLEST, Part, Window, edge_strength, hull, outlined, widened
from tracker.foreground.grid import Mask
from tracker.types import Image

LEAST_STIR = 6.0
"""Grey levels by which most samples differ from the median where something stirs, at least,"""

STIRS = 3.0
"""and times as much as they usually do at an edge as strong."""

AS_STRONG = 2.0
"""Ratio of the strengths of edges that count as equally strong,"""

FEWEST_ALIKE = 0.05
"""and share of the picture that tells what is usual: else it is what stirs that has such edges."""

SLOW = 0.6
"""Share of that by which two samples in a row differ at most: what passes by is gone by then."""

GAPS = (1 / 12, 1 / 3)
"""Half of how far what stirs along an outline may be apart, in lengths of an object: at first those
who stand close by each other are told apart; then only rims may stir, before and behind."""

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

ALIVE = 0.4
"""Share of its outline that stirs, at least."""

EVEN = 0.25
"""Share of the contrast by which the ground around the place differs from itself at most, or the
ground beside it from what would be guessed there,"""

UNLIKE = 1.0
"""and by which the ground around it does in any case."""

LONG = 4.5
"""Times its width from which on a place is long: it may be the line of a lane, or a tail,"""

MOVES = 0.5
"""and cells by which its edges move at least, on even ground: spray and the codec change lines."""


def restless(middle: Image, spread: NDArray[np.float32], flicker: NDArray[np.float32]) -> Mask:
    """Return where most samples differ from their median, and not for a moment.

    Parameters
    ----------
    middle
        Shape (height, width, 3), the median of the samples.
    spread, flicker
        Shape (height, width, 3), how far most samples are from the median and from the sample
        before, grey levels.

    Returns
    -------
    restless
        Shape (height, width), 1 where it is, and 2 where edges must have moved.
    """
    stirs, passes, edges = spread.max(axis=2), flicker.max(axis=2), edge_strength(middle)
    found = (stirs > np.maximum(LEAST_STIR, STIRS * _usual(stirs, edges))) & (passes < SLOW * stirs)
    return np.where(found, 1 + (stirs > MOVES * edges), 0).astype(np.uint8)


def _usual(spread: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far samples are from their median at edges as strong as there, grey levels.

    That is noise on even ground; at edges it is more where the camera sways, and less where the
    codec leaves them as they are.

    Parameters
    ----------
    spread
        Shape (height, width), how far they are from it, grey levels.
    edges
        Shape (height, width), how strong these are, grey levels per cell.
    """
    kinds = np.log(np.maximum(edges, 1)) / np.log(AS_STRONG)
    kind = kinds.astype(np.intp)
    usual = np.full(kind.max() + 1, np.median(spread))
    for number in range(1, len(usual)):
        alike = spread[kind == number]
        enough = len(alike) >= FEWEST_ALIKE * spread.size
        usual[number] = np.median(alike) if enough else usual[number - 1]
    return np.asarray(usual[kind], np.float32)


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
    length, left = np.sqrt(usual.area), stirs.copy()
    for gap in GAPS:
        near = np.asarray(cv2.dilate(left, _disc(int(gap * length))), np.uint8)
        for window, inside in outlined(near):
            inside &= left[window] > 0
            if np.count_nonzero(inside) < max(SMALLEST, STIRRING * usual.area):
                continue
            window, part = widened(window, inside, ground.shape[:2], int(length / 2) + 4)
            place = hull(part)
            if not SPAN[0] < np.count_nonzero(place) / usual.area < SPAN[1]:
                continue
            place = np.asarray(cv2.dilate(place, _disc(2)), np.uint8)
            below = _guess(ground[window], place)
            if _stands(ground, (window, place), below, stirs[window], usual):
                left[window][place > 0] = 0
                yield window, place, below


def _elongation(place: Mask) -> float:
    """Return how many times its width a place is long, by its moments."""
    least, most = np.linalg.eigvalsh(np.cov(np.argwhere(place).T) + np.eye(2) / 12)
    return float(np.sqrt(most / least))


def _guess(ground: Image, place: Mask) -> Image:
    """Return the ground with what is around a place in it, 1 there, instead of what is there."""
    return np.asarray(cv2.inpaint(ground, place, 3, cv2.INPAINT_TELEA), np.uint8)


def _stands(ground: Image, part: Part, below: Image, stirs: Mask, usual: Usual) -> bool:
    """Tell whether something stands out from ground that can be guessed, and its outline stirs.

    Parameters
    ----------
    ground
        Shape (height, width, 3), the background.
    part, below
        A place and the ground without what is there; see `beneath`.
    stirs
        Shape (h, w), see `restless`.
    usual
        What tells it from a trifle.
    """
    window, place = part
    apart = largest_channel(cv2.absdiff(ground[window], below))
    body = (apart > usual.limit) & (place > 0)
    least = max(SMALLEST, BODY * usual.area, FILLED * np.count_nonzero(place))
    near = _disc(max(2, int(np.sqrt(usual.area) / 4)))
    around = (cv2.dilate(place, near) > 0) & (place == 0)
    if np.count_nonzero(body) < least or not around.any():
        return False
    contrast = float(np.median(apart[body]))
    if contrast <= max(LEAST_CONTRAST, STANDS_OUT * usual.contrast):
        return False
    rim = cv2.morphologyEx(body.astype(np.uint8), cv2.MORPH_GRADIENT, _disc(1)) > 0
    long = _elongation(place) > LONG
    if np.mean(cv2.dilate(stirs, _disc(1))[rim] > long) <= ALIVE:
        return False
    near_by = ground[window][around].astype(np.float64)
    uneven = float(np.median(np.abs(near_by - np.median(near_by, axis=0)).max(axis=1)))
    beside = [] if long else list(_guessed_wrongly(ground, part))
    guessed = float(np.mean(beside or uneven))
    return uneven < UNLIKE * contrast and min(uneven, guessed) < EVEN * contrast


def _guessed_wrongly(ground: Image, part: Part) -> Iterator[float]:
    """Yield how wrong guesses of the ground on either side of a place are, grey levels.

    In front of a kerb and a wall the ground differs from itself, and can still be guessed.

    Parameters
    ----------
    ground
        Shape (height, width, 3), the background.
    part
        The place. A side counts where the picture holds as much there.
    """
    (rows, columns), place = part
    wide = np.flatnonzero(place.any(axis=0))
    for shift in (wide[0] - wide[-1] - 1, wide[-1] - wide[0] + 1):
        first, last = columns.start + wide[0] + shift, columns.start + wide[-1] + shift
        if first < 0 or last >= ground.shape[1]:
            continue
        start, stop = max(columns.start + shift, 0), min(columns.stop + shift, ground.shape[1])
        there = np.ascontiguousarray(ground[rows, start:stop])
        moved = np.ascontiguousarray(place[:, start - shift - columns.start :][:, : stop - start])
        apart = largest_channel(cv2.absdiff(there, _guess(there, moved)))
        yield float(np.median(apart[moved > 0]))


def _disc(radius: int) -> Mask:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
