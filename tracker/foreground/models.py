"""Background models that learn nothing of their own: OpenCV's, and plain thresholds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.grid import Mask
from tracker.types import Image

RELEARNED = 0.3
"""Learning rate of OpenCV's models while a light is being switched."""

LOCAL = 8
"""The picture's shorter side is this many neighbourhoods of the adaptive threshold wide."""

LEAST_CONTRAST = 12.0
"""Difference from the ground that makes foreground at least, grey levels,"""

NOISES = 5.0
"""and in spreads of the ground."""


AROUND = 0.25
"""Share of the border of the picture that what surrounds a scene meets, and no object does."""

LIMB = 12
"""The picture's shorter side is this many times as wide as things that touch the surroundings,"""

RIM = 2
"""and the surroundings' blurred rim is so many cells wide."""


Levels = NDArray[Any]


class Untaught(ABC):
    """A model that nobody teaches: it sees to itself, and says nothing of the background."""

    @abstractmethod
    def foreground(self, image: Image) -> Mask:
        """Return the cells of `image` that are foreground."""

    @abstractmethod
    def relearn(self, image: Image, protected: Mask) -> None:
        """Take `image`, which is foreground for the most part, for the background."""

    def due(self, time: float) -> bool:
        """Say no: there is nothing to teach."""
        del time
        return False

    def unsettled(self, time: float) -> bool:
        """Say no: there is no light to follow."""
        del time
        return False

    def appearance(self, cells: NDArray[np.intp]) -> NoReturn:
        """Refuse: without a picture of the background there is no shadow test."""
        raise NotImplementedError(f"{type(self).__name__} knows no background to compare with.")

    def learn(self, image: Image, time: float, foreground: Mask, protected: Mask) -> NoReturn:
        """Refuse; see `due`."""
        raise NotImplementedError(f"{type(self).__name__} cannot be taught.")

    def relight(self, image: Image, time: float, foreground: Mask, protected: Mask) -> NoReturn:
        """Refuse; see `unsettled`."""
        raise NotImplementedError(f"{type(self).__name__} follows no light.")


class OpenCVBackground(Untaught):
    """OpenCV's MOG2 or KNN, for comparison; they find shadows by themselves.

    Parameters
    ----------
    name
        Which one.
    """

    def __init__(self, name: Literal["mog2", "knn"]) -> None:
        create = {
            "mog2": cv2.createBackgroundSubtractorMOG2,
            "knn": cv2.createBackgroundSubtractorKNN,
        }[name]
        self.subtractor = create(detectShadows=True)

    def foreground(self, image: Image) -> Mask:
        """Return the cells that the model calls foreground, and learn `image`."""
        return np.asarray(np.where(self.subtractor.apply(image) == 255, 255, 0), np.uint8)

    def relearn(self, image: Image, protected: Mask) -> None:
        """Learn `image` quickly; these models cannot spare what is `protected`."""
        del protected
        self.subtractor.apply(image, learningRate=RELEARNED)


