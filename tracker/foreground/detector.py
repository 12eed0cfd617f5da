"""What all background models have in common, from the frame to its points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.base import Footprint
from tracker.foreground.channels import at
from tracker.foreground.grid import Grid, Mask
from tracker.foreground.palette import color_bins
from tracker.foreground.patches import Patches, solidity
from tracker.foreground.shadow import FloatPixels, ShadowTest, grey_objects, is_grey
from tracker.foreground.steadiness import Steadiness
from tracker.foreground.sunlight import Shading
from tracker.types import Frame, Image, Points, Scene

SETTLE_SECONDS = 0.3
"""Time for which a new look of the place is learned after a frame of it."""

BETWEEN = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)), np.uint8)
"""Reach, in cells, of one part of an object to the next: objects have some 350 cells."""


class Background(Protocol):
    """What differs between the models: what the empty scene looks like."""

    def foreground(self, image: Image) -> Mask:
        """Return the cells of `image` that differ from the background."""

    def appearance(self, cells: NDArray[np.intp]) -> tuple[FloatPixels, NDArray[np.float32]]:
        """Return colour, shape (n, 3), and noise, shape (n,), of the background at `cells`."""

    def due(self, time: float) -> bool:
        """Tell whether the model wants to learn at `time`, in seconds."""

    def learn(self, image: Image, time: float, foreground: Mask, protected: Mask) -> None:
        """Take what `image` teaches of the background, but nothing where it is `protected`."""

    def unsettled(self, time: float) -> bool:
        """Tell whether the neighbourhoods should be brought into the light at `time`, s."""

    def relight(self, image: Image, time: float, foreground: Mask, protected: Mask) -> None:
        """Bring each neighbourhood into the light of `image`, seen at `time` in seconds."""

    def relearn(self, image: Image, protected: Mask) -> None:
        """Take `image`, which is foreground for the most part, for the background."""


@dataclass(frozen=True, slots=True)
class Review:
    """What the frames so far have taught.

    Parameters
    ----------
    scene
        Of the place.
    shadow
        The shadow test from now on, or None to keep shadows.
    """

    scene: Scene
    shadow: ShadowTest | None


class Detector:
    """Frame to points: shrink, compare with the background, drop shadows and specks, learn.

    Parameters
    ----------
    background
        The model of the empty scene.
    grid
        The raster that it works on.
    region
        Cells in which to look.
    shadow
        The shadow test, or None to keep shadows.
    flood_share
        Share of the region whose change at once counts as a light being switched.
    scene
        What is known of the place beforehand.
    review
        Tells what the frames so far have taught, now and then; None: never.
    """

    def __init__(
        self,
        background: Background,
        grid: Grid,
        region: Mask,
        *,
        shadow: ShadowTest | None,
        flood_share: float,
        scene: Scene,
        review: Callable[[], Review | None] | None = None,
    ) -> None:
        self.background = background
        self.grid = grid
        self.region = region
        self.shadow = shadow
        self.flood_cells = flood_share * np.count_nonzero(region)
        self.scene = scene
        self.review = review
        self.spacing = float(np.sqrt(grid.cell_area))
        self.flooded: float | None = None
        self.steadiness = Steadiness()

    def points(self, frame: Frame, protect: Footprint | None = None) -> Points:
        """Return the foreground of `frame`; do not learn where `protect` has an object.

        A flood has no points: it says nothing about single objects, and would take its time.
        """
        image = self.grid.shrink(frame.image)
        drift = self.steadiness.drift(image, frame.time, self.spacing)
        changed = self._changed(image)
        if self.background.unsettled(frame.time):
            protected = self.grid.footprint(protect)
            self.background.relight(image, frame.time, changed, protected)
            changed = self._changed(image)
        if cv2.countNonZero(changed) > self.flood_cells:
            self.flooded = frame.time
        flood = self.flooded is not None and frame.time - self.flooded < SETTLE_SECONDS
        if flood:
            self.background.relearn(image, self.grid.footprint(protect))
            return Points(np.empty((0, 2)), spacing=self.spacing, flood=True, drift=drift)
        if self.background.due(frame.time):
            self.background.learn(image, frame.time, changed, self.grid.footprint(protect))
        mask = clean(changed, image, self.background, self.shadow)
        cells = np.flatnonzero(mask > 0)
        weights = np.full(len(cells), self.grid.cell_area)
        if protect is not None and protect.flat:
            weights *= solidity(self.grid.bodies(mask), cells, Patches.of(mask, cells))
        review = None if self.review is None else self.review()
        if review is not None:
            self.shadow = review.shadow
        return Points(
            self.grid.coordinates(cells),
            weights=weights,
            colors=color_bins(at(image, cells)),
            spacing=self.spacing,
            drift=drift,
            scene=None if review is None else review.scene,
        )

    def _changed(self, image: Image) -> Mask:
        changed = self.background.foreground(image)
        return np.asarray(cv2.bitwise_and(changed, self.region), np.uint8)


def clean(changed: Mask, image: Image, background: Background, shadow: ShadowTest | None) -> Mask:
    """Return `changed` without shadows and specks.

    Without colour every dark object would pass for a shadow. Judged frame by frame: a camera that
    turns to infrared at night loses its colour.
    """
    if shadow is None or is_grey(image):
        return np.asarray(cv2.medianBlur(changed, 3), np.uint8)
    cells = np.flatnonzero(changed > 0)
    pixels = at(image, cells).astype(np.float32)
    empty, noise = background.appearance(cells)
    shadows = shadow(pixels, empty, noise)
    shadows &= ~grey_objects(changed, cells, shadows, pixels, empty)
    sunlit = shadow.in_the_sun
    if sunlit is not None:
        shadows |= sunlit.cells(cells, pixels, empty)
    left = changed.copy()
    left.ravel()[cells[shadows]] = 0
    # Grey clothes on grey ground pass for shadow; what lies between parts of an object is it.
    closed = cv2.morphologyEx(left, cv2.MORPH_CLOSE, BETWEEN)
    mask = np.asarray(cv2.medianBlur(cv2.bitwise_and(closed, changed), 3), np.uint8)
    if sunlit is not None:
        cells = np.flatnonzero(mask)
        shading = Shading.of(mask, cells, at(image, cells), background.appearance(cells)[0])
        mask.ravel()[cells[sunlit.patches(shading)]] = 0
    return mask
