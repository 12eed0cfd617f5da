"""A background of one mean colour and one noise level for each cell, learned with care.

The median model starts it from sampled frames, the running model from the first frame. From then
on both learn alike: slowly where the background is seen, and at once where something new has not
changed for long and no object is tracked there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.base import Footprint
from tracker.foreground.grid import Mask
from tracker.types import Image

NOISE_FLOOR = 1.5
"""Smallest noise that is believed, grey levels."""

EDGE_SHIFT = 0.35
"""Shift of the picture that is put down to noise, cells."""

CONTRAST_FLOOR = 9.0
"""Smallest difference of a channel that makes foreground, grey levels."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What makes a cell foreground.

    Parameters
    ----------
    deviations
        Distance in colour, standard deviations.
    contrast
        Smallest difference of the most different channel, grey levels.
    """

    deviations: float
    contrast: float = CONTRAST_FLOOR


class GaussianBackground:
    """Mean and noise for each cell.

    Parameters
    ----------
    mean
        Shape (height, width, 3), BGR.
    noise
        Shape (height, width), standard deviation of a channel, grey levels.
    sensitivity
        What makes a cell foreground.
    """

    def __init__(
        self, mean: NDArray[np.float32], noise: NDArray[np.float32], sensitivity: Sensitivity
    ) -> None:
        self.mean = np.ascontiguousarray(mean, np.float32)
        self.noise = np.maximum(noise, NOISE_FLOOR).astype(np.float32)
        self.sensitivity = sensitivity
        self.refresh()

    def refresh(self) -> None:
        """Make the tables of the quick test anew, after the mean or the noise changed."""
        self.reference: Image = np.clip(np.rint(self.mean), 0, 255).astype(np.uint8)
        gradient = edge_strength(self.mean)
        self.deviation = np.sqrt(self.noise**2 + (EDGE_SHIFT * gradient) ** 2)
        # If the sum of three squares exceeds a limit, the largest exceeds a third of it.
        quick = self.sensitivity.deviations / np.sqrt(3.0) * self.deviation - 1.0
        self.quick_limit: Mask = np.clip(
            np.maximum(quick, self.sensitivity.contrast), 0, 254
        ).astype(np.uint8)

    def foreground(self, image: Image) -> Mask:
        """Return the cells of `image` that differ from the background."""
        blue, green, red = cv2.split(cv2.absdiff(image, self.reference))
        largest = cv2.max(cv2.max(blue, green), red)
        mask: Mask = np.asarray(cv2.compare(largest, self.quick_limit, cv2.CMP_GT), np.uint8)
        cells = np.flatnonzero(mask)
        difference = image.reshape(-1, 3)[cells] - self.mean.reshape(-1, 3)[cells]
        squared = np.einsum("nc,nc->n", difference, difference)
        limit = (self.sensitivity.deviations * self.deviation.ravel()[cells]) ** 2
        mask.ravel()[cells[squared <= limit]] = 0
        return mask

    def appearance(
        self, cells: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return colour, shape (n, 3), and noise, shape (n,), of the background at `cells`."""
        return self.mean.reshape(-1, 3)[cells], self.noise.ravel()[cells]

    def learn(self, image: Image, time: float, foreground: Mask, protect: Footprint | None) -> None:
        """Take what `image`, seen at `time` in seconds, teaches of the background."""

    def relight(self, image: Image, time: float, protect: Footprint | None) -> None:
        """Follow a light that was switched: `image` is foreground for the most part."""


def edge_strength(mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest gradient of the channels, grey levels per cell, shape (height, width)."""
    along_x = cv2.Sobel(mean, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    along_y = cv2.Sobel(mean, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(cv2.magnitude(along_x, along_y).max(axis=2), np.float32)