class ThresholdBackground(Untaught):
    """Dark objects on bright ground, or bright ones on dark; nothing needs to be learned.

    Otsu's level parts them where it lies beyond the shades of the ground. Few animals weigh
    nothing against these, or against the texture of bedding; where it parts only the ground,
    objects are what stands out, from half of its contrast on. Both levels lie halfway between the
    ground and the objects, so that nothing jumps where one takes the place of the other.

    Where they meet the border of the picture nearly all around, as the dark table does on which a
    bright dish stands, that is no object: the ground ends there, and nobody looks beyond it.

    Parameters
    ----------
    polarity
        Objects darker or brighter than the ground; auto takes the rarer side of Otsu's level, or
        of what stands out the side that does so more.
    region
        Cells in which to look: what is elsewhere says nothing about the level.
    adaptive
        Compare with the mean of the neighbourhood instead of one level.
    """

    def __init__(
        self, polarity: Literal["auto", "dark", "bright"], region: Mask, *, adaptive: bool
    ) -> None:
        self.polarity = polarity
        self.region = region
        self.adaptive = adaptive
        self.fresh = True

    def foreground(self, image: Image) -> Mask:
        """Return the cells on the objects' side of the level."""
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        if self.adaptive:
            side = 2 * (min(grey.shape) // (2 * LOCAL)) + 1
            apart = grey - np.asarray(cv2.blur(grey, (side, side)), np.float32)
            grey = np.clip(apart + 128, 0, 255).astype(np.uint8)
        if self.fresh:
            around = surroundings(self._split(grey))
            self.region = self.region & ~around
            self.fresh = False
        return self._split(grey)

    def _split(self, grey: Mask) -> Mask:
        """Return what is on the objects' side of the level, which the region tells."""
        inside = grey[self.region > 0]
        counts = np.bincount(inside, minlength=256)
        levels = np.arange(256.0)
        ground, spread = _ground(levels, counts)
        otsu, _ = cv2.threshold(inside, 0, 255, cv2.THRESH_OTSU)
        dark, bright = levels <= otsu, levels > otsu
        weight = -counts  # the rarer ones are the objects
        if self.fresh:  # there may be a table around, and more of it than of the ground
            contrast = _mean(levels, counts * bright) - _mean(levels, counts * dark)
            beyond = contrast > 2 * LEAST_CONTRAST
        else:
            away = {"dark": ground - otsu, "bright": otsu - ground}
            beyond = away.get(self.polarity, abs(otsu - ground)) > spread
        if not beyond:
            dark, bright = _outliers(levels, counts, ground, spread)
            weight = counts * np.square(levels - _mean(levels, counts))
        polarity = self.polarity
        if polarity == "auto":
            low, high = float((weight * dark).sum()), float((weight * bright).sum())
            if not (low or high):
                return np.zeros_like(grey)
            polarity = "dark" if low >= high else "bright"
        if not self.fresh:
            self.polarity = polarity
        table = np.where(dark if polarity == "dark" else bright, 255, 0).astype(np.uint8)
        return np.asarray(cv2.LUT(grey, table), np.uint8) & self.region

    def relearn(self, image: Image, protected: Mask) -> None:
        """Do nothing: each frame is judged by itself."""
        del image, protected


def _ground(levels: Levels, counts: Levels) -> tuple[float, float]:
    """Return the grey level of the ground, and how far from it the shades of the ground reach.

    Parameters
    ----------
    levels, counts
        Shape (n,), grey levels, and how many cells have each.
    """
    ground = _median(levels, counts)
    spread = NOISES * 1.4826 * _median(np.abs(levels - ground), counts)
    return ground, max(LEAST_CONTRAST, spread)


def _outliers(
    levels: Levels, counts: Levels, ground: float, spread: float
) -> tuple[Levels, Levels]:
    """Return which levels are darker than nearly all there is, and which brighter.

    Parameters
    ----------
    levels, counts
        Shape (n,), grey levels, and how many cells have each.
    ground, spread
        See `_ground`, grey levels.
    """
    sides = []
    for far in (ground - levels, levels - ground):
        contrast = _mean(far, counts * (far > spread))
        sides.append(far > max(spread, contrast / 2))
    return sides[0], sides[1]


def _mean(levels: Levels, counts: Levels) -> float:
    return float((levels * counts).sum() / max(counts.sum(), 1))


def _median(levels: Levels, counts: Levels) -> float:
    order = np.argsort(levels, kind="stable")
    share = np.cumsum(counts[order])
    return float(levels[order][np.searchsorted(share, share[-1] / 2)])


def surroundings(mask: Mask) -> Mask:
    """Return what of a mask surrounds the scene: it meets much of the border of the picture.

    Parameters
    ----------
    mask
        Shape (h, w), uint8, 255 where it is.

    Returns
    -------
    around
        Like `mask`, without thin things that touch it, such as an animal at the wall, and wider by
        the blurred rim.
    """
    _, labels = cv2.connectedComponents(mask)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    met = np.bincount(border, minlength=labels.max() + 1) > AROUND * len(border)
    met[0] = False
    around = np.where(met[labels], 255, 0).astype(np.uint8)
    if not met.any():
        return around
    limbs = 2 * (min(mask.shape) // (2 * LIMB)) + 1
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (limbs, limbs))
    # Beyond the border it goes on.
    wide = cv2.copyMakeBorder(around, *(limbs,) * 4, cv2.BORDER_CONSTANT, value=(255,))
    solid = cv2.morphologyEx(wide, cv2.MORPH_OPEN, round_)[limbs:-limbs, limbs:-limbs]
    rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM + 1, 2 * RIM + 1))
    return np.asarray(
        cv2.dilate(cv2.bitwise_and(np.asarray(solid, np.uint8), around), rim), np.uint8
    )
