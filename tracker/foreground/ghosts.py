"""Ghosts: what stood still so long that it passed for background, and then left.

What was there is told from what came to light by edges: the outline of an object is one, the place
where an object was has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import largest_channel
from tracker.foreground.grid import Mask
from tracker.foreground.patches import Patches
from tracker.types import Image

SMALLEST = 12
"""Cells of a patch that has an outline."""

EDGE = 1.5
"""Ratio of two pictures' edges along an outline that tells which of them shows the object."""

MOST = 0.7
"""Share of a patch that counts as most of it."""

SEEN_SHARE = 0.08
"""Share of the samples in which the ground is seen that suffices to know it,"""

SEEN_LEAST = 4
"""and their least number."""

SEEN_WHOLE = 0.7
"""Share of a patch that shows the ground where it counts as uncovered."""

BESIDE = 5
"""Cells around a patch that say what happens to it:"""

PASSED_OVER = 0.5
"""where this share of them changes with it, something larger hides it."""

BARE = 0.55
"""Share of the samples that show something else in a patch in which nothing hides it, at least."""

RETURNED_AS_IT_WAS = 0.1
"""Share of a patch by which it differs at most, after it was gone, from what it was before,"""

RETURNED = 2
"""with so many cells around it."""

SHIFTED_ALIKE = 1 / 3
"""Share of its contrast by which the colour of what shifted differs from itself at most,"""

SHIFTED_SIZE = 2.0
"""and how many times as large as where it came to light is the place that it covered since."""

SHIFTED_SPAN = 3.0
"""How many times as large as both together is their hull at most."""

_NEXT = np.ones((3, 3), np.uint8)

Window = tuple[slice, slice]
Part = tuple[Window, Mask]
"""A window of a picture, and 1 in it at the cells of a patch."""


def edge_strength(image: Image) -> NDArray[np.float32]:
    """Return the largest gradient of the channels, grey levels per cell, shape (height, width)."""
    along_x = largest_channel(cv2.convertScaleAbs(cv2.Sobel(image, cv2.CV_16S, 1, 0), alpha=1 / 4))
    along_y = largest_channel(cv2.convertScaleAbs(cv2.Sobel(image, cv2.CV_16S, 0, 1), alpha=1 / 4))
    # In halves of a grey level, so that a byte holds every gradient.
    size = cv2.magnitude(along_x.astype(np.float32), along_y.astype(np.float32))
    return np.asarray(size / 2, np.float32)


def mostly(which: NDArray[np.bool_], mask: Mask) -> Mask:
    """Return those patches of `mask` most of whose cells are among `which`."""
    cells = np.flatnonzero(mask)
    patches = Patches.of(mask, cells)
    chosen = patches.total(which.take(cells)) > MOST * patches.sizes
    some = np.zeros_like(mask)
    some.ravel()[cells[chosen[patches.labels]]] = 255
    return some


def outlined(mask: Mask, smallest: int = SMALLEST) -> Iterator[Part]:
    """Yield each patch of `mask` that has an outline: a window around it, and its cells in that.

    Those of fewer cells than `smallest` have none.
    """
    width = mask.shape[1]
    cells = np.flatnonzero(mask)
    patches = Patches.of(mask, cells)
    for label in np.flatnonzero(patches.sizes >= smallest):
        y, x = np.divmod(cells[patches.labels == label], width)
        top, left = max(int(y.min()) - 2, 0), max(int(x.min()) - 2, 0)
        window = np.s_[top : int(y.max()) + 3, left : int(x.max()) + 3]
        inside = np.zeros(mask[window].shape, np.uint8)
        inside[y - top, x - left] = 1
        yield window, inside


def widened(window: Window, inside: Mask, shape: tuple[int, ...], more: int) -> Part:
    """Return a part of a picture of some shape in a window with so many cells more all around."""
    y, x = (
        slice(max(side.start - more, 0), min(side.stop + more, length))
        for side, length in zip(window, shape, strict=True)
    )
    wide = np.zeros((y.stop - y.start, x.stop - x.start), np.uint8)
    top, left = window[0].start - y.start, window[1].start - x.start
    wide[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return (y, x), wide


def outline_edge(image: Image, inside: Mask) -> float:
    """Return the mean edge of a picture along the outline of a patch, grey levels per cell.

    It is 0 where the patch fills the picture.
    """
    rim = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, _NEXT) > 0
    return float(edge_strength(image)[rim].mean()) if rim.any() else 0.0


