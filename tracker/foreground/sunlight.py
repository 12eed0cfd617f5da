"""Shadows on ground in the sun, of which only the sky's light is left.

Skylight is blue, so where something keeps the sun off, the ground is not only darker but of another
colour, which the test of chromaticity does not know. What it is like a scene tells while it is
surveyed: of patches that are evenly darker and bluer than the ground, nearly all have what casts
them on one side, that of the sun. Grey animals on warm bedding look the same; but their neighbours
are on all sides, or there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import at
from tracker.foreground.grid import Mask
from tracker.foreground.patches import Patches
from tracker.types import Image

Pixels = NDArray[np.uint8] | NDArray[np.float32]

LEAST, MOST = 0.08, 0.9
"""Logarithms of how much darker each channel is in a shadow,"""

BLUER = 0.08
"""and how much less so the blue one is than the red one, at least."""

EVEN, UNEVEN = 0.15, 0.25
"""Standard deviation of the logarithm over patches that it is learned from, and over any of it."""

SMALLEST = 5
"""Cells of a patch, without its rim, that say what it is like."""

FEWEST, ENOUGH = 12, 300
"""Patches that tell whether the sun casts shadows, and of how many no more are asked."""

DIRECTIONS = np.exp(2j * np.pi * np.arange(24) / 24)
"""Where the sun may be, as complex numbers,"""

WITHIN = np.cos(np.pi / 8)
"""cosine of the angle from it within which something is on that side,"""

REACH = 6.0
"""lengths of a shadow within which what casts it is,"""

CASTER = 0.3
"""and the area of that relative to its own at least."""

ON_ONE_SIDE = (0.5, 2.0)
"""Share of the patches that have something on the side of the sun at least, and how many times as
many as have something on the other."""

ALONE = 2
"""Samples that show a shadow by itself in a place from which that is ground in the sun,"""

AGAIN, MOSTLY = 3, 0.6
"""or that show it as it is in a shadow, if these are this share of those that show it changed,"""

AROUND = 3
"""and cells around it that are as well."""

SPREAD = (3.0, 0.1)
"""Deviations from what shadows are like within which a patch is one, and the least such range."""


@dataclass(frozen=True, slots=True)
class Shading:
    """How much darker the patches of a mask are than the ground.

    Parameters
    ----------
    cells
        Shape (n,), flat indices of the cells of the mask.
    patches
        Those that they make.
    mean
        Shape (count, 3), logarithm of the picture relative to the ground, BGR.
    uneven
        Shape (count,), standard deviation of that of all channels over the patch; infinite where
        too little of it is seen.
    """

    cells: NDArray[np.intp]
    patches: Patches
    mean: NDArray[np.float64]
    uneven: NDArray[np.float64]

    @classmethod
    def of(cls, mask: Mask, cells: NDArray[np.intp], pixels: Pixels, ground: Pixels) -> Self:
        """Return that of the patches of a mask.

        Parameters
        ----------
        mask, cells
            The mask, and the flat indices of its n cells.
        pixels, ground
            Shape (n, 3), BGR, what the picture and the background show there.
        """
        patches = Patches.of(mask, cells)
        # The rim of a shadow is half in the light.
        core = cv2.erode(mask, np.ones((3, 3), np.uint8)).ravel().take(cells) > 0
        label, count = patches.labels[core], len(patches.sizes)
        shade = _shades(pixels[core], ground[core])
        seen = np.bincount(label, minlength=count)
        number = np.maximum(seen, 1)
        totals = [np.bincount(label, channel, count) for channel in shade.T]
        mean = np.stack(totals, axis=1) / number[:, None]
        whole = shade.mean(axis=1)
        variance = np.bincount(label, whole**2, count) / number - mean.mean(axis=1) ** 2
        uneven = np.where(seen < SMALLEST, np.inf, np.sqrt(np.maximum(variance, 0)))
        return cls(cells, patches, mean, uneven)


@dataclass(frozen=True, slots=True)
class Shade:
    """What shadows on sunlit ground are like in a scene.

    Parameters
    ----------
    mean, reach
        Shape (3,), logarithm of the picture relative to the ground, BGR, and how far from it that
        of a shadow is at most.
    places
        Shape (height, width), the cells of ground in the sun, on which shadows were seen to fall.
    """

    mean: NDArray[np.float64]
    reach: NDArray[np.float64]
    places: Mask

    @classmethod
    def learned(cls, views: Sequence[tuple[Mask, Image]], ground: Image) -> Self | None:
        """Return what shadows are like where the sun casts them, else None.

        Parameters
        ----------
        views
            Masks of samples, and these.
        ground
            The background, of the same shape.
        """
        shadings = []
        for mask, image in views:
            cells = np.flatnonzero(mask)
            shadings.append(Shading.of(mask, cells, at(image, cells), at(ground, cells)))
        shades = [_bluish(one.mean) & (one.uneven < EVEN) for one in shadings]
        mean = np.concatenate([one.mean[some] for one, some in zip(shadings, shades, strict=True)])
        if len(mean) < FEWEST or not _on_one_side(shadings, shades, ground.shape[1]):
            return None
        middle = np.median(mean, axis=0)
        deviation = 1.4826 * np.median(np.abs(mean - middle), axis=0)
        times, least = SPREAD
        shade = cls(middle, np.maximum(times * deviation, least), np.empty(0, np.uint8))
        changed = np.zeros(ground.shape[:2], np.uint16)
        shaded, alone = changed.copy(), changed.copy()
        for (_, image), one in zip(views, shadings, strict=True):
            near = shade._near(_shades(at(image, one.cells), at(ground, one.cells)))
            changed.ravel()[one.cells] += 1
            shaded.ravel()[one.cells[near]] += 1
            alone.ravel()[one.cells[shade.patches(one)]] += 1
        sure = (alone >= ALONE) | ((shaded >= AGAIN) & (shaded >= MOSTLY * changed))
        places = cv2.medianBlur(np.where(sure, 255, 0).astype(np.uint8), 5)
        around = cv2.dilate(places, np.ones((3, 3), np.uint8), iterations=AROUND)
        return replace(shade, places=np.asarray(around, np.uint8))

    def patches(self, shading: Shading) -> NDArray[np.bool_]:
        """Return which cells of a mask are of patches that are nothing but shadow, shape (n,)."""
        shadow = self._near(shading.mean) & _bluish(shading.mean) & (shading.uneven < UNEVEN)
        return np.asarray(shadow[shading.patches.labels])

    def cells(self, cells: NDArray[np.intp], pixels: Pixels, ground: Pixels) -> NDArray[np.bool_]:
        """Return which cells of ground in the sun are in shadow; see `Shading.of`, shape (n,)."""
        shadow = self.places.take(cells) > 0
        asked = np.flatnonzero(shadow)
        shadow[asked] = self._near(_shades(pixels[asked], ground[asked]))
        return shadow

    def _near(self, shades: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray((np.abs(shades - self.mean) < self.reach).all(axis=1))


def _shades(pixels: Pixels, ground: Pixels) -> NDArray[np.float64]:
    """Return the logarithm of `pixels` relative to the `ground`, both of shape (n, 3)."""
    return np.asarray(np.log((pixels + 1.0) / (ground + 1.0)))


def _bluish(mean: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which shadings, shape (n, 3), can be those of the sky's light, shape (n,)."""
    darker = (mean < -LEAST) & (mean > -MOST)
    return np.asarray(darker.all(axis=1) & (mean[:, 0] - mean[:, 2] > BLUER))


