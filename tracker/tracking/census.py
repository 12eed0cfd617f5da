"""How many objects a place always holds, as an arena does and a street does not."""

from __future__ import annotations

import numpy as np

from tracker.tracking.sizes import SizeModel
from tracker.types import Scene

_FEWEST = 12  # samples that tell whether the number changes
_STEADY = 0.8  # share of the samples that must show it
_USUAL = 0.75  # quantile of the counts: who is behind another is not counted
_MISCOUNTED = 0.05  # of the objects of a sample: parts of groups
_EXACT = 0.5  # share of the samples that must show just as many: in a crowd nobody counts so well
_WHOLE = 0.5  # of the typical area that makes an object,
_PART = 0.1  # and what is still something: a piece, or an object of another kind
_OTHERS = 1 / 3  # share of the samples that may show more of such than may be miscounted


def census(scene: Scene, sizes: SizeModel) -> int:
    """Return the number of objects that most of the samples of a scene show, or 0.

    In a closed place it is the same in nearly all of them, while what passes by is counted
    differently each time: independent comings and goings scatter by the root of their number. No
    number is better than one that is too small, as a crowd's is, where some always hide others, or
    a parking car's, where people pass by.
    """
    if scene.samples < _FEWEST or not scene.blobs:
        return 0
    areas = np.array([blob.area for blob in scene.blobs])
    size = areas / sizes.areas(np.array([blob.mean for blob in scene.blobs]))
    objects = np.where(size > _WHOLE, np.maximum(np.rint(size), 1.0), 0.0)
    sample = np.array([blob.sample for blob in scene.blobs])
    counts = np.bincount(sample, objects, scene.samples)
    usual = float(np.quantile(counts, _USUAL, method="nearest"))
    off = np.abs(counts - usual)
    others = np.bincount(sample[(size > _PART) & (size <= _WHOLE)], minlength=scene.samples)
    if (others > _MISCOUNTED * usual).mean() > _OTHERS:
        return 0
    steady, exact = (off <= _MISCOUNTED * usual).mean(), (off == 0).mean()
    return int(usual) if steady >= _STEADY and exact >= _EXACT else 0
