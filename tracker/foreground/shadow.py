"""Cast shadows: pixels that are darker than the background and yet of its colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import planes
from tracker.foreground.grid import Mask
from tracker.foreground.patches import Patches
from tracker.foreground.sunlight import Shade
from tracker.types import Image

FloatPixels = NDArray[np.float32]

GREY_SCENE_CHROMA = 6.0
"""Mean spread of the channels, grey levels, below which a scene has no colour to compare."""

CASTER = 0.2
"""Share of a patch that is no shadow where the rest of it is one."""

UNEVEN = 0.035
"""Standard deviation of the logarithm of the attenuation over what cannot be one shadow."""

SPECK = 12
"""Cells of a patch that says nothing of shadows."""

UNCAST = 1 / 5
"""Share of what is changed that is taken for shadows without casters where these are objects."""

LOOKED_AT_EVERY = 8
"""Rows and columns between the cells that colour is looked for in."""


@dataclass(frozen=True, slots=True)
class ShadowTest:
    """Tells shadows by brightness and chromaticity.

    Parameters
    ----------
    darkest, brightest
        Range of the brightness ratio of a shadow to its background.
    chromaticity
        Largest distance of two chromaticities (each sums to 1) that count as the same colour.
    in_the_sun
        What patches of shadow on sunlit ground are like; None where there are none.
    """

    darkest: float = 0.55
    brightest: float = 1.2
    chromaticity: float = 0.025
    in_the_sun: Shade | None = None

    def __call__(
        self, pixels: FloatPixels, background: FloatPixels, noise: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Return which of `pixels` are shadows, shape (n,).

        Parameters
        ----------
        pixels, background
            Shape (n, 3), BGR.
        noise
            Shape (n,), standard deviation of a channel, grey levels.
        """
        seen, empty = planes(pixels), planes(background)
        brightness = np.einsum("cn,cn->n", seen, empty)
        brightness /= np.einsum("cn,cn->n", empty, empty) + 1.0
        total = seen.sum(axis=0) + 1.0
        distance = np.abs(seen / total - empty / (empty.sum(axis=0) + 1.0)).sum(axis=0)
        # Three channels, so that the mean brightness of a pixel is a third of its total.
        tolerance = np.maximum(self.chromaticity, 4.5 * noise / total)
        same_color = distance < tolerance
        darker = (brightness > self.darkest) & (brightness < self.brightest)
        return np.asarray(darker & same_color)


def grey_objects(
    changed: Mask,
    cells: NDArray[np.intp],
    shadows: NDArray[np.bool_],
    pixels: FloatPixels,
    background: FloatPixels,
) -> NDArray[np.bool_]:
    """Return which changed cells belong to grey objects, as cars on asphalt are; shape (n,).

    A shadow lies beside what casts it, be that outside the picture, and attenuates all that it
    lies on alike. A patch that passes for a shadow as a whole, and is darker here than there, is
    an object.

    Parameters
    ----------
    changed, cells
        What is changed, and the flat indices of its n cells.
    shadows
        Shape (n,), which of them pass for a shadow.
    pixels, background
        Shape (n, 3), BGR.
    """
    patches = Patches.of(changed, cells)
    alone = ~patches.border & (patches.total(~shadows) < CASTER * patches.sizes)
    if not alone.any():
        return np.zeros(len(cells), bool)
    # The rim of a shadow is half in the light.
    core = cv2.erode(changed, np.ones((3, 3), np.uint8)).ravel().take(cells) > 0
    asked = np.flatnonzero(alone[patches.labels] & core)
    seen, empty = planes(pixels.take(asked, axis=0)), planes(background.take(asked, axis=0))
    attenuation = np.log((seen.sum(axis=0) + 1.0) / (empty.sum(axis=0) + 1.0))
    patch, count = patches.labels[asked], len(alone)
    number = np.maximum(np.bincount(patch, minlength=count), 1)
    mean = np.bincount(patch, attenuation, count) / number
    variance = np.bincount(patch, attenuation**2, count) / number - mean**2
    return np.asarray((alone & (variance > UNEVEN**2))[patches.labels])


def uncast(changed: Sequence[Mask], masks: Sequence[Mask]) -> bool:
    """Tell whether what passes for shadows is objects, as nothing casts it.

    Parameters
    ----------
    changed, masks
        Of each sample what is changed, and what is left of that without shadows.
    """
    alone = every = 0
    for change, mask in zip(changed, masks, strict=True):
        cells = np.flatnonzero(change)
        patches = Patches.of(change, cells)
        sizes = np.where(patches.sizes >= SPECK, patches.sizes, 0)
        gone = ~patches.border & (patches.total(mask.take(cells) > 0) < CASTER * patches.sizes)
        alone, every = alone + int(sizes[gone].sum()), every + int(sizes.sum())
    return alone > UNCAST * every


def is_grey(*images: Image) -> bool:
    """Tell whether `images`, each of shape (height, width, 3), have too little colour to test."""
    few = planes(
        np.concatenate(
            [image[::LOOKED_AT_EVERY, ::LOOKED_AT_EVERY].reshape(-1, 3) for image in images]
        )
    )
    spread = few.max(axis=0) - few.min(axis=0)
    return bool(spread.mean() < GREY_SCENE_CHROMA)
