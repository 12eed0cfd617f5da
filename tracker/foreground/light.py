"""Changes of light: how much brighter or darker a picture is than the background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import Number, planes
from tracker.foreground.grid import Mask
from tracker.types import Image

LOOKED_AT = 3000
"""Cells that the gain of the whole picture is read from."""

DARKEST = 4.0
"""Background level under which a ratio says nothing, grey levels."""

LIT = 0.2
"""Share of the cells that must be neither too dark nor too bright."""

BRIGHTEST = 250.0
"""Level over which the camera may be saturated, so that a ratio says nothing either."""

STEADY = 0.015
"""Relative change of the gain that is not worth following."""

LARGEST_LOCAL = 1.5
"""Largest logarithm of the ratio of a neighbourhood's gain to the whole picture's."""

STEADY_LOCALLY = 0.03
"""The same for a neighbourhood's."""

COARSE_SIDE = 60
"""Cells along the picture's shorter side on which neighbourhoods are compared."""

LEFT = 0.01
"""Share of a neighbourhood that suffices to tell its light without the foreground."""

NEIGHBOURHOOD = 5
"""The picture's shorter side is this many neighbourhoods wide: a lamp lights places unevenly."""


TEXTURE = (5, 5)
"""Coarse cells over which the ground has a texture,"""

TEXTURED = 0.05
"""standard deviation of the logarithm of its level from which on it has one,"""

HIDDEN = 0.5
"""and share of its variance that is there after the level is taken off where something hides it."""


def gain(image: Image, reference: Image) -> NDArray[np.float32]:
    """Return the ratio of `image` to `reference` for each channel, shape (3,).

    From the middle half of the cells' ratios, as objects are the minority; sums, because in the
    dark a ratio of two levels is coarse. 1 where the light is steady.
    """
    seen, empty = _few(image), _few(reference)
    lit = _tells(seen, empty)
    telling = np.count_nonzero(lit)
    if telling < LIT * len(lit):
        return np.ones(3, np.float32)
    if telling < len(lit):
        seen, empty = (np.compress(lit, each, axis=1) for each in (seen, empty))
    new, old = (each + np.float32(1.0) for each in (seen, empty))
    each = new / old
    quarters = [each.shape[1] // 4, each.shape[1] - 1 - each.shape[1] // 4]
    # Of ratios of whole numbers many are the same: to sort all is faster than to part them.
    low, high = np.sort(each, axis=1).T[quarters, :, None]
    middle = ((each >= low) & (each <= high)).astype(np.float32)
    ratio = np.einsum("cn,cn->c", new, middle) / np.einsum("cn,cn->c", old, middle)
    steady = bool(np.abs(np.log(ratio)).max() < STEADY)
    return np.ones(3, np.float32) if steady else ratio


def _few(image: Image) -> NDArray[np.uint8]:
    """Return cells from all over a picture, shape (3, n): every operation runs along the cells."""
    stride = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / LOOKED_AT)))
    return planes(np.ascontiguousarray(image[::stride, ::stride]).reshape(-1, 3))


def local_gain(
    image: Image,
    reference: NDArray[np.float32],
    foreground: Mask | None = None,
    protected: Mask | None = None,
) -> NDArray[np.float32]:
    """Return the ratio of `image` to `reference` around each cell, shape (height, width, 3).

    1, of shape (3,), where the light is steady everywhere. The median over the neighbourhood: what
    stands in it does not count as long as it fills less than half of it, nor does `foreground`
    (255) where anything else is left to tell. What is `protected` (255), too dark or too bright to
    tell gets the ratio of its surroundings.
    """
    height, width = image.shape[:2]
    step = max(1, min(height, width) // COARSE_SIDE)
    size = (max(1, width // step), max(1, height // step))
    new, old = (
        np.asarray(cv2.resize(lit, size, interpolation=cv2.INTER_AREA), np.float32)
        for lit in (image.astype(np.float32), np.minimum(reference, 255.0))
    )
    use = _tells(*(np.ascontiguousarray(np.moveaxis(lit, -1, 0)) for lit in (new, old)))
    side = 2 * (min(size) // (2 * NEIGHBOURHOOD)) + 1
    if protected is not None:
        use &= np.asarray(cv2.resize(protected, size, interpolation=cv2.INTER_NEAREST)) == 0
    if foreground is not None:
        ground = use & (np.asarray(cv2.resize(foreground, size, interpolation=cv2.INTER_AREA)) == 0)
        bare = cv2.blur(ground.astype(np.float32), (side, side)) >= LEFT
        use &= ground | ~(bare | _hidden(new, old))
    whole = np.log(gain(image, np.asarray(cv2.convertScaleAbs(reference), np.uint8)))
    ratio = np.log((new + 1.0) / (old + 1.0)) - whole
    share = cv2.blur(use.astype(np.float32), (side, side))[:, :, None]
    around = cv2.blur(np.where(use[:, :, None], ratio, 0.0), (side, side)) / (share + 1e-3)
    ratio = np.where(use[:, :, None], ratio, around)
    # The median filter takes bytes: the logarithm in steps of little more than a hundredth.
    levels = np.clip(np.round(ratio * (127.0 / LARGEST_LOCAL)) + 127.0, 0, 254).astype(np.uint8)
    middle = np.asarray(cv2.medianBlur(levels, side), np.float32) - 127.0
    smooth = cv2.blur(middle * (LARGEST_LOCAL / 127.0), (side, side)) + whole
    if np.abs(smooth).max() < STEADY_LOCALLY:
        return np.ones(3, np.float32)
    field = np.exp(smooth).astype(np.float32)
    return np.asarray(cv2.resize(field, (width, height)), np.float32)


def _hidden(new: NDArray[np.float32], old: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where `new` does not show the texture that `old` has, shape (height, width).

    Light changes the level of what it falls on, and what stands there hides it.
    """
    seen, known = (np.log(lit.mean(axis=2) + 1.0) for lit in (new, old))
    left, there = _variance(seen - known), _variance(known)
    hidden = ((there > TEXTURED**2) & (left > HIDDEN * there)).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(hidden, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0)


def _variance(values: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = cv2.blur(values, TEXTURE)
    return np.asarray(cv2.blur(values * values, TEXTURE) - mean * mean, np.float32)


def _tells(new: NDArray[Number], old: NDArray[Number]) -> NDArray[np.bool_]:
    """Return where a ratio says something, for arrays of shape (3, ...): shape (...)."""
    brightest = np.maximum(new.max(axis=0), old.max(axis=0))
    return np.asarray((old.min(axis=0) >= DARKEST) & (brightest < BRIGHTEST))
