"""Background models that learn nothing of their own: OpenCV's, and plain thresholds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NoReturn

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
"""Difference from the level that makes foreground at least, grey levels."""


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

    Parameters
    ----------
    polarity
        Objects darker or brighter than the ground; auto takes the rarer side of Otsu's level.
    adaptive
        Compare with the mean of the neighbourhood instead of one level.
    """

    def __init__(self, polarity: Literal["auto", "dark", "bright"], *, adaptive: bool) -> None:
        self.polarity = polarity
        self.adaptive = adaptive

    def foreground(self, image: Image) -> Mask:
        """Return the cells on the objects' side of the level."""
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        if self.adaptive:
            side = 2 * (min(grey.shape) // (2 * LOCAL)) + 1
            level = np.asarray(cv2.blur(grey, (side, side)), np.float32)
            difference = grey - level
            otsu, _ = cv2.threshold(
                np.clip(np.abs(difference), 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU
            )
            limit = max(float(otsu), LEAST_CONTRAST)
            dark, bright = difference < -limit, difference > limit
        else:
            otsu, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
            low, high = grey[grey <= otsu], grey[grey > otsu]
            if not (len(low) and len(high)) or high.mean() - low.mean() < 2 * LEAST_CONTRAST:
                return np.zeros_like(grey)  # one level only: an empty scene
            dark, bright = grey <= otsu, grey > otsu
        if self.polarity == "auto":
            self.polarity = "dark" if dark.sum() <= bright.sum() else "bright"
        return np.where(dark if self.polarity == "dark" else bright, 255, 0).astype(np.uint8)

    def relearn(self, image: Image, protected: Mask) -> None:
        """Do nothing: each frame is judged by itself."""
        del image, protected
