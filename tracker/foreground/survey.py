"""What frames sampled over a whole file tell: background, noise, sizes of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.grid import Grid, Mask
from tracker.foreground.light import LOOKED_AT, gain, local_gain
from tracker.types import Blob, Image

ENOUGH = 48
"""Samples that suffice for the median and the noise."""

NOISE_QUANTILE = 0.4
"""Quantile of |frame - background| that noise is read from: most objects stay above it."""

NOISE_QUANTILE_OF_GAUSSIAN = 0.5244
"""The same quantile of |x| for a standard normal x."""


SAME_LIGHT = 0.1
"""Range of the logarithm of the gain, either way, over which samples count as of one light."""

FEWEST_SAMPLES = 12
"""Samples of the commonest light that suffice to leave out the others."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Background of sampled frames.

    Parameters
    ----------
    mean
        Shape (height, width, 3), BGR.
    noise
        Shape (height, width), standard deviation of a channel, grey levels.
    """

    mean: NDArray[np.float32]
    noise: NDArray[np.float32]


def one_light(images: Sequence[Image]) -> Sequence[Image]:
    """Return those of `images`, each of shape (height, width, 3), that show the commonest light.

    A lamp that is switched in the middle of a file would otherwise leave a median of both.
    """
    stride = max(1, int(np.sqrt(images[0].size / 3 / LOOKED_AT)))
    small = np.stack([image[::stride, ::stride] for image in images])
    middle = rank_filter(small, len(small) // 2)
    gains = np.array([np.log(gain(image, middle)).mean() for image in small])
    near = np.abs(gains[:, None] - gains) < SAME_LIGHT
    commonest = near[np.argmax(near.sum(axis=1))]
    if np.count_nonzero(commonest) < FEWEST_SAMPLES:
        return images
    return [image for image, same in zip(images, commonest, strict=True) if same]


def background_statistics(images: NDArray[np.uint8]) -> Statistics:
    """Return the per-pixel median and noise of `images`, shape (count, height, width, 3).

    Where the light differs among the samples, each is first brought to the light of most.
    """
    images = images[:: max(1, len(images) // ENOUGH)]
    count = len(images)
    middle = rank_filter(images, count // 2)
    if any((gain(image, middle) != 1.0).any() for image in images):
        lit = middle.astype(np.float32)
        images = np.stack([_relit(image, lit) for image in images])
        middle = rank_filter(images, count // 2)
    distance = np.stack([cv2.absdiff(image, middle) for image in images]).astype(np.uint8)
    spread = rank_filter(distance, int(NOISE_QUANTILE * count)).astype(np.float32)
    # A level stands for the interval up to the next one.
    noise = np.sqrt(np.mean((spread + 0.5) ** 2, axis=-1)) / NOISE_QUANTILE_OF_GAUSSIAN
    noise = np.asarray(cv2.blur(noise, (5, 5)), np.float32)
    return Statistics(middle.astype(np.float32), np.maximum(noise, np.median(noise)))


def _relit(image: Image, reference: NDArray[np.float32]) -> Image:
    """Return `image` in the light of `reference`."""
    change = local_gain(image, reference)
    if (change == 1.0).all():
        return image
    return np.asarray(np.clip(image / change, 0, 255), np.uint8)


def rank_filter(images: NDArray[np.uint8], rank: int) -> Image:
    """Return the value of the given rank (from 0) at each pixel, over the first axis.

    Bisection of the 256 levels, bit by bit: eight passes of comparisons over whole pictures.
    """
    level = np.zeros(images.shape[1:], np.uint8)
    lower = np.empty(level.shape, np.bool_)
    counts = np.uint8 if len(images) < 256 else np.uint16
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        candidate = level | np.uint8(bit)
        below = np.zeros(level.shape, counts)
        for image in images:
            np.less(image, candidate, out=lower)
            np.add(below, lower.view(np.uint8), out=below)
        level = np.where(below <= rank, candidate, level)
    return level


@dataclass(frozen=True, slots=True)
class Patch:
    """A connected patch of foreground and how much it stands out.

    Parameters
    ----------
    blob
        Its moments.
    contrast
        Median difference of its most different channel to the background, grey levels.
    """

    blob: Blob
    contrast: float


def find_patches(
    mask: Mask, image: Image, reference: Image, grid: Grid, smallest_cells: int = 6
) -> list[Patch]:
    """Return the connected patches of `mask` of at least `smallest_cells` cells."""
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    height, width = mask.shape
    patches: list[Patch] = []
    for label in range(1, count):
        left, top, wide, high, cells = (int(number) for number in boxes[label])
        if cells < smallest_cells:
            continue
        window = np.s_[top : top + high, left : left + wide]
        inside = labels[window] == label
        rows, columns = np.nonzero(inside)
        coordinates = grid.coordinates((rows + top) * width + columns + left)
        mean = coordinates.mean(axis=0)
        centred = coordinates - mean
        # A cell is itself an extended thing: a uniform square of side s has variance s²/12.
        covariance = centred.T @ centred / cells + np.diag(np.square(grid.step)) / 12.0
        signed = image[window][inside].astype(np.int16) - reference[window][inside]
        border = left == 0 or top == 0 or left + wide == width or top + high == height
        patches.append(
            Patch(
                Blob(mean, covariance, cells * grid.cell_area, border),
                contrast=float(np.median(np.abs(signed).max(axis=1))),
            )
        )
    return patches


def typical_area(patches: Sequence[Patch]) -> float | None:
    """Return the area of a typical object, px², or None where nothing was seen.

    The area-weighted 40 % quantile: specks weigh nothing, and groups do not rule.
    """
    areas = np.sort([patch.blob.area for patch in patches if not patch.blob.border])
    if len(areas) == 0:
        areas = np.sort([patch.blob.area for patch in patches])
    if len(areas) == 0:
        return None
    share = np.cumsum(areas)
    return float(areas[np.searchsorted(share, 0.4 * share[-1])])


def typical_contrast(patches: Sequence[Patch]) -> float | None:
    """Return the area-weighted median contrast, grey levels, or None where nothing was seen."""
    if not patches:
        return None
    contrast = np.array([patch.contrast for patch in patches])
    order = np.argsort(contrast)
    share = np.cumsum(np.array([patch.blob.area for patch in patches])[order])
    return float(contrast[order][np.searchsorted(share, 0.5 * share[-1])])
