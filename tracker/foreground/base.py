"""What every background model offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tracker.types import Array, Frame, Points, Scene


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
    """Tells the foreground of each frame from the background; has one owner.

    A model that looked at sampled frames before the run says what it saw there in `scene`.
    """

    scene: Scene

    def points(self, frame: Frame, protect: Footprint | None = None) -> Points:
        """Return the foreground of `frame`; do not learn where `protect` has an object."""
