"""What happened in a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import sums
from tracker.tracking.births import NOBODY, Newborn
from tracker.tracking.blobs import Blobs
from tracker.types import Contact, Event


@dataclass(frozen=True, slots=True)
class Info:
    """What happened in a step.

    Parameters
    ----------
    blobs
        The patches of the frame.
    unexplained
        Shape (n,), for the points of `blobs`, whether no object explains them.
    log_likelihood
        Sum over the points that took part in a contact, nats.
    iterations
        Most rounds that a group took.
    found
        New objects beside known ones, in patches of which the evidence says so.
    events
        Births, deaths and the like.
    contacts
        The contacts that are open, or were judged.
    """

    blobs: Blobs
    unexplained: NDArray[np.bool_]
    log_likelihood: float = 0.0
    iterations: int = 0
    flood: bool = False
    found: Newborn = NOBODY
    events: tuple[Event, ...] = ()
    contacts: tuple[Contact, ...] = ()

    def residual(self, least: float) -> tuple[Blobs, NDArray[np.intp]]:
        """Return patches of unexplained points, and which points of the frame these are.

        Those below `least` px² may be left out: what is left of most patches is a rim of no use.
        """
        blobs, left = self.blobs, self.unexplained
        if left.any():
            enough = sums(blobs.labels, blobs.weights * left, len(blobs)) >= least
            left = left & enough[blobs.labels]
        return blobs.part(left), np.flatnonzero(left)