def _on_one_side(
    shadings: Sequence[Shading], shades: Sequence[NDArray[np.bool_]], width: int
) -> bool:
    """Tell whether those patches that may be shadows have something on one and the same side.

    Parameters
    ----------
    shadings, shades
        Of each sample, and which of its patches may be shadows.
    width
        Of the masks, cells.
    """
    asked = [(view, k) for view, some in enumerate(shades) for k in np.flatnonzero(some)]
    asked = asked[:: ceil(len(asked) / ENOUGH)]
    centres = [_centres(shading, width) for shading in shadings]
    beside = np.zeros(len(DIRECTIONS))
    for view, k in asked:
        size = shadings[view].patches.sizes
        way = (centres[view] - centres[view][k])[~shades[view] & (size > CASTER * size[k])]
        far = np.abs(way)
        near = (far > 0) & (far < REACH * np.sqrt(size[k]))
        towards = way[near] / far[near]
        cosines = (DIRECTIONS[:, None] * towards.conj()).real
        beside += (cosines > WITHIN).any(axis=1)
    sun = int(beside.argmax())
    share, times = ON_ONE_SIDE
    opposite = beside[(sun + len(DIRECTIONS) // 2) % len(DIRECTIONS)]
    return bool(beside[sun] >= share * len(asked) and beside[sun] >= times * opposite)


def _centres(shading: Shading, width: int) -> NDArray[np.complex128]:
    """Return the middle of each patch of a mask of some width as a complex number, (count,)."""
    y, x = np.divmod(shading.cells, width)
    patches = shading.patches
    total = patches.total(x) + 1j * patches.total(y)
    return np.asarray(total / np.maximum(patches.sizes, 1), np.complex128)
