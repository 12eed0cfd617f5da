"""What a survey of the scene teaches the tracker: the sizes of objects, and how many there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tracker.tracking.census import census
from tracker.tracking.sizes import NO_PATCHES, Patches, distinct, fit_sizes
from tracker.tracking.state import State
from tracker.types import Scene


def surveyed(state: State, scene: Scene) -> State:
    """Return the state that knows the sizes and the number of what a survey has seen.

    What it knew before stays where the survey has too little to tell.
    """
    whole = [b for b in scene.blobs if not b.border]
    if not whole:
        return state
    patches = distinct(
        Patches(
            np.array([b.mean for b in whole]),
            np.array([b.covariance for b in whole]),
            np.array([b.area for b in whole]),
        ),
        np.array([b.sample for b in whole]),
    )
    sizes = fit_sizes(patches)
    # What was seen before was seen with less knowledge of the place.
    state = replace(state, surveyed=patches.thinned(), patches=NO_PATCHES)
    if sizes is None:
        return state
    population = census(scene, sizes)
    return replace(state, sizes=sizes, population=population, alike=sizes.alike)