def shows_more(old: float, new: float) -> bool:
    """Tell by their edges along an outline whether the `old` picture shows the object."""
    return old > EDGE * new + 1.0


def uncovered(middle: Image, images: Sequence[Image], limit: Mask) -> Image:
    """Return the median of samples without what stood still in most of them but not in all.

    Parameters
    ----------
    middle
        Shape (height, width, 3), the median of the samples.
    images
        The samples in the order of their times, each of the same shape.
    limit
        Shape (height, width), the largest difference that is noise, grey levels.
    """
    seen = np.zeros(limit.shape, np.uint16)
    changed = [_differs(image, middle, limit) for image in images]
    for place in range(1, len(images)):
        # What passes by differs from one sample to the next; the ground does not.
        both = cv2.bitwise_and(changed[place - 1], changed[place])
        same = cv2.bitwise_not(_differs(images[place - 1], images[place], limit))
        seen += cv2.bitwise_and(both, same) > 0
    least = max(SEEN_LEAST, SEEN_SHARE * len(images))
    steady = cv2.medianBlur(np.where(seen >= least, 255, 0).astype(np.uint8), 3)
    ground = middle.copy()
    patches = [
        (window, part)
        for window, inside in outlined(np.asarray(steady, np.uint8))
        for part in _parts(inside, [one[window] for one in changed])
    ]
    sights = [_shown(inside, [one[window] for one in changed]) for window, inside in patches]
    for (window, inside), shown in zip(patches, sights, strict=True):
        bare = shown & ~_passed_over(window, inside, changed)
        if np.count_nonzero(bare) < max(SEEN_LEAST, BARE * np.count_nonzero(shown)):
            continue
        below = _median(images, bare, window)
        if not shows_more(outline_edge(middle[window], inside), outline_edge(below, inside)):
            continue
        if not _came_back(window, inside, images, changed, bare, limit):
            around = cv2.dilate(inside, _NEXT) > 0
            ground[window][around] = below[around]
    for window, left, covered, other in _shifts(middle, images, patches, sights, limit):
        ground[window] = _beneath(ground[window], other, left, covered)
    return ground


