"""What frames sampled over a whole file tell: background, noise, sizes of objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import largest_channel
from tracker.foreground.ghosts import uncovered
from tracker.foreground.grid import Grid, Mask
from tracker.foreground.light import LOOKED_AT, gain, local_gain
from tracker.foreground.patches import Patches, solidity
from tracker.foreground.standing import Usual, beneath, restless
from tracker.foreground.steadiness import LEAST, Outlook, displacement
from tracker.types import WALKER_AREA, Array, Blob, Image

ENOUGH = 48
"""Samples that suffice for the median and the noise."""

NOISE_QUANTILE = 0.4
"""Quantile of |frame - background| that noise is read from: most objects stay above it."""

NOISE_QUANTILE_OF_GAUSSIAN = 0.5244
"""The same quantile of |x| for a standard normal x."""

STEADY = 2.3
"""Noise, relative to that from one sample to the next, beyond which it is none: something stood
there for a while, or passed slowly, as in a jam."""

NEIGHBOURHOOD = 7
"""Cells across which what sways shows in one place what is beside it: a third of an object."""

ALWAYS = 0.1
"""Quantile of the samples' contrasts within a neighbourhood that is there all the time."""

SMOOTH = 1.5
"""Noise of what has no such contrast, relative to that of the calmer half of the picture,"""

EVENLY = 0.045
"""where no sample has another light, by the logarithm of the gain: else places are lit unevenly."""

DIFFERENT = 4.0
"""Standard deviations of noise from which on two samples differ,"""

LEAST_DIFFERENT = 9.0
"""and grey levels, at least."""

SWAYING = 0.75
"""Quantile of how much the light differs among the samples that tells whether it sways."""

SAME_LIGHT = 0.1
"""Range of the logarithm of the gain, either way, over which samples count as of one light."""

BLOCK = 8192
"""Values of each sample that are ranked at a time, so that those of all samples stay in cache."""

SMALLEST_CELLS = 6
"""Cells of a patch that says anything of objects."""

FEWEST_SAMPLES = 12
"""Samples of the commonest light that suffice to leave out the others."""

LOOKS = 8
"""Samples that tell whether there is more than one view."""

UPRIGHT = 1.7
"""Ratio of the variances along y and x from which on something stands upright."""

ALIKE = (0.36, 2.25)
"""Areas, in those of a typical object, between which a patch may be a single one,"""

ALIKE_WITHIN = 0.12
"""and the logarithm of it within which half of these are where they are of one kind."""

Levels = NDArray[np.uint8]
Item = TypeVar("Item")


