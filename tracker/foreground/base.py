"""What every background model offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tracker.types import Array, Frame, Points


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where the tracked objects are: ellipses that a background model must not learn from.

    Parameters
    ----------
    means
        Shape (k, 2), px.
    covariances
        Shape (k, 2, 2), px².
    """

    means: Array
    covariances: Array


class ForegroundModel(Protocol):
    """Tells the foreground of each frame from the background; has one owner."""

    def points(self, frame: Frame, protect: Footprint | None = None) -> Points:
        """Return the foreground of `frame`; do not learn where `protect` has an object."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Frames looked at before the run starts, spread over the source; empty for a live one.

    Parameters
    ----------
    images
        Arrays of shape (height, width, 3), BGR.
    """

    images: tuple[NDArray[np.uint8], ...] = ()
