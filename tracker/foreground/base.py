"""What every background model offers."""

from __future__ import annotations

from typing import Protocol

from tracker.types import Footprint, Frame, Points, Scene

__all__ = ["Footprint", "ForegroundModel"]


class ForegroundModel(Protocol):
    """Tells the foreground of each frame from the background; has one owner.

    A model that looked at sampled frames before the run says what it saw there in `scene`.
    """

    scene: Scene

    def points(self, frame: Frame, protect: Footprint | None = None) -> Points:
        """Return the foreground of `frame`; do not learn where `protect` has an object."""
