"""The first seconds of a live source: objects stand in the very first picture, too."""

from __future__ import annotations

import cv2
import numpy as np

from tracker.foreground.light import gain
from tracker.foreground.survey import rank_filter
from tracker.types import Image

SHORTEST = 0.1
"""Time from one kept picture to the next, s, at least,"""

GROWTH = 0.15
"""and relative to the time since the first: the median always is that of most of the time."""

FIRST_REVIEW = 12
"""Pictures that are enough to look back at: a frame waits for it. And again after"""

REVIEW_EVERY = 4
"""more."""


class Opening:
    """Keeps pictures of the first seconds, at growing intervals; their median is what is usual.

    What moved on by more than its own length in half of the time is not in it. The first picture
    alone leaves a ghost wherever an object stood in it.

    Parameters
    ----------
    seconds
        How long the opening lasts.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begin: float | None = None
        self.latest = 0.0
        self.pictures: list[Image] = []
        self.reviewed = 0

    def due(self, time: float) -> bool:
        """Tell whether a picture is wanted at `time`, s."""
        if self.begin is None:
            return True
        if time - self.begin > self.seconds:
            self.pictures.clear()
            return False
        interval = max(SHORTEST, GROWTH * (self.latest - self.begin))
        return time - self.latest >= interval

    def usual(self, image: Image, time: float) -> Image:
        """Keep `image`, seen at `time` in seconds; return the median of all in its light."""
        if self.begin is None:
            self.begin = time
        self.latest = time
        self.pictures.append(image.copy())
        return rank_filter([_lit(one, image) for one in self.pictures], len(self.pictures) // 2)

    def review(self) -> list[Image] | None:
        """Return pictures of all times when one is to look back."""
        if len(self.pictures) < max(FIRST_REVIEW, self.reviewed + REVIEW_EVERY):
            return None
        self.reviewed = len(self.pictures)
        chosen = np.linspace(0, self.reviewed - 1, FIRST_REVIEW).astype(np.intp)
        return [self.pictures[index] for index in chosen]


def _lit(image: Image, reference: Image) -> Image:
    """Return `image` in the light of `reference`."""
    change = gain(reference, image)
    if (change == 1.0).all():
        return image
    return np.asarray(cv2.convertScaleAbs(image * change), np.uint8)
