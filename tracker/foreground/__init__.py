"""Background models: from a frame to the coordinates of its foreground pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracker.config import ForegroundOptions
from tracker.foreground.base import Footprint, ForegroundModel
from tracker.foreground.detector import Detector, clean
from tracker.foreground.gaussian import GaussianBackground, Sensitivity
from tracker.foreground.grid import Grid
from tracker.foreground.shadow import ShadowTest, is_grey
from tracker.foreground.survey import Patch, background_statistics, find_patches, typical_area
from tracker.types import Image, Scene

__all__ = ["Footprint", "ForegroundModel", "make_foreground"]

CELLS_PER_OBJECT = 350
"""Cells that a typical object keeps at least when the processing scale is chosen."""

SHORTEST_SIDE = 160
"""Cells along the shorter side of the picture that the chosen scale keeps at least."""

SURVEY_SIDE = 288
"""Cells along the shorter side of the picture when the samples are looked at first."""


def make_foreground(
    options: ForegroundOptions,
    size: tuple[int, int],
    samples: Sequence[Image],
    live: bool,
) -> ForegroundModel:
    """Make the foreground model that `options` ask for.

    Parameters
    ----------
    options
        The settings.
    size
        Width and height of the picture, px.
    samples
        Frames spread over the source, or none where it cannot be asked beforehand.
    live
        True where frames cannot be asked for again.

    Raises
    ------
    ConfigError
        The region cannot be used.
    """
    coarse = Grid.scaled(size, options.scale or 1 / max(1, min(size) // SURVEY_SIDE))
    images = np.stack([coarse.shrink(image) for image in samples])
    background, patches, shadow = _survey(images, coarse, options)
    area = typical_area(patches)
    if options.scale or area is None:
        grid = coarse
    else:
        divisor = int(np.sqrt(area / CELLS_PER_OBJECT))
        divisor = min(max(1, divisor), max(1, min(size) // SHORTEST_SIDE))
        grid = Grid.scaled(size, 1 / divisor)
        if grid != coarse:
            images = np.stack([grid.shrink(image) for image in samples])
            background, patches, shadow = _survey(images, grid, options)
    return Detector(
        background,
        grid,
        grid.region(options),
        shadow=shadow,
        flood_share=options.flood_share,
        scene=Scene(size=size, blobs=tuple(patch.blob for patch in patches)),
    )


def _survey(
    images: NDArray[np.uint8], grid: Grid, options: ForegroundOptions
) -> tuple[GaussianBackground, list[Patch], ShadowTest | None]:
    """Learn the background of `images` and find the objects in front of it."""
    statistics = background_statistics(images)
    background = GaussianBackground(
        statistics.mean, statistics.noise, Sensitivity(options.threshold)
    )
    shadow = ShadowTest() if options.shadows and not is_grey(images) else None
    region = grid.region(options)
    patches = [
        patch
        for image in images
        for patch in find_patches(
            clean(background.foreground(image) & region, image, background, shadow),
            image,
            background.reference,
            grid,
        )
    ]
    return background, patches, shadow
