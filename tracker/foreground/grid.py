"""The raster on which a background model works: the picture, made smaller, and where to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.config import ForegroundOptions
from tracker.errors import ConfigError
from tracker.foreground.base import Footprint
from tracker.types import Array, Image

Mask = NDArray[np.uint8]
"""Shape (height, width) of the raster, 255 where set and 0 elsewhere, as OpenCV has it."""

THIN = np.ones((3, 3), np.uint8)
"""What does not fit into a thin part of an object, cells: small fish are five wide,"""

THIN_BLURRED = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)), np.uint8)
"""and where the picture is blurred, which makes everything wider by two."""

FOOTPRINT_REACH = 2.5
"""Standard deviations of an object's extent that count as its footprint; its outline is at 2."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Maps pictures to the raster and cells of the raster back to pixels of the picture.

    Parameters
    ----------
    picture
        Width and height of the picture, px.
    cells
        Width and height of the raster, cells.
    """

    picture: tuple[int, int]
    cells: tuple[int, int]

    @classmethod
    def scaled(cls, picture: tuple[int, int], scale: float) -> Grid:
        """Return the raster that has `scale` times the picture's width and height."""
        width, height = (max(1, round(length * scale)) for length in picture)
        return cls(picture, (width, height))

    @property
    def step(self) -> tuple[float, float]:
        """Pixels of the picture for each cell, along x and along y."""
        return self.picture[0] / self.cells[0], self.picture[1] / self.cells[1]

    @property
    def cell_area(self) -> float:
        """Pixels of the picture that one cell covers, px²."""
        return self.step[0] * self.step[1]

    @property
    def blurred(self) -> bool:
        """Whether pictures are blurred, as there are no pixels to average."""
        return self.cells == self.picture

    def bodies(self, mask: Mask) -> Mask:
        """Return `mask` without thin parts: tails and legs, but for where they begin."""
        thin = THIN_BLURRED if self.blurred else THIN
        # Corners, which do not fit in either, are no limbs.
        bodies = cv2.dilate(cv2.morphologyEx(mask, cv2.MORPH_OPEN, thin), thin)
        return np.asarray(cv2.bitwise_and(bodies, mask), np.uint8)

    def shrink(self, image: Image) -> Image:
        """Return a picture on the raster, its pixel noise averaged out; always of three channels.

        Raises
        ------
        ValueError
            The picture has another size.
        """
        height, width = image.shape[:2]
        if (width, height) != self.picture:
            raise ValueError(
                f"The picture is {width}x{height} px but the foreground model was made for"
                f" {self.picture[0]}x{self.picture[1]} px; make a new model for it."
            )
        return self.coarsen(image)

    def coarsen(self, image: Image) -> Image:
        """Do what `shrink` does to a picture, or to one that was reduced to a finer raster."""
        if self.blurred:
            return np.asarray(cv2.blur(self.reduce(image), (3, 3)), dtype=np.uint8)
        return self.reduce(image)

    def reduce(self, image: Image) -> Image:
        """Return `image` on the raster, with such noise as that leaves; of three channels."""
        if image.ndim == 2:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
        return resized(image, self.cells)

    def coordinates(self, cells: NDArray[np.intp]) -> Array:
        """Return the centres of `cells`, flat indices of shape (n,), as x, y, shape (n, 2), px."""
        rows = cells // self.cells[0]  # with the product half the time of a divmod
        columns = cells - rows * self.cells[0]
        step_x, step_y = self.step
        coordinates = np.empty((len(cells), 2))
        np.multiply(columns + 0.5, step_x, out=coordinates[:, 0])
        np.multiply(rows + 0.5, step_y, out=coordinates[:, 1])
        coordinates -= 0.5
        return coordinates

    def footprint(self, protect: Footprint | None) -> Mask:
        """Return the cells that the objects in `protect` cover."""
        mask = np.zeros(self.cells[::-1], np.uint8)
        if protect is None:
            return mask
        step = np.array(self.step)
        for mean, covariance in zip(protect.means, protect.covariances, strict=True):
            centre = (mean + 0.5) / step - 0.5
            values, vectors = np.linalg.eigh(covariance / np.outer(step, step))
            axes = FOOTPRINT_REACH * np.sqrt(np.maximum(values, 0.0)) + 0.5
            if not (np.all(np.isfinite(centre)) and np.all(np.abs(centre) < 1e5)):
                continue  # an object that coasted out of every picture covers nothing
            angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
            box = (
                (float(centre[0]), float(centre[1])),
                (2.0 * float(axes[1]), 2.0 * float(axes[0])),
                angle,
            )
            cv2.ellipse(mask, box, 255, cv2.FILLED)
        return mask

    def region(self, options: ForegroundOptions) -> Mask:
        """Return the cells in which to look, from the region image and the polygons.

        Raises
        ------
        ConfigError
            The region image cannot be read, or nothing of the picture is left.
        """
        width, height = self.picture
        region = np.full((height, width), 255, np.uint8)
        if options.region:
            drawn = cv2.imread(options.region, cv2.IMREAD_GRAYSCALE)
            if drawn is None:
                raise ConfigError(
                    f"The region {options.region!r} is not a readable image; name a PNG or JPEG"
                    " whose bright pixels are where to look."
                )
            drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_NEAREST)
            region[drawn < 128] = 0
        if options.include:
            region &= _polygons(options.include, (height, width))
        if options.exclude:
            region &= ~_polygons(options.exclude, (height, width))
        # A cell counts only when most of it does: half of a cell must not drag in the other half.
        cells = cv2.resize(region, self.cells, interpolation=cv2.INTER_AREA)
        mask = np.where(np.asarray(cells) > 127, 255, 0).astype(np.uint8)
        if not mask.any():
            raise ConfigError(
                f"The region leaves nothing of the {width}x{height} px picture; check"
                " foreground.region, foreground.include and foreground.exclude."
            )
        return mask


def resized(image: Image, cells: tuple[int, int]) -> Image:
    """Return `image` made smaller to this width and height, its pixels averaged out."""
    while all(
        have % 2 == 0 and have >= 2 * want
        for have, want in zip(image.shape[1::-1], cells, strict=True)
    ):
        # OpenCV halves several times as fast as it makes a fourth in one go.
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    if image.shape[1::-1] == cells:
        return image
    # Between its neighbours a pixel is as good as an area of less than two, and far cheaper.
    near = all(
        want <= have < 2 * want for have, want in zip(image.shape[1::-1], cells, strict=True)
    )
    way = cv2.INTER_LINEAR if near else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, cells, interpolation=way), dtype=np.uint8)


def _polygons(
    polygons: Sequence[Sequence[tuple[float, float]]], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw filled polygons of x, y corners."""
    mask = np.zeros(shape, np.uint8)
    for corners in polygons:
        if len(corners) < 3:
            raise ConfigError(
                f"A polygon needs at least 3 corners but has {len(corners)}; add corners or"
                " remove it from foreground.include and foreground.exclude."
            )
        cv2.fillPoly(mask, [np.round(np.array(corners)).astype(np.int32)], 255)
    return mask
