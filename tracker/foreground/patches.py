"""Connected patches of a mask, told at its cells alone: most of a picture is background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.grid import Mask

LIMB = 0.1
"""Weight of the cells of a thin part."""


@dataclass(frozen=True, slots=True)
class Patches:
    """The patches of a mask with n cells, numbered from 1; there is no patch of number 0.

    Parameters
    ----------
    labels
        Shape (n,), the number of the patch that each cell is of.
    sizes
        Shape (count,), cells of each patch.
    border
        Shape (count,), which patches touch the border of the picture.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.intp]
    border: NDArray[np.bool_]

    @classmethod
    def of(cls, mask: Mask, cells: NDArray[np.intp]) -> Self:
        """Return the patches of `mask`, whose cells have the flat indices `cells`."""
        count, picture = cv2.connectedComponents(mask, connectivity=8)
        labels = np.asarray(picture, np.int32).take(cells)
        border = np.zeros(count, bool)
        for side in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
            border[side] = True
        return cls(labels, np.bincount(labels, minlength=count), border)

    def total(self, values: NDArray[np.floating | np.bool_]) -> NDArray[np.float64]:
        """Return the sum over each patch of `values`, one for each cell, shape (count,)."""
        return np.asarray(np.bincount(self.labels, values, len(self.sizes)), np.float64)


def solidity(bodies: Mask, cells: NDArray[np.intp], patches: Patches) -> NDArray[np.float64]:
    """Return how much each of the `cells` of some patches counts, shape (n,), at most 1.

    Thin parts that hang on a body, what `bodies` is without, say little of where the body is. A
    patch that is thin all over is a body itself.
    """
    body = bodies.take(cells) > 0
    bodied = patches.total(body) > 0
    return np.where(~body & bodied[patches.labels], LIMB, 1.0)
