"""Background models: from a frame to the coordinates of its foreground pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracker.config import ForegroundOptions
from tracker.errors import ConfigError
from tracker.foreground.base import Footprint, ForegroundModel
from tracker.foreground.detector import Background, Detector, clean
from tracker.foreground.gaussian import (
    OBJECT_CONTRAST,
    GaussianBackground,
    RunningBackground,
    Sensitivity,
)
from tracker.foreground.grid import Grid
from tracker.foreground.models import OpenCVBackground, ThresholdBackground
from tracker.foreground.occluders import find_occluders
from tracker.foreground.opening import Opening
from tracker.foreground.shadow import ShadowTest, is_grey
from tracker.foreground.survey import (
    Patch,
    background_statistics,
    find_patches,
    one_light,
    side_by_side,
    typical_area,
    typical_contrast,
)
from tracker.types import Image, Scene

__all__ = ["Footprint", "ForegroundModel", "make_foreground", "sample_grid", "samples_wanted"]

CELLS_PER_OBJECT = 350
"""Cells that a typical object keeps when the processing scale is chosen,"""

FEWEST_CELLS_PER_OBJECT = 100
"""and at least these where the picture would otherwise have more than"""

MOST_CELLS = 250_000
"""cells."""

FIRST_LOOK = 24
"""Samples that tell the size of objects, for the choice of the scale."""

FINEST_CELLS = 520_000
"""Cells that the largest picture has."""

SAMPLE_BYTES = 150_000_000
"""Memory of the sampled frames."""

SHORTEST_SIDE = 160
"""Cells along the shorter side of the picture that the chosen scale keeps at least."""

SURVEY_SIDE = 288
"""Cells along the shorter side of the picture when the samples are looked at first."""


def make_foreground(
    options: ForegroundOptions,
    size: tuple[int, int],
    samples: Iterable[Image],
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
        Frames spread over the source, or none where it cannot be asked beforehand. They are made
        smaller one by one as they come, where they are not on the `sample_grid` already.
    live
        True where frames cannot be asked for again.

    Raises
    ------
    ConfigError
        The region cannot be used.
    """
    name = options.model
    coarse = Grid.scaled(size, options.scale or 1 / max(1, min(size) // SURVEY_SIDE))
    finest = sample_grid(options, size)
    kept = []
    if name in ("auto", "median") and not (name == "auto" and live):
        kept = [finest.reduce(image) for image in samples]
    if name == "auto":
        name = "median" if kept else "running"
    if name == "median" and not kept:
        raise ConfigError(
            "foreground.model is 'median' but the source gives no frames beforehand; use 'running'."
        )
    if name != "median":
        return _unsurveyed(name, options, coarse)
    used = one_light(kept)
    del kept
    few = used[:: max(1, len(used) // FIRST_LOOK)]
    area = typical_area(_survey(_coarsened(few, coarse), coarse, options).patches)
    grid = coarse
    if not options.scale and area is not None:
        grid = Grid.scaled(size, 1 / _divisor(area, size))
    images = _coarsened(used, grid)
    survey = _survey(images, grid, options)
    count = len(images)
    del images  # they take more memory than all that follows
    occluders = None
    if area is not None:
        occluders = find_occluders(survey.masks, area / grid.cell_area)
    scene = Scene(
        size=size,
        blobs=tuple(patch.blob for patch in survey.patches),
        samples=count,
        occluders=occluders,
        step=float(np.sqrt(grid.cell_area)),
    )
    return Detector(
        survey.background,
        grid,
        grid.region(options),
        shadow=survey.shadow,
        flood_share=options.flood_share,
        scene=scene,
    )


def _coarsened(images: list[Image], grid: Grid) -> NDArray[np.uint8]:
    """Return `images` on the raster, shape (count, height, width, 3).

    Takes them out of the list on the way: all of them twice would be too much for the memory.
    """
    width, height = grid.cells
    raster = np.empty((len(images), height, width, 3), np.uint8)

    def coarsen(place: int) -> None:
        raster[place] = grid.coarsen(images[place])
        images[place] = raster[place]

    side_by_side(coarsen, range(len(images)))
    images.clear()
    return raster


def _divisor(area: float, size: tuple[int, int]) -> int:
    """Return how many pixels a cell is wide, for objects of `area` px²."""
    wanted = int(np.sqrt(area / CELLS_PER_OBJECT))
    affordable = int(np.ceil(np.sqrt(size[0] * size[1] / MOST_CELLS)))
    bearable = int(np.sqrt(area / FEWEST_CELLS_PER_OBJECT))
    coarsest = max(1, min(size) // SHORTEST_SIDE)
    return min(max(_finest(size), wanted, min(affordable, bearable)), coarsest)


def _finest(size: tuple[int, int]) -> int:
    """Return how many pixels a cell is wide at least, in a picture of `size`."""
    return max(1, round(float(np.sqrt(size[0] * size[1] / FINEST_CELLS))))


def sample_grid(options: ForegroundOptions, size: tuple[int, int]) -> Grid:
    """Return the raster on which samples of a picture of `size`, px, are kept."""
    return Grid.scaled(size, options.scale or 1 / _finest(size))


def samples_wanted(options: ForegroundOptions, size: tuple[int, int]) -> int:
    """Return how many sampled frames of a picture of `size`, px, fit into memory."""
    width, height = sample_grid(options, size).cells
    return min(options.samples, max(SAMPLE_BYTES // (3 * width * height), FIRST_LOOK))


def _unsurveyed(name: str, options: ForegroundOptions, grid: Grid) -> Detector:
    """Make a model that has seen nothing yet."""
    background: Background
    shadow = review = None
    if name == "running":
        background = running = RunningBackground(
            Sensitivity(options.threshold), learning_seconds=options.learning_seconds
        )
        review = partial(_review, running.opening, grid, options)
        shadow = ShadowTest() if options.shadows else None
    elif name == "threshold":
        background = ThresholdBackground(options.polarity, adaptive=options.adaptive)
    else:
        background = OpenCVBackground("mog2" if name == "mog2" else "knn")
    return Detector(
        background,
        grid,
        grid.region(options),
        shadow=shadow,
        flood_share=options.flood_share,
        scene=Scene(size=grid.picture, step=float(np.sqrt(grid.cell_area))),
        review=review,
    )


def _review(opening: Opening, grid: Grid, options: ForegroundOptions) -> Scene | None:
    """Look back at the first seconds of a live source as at the samples of a file."""
    images = opening.review()
    if images is None:
        return None
    patches = _survey(images, grid, options).patches
    return Scene(
        size=grid.picture,
        blobs=tuple(patch.blob for patch in patches),
        samples=len(images),
        step=float(np.sqrt(grid.cell_area)),
    )


@dataclass(frozen=True, slots=True)
class _Survey:
    background: GaussianBackground
    patches: list[Patch]
    masks: NDArray[np.uint8]
    shadow: ShadowTest | None


def _survey(images: NDArray[np.uint8], grid: Grid, options: ForegroundOptions) -> _Survey:
    """Learn the background of `images` and find the objects in front of it."""
    statistics = background_statistics(images)
    grey = is_grey(images)
    shadow = ShadowTest() if options.shadows and not grey else None
    region = grid.region(options)
    sensitivity = Sensitivity(options.threshold)
    masks = np.empty(images.shape[:3], np.uint8)
    for again in (grey, False):
        background = GaussianBackground(
            statistics.mean,
            statistics.noise,
            sensitivity,
            learning_seconds=options.learning_seconds,
        )
        reference = background.reference
        for mask, image in zip(masks, images, strict=True):
            mask[:] = clean(background.foreground(image) & region, image, background, shadow)
        patches = [
            patch
            for sample, (mask, image) in enumerate(zip(masks, images, strict=True))
            for patch in find_patches(mask, image, reference, grid, sample)
        ]
        contrast = typical_contrast(patches)
        if not again or contrast is None:
            break
        # Arenas without colour: what differs less than half as much as the objects is not one.
        sensitivity = Sensitivity(
            options.threshold, max(sensitivity.contrast, OBJECT_CONTRAST * contrast)
        )
    # The survey moved the background through the light of every sample; start anew from most.
    background = GaussianBackground(
        statistics.mean, statistics.noise, sensitivity, learning_seconds=options.learning_seconds
    )
    return _Survey(background, patches, masks, shadow)