def _shifts(
    middle: Image,
    images: Sequence[Image],
    patches: Sequence[Part],
    sights: Sequence[NDArray[np.bool_]],
    limit: Mask,
) -> Iterator[tuple[Window, Mask, Mask, Image]]:
    """Find what the median shows in one place, and many samples in a row half beside it.

    Parameters
    ----------
    middle, images, limit
        As `uncovered` gets them.
    patches, sights
        Places where something else lasted, and which samples show it; see `_shown`.

    Yields
    ------
    window, left, covered, other
        Where, and there: 1 where the ground came to light, and where it was covered, and what those
        samples show.
    """
    for number, ((window, inside), shown) in enumerate(zip(patches, sights, strict=True)):
        if np.count_nonzero(shown) < SEEN_LEAST or not _lasting(shown):
            continue
        reach, size = _grown(window), cv2.countNonZero(inside)
        one = images[np.flatnonzero(shown)[np.count_nonzero(shown) // 2]]
        for at, second in patches[number:]:  # the first time with itself: the two may touch
            if not (_meet(at, reach) and _as_large(size, cv2.countNonZero(second))):
                continue
            wide = _around(window, at)
            cells = np.zeros(limit[wide].shape, np.uint8)
            for where, part in ((window, inside), (at, second)):
                top, left = (a.start - b.start for a, b in zip(where, wide, strict=True))
                cells[top : top + part.shape[0], left : left + part.shape[1]] |= part
            # What one of the samples does not show is not asked of all.
            if _shift(middle[wide], one[wide], cells, limit[wide]) is None:
                continue
            other = _median(images, shown, wide)
            parts = _shift(middle[wide], other, cells, limit[wide])
            if parts is not None:
                yield wide, *parts, other
                break


def _median(images: Sequence[Image], which: NDArray[np.bool_], window: Window) -> Image:
    some = [image[window] for image, one in zip(images, which, strict=True) if one]
    return np.asarray(np.median(some, axis=0), np.uint8)


def _grown(window: Window) -> Window:
    """Return a window with twice its longer side more on every side."""
    more = 2 * max(side.stop - side.start for side in window)
    y, x = (slice(max(side.start - more, 0), side.stop + more) for side in window)
    return y, x


def _meet(one: Window, other: Window) -> bool:
    """Tell whether two windows overlap."""
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


def _as_large(one: int, other: int) -> bool:
    """Tell whether one and the same object may have left the one place and covered the other."""
    return max(one, other) <= SHIFTED_SIZE * min(one, other)


def _around(one: Window, other: Window) -> Window:
    """Return the smallest window around two."""
    y, x = (
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return y, x


def _lasting(shown: NDArray[np.bool_]) -> bool:
    """Tell whether what samples show lasts, unlike a twig that sways to and fro."""
    begins = np.count_nonzero(shown[1:] & ~shown[:-1]) + bool(shown[0])
    return bool(np.count_nonzero(shown) >= SEEN_LEAST * begins)


def _shift(middle: Image, below: Image, inside: Mask, limit: Mask) -> tuple[Mask, Mask] | None:
    """Find an object that the median shows in one place, and another picture half beside it.

    Parameters
    ----------
    middle, below
        Shape (h, w, 3), the median, and what many samples show instead.
    inside
        Shape (h, w), the cells to look at.
    limit
        Shape (h, w), the largest difference that is noise, grey levels.

    Returns
    -------
    left, covered
        Shape (h, w), 1 where the ground came to light, and where it was covered; or None where it
        is not told that this is what has happened.
    """
    blue, green, red = cv2.split(np.subtract(below, middle, dtype=np.int16))
    apart = blue + green + red
    differs = (_differs(middle, below, limit) * inside) > 0
    sides = [np.asarray(differs & (side > 0), np.uint8) for side in (apart, -apart)]
    sizes = [cv2.countNonZero(side) for side in sides]
    if min(sizes) < SMALLEST or not _as_large(*sizes):
        return None
    whole = hull(sides[0] | sides[1])
    if cv2.countNonZero(whole) > SHIFTED_SPAN * sum(sizes):
        return None
    rim = cv2.morphologyEx(whole, cv2.MORPH_GRADIENT, _NEXT)
    old, new = edge_strength(middle), edge_strength(below)
    for left, covered in (sides, sides[::-1]):
        body, ground = _colour(middle, left), _colour(below, left)
        alike = SHIFTED_ALIKE * np.abs(body - ground).max()
        if np.abs(_colour(below, covered) - body).max() > alike:
            return None
        if np.abs(_colour(middle, covered) - ground).max() > alike:
            return None
        # Between the two it is the other way round.
        here, there = (
            cv2.bitwise_and(cv2.dilate(side, _NEXT), rim) > 0 for side in (left, covered)
        )
        if not (here.any() and there.any()):
            return None
        if shows_more(old[here].mean(), new[here].mean()) and shows_more(
            new[there].mean(), old[there].mean()
        ):
            return left, covered
    return None


def _beneath(middle: Image, below: Image, left: Mask, covered: Mask) -> Image:
    """Return the ground beneath an object that shifted; see `_shift`.

    Where it was all the time the ground is as around.
    """
    body, ground = _colour(below, covered), _colour(below, left)
    place = cv2.dilate(hull(left | covered), _NEXT)
    around = cv2.inpaint(middle, place, 3, cv2.INPAINT_TELEA)
    seen = np.where(left[..., None] > 0, below, middle)
    hidden = np.abs(seen - body).max(axis=2) < np.abs(seen - ground).max(axis=2)
    hidden &= (place > 0) & (left == 0) & (covered == 0)
    return np.asarray(np.where(hidden[..., None], around, seen), np.uint8)


def _colour(image: Image, where: Mask) -> NDArray[np.float64]:
    """Return the median colour of the cells that are not 0 in `where`, BGR."""
    return np.asarray(np.median(image[where > 0], axis=0), np.float64)


def hull(mask: Mask) -> Mask:
    """Return the convex hull of what is not 0 in a mask, as 1."""
    corners = cv2.convexHull(cv2.findNonZero(mask))
    return np.asarray(cv2.fillConvexPoly(np.zeros_like(mask), corners, 1), np.uint8)


def _shown(inside: Mask, changed: list[Mask]) -> NDArray[np.bool_]:
    """Tell of each sample whether it shows the ground of a patch."""
    counts = _counts(inside, changed)
    return np.asarray(counts >= SEEN_WHOLE * cv2.countNonZero(inside))


def _counts(inside: Mask, changed: list[Mask]) -> NDArray[np.intp]:
    """Return how many cells of a patch each sample shows changed."""
    return np.array([cv2.countNonZero(cv2.bitwise_and(one, inside)) for one in changed])


def _passed_over(window: Window, inside: Mask, changed: list[Mask]) -> NDArray[np.bool_]:
    """Tell of each sample whether something larger is over a patch, such as a lorry over a line.

    What leaves lays bare its own place and nothing beside it.
    """
    wide, patch = widened(window, inside, changed[0].shape, BESIDE)
    beside = cv2.dilate(patch, _NEXT, iterations=BESIDE) - cv2.dilate(patch, _NEXT)
    counts = _counts(np.asarray(beside, np.uint8), [one[wide] for one in changed])
    return np.asarray(counts > PASSED_OVER * cv2.countNonZero(beside))


def _came_back(
    window: Window,
    inside: Mask,
    images: Sequence[Image],
    changed: list[Mask],
    bare: NDArray[np.bool_],
    limit: Mask,
) -> bool:
    """Tell whether what the median shows in a patch is back after it was gone, just as it was.

    An animal that comes back to its nest lies otherwise there. A door that was opened, or a spot in
    the sun across which shadows fall, was there all the time.
    """
    wide, patch = widened(window, inside, limit.shape, RETURNED)
    place = cv2.dilate(patch, _NEXT, iterations=RETURNED)
    first, *_, last = np.flatnonzero(bare)
    counts = _counts(inside, [one[window] for one in changed])
    there = counts <= (1 - SEEN_WHOLE) * cv2.countNonZero(inside)
    at = np.arange(len(images))
    before, after = there & (at < first), there & (at > last)
    if min(np.count_nonzero(before), np.count_nonzero(after)) < 2:
        return False
    other = _differs(_median(images, before, wide), _median(images, after, wide), limit[wide])
    differing = cv2.countNonZero(cv2.bitwise_and(other, place))
    return differing <= RETURNED_AS_IT_WAS * cv2.countNonZero(inside)


def _parts(inside: Mask, changed: list[Mask]) -> Iterator[Mask]:
    """Take apart a patch of places that touch, but that different samples show the ground of.

    Samples that show it alike tell a part; where an animal turned meanwhile, parts overlap.
    """
    if np.count_nonzero(_shown(inside, changed)) >= SEEN_LEAST:
        yield inside
        return
    views = np.array([cv2.bitwise_and(one, inside).ravel() > 0 for one in changed], np.float32)
    sizes, common = views.sum(axis=1), views @ views.T
    alike = common >= SEEN_WHOLE * np.maximum(sizes, sizes[:, None])
    left = sizes >= SMALLEST
    while left.any():
        together = left & alike[np.argmax((alike & left).sum(axis=1) * left)]
        if np.count_nonzero(together) < SEEN_LEAST:
            return
        yield np.asarray(views[together].mean(axis=0).reshape(inside.shape) > 0.5, np.uint8)
        left &= ~together


def _differs(image: Image, other: Image, limit: Mask) -> Mask:
    """Return where two pictures differ by more than noise."""
    largest = largest_channel(cv2.absdiff(image, other))
    return np.asarray(cv2.compare(largest, limit, cv2.CMP_GT), np.uint8)
