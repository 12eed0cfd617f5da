"""Shadows on ground in the sun, of which only the sky's light is left.

Skylight is blue, so where something keeps the sun off, the ground is not only darker but of another
colour, which the test of chromaticity does not know. What it is like a scene tells while it is
surveyed: of patches that are evenly darker and bluer than the ground, nearly all have what casts
them on one side, that of the sun. Grey animals on warm bedding look the same; but their neighbours
are on all sides, or there are none. Who walks drags a shadow along that is part of the same patch:
where most patches have a part that is darker than the ground by one and the same shade, and have it
on one and the same side, that is their shadow.
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

DARKEST, GREYEST, BLUEST, BENT = 1.5, 0.05, 0.4, 0.08
"""Logarithms for parts of patches: how much darker they are at most, how much less blue than red at
most, and how much more, and how far green is from their middle;"""

STEP, PEAK, ABOUT = 0.02, 7, 0.12
"""steps in which shades are counted, over how many the commonest one is sought, and its range;"""

PART = (0.15, 0.7)
"""share of a patch that is shadow,"""

LARGE = 40
"""cells of a patch that is asked, and"""

COMMON, DRAGGED, TOGETHER = 0.1, 0.4, 0.65
"""shares at least: of what is changed that has the commonest shade, of the patches that have such a
part, and length of the mean of the unit vectors to it from the rest;"""

ASIDE = np.sin(np.pi / 8)
"""sine of the angle from the vertical at which these lie aside."""

ALONE = 2
"""Samples that show a shadow by itself in a place from which that is ground in the sun,"""

AGAIN, MOSTLY = 3, 0.6
"""or that show it as it is in a shadow, if these are this share of those that show it changed,"""

AROUND = 3
"""and cells around it that are as well."""

RIM, FACING = 0.2, 2.2
"""How deep shadows are relative to the usual one, as logarithms: at a rim that is half in the
light, at least, and on ground that faces a low sun, whose light is most of what it has, at most."""

SPREAD, WIDEST = (3.0, 0.1), 0.2
"""Deviations from what shadows are like within which a patch is one, and the least such range; and
the widest one of parts of patches."""


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
    depths
        How deep cells of a shadow are, at least and at most, as shares of `mean`.
    """

    mean: NDArray[np.float64]
    reach: NDArray[np.float64]
    places: Mask
    depths: tuple[float, float] = (1.0, 1.0)

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
        shade = cls(*_range(mean), np.empty(0, np.uint8), (RIM, FACING))
        changed = np.zeros(ground.shape[:2], np.uint16)
        shaded, alone = changed.copy(), changed.copy()
        for (_, image), one in zip(views, shadings, strict=True):
            its = _shades(at(image, one.cells), at(ground, one.cells))
            changed.ravel()[one.cells] += 1
            shaded.ravel()[one.cells[shade._near(its) & _bluer(its)]] += 1
            alone.ravel()[one.cells[shade.patches(one)]] += 1
        sure = (alone >= ALONE) | ((shaded >= AGAIN) & (shaded >= MOSTLY * changed))
        places = cv2.medianBlur(np.where(sure, 255, 0).astype(np.uint8), 5)
        around = cv2.dilate(places, np.ones((3, 3), np.uint8), iterations=AROUND)
        return replace(shade, places=np.asarray(around, np.uint8))

    @classmethod
    def dragged(cls, views: Sequence[tuple[Mask, Image]], ground: Image) -> Self | None:
        """Return what shadows are like that are part of the patch of what casts them, else None.

        See `learned`.
        """
        cells = [np.flatnonzero(mask) for mask, _ in views]
        shades = [
            _shades(at(image, some), at(ground, some))
            for (_, image), some in zip(views, cells, strict=True)
        ]
        every = np.concatenate(shades)
        possible = every[_greyish(every)]
        if len(possible) < FEWEST * LARGE:
            return None
        level = possible.mean(axis=1)
        counts, edges = np.histogram(level, np.arange(-DARKEST, STEP, STEP))
        peak = edges[np.convolve(counts, np.ones(PEAK), "same").argmax()] + STEP / 2
        near = possible[np.abs(level - peak) < ABOUT]
        if len(near) < COMMON * len(every):
            return None
        middle, reach = _range(near)
        everywhere = np.full(ground.shape[:2], 255, np.uint8)
        shade = cls(middle, np.minimum(reach, WIDEST), everywhere)
        ways, asked = [], 0
        for (mask, _), some, its in zip(views, cells, shades, strict=True):
            patches = Patches.of(mask, some)
            large = (patches.sizes >= LARGE) & ~patches.border
            shaded = shade._near(its)
            share = patches.total(shaded) / np.maximum(patches.sizes, 1)
            part = large & (share > PART[0]) & (share < PART[1])
            dark, light = (
                _centres(patches, some, ground.shape[1], which) for which in (shaded, ~shaded)
            )
            way = (dark - light)[part]
            ways.append(way / np.maximum(np.abs(way), 1e-9))
            asked += int(np.count_nonzero(large))
        away = np.concatenate(ways)
        if len(away) < max(FEWEST, DRAGGED * asked):
            return None
        way = away.mean()
        # Straight below are legs, and straight above is hair.
        aside = np.abs(way.real) > ASIDE * np.abs(way)
        return replace(shade, depths=(RIM, 1.0)) if np.abs(way) > TOGETHER and aside else None

    def patches(self, shading: Shading) -> NDArray[np.bool_]:
        """Return which cells of a mask are of patches that are nothing but shadow, shape (n,)."""
        usual = replace(self, depths=(1.0, 1.0))._near(shading.mean)
        shadow = usual & _bluish(shading.mean) & (shading.uneven < UNEVEN)
        return np.asarray(shadow[shading.patches.labels])

    def cells(self, cells: NDArray[np.intp], pixels: Pixels, ground: Pixels) -> NDArray[np.bool_]:
        """Return which cells of ground in the sun are in shadow; see `Shading.of`, shape (n,)."""
        shadow = self.places.take(cells) > 0
        asked = np.flatnonzero(shadow)
        shadow[asked] = self._near(_shades(pixels[asked], ground[asked]))
        return shadow

    def _near(self, shades: NDArray[np.float64]) -> NDArray[np.bool_]:
        depth = np.clip(shades @ self.mean / (self.mean @ self.mean), *self.depths)
        return np.asarray((np.abs(shades - depth[:, None] * self.mean) < self.reach).all(axis=1))


