"""What frames sampled over a whole file tell: background, noise, object sizes, occluders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.grid import Grid, Mask
from tracker.types import Blob, Image

NOISE_QUANTILE = 0.4
"""Quantile of |frame - background| that noise is read from: most objects stay above it."""

NOISE_QUANTILE_OF_GAUSSIAN = 0.5244
"""The same quantile of |x| for a standard normal x."""

ONE_SIDED = 0.9
"""Share of the foreground on one side of the background that tells the polarity of a scene."""

BRIGHT_QUANTILE = 0.8
"""Quantile that stands for the background where all objects are darker than it."""


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


def background_statistics(images: NDArray[np.uint8], quantile: float = 0.5) -> Statistics:
    """Return the per-pixel background of `images`, shape (count, height, width, 3).

    Parameters
    ----------
    images
        Sampled frames on the raster.
    quantile
        0.5 takes the median; another one suits scenes whose objects are all darker (or all
        brighter) than the background and stand in one place most of the time. The noise's share
        in that quantile is taken out again by averaging the samples near it.
    """
    count, height, width, _ = images.shape
    mean = np.empty((height, width, 3), np.float32)
    noise = np.empty((height, width), np.float32)
    rank = min(count - 1, max(0, int(quantile * count)))
    noise_rank = int(NOISE_QUANTILE * count)
    band = max(1, 2_000_000 // (count * width * 3))
    for top in range(0, height, band):
        rows = np.ascontiguousarray(images[:, top : top + band])
        if quantile == 0.5:
            centre = np.median(rows, axis=0).astype(np.float32)
        else:
            centre = np.partition(rows, rank, axis=0)[rank].astype(np.float32)
        distance = np.abs(rows - centre)
        if quantile != 0.5:
            near = distance <= 3.0 * np.maximum(
                np.partition(distance, noise_rank // 2, axis=0)[noise_rank // 2], 2.0
            )
            centre = (rows * near).sum(axis=0, dtype=np.float32) / near.sum(axis=0)
            distance = np.abs(rows - centre)
        spread = np.partition(distance, noise_rank, axis=0)[noise_rank]
        mean[top : top + band] = centre
        noise[top : top + band] = np.sqrt(np.mean(spread**2, axis=-1))
    noise /= NOISE_QUANTILE_OF_GAUSSIAN
    noise = np.asarray(cv2.blur(noise, (5, 5)), np.float32)
    return Statistics(mean, np.maximum(noise, np.median(noise)))


@dataclass(frozen=True, slots=True)
class Patch:
    """A connected patch of foreground and how much it stands out.

    Parameters
    ----------
    blob
        Its moments.
    contrast
        Median difference of its most different channel to the background, grey levels.
    darker
        Share of its cells that are darker than the background.
    """

    blob: Blob
    contrast: float
    darker: float


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
                darker=float(np.mean(signed.sum(axis=1) < 0)),
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