def side_by_side(function: Callable[[Any], Item], items: Iterable[Any]) -> list[Item]:
    """Do what `map` does in two threads: numpy and OpenCV let go of the interpreter."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, items))


@dataclass(frozen=True, slots=True)
class Statistics:
    """Background of sampled frames.

    Parameters
    ----------
    mean
        Shape (height, width, 3), BGR.
    noise
        Shape (height, width), standard deviation of a channel, grey levels.
    stirs
        Shape (height, width), not 0 where something may stand that stirs; see `standing.restless`.
    stands
        Shape (height, width), 255 where something stands in all samples and is no background.
    sway
        Of the light: the logarithm of the gain that a quarter of the samples differ by, or more.
    """

    mean: NDArray[np.float32]
    noise: NDArray[np.float32]
    stirs: Mask
    stands: Mask
    sway: float

    def without_standing(self, area: float, contrast: float) -> Statistics:
        """Return the background without what stands in it and stirs, or itself without such.

        Parameters
        ----------
        area, contrast
            Of a typical object, cells and grey levels.
        """
        ground = np.asarray(cv2.convertScaleAbs(self.mean), np.uint8)
        limit = max(DIFFERENT * float(np.median(self.noise)), LEAST_DIFFERENT)
        found = list(beneath(ground, self.stirs, Usual(area, contrast, limit)))
        if not found:
            return self
        mean, noise, stands = self.mean.copy(), self.noise.copy(), self.stands.copy()
        for window, place, below in found:
            mean[window][place > 0] = below[place > 0]
            noise[window][place > 0] = np.median(noise[window][place == 0])
            stands[window][place > 0] = 255
        return replace(self, mean=mean, noise=noise, stands=stands)


def one_light(images: list[Image]) -> list[Image]:
    """Return those of `images`, each of shape (height, width, 3), that show the commonest light.

    A lamp that is switched in the middle of a file would otherwise leave a median of both.
    """
    stride = max(1, int(np.sqrt(images[0].size / 3 / LOOKED_AT)))
    small = [np.ascontiguousarray(image[::stride, ::stride]) for image in images]
    middle = rank_filter(small, len(small) // 2)
    gains = np.array([np.log(gain(image, middle)).mean() for image in small])
    return _commonest(images, np.abs(gains[:, None] - gains) < SAME_LIGHT)


def one_view(images: list[Image]) -> list[Image]:
    """Return those of `images`, each of shape (height, width, 3), that show the commonest view.

    A camera that was knocked would otherwise leave a median of two pictures.
    """
    few = side_by_side(Outlook.of, images[:: max(1, len(images) // LOOKS)])
    middle = rank_filter([view.grey.astype(np.uint8) for view in few], len(few) // 2)
    moved = partial(displacement, replace(few[0], grey=middle.astype(np.float32)))
    if not np.any(side_by_side(moved, few)):
        return images
    shifts = np.array([moved(Outlook.of(image)) for image in images])
    return _commonest(images, np.hypot(*(shifts[:, None] - shifts).transpose(2, 0, 1)) < LEAST)


def _commonest(images: list[Image], alike: NDArray[np.bool_]) -> list[Image]:
    """Return the largest number of images that are alike one of them, or all where it is small.

    Parameters
    ----------
    images
        n of them.
    alike
        Shape (n, n), which are alike which.
    """
    which = alike[np.argmax(alike.sum(axis=1))]
    if np.count_nonzero(which) < FEWEST_SAMPLES:
        return images
    return [image for image, same in zip(images, which, strict=True) if same]


def background_statistics(images: Sequence[Image]) -> Statistics:
    """Return background and noise of `images`, each of shape (height, width, 3), in their order.

    The background is the median of each pixel, without what stood still in most of them. Where the
    light differs among the samples, each is first brought to the light of most.
    """
    count = len(images)
    middle = rank_filter(images, count // 2)
    changes = np.log([gain(image, middle) for image in images])
    if changes.any():
        lit = middle.astype(np.float32)
        images = side_by_side(partial(_relit, reference=lit), images)
        middle = rank_filter(images, count // 2)
    distance = partial(_from_reference, reference=middle.ravel())
    # A level stands for the interval up to the next one.
    spread = rank_filter(images, int(NOISE_QUANTILE * count), distance) + np.float32(0.5)
    flicker = spread
    if count > 1:
        apart = rank_filter(images, int(NOISE_QUANTILE * (count - 1)), _from_neighbours)
        flicker = apart + np.float32(0.5)
    held = np.minimum(spread, _steady(spread, flicker))
    noise = np.sqrt(np.mean(held**2, axis=-1)) / NOISE_QUANTILE_OF_GAUSSIAN
    noise = np.asarray(cv2.blur(noise, (5, 5)), np.float32)
    calm = np.float32(np.median(noise))
    if np.abs(changes).max() < EVENLY:
        noise = np.minimum(noise, np.hypot(SMOOTH * calm, _texture(images)))
    noise = np.maximum(noise, calm)
    stirs = restless(middle, spread, flicker)
    limit = np.clip(DIFFERENT * noise, LEAST_DIFFERENT, 254).astype(np.uint8)
    mean = uncovered(middle, images, limit).astype(np.float32)
    sway = float(np.quantile(np.abs(changes).max(axis=1), SWAYING))
    return Statistics(mean, noise, stirs, np.zeros_like(stirs), sway)


def _steady(spread: NDArray[np.float32], flicker: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much of `spread`, distances from the median, can be noise at most; same shapes.

    No more than usual beside `flicker`, the distances from one sample to the next.
    A codec leaves places as they are for seconds, so that samples differ from the median, and not
    from their neighbours. How much it does so the calmer half of the picture shows; where that is
    much, little can be said of single places.
    """
    calm = spread <= np.median(spread)
    usual = spread[calm].mean() / flicker[calm].mean()
    return np.asarray(STEADY * usual**2 * flicker, np.float32)


