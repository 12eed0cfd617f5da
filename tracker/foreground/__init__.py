"""Background models: from a frame to the coordinates of its foreground pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Self

import numpy as np

from tracker.config import ForegroundOptions
from tracker.errors import ConfigError
from tracker.foreground.base import Footprint, ForegroundModel
from tracker.foreground.detector import Background, Detector, Review, clean
from tracker.foreground.gaussian import (
    OBJECT_CONTRAST,
    UNSETTLED,
    GaussianBackground,
    RunningBackground,
    Sensitivity,
)
from tracker.foreground.grid import Grid, Mask
from tracker.foreground.models import OpenCVBackground, ThresholdBackground
from tracker.foreground.occluders import find_occluders
from tracker.foreground.shadow import ShadowTest, is_grey, uncast
from tracker.foreground.sunlight import Shade
from tracker.foreground.survey import (
    ENOUGH,
    Patch,
    Statistics,
    alike,
    background_statistics,
    find_patches,
    one_light,
    one_view,
    side_by_side,
    typical_area,
    typical_contrast,
)
from tracker.types import Blob, Image, Scene

__all__ = ["Footprint", "ForegroundModel", "make_foreground", "sample_grid", "samples_wanted"]

CELLS_PER_OBJECT = 350
"""Cells that a typical object keeps when the processing scale is chosen,"""

FEWEST_CELLS_PER_OBJECT = 100
"""and at least these where the picture would otherwise have more than"""

MOST_CELLS = 250_000
"""cells."""

FEWEST_SAMPLES = 24
"""Samples that even the largest picture has."""

FINEST_CELLS = 520_000
"""Cells that the largest picture has."""

SAMPLE_BYTES = 150_000_000
"""Memory of the sampled frames."""

SHORTEST_SIDE = 160
"""Cells along the shorter side of the picture that the chosen scale keeps at least."""

TRIED_EVERY = 4
"""Samples from one to the next that are looked at to try something."""

PIECES = 16.0
"""Times the area of what moves that an object has where all that moves are its rims,"""

MOSTLY = 0.7
"""as they are where this share of the area is within what stands."""

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
    used = one_view(one_light(kept))
    del kept
    enough = range(0, len(used), max(1, len(used) // ENOUGH))
    looked_at = _coarsened(used, enough, coarse)
    survey = _Survey.of(looked_at, coarse, options)
    area = typical_area(survey.patches)
    grid = _suited(area, size, options) or coarse
    for _ in range(2):
        if grid != survey.grid:
            looked_at = _coarsened(used, enough, grid)
            survey = _Survey.of(looked_at, grid, options)
        if area is None:
            break
        in_pieces = survey.look_beneath(looked_at, area / grid.cell_area)
        if not (survey.look_past_shadows(looked_at) or in_pieces):
            break
        # With their shadows, objects were larger than they are, and in pieces smaller.
        area = typical_area(survey.patches)
        grid = _suited(area, size, options) or grid
        if grid == survey.grid:
            break
    del looked_at
    others = [number for number in range(len(used)) if number not in enough]
    survey.look(_coarsened(used, others, survey.grid))
    scene = survey.scene()
    if area is not None:
        occluders = find_occluders(survey.masks, area / survey.grid.cell_area)
        scene = replace(scene, occluders=occluders)
    return Detector(
        survey.background(),
        survey.grid,
        survey.region,
        shadow=survey.shadow,
        flood_share=options.flood_share,
        scene=scene,
    )


def _coarsened(samples: Sequence[Image], numbers: Sequence[int], grid: Grid) -> dict[int, Image]:
    """Return the samples of these numbers on the raster, by number."""
    images = side_by_side(grid.coarsen, [samples[number] for number in numbers])
    return dict(zip(numbers, images, strict=True))


def _suited(area: float | None, size: tuple[int, int], options: ForegroundOptions) -> Grid | None:
    """Return the raster for objects of `area` px² in a picture of `size`, where one may choose."""
    if options.scale or area is None:
        return None
    return Grid.scaled(size, 1 / _divisor(area, size))


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
    return min(options.samples, max(SAMPLE_BYTES // (3 * width * height), FEWEST_SAMPLES))


def _unsurveyed(name: str, options: ForegroundOptions, grid: Grid) -> Detector:
    """Make a model that has seen nothing yet."""
    background: Background
    shadow = review = None
    region = grid.region(options)
    if name == "running":
        background = running = RunningBackground(
            Sensitivity(options.threshold), learning_seconds=options.learning_seconds
        )
        review = partial(_review, running, grid, options)
        shadow = ShadowTest() if options.shadows else None
    elif name == "threshold":
        background = ThresholdBackground(options.polarity, region, adaptive=options.adaptive)
    else:
        background = OpenCVBackground("mog2" if name == "mog2" else "knn")
    return Detector(
        background,
        grid,
        region,
        shadow=shadow,
        flood_share=options.flood_share,
        scene=Scene(size=grid.picture, step=float(np.sqrt(grid.cell_area))),
        review=review,
    )


def _review(running: RunningBackground, grid: Grid, options: ForegroundOptions) -> Review | None:
    """Look back at the first seconds of a live source as at the samples of a file."""
    images = running.opening.review()
    if images is None:
        return None
    samples = dict(enumerate(images))
    survey = _Survey.of(samples, grid, options)
    running.expect(survey.statistics.noise)
    survey.look_past_shadows(samples, alone=False)
    shadow = survey.shadow
    if shadow is None and options.shadows and not survey.colorless:
        shadow = ShadowTest()  # at night there is no colour, and in the morning there is
    return Review(survey.scene(), shadow)


@dataclass(slots=True)
class _Survey:
    """What samples show of a place: its background on a raster, and the objects in front of it."""

    grid: Grid
    options: ForegroundOptions
    statistics: Statistics
    sensitivity: Sensitivity
    shadow: ShadowTest | None
    region: Mask
    patches: list[Patch] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    colorless: bool = False  # whether objects differ from the ground as little as shadows do

    @classmethod
    def of(cls, samples: Mapping[int, Image], grid: Grid, options: ForegroundOptions) -> Self:
        """Learn the background of numbered samples on the raster, and look at them."""
        images = list(samples.values())
        grey = is_grey(*images)
        survey = cls(
            grid,
            options,
            background_statistics(images),
            Sensitivity(options.threshold),
            ShadowTest() if options.shadows and not grey else None,
            grid.region(options),
        )
        changed = survey.look(samples)
        if survey.shadow is not None and uncast(changed, survey.masks):
            survey.shadow, survey.colorless, grey = None, True, True
            survey._look_again(samples)
        elif survey.shadow is not None and survey._crumbling(samples):
            survey.shadow, survey.colorless = None, True
            survey._look_again(samples)
        contrast = typical_contrast(survey.patches)
        if grey and contrast is not None:
            # Arenas without colour: what differs less than half as much as objects is not one.
            least = max(survey.sensitivity.contrast, OBJECT_CONTRAST * contrast)
            survey.sensitivity = Sensitivity(options.threshold, least)
            survey._look_again(samples)
        return survey

    def look(self, samples: Mapping[int, Image]) -> list[Mask]:
        """Find the objects in numbered samples on the raster; return what is changed in each."""
        background, every = self.background(), []
        for number, image in samples.items():
            if background.light.any():  # it followed the light of the sample before
                background = self.background()
            changed = background.foreground(image)
            if self.statistics.sway > UNSETTLED:
                nothing = np.zeros_like(changed)
                background.relight(image, 0.0, nothing, nothing)
                changed = background.foreground(image)
            changed &= self.region
            every.append(changed)
            mask = clean(changed, image, background, self.shadow)
            self.masks.append(mask)
            self.patches.extend(find_patches(mask, image, background.reference, self.grid, number))
        return every

    def _crumbling(self, samples: Mapping[int, Image]) -> bool:
        """Tell whether objects are alike only together with what passes for their shadows.

        Of grey animals now these parts do and now those.
        """
        if alike(self.patches):
            return False
        whole = replace(self, shadow=None, patches=[], masks=[])
        whole.look(dict(islice(samples.items(), 0, None, TRIED_EVERY)))
        return alike(whole.patches) and self._shade(samples) is None

    def look_beneath(self, samples: Mapping[int, Image], area: float) -> bool:
        """Look at numbered samples again if something stands in the background and stirs.

        Parameters
        ----------
        samples
            Those that were looked at before.
        area
            Of a typical object, cells.

        Returns
        -------
        in_pieces
            True where what seemed to be objects were pieces of such as stand.
        """
        contrast = typical_contrast(self.patches) or 0.0
        statistics = self.statistics.without_standing(PIECES * area, contrast)
        in_pieces = self._share(statistics.stands) > MOSTLY
        if not in_pieces:
            statistics = self.statistics.without_standing(area, contrast)
        if statistics is not self.statistics:
            self.statistics = statistics
            self._look_again(samples)
        return in_pieces

    def _share(self, place: Mask) -> float:
        """Return the share of all that is foreground in the samples that is in a place."""
        every = sum(np.count_nonzero(mask) for mask in self.masks)
        return sum(np.count_nonzero(mask & place) for mask in self.masks) / max(every, 1)

    def look_past_shadows(self, samples: Mapping[int, Image], *, alone: bool = True) -> bool:
        """Look at numbered samples again if the sun casts shadows in them, and tell whether so.

        A few samples do not suffice to tell shadows that lie there `alone`.
        """
        if self.shadow is None:
            return False
        in_the_sun = self._shade(samples, alone=alone)
        if in_the_sun is not None:
            self.shadow = replace(self.shadow, in_the_sun=in_the_sun)
            self._look_again(samples)
        return in_the_sun is not None

    def _shade(self, samples: Mapping[int, Image], *, alone: bool = True) -> Shade | None:
        """Return what shadows on sunlit ground are like in samples, if there are any."""
        views = list(zip(self.masks, samples.values(), strict=True))
        ground = self.background().reference
        in_the_sun = Shade.dragged(views, ground)
        return Shade.learned(views, ground) if in_the_sun is None and alone else in_the_sun

    def _look_again(self, samples: Mapping[int, Image]) -> None:
        self.patches, self.masks = [], []
        self.look(samples)

    def scene(self) -> Scene:
        """Return what the samples that were looked at tell of the place."""
        patches = sorted(self.patches, key=lambda patch: patch.blob.sample)
        return Scene(
            size=self.grid.picture,
            blobs=self._told(patch.blob for patch in patches),
            bodies=self._told(patch.body for patch in patches),
            samples=len(self.masks),
            step=float(np.sqrt(self.grid.cell_area)),
        )

    def _told(self, blobs: Iterable[Blob]) -> tuple[Blob, ...]:
        """Return patches that know whether they are of something that stands in all samples."""
        stands = self.statistics.stands
        if not stands.any():
            return tuple(blobs)
        told = []
        for blob in blobs:
            x, y = (blob.mean / self.grid.step).astype(np.intp)
            told.append(replace(blob, stands=bool(stands[y, x])))
        return tuple(told)

    def background(self) -> GaussianBackground:
        """Return the background in the light of most samples."""
        return GaussianBackground(
            self.statistics.mean,
            self.statistics.noise,
            self.sensitivity,
            learning_seconds=self.options.learning_seconds,
        )
