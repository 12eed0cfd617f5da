"""What a survey of the scene teaches the tracker: the sizes of objects, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tracker.tracking.census import census
from tracker.tracking.sizes import FEWEST, NO_PATCHES, Patches, SizeModel, distinct, fit_sizes
from tracker.tracking.state import State
from tracker.types import WALKER_AREA, Blob, Scene

_PASSING = 0.1  # share of all that is seen that is enough to tell sizes: specks are not


def surveyed(state: State, scene: Scene) -> State:
    """Return the state that knows the sizes and the number of what a survey has seen.

    What it knew before stays where the survey has too little to tell.
    """
    if all(b.border for b in scene.blobs):
        return state
    patches = _whole(scene.blobs)
    sizes = fit_sizes(patches)
    walkers = None if sizes is None or sizes.upright else _walkers(patches, sizes)
    if walkers is not None:
        patches, sizes = walkers
    # What was seen before was seen with less knowledge of the place.
    state = replace(state, surveyed=patches.thinned(), patches=NO_PATCHES)
    if sizes is None:
        return state
    state = replace(state, population=census(scene, sizes), sizes=sizes, alike=sizes.alike)
    if not sizes.flat or not scene.bodies:
        return state
    # Limbs count little from now on.
    patches = _whole(scene.bodies)
    sizes = fit_sizes(patches)
    return state if sizes is None else replace(state, sizes=sizes, surveyed=patches.thinned())


def _walkers(patches: Patches, sizes: SizeModel) -> tuple[Patches, SizeModel] | None:
    """Return the patches of walkers and their sizes, if most of what is among vehicles walks.

    Vehicles lie flat and outweigh those who walk upright; and one that is large among small ones
    is found, but nobody who is small among large ones.
    """
    small = patches.part(patches.areas < WALKER_AREA * sizes.areas(patches.means))
    found = fit_sizes(small)
    if found is None or not found.upright or len(small) < len(patches) / 2:
        return None
    return small, found


def _whole(blobs: Sequence[Blob]) -> Patches:
    """Return the patches that the border of the picture does not cut, each where it was new.

    What stands all the time would say in each sample how large it is, and says nothing where enough
    else is seen.
    """
    whole = [b for b in blobs if not b.border]
    passing = [b for b in whole if not b.stands]
    seen = sum(b.area for b in passing) > _PASSING * sum(b.area for b in whole)
    if seen and len(passing) >= FEWEST:
        whole = passing
    return distinct(
        Patches(
            np.array([b.mean for b in whole]),
            np.array([b.covariance for b in whole]),
            np.array([b.area for b in whole]),
        ),
        np.array([b.sample for b in whole]),
    )