def _texture(images: Sequence[Image]) -> NDArray[np.float32]:
    """Return the contrast that each place always has with its neighbourhood, shape (height, width).

    Leaves, water and whatever else sways show beside a place what another picture shows in it: that
    is how far its noise can go. A place in a dense lane differs as much from picture to picture,
    but road and bodywork are smooth.
    """
    contrasts = side_by_side(_contrast, images)
    return np.asarray(rank_filter(contrasts, int(ALWAYS * len(images))) / 2, np.float32)


def _contrast(image: Image) -> Levels:
    """Return the standard deviation within each neighbourhood, halves of a grey level."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    sides = (NEIGHBOURHOOD, NEIGHBOURHOOD)
    mean = cv2.boxFilter(grey, cv2.CV_32F, sides)
    variance = cv2.sqrBoxFilter(grey, cv2.CV_32F, sides) - mean * mean
    return np.asarray(cv2.convertScaleAbs(np.sqrt(np.maximum(variance, 0)), alpha=2), np.uint8)


def _relit(image: Image, reference: NDArray[np.float32]) -> Image:
    """Return `image` in the light of `reference`."""
    change = local_gain(image, reference)
    if (change == 1.0).all():
        return image
    return np.asarray(np.clip(image / change, 0, 255), np.uint8)


def rank_filter(
    images: Sequence[Image], rank: int, levels: Callable[[Levels, slice], Levels] | None = None
) -> Image:
    """Return the value of the given rank (from 0) at each pixel, over all images.

    Of what `levels` makes of the values of some pixels, shape (count, pixels), where it is given.
    """
    values = [image.ravel() for image in images]
    ranked = np.empty_like(values[0])

    def fill(start: int) -> None:
        block = np.s_[start : start + BLOCK]
        seen = np.stack([value[block] for value in values])
        ranked[block] = _bisect(seen if levels is None else levels(seen, block), rank)

    side_by_side(fill, range(0, len(ranked), BLOCK))
    return ranked.reshape(images[0].shape)


def _from_reference(seen: Levels, block: slice, reference: Levels) -> Levels:
    """Return the distances of some pixels, `seen`, to those of a picture."""
    return np.asarray(cv2.absdiff(seen, np.broadcast_to(reference[block], seen.shape)), np.uint8)


def _from_neighbours(seen: Levels, block: slice) -> Levels:
    """Return the distances of some pixels, `seen`, to those of the sample before."""
    del block
    return np.asarray(cv2.absdiff(seen[1:], seen[:-1]), np.uint8)


def _bisect(levels: NDArray[np.uint8], rank: int) -> NDArray[np.uint8]:
    """Return the value of the given rank of each column, bit by bit: eight comparisons."""
    result = np.zeros(levels.shape[1:], np.uint8)
    lower = np.empty(levels.shape, np.bool_)
    counts = np.uint8 if len(levels) < 256 else np.uint16
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        np.less(levels, result | np.uint8(bit), out=lower)
        below = np.add.reduce(lower.view(np.uint8), axis=0, dtype=counts)
        result |= (below <= rank) * np.uint8(bit)
    return result


@dataclass(frozen=True, slots=True)
class Patch:
    """A connected patch of foreground and how much it stands out.

    Parameters
    ----------
    blob, body
        Its moments; and those with thin parts counting little, see `solidity`.
    contrast
        Median difference of its most different channel to the background, grey levels.
    """

    blob: Blob
    body: Blob
    contrast: float


def find_patches(
    mask: Mask, image: Image, reference: Image, grid: Grid, sample: int = 0
) -> list[Patch]:
    """Return the connected patches of `mask`, that of some sample, but for the smallest."""
    cells = np.flatnonzero(mask > 0)
    found = Patches.of(mask, cells)
    sizes, places = found.sizes, grid.coordinates(cells).T
    differences = largest_channel(cv2.absdiff(image, reference)).take(cells)
    # Patch by patch, and from the smallest difference to the largest within each.
    order = np.sort(found.labels.astype(np.int64) << 8 | differences) & 255
    first = np.cumsum(sizes) - sizes
    told = np.flatnonzero(sizes >= SMALLEST_CELLS)
    size, start = sizes[told], first[told]
    contrasts = (order[start + (size - 1) // 2] + order[start + size // 2]) / 2

    def blobs(weights: Array) -> Iterator[Blob]:
        """Yield the moments of the patches, of which each cell has such a weight."""
        mass = np.maximum(found.total(weights), 1e-9)
        means = np.stack([found.total(weights * along) for along in places]) / mass
        x, y = places - means.take(found.labels, axis=1)
        # A cell is itself an extended thing: a uniform square of side s has variance s²/12.
        cell = np.diag(np.square(grid.step)) / 12.0
        xx, xy, yy = (found.total(weights * product) / mass for product in (x * x, x * y, y * y))
        scatters = np.array([[xx, xy], [xy, yy]])[:, :, told].transpose(2, 0, 1) + cell
        areas, borders = mass[told] * grid.cell_area, found.border[told]
        one_by_one = zip(means.T[told], scatters, areas.tolist(), borders.tolist(), strict=True)
        return (Blob(*moments, sample) for moments in one_by_one)

    wholes, bodies = blobs(np.ones(len(cells))), blobs(solidity(grid.bodies(mask), cells, found))
    return [*map(Patch, wholes, bodies, contrasts.tolist())]


def typical_area(patches: Sequence[Patch]) -> float | None:
    """Return the area of a typical object, px², or None where nothing was seen.

    That of walkers, where most of what is among vehicles walks: one bus outweighs many of them.
    """
    blobs = [patch.blob for patch in patches if not patch.blob.border]
    blobs = blobs or [patch.blob for patch in patches]
    typical = _single(blobs)
    if typical is None or _upright([blob for blob in blobs if blob.area >= WALKER_AREA * typical]):
        return typical
    small = [blob for blob in blobs if blob.area < WALKER_AREA * typical]
    return _single(small) if 2 * len(small) >= len(blobs) and _upright(small) else typical


def _single(blobs: Sequence[Blob]) -> float | None:
    """Return the area of a single object, px², or None without any.

    The area-weighted 40 % quantile: specks weigh nothing, and groups do not rule.
    """
    areas = np.sort([blob.area for blob in blobs])
    if len(areas) == 0:
        return None
    share = np.cumsum(areas)
    return float(areas[np.searchsorted(share, 0.4 * share[-1])])


def _upright(blobs: Sequence[Blob]) -> bool:
    """Tell whether most of the area of some patches is of such as are higher than wide."""
    areas = np.array([blob.area for blob in blobs])
    high = [blob.covariance[1, 1] > UPRIGHT * blob.covariance[0, 0] for blob in blobs]
    return bool(areas[high].sum() > areas.sum() / 2)


def alike(patches: Sequence[Patch]) -> bool:
    """Tell whether what is seen has one size, but for groups and pieces."""
    areas = np.array([patch.blob.area for patch in patches if not patch.blob.border])
    typical = typical_area(patches)
    if typical is None:
        return False
    single = areas[(areas > ALIKE[0] * typical) & (areas < ALIKE[1] * typical)]
    if len(single) < FEWEST_SAMPLES:
        return False
    return bool(np.median(np.abs(np.log(single / typical))) < ALIKE_WITHIN)


def typical_contrast(patches: Sequence[Patch]) -> float | None:
    """Return the area-weighted median contrast, grey levels, or None where nothing was seen."""
    if not patches:
        return None
    contrast = np.array([patch.contrast for patch in patches])
    order = np.argsort(contrast)
    share = np.cumsum(np.array([patch.blob.area for patch in patches])[order])
    return float(contrast[order][np.searchsorted(share, 0.5 * share[-1])])
