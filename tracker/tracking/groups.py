"""Which objects and patches belong together in a frame: sets that share foreground, or touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import Stats, quadratic, totals
from tracker.tracking.blobs import Blobs
from tracker.tracking.contact import touching
from tracker.tracking.lattice import Indices, boxes_around, joined, overlapping
from tracker.tracking.state import Objects
from tracker.types import Array

_GATE = 1.15  # reach of a gate beyond the outline
# Standard deviations by which doubt may widen it: of what is rooted, and of others.
_ASTRAY = (1.5, 3.0)
_NOWHERE = (np.inf, np.inf, -np.inf, -np.inf)  # the box around nothing
_TOUCH = 0.1  # share of a patch or of an object that must overlap to belong together


@dataclass(frozen=True, slots=True)
class Groups:
    """G sets of objects and patches; every object is in one, alone or with others.

    Parameters
    ----------
    of_object
        Shape (k,), the group of each object.
    of_patch
        Shape (B,), the group of each patch; G for patches that no object reaches.
    members
        Shape (G,), number of objects.
    patches
        Mass (G,), mean (G, 2) and scatter (G, 2, 2) of the patches of each group, as of one
        component; with zero mass where there is no patch.
    boxes
        Shape (G, 4), around the patches of each group, px; infinite where there is none.
    """

    of_object: Indices
    of_patch: Indices
    members: NDArray[np.int64]
    patches: Stats
    boxes: Array

    def __len__(self) -> int:
        return len(self.members)

    def of_points(self, blobs: Blobs) -> Indices:
        """Return the group of each point, shape (n,); G for points that no object reaches."""
        groups: Indices = self.of_patch[blobs.labels]
        return groups


def find_groups(objects: Objects, blobs: Blobs) -> Groups:
    """Put together what is linked: by a gate that holds part of a patch, or by outlines."""
    k, count = len(objects), len(blobs)
    one, patch = _links(objects, blobs)
    first, second = touching(objects)
    labels, _ = joined(np.concatenate([first, one]), np.concatenate([second, k + patch]), k + count)
    # Groups are numbered by their first member, and objects come before patches.
    of_object = labels[:k]
    number = int(of_object.max(initial=-1)) + 1
    of_patch = np.minimum(labels[k:], number)
    boxes = np.full((number + 1, 4), _NOWHERE)
    np.minimum.at(boxes[:, :2], of_patch, blobs.boxes[:, :2])
    np.maximum.at(boxes[:, 2:], of_patch, blobs.boxes[:, 2:])
    return Groups(
        of_object,
        of_patch,
        np.bincount(of_object, minlength=number),
        _merged(blobs, of_patch, number),
        boxes[:number],
    )


def _links(objects: Objects, blobs: Blobs) -> tuple[Indices, Indices]:
    """Return the pairs of an object and a patch of which enough lies within the object's gate."""
    doubt = objects.uncertainties[:, :2, :2]
    # A lost object's grows without bounds, and it would be any other that comes.
    widest = np.maximum(doubt[:, 0, 0], doubt[:, 1, 1])
    most = (np.where(objects.rooted, *_ASTRAY) / (2 * _GATE) * objects.lengths) ** 2
    doubt = doubt * (most / np.maximum(widest, most))[:, None, None]
    gates = (objects.extents + doubt) * (2 * _GATE) ** 2
    one, patch = overlapping(boxes_around(objects.means, gates), blobs.boxes)
    # Most objects meet one patch that meets no other object: no need to look at its points.
    meets, met = np.bincount(one, minlength=len(objects)), np.bincount(patch, minlength=len(blobs))
    plain = (meets[one] == 1) & (met[patch] == 1)
    apart = blobs.means[patch] - objects.means[one]
    plain &= quadratic(apart, gates[one]) < 1
    if plain.all():
        return one, patch
    rest = np.flatnonzero(np.bincount(one[~plain], minlength=len(objects)))
    ellipse, its, begin, end = blobs.inside(objects.means[rest], gates[rest])
    pairs, weight = ellipse * len(blobs) + its, blobs.total(begin, end)
    overlap = np.bincount(pairs, weight, len(rest) * len(blobs)).reshape(len(rest), len(blobs))
    enough = (overlap > _TOUCH * blobs.mass) | (overlap > _TOUCH * objects.areas[rest][:, None])
    row, close = np.nonzero(enough)
    return np.concatenate([one[plain], rest[row]]), np.concatenate([patch[plain], close])


def _merged(blobs: Blobs, groups: Indices, count: int) -> Stats:
    """Join the statistics of the patches of each group, as one component."""
    order = np.argsort(groups, kind="stable")
    groups = groups[order]
    starts = np.searchsorted(groups, np.arange(count + 1))
    used, groups = order[: starts[-1]], groups[: starts[-1]]
    mass, means = blobs.mass[used], blobs.means[used]
    if len(used) == count == np.count_nonzero(starts[1:] > starts[:-1]):  # one each
        return Stats(mass, means, blobs.scatters[used])
    total = totals(mass, starts)
    share = mass / total[groups]
    mean = totals(share * means.T, starts).T
    apart = means - mean[groups]
    spread = blobs.scatters[used] + apart[:, :, None] * apart[:, None, :]
    scatter = totals(share * spread.reshape(-1, 4).T, starts).T
    return Stats(total, mean, scatter.reshape(-1, 2, 2))
