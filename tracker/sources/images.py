"""Images, be they files or pages of one, and the range of levels that is shown of deep ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from tracker.sources.tiff import Stack

STACKS = (".tif", ".tiff")
FLAGS = (
    cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH,
    cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH,  # grey images of 32 bits are read in no other way
)
MARGIN = 0.1  # of the range of levels, left free at either end: for noise, and for other images

Pixels = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """One image.

    Parameters
    ----------
    path
        The file.
    stack
        The file's pages, where the image is one of them.
    page
        Which one, counted from 0.
    """

    path: str
    stack: Stack | None = None
    page: int = 0

    def __str__(self) -> str:
        return self.path if self.stack is None else f"page {self.page + 1} of {self.path}"

    def decoded(self) -> Pixels | None:
        """Return its pixels as they are stored, colours as BGR; None where it is damaged."""
        try:
            if self.stack is not None:
                content = np.frombuffer(self.stack.page(self.page), np.uint8)
            else:  # imread cannot open every path on every system
                content = np.fromfile(self.path, np.uint8)
        except (OSError, ValueError):
            return None
        if not content.size:
            return None
        images = (cv2.imdecode(content, flags) for flags in FLAGS)
        return next((image for image in images if image is not None), None)


def pictures(paths: Sequence[str]) -> list[Picture]:
    """Return the images in files: one in each, or all pages of a single TIFF file.

    Raises
    ------
    ValueError
        Where one of several files has pages: these may be depths as well as times.
    """
    for path in paths:
        if not path.lower().endswith(STACKS) or len(stack := Stack(path)) < 2:
            continue
        if len(paths) > 1:
            raise ValueError(
                f"{path} holds {len(stack)} pages and is one of {len(paths)} files; name a single "
                "file, whose pages are the frames, or write each frame into a file of its own"
            )
        return [Picture(path, stack, page) for page in range(len(stack))]
    return [Picture(path) for path in paths]


class Levels(NamedTuple):
    """The levels that become black and white where images of more than 8 bits get 8."""

    low: float
    high: float

    def shown(self, image: Pixels) -> Pixels:
        """Return an image with 8 bits; what is no number becomes black."""
        levels = np.fmin(np.fmax(image.astype(np.float32), self.low), self.high) - self.low
        return cv2.convertScaleAbs(levels, alpha=255 / (self.high - self.low))


def levels(images: Iterable[Pixels | None]) -> Levels:
    """Return the range of what the deep ones among some images show, and a margin.

    Medians of 3 x 3 pixels count: a hot pixel stands alone, a small object does not. Images of one
    level, as of a closed shutter, count only where there are no others.
    """
    whole, found = Levels(0, 65535), []
    for image in images:
        if image is None or image.dtype == np.uint8:
            continue
        whole = Levels(0, 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max)
        calm = cv2.medianBlur(image.astype(np.float32), 3)
        calm = calm[np.isfinite(calm)]
        if calm.size and calm.min() < calm.max():
            found.append((float(calm.min()), float(calm.max())))
    if not found:
        return whole
    low, high = min(low for low, _ in found), max(high for _, high in found)
    margin = MARGIN * (high - low)
    return Levels(low - margin, high + margin)