def _shades(pixels: Pixels, ground: Pixels) -> NDArray[np.float64]:
    """Return the logarithm of `pixels` relative to the `ground`, both of shape (n, 3)."""
    return np.asarray(np.log((pixels + 1.0) / (ground + 1.0)))


def _bluish(mean: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which shadings, shape (n, 3), can be those of the sky's light, shape (n,)."""
    darker = (mean < -LEAST) & (mean > -MOST)
    return np.asarray(darker.all(axis=1) & _bluer(mean))


def _bluer(shades: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which shades, shape (n, 3), are less dark in blue than in red, shape (n,)."""
    return np.asarray(shades[:, 0] - shades[:, 2] > BLUER)


def _greyish(shades: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which shades, shape (n, 3), can be those of a part in the shadow, shape (n,)."""
    blue, green, red = shades.T
    darker = ((shades < -LEAST) & (shades > -DARKEST)).all(axis=1)
    bluer = (blue - red > -GREYEST) & (blue - red < BLUEST)
    return np.asarray(darker & bluer & (np.abs(green - (blue + red) / 2) < BENT))


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
    centres = [
        _centres(one.patches, one.cells, width, np.ones(len(one.cells), bool)) for one in shadings
    ]
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


def _centres(
    patches: Patches, cells: NDArray[np.intp], width: int, which: NDArray[np.bool_]
) -> NDArray[np.complex128]:
    """Return the middle of some cells of each patch of a mask, as complex numbers, (count,).

    Parameters
    ----------
    patches, cells
        Of the mask, and the flat indices of its n cells.
    width
        Of the mask, cells.
    which
        Shape (n,), the cells that count.
    """
    y, x = np.divmod(cells, width)
    total = patches.total(which * x) + 1j * patches.total(which * y)
    return np.asarray(total / np.maximum(patches.total(which), 1), np.complex128)


def _range(shades: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the median of some shades, (n, 3), and how far from it a shadow is at most, (3,)."""
    middle = np.median(shades, axis=0)
    deviation = 1.4826 * np.median(np.abs(shades - middle), axis=0)
    times, least = SPREAD
    return middle, np.maximum(times * deviation, least)
