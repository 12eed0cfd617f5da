"""Cast shadows: pixels that are darker than the background and yet of its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import planes

FloatPixels = NDArray[np.float32]

GREY_SCENE_CHROMA = 6.0
"""Mean spread of the channels, grey levels, below which a scene has no colour to compare."""

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
    """

    darkest: float = 0.55
    brightest: float = 1.2
    chromaticity: float = 0.025

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


def is_grey(images: NDArray[np.uint8]) -> bool:
    """Tell whether `images`, shape (..., height, width, 3), have too little colour for the test."""
    few = planes(images[..., ::LOOKED_AT_EVERY, ::LOOKED_AT_EVERY, :].reshape(-1, 3))
    spread = few.max(axis=0) - few.min(axis=0)
    return bool(spread.mean() < GREY_SCENE_CHROMA)
