"""A palette of 64 colours that keeps its head under changing light.

Pixels with little colour fall into 16 levels of grey, the others into 12 hues of 4 brightnesses.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import planes
from tracker.types import COLOR_BINS

GREY_LEVELS = 16
HUES = 12
BRIGHTNESSES = 4
GREY_CHROMA = 24
"""Difference of the largest and smallest channel, grey levels, below which a pixel is grey."""


@cache
def _table() -> NDArray[np.uint8]:
    """Return the bin of every colour of 5 bits a channel, shape (32768,)."""
    levels = np.arange(32, dtype=np.uint8) * 8 + 4
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    pixels = np.stack([blue, green, red], axis=-1).reshape(-1, 1, 3)
    hsv = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV), dtype=np.intp)[:, 0]
    chroma = np.ptp(pixels[:, 0].astype(np.intp), axis=1)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), dtype=np.intp)[:, 0]
    # Hues are centred on the primary colours, so that a red object does not straddle two bins.
    hue = (hsv[:, 0] * HUES + 90) // 180 % HUES
    colored = GREY_LEVELS + hue * BRIGHTNESSES + hsv[:, 2] * BRIGHTNESSES // 256
    bins = np.where(chroma < GREY_CHROMA, grey * GREY_LEVELS // 256, colored)
    assert bins.max() < COLOR_BINS
    return bins.astype(np.uint8)


def color_bins(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the palette index of BGR `pixels` of shape (n, 3), shape (n,)."""
    table: NDArray[np.uint8] = _table()
    blue, green, red = (planes(pixels) >> 3).astype(np.uint16)
    return np.asarray(table.take((blue << 10) | (green << 5) | red), np.uint8)
