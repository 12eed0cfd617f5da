"""A background of one mean colour and one noise level for each cell, learned with care.

The median model starts it from sampled frames, the running model from the first frame. From then
on both learn alike: slowly where the background is seen, and at once where something new has not
changed for long and no object is tracked there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.foreground.channels import at, largest_channel, planes
from tracker.foreground.ghosts import (
    SMALLEST,
    edge_strength,
    mostly,
    outline_edge,
    outlined,
    shows_more,
)
from tracker.foreground.grid import Mask
from tracker.foreground.light import gain, local_gain
from tracker.foreground.opening import Opening
from tracker.foreground.shadow import is_grey
from tracker.foreground.steadiness import Outlook, displacement
from tracker.types import Image

NOISE_FLOOR = 1.5
"""Smallest noise that is believed, grey levels."""

EDGE_SHIFT = 0.35
"""Shift of the picture that is put down to noise, cells."""

LIGHT_ERROR = 0.15
"""Share of a change of light by which one cell may differ from its neighbourhood."""

UNSETTLED = 0.05
"""Logarithm of the gain, since the background was learned, from which places are lit unevenly."""

RELIGHT_SECONDS = 0.2
"""Time between two looks at the light of each neighbourhood while that of the whole is steady."""

RELEARNED = 0.5
"""Share of the background that a picture becomes which shows little of what was known."""

FIRST_NOISE = 4.0
"""Noise that is assumed before anything was measured, grey levels."""

EDGES_EVERY = 10
"""Times that the background is learned until its edges are found anew."""

STILL_SECONDS = 1.0
"""Time without change after which foreground may be the ghost of something that left."""

SMALLEST_GHOST = 5
"""Cells of that of a live source at least: a fly has hardly more."""

EDGELESS = 0.1
"""Edge of the picture along an outline, relative to the contrast within, that is none: light."""

SATURATED = 254
"""Level from which a channel may have been cut off."""

CONTRAST_FLOOR = 9.0
"""Smallest difference of a channel that makes foreground, grey levels."""

OBJECT_CONTRAST = 0.4
"""Share of a typical object's contrast that a cell of an arena without colour must have."""

CONTRAST_RATE = 0.1
"""Share by which one look at the objects' contrast counts."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What makes a cell foreground.

    Parameters
    ----------
    deviations
        Distance in colour, standard deviations.
    contrast
        Smallest difference of the most different channel, grey levels.
    """

    deviations: float
    contrast: float = CONTRAST_FLOOR


class GaussianBackground:
    """Mean and noise for each cell.

    Parameters
    ----------
    mean
        Shape (height, width, 3), BGR.
    noise
        Shape (height, width), standard deviation of a channel, grey levels.
    sensitivity
        What makes a cell foreground.
    learning_seconds
        Time in which a lasting change becomes background.
    adaptive_noise
        Whether the noise is learned as well (it is known where a file was surveyed).
    """

    def __init__(
        self,
        mean: NDArray[np.float32],
        noise: NDArray[np.float32],
        sensitivity: Sensitivity,
        *,
        learning_seconds: float,
        adaptive_noise: bool = False,
    ) -> None:
        self.learning_seconds = learning_seconds
        self.adaptive_noise = adaptive_noise
        self.frames = 0
        # Logarithm of the gain since the background was learned, of each cell or of all.
        self.light: NDArray[np.float32] = np.zeros(1, np.float32)
        self.lighting = False  # whether the light changed in the newest picture
        self.relit = -np.inf  # time at which each neighbourhood was last brought into the light
        self.learned: float | None = None
        self.last: Image | None = None
        self.still = np.zeros(mean.shape[:2], np.float32)
        self.mean = np.ascontiguousarray(mean, np.float32)
        self.noise = np.maximum(noise, NOISE_FLOOR).astype(np.float32)
        self.sensitivity = sensitivity
        self.contrast = 0.0  # of the objects in an arena without colour, grey levels
        self.refresh()

    def refresh(self, *, edges: bool = True) -> None:
        """Make the tables of the quick test anew, after the mean or the noise changed.

        Edges move so slowly that they need not be found each time.
        """
        self.reference: Image = np.asarray(cv2.convertScaleAbs(self.mean), np.uint8)
        if edges:
            self.shifts = EDGE_SHIFT * edge_strength(self.reference)
        self.deviation = cv2.magnitude(self.noise, self.shifts)
        if np.any(self.light):
            level = cv2.multiply(
                largest_channel(self.reference), LIGHT_ERROR * self.light, dtype=cv2.CV_32F
            )
            self.deviation = cv2.magnitude(self.deviation, level)
        # If the sum of three squares exceeds a limit, the largest exceeds a third of it.
        share = self.sensitivity.deviations / np.sqrt(3.0)
        quick = np.asarray(cv2.convertScaleAbs(self.deviation, alpha=share, beta=-1.5), np.uint8)
        self.quick_limit: Mask = np.clip(quick, int(self.sensitivity.contrast), 254)

    def foreground(self, image: Image) -> Mask:
        """Return the cells of `image` that differ from the background, in its light."""
        change = gain(image, self.reference)
        self.lighting = bool((change != 1.0).any())
        self._follow_light(change)
        largest = largest_channel(cv2.absdiff(image, self.reference))
        mask: Mask = np.asarray(cv2.compare(largest, self.quick_limit, cv2.CMP_GT), np.uint8)
        cells = np.flatnonzero(mask > 0)
        difference = planes(at(image, cells) - self.appearance(cells)[0])
        squared = np.einsum("cn,cn->n", difference, difference)
        limit = (self.sensitivity.deviations * self.deviation.take(cells)) ** 2
        mask.ravel()[cells[squared <= limit]] = 0
        return mask

    def _follow_light(self, change: NDArray[np.float32]) -> None:
        """Let the light `change` by a factor, shape (3,) or (height, width, 3).

        Beyond 255 too: what the camera cannot show comes back when the light does.
        """
        if (change == 1.0).all():
            return
        if change.ndim == 1:
            rows = self.mean.reshape(len(self.mean), -1)
            change_of_rows = np.tile(change, self.mean.shape[1])
            self.mean = ((rows + 1.0) * change_of_rows - 1.0).reshape(self.mean.shape)
            self.light = self.light + np.log(change).mean()
        else:
            self.mean = (self.mean + 1.0) * change - 1.0
            self.light = self.light + cv2.transform(np.log(change), np.full((1, 3), 1 / 3))
        self.refresh(edges=False)

    def appearance(
        self, cells: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return colour, shape (n, 3), and noise, shape (n,), of the background at `cells`."""
        return np.minimum(at(self.mean, cells), 255.0), self.noise.take(cells)

    def due(self, time: float) -> bool:
        """Tell whether there is something to learn at `time`, s: a twentieth of the whole is."""
        return self.learned is None or time - self.learned >= self.learning_seconds / 20

    def learn(self, image: Image, time: float, foreground: Mask, protected: Mask) -> None:
        """Take what `image`, seen at `time` in seconds, teaches of the background.

        Cells that show the background are followed slowly. Foreground that has not changed for
        long becomes background, but not where it is `protected`: a tracked object may stand still
        as long as it likes. The ghost of something that was there and left, or a patch of light,
        becomes background at once: its outline is no edge of the picture.
        """
        elapsed = 0.0 if self.learned is None else time - self.learned
        self.learned = time
        self.frames += 1
        knock = displacement(Outlook.of(self.reference), Outlook.of(image))
        if knock.any():
            self._move(knock, image)
            return
        rate = max(1.0 - float(np.exp(-elapsed / self.learning_seconds)), 1.0 / self.frames)
        if not self.adaptive_noise:
            rate = 1.0 - float(np.exp(-elapsed / self.learning_seconds))
        saturated = cv2.threshold(largest_channel(image), SATURATED - 1, 255, cv2.THRESH_BINARY)[1]
        background = cv2.bitwise_or(cv2.bitwise_or(foreground, protected), saturated)
        background = cv2.bitwise_not(background)
        if self.adaptive_noise:
            difference = cv2.absdiff(image, self.reference).astype(np.float32)
            variance = self.noise**2
            blue, green, red = cv2.split(cv2.multiply(difference, difference))
            squared = np.minimum((blue + green + red) / 3, 16 * variance)
            cv2.accumulateWeighted(squared, variance, rate, mask=background)
            self.noise = np.maximum(np.sqrt(variance), NOISE_FLOOR)
            self._follow_contrast(image, foreground)
        cv2.accumulateWeighted(image, self.mean, rate, mask=background)
        self.light *= np.float32(1.0 - rate)
        if self.last is not None:
            moved = largest_channel(cv2.absdiff(image, self.last)) > self.quick_limit
            self.still = np.where((foreground > 0) & ~moved, self.still + elapsed, 0.0)
            absorbed = (self.still > self.learning_seconds) & (protected == 0)
            cells = np.flatnonzero(absorbed | self._ghosts(image, foreground))
            self.mean.reshape(-1, 3)[cells] = at(image, cells)
            self.still.ravel()[cells] = 0.0
        self.last = image.copy()
        self.refresh(edges=self.frames % EDGES_EVERY == 0)

    def _move(self, shift: NDArray[np.float64], image: Image) -> None:
        """Move what is known with the picture, by so many cells: the camera was knocked.

        What comes into view is as `image` shows it.
        """
        matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
        size = self.mean.shape[1::-1]

        def moved(field: NDArray[np.float32]) -> NDArray[np.float32]:
            border = cv2.BORDER_REPLICATE
            return np.asarray(cv2.warpAffine(field, matrix, size, borderMode=border), np.float32)

        known = cv2.warpAffine(np.ones(size[::-1], np.float32), matrix, size)
        self.mean = np.where((known < 1)[:, :, None], image, moved(self.mean)).astype(np.float32)
        self.noise = moved(self.noise)
        if self.light.shape == self.noise.shape:
            self.light = moved(self.light)
        self.still[:], self.last = 0.0, None
        self.refresh()

    def _follow_contrast(self, image: Image, foreground: Mask) -> None:
        """Let what makes foreground follow the contrast of the objects where there is no colour.

        Nothing but its contrast tells an object from its shadow there; see `OBJECT_CONTRAST`.
        """
        contrast, weight = 0.0, CONTRAST_RATE
        if is_grey(image) and foreground.any():
            apart = largest_channel(cv2.absdiff(image, self.reference))
            contrast = float(np.median(apart[foreground > 0]))
            weight = CONTRAST_RATE if self.contrast > CONTRAST_FLOOR else 1.0
        self.contrast += weight * (contrast - self.contrast)
        least = max(CONTRAST_FLOOR, OBJECT_CONTRAST * self.contrast)
        self.sensitivity = replace(self.sensitivity, contrast=least)

    def _ghosts(self, image: Image, foreground: Mask) -> NDArray[np.bool_]:
        """Return the cells of still patches whose outline is no edge of the picture.

        Something left that was in the background, or a lamp lights the place. Of what moves here
        and there, the parts that are still have no outline of their own.
        """
        ghosts = np.zeros(self.still.shape, bool)
        still = np.asarray(self.still >= STILL_SECONDS)
        if not still.any():
            return ghosts
        # The survey of a file leaves no ghosts in its background; what is small there flickers.
        smallest = SMALLEST_GHOST if self.adaptive_noise else SMALLEST
        for window, inside in outlined(mostly(still, foreground), smallest):
            old = outline_edge(self.reference[window], inside)
            new = outline_edge(image[window], inside)
            apart = cv2.absdiff(self.reference[window], image[window])
            contrast = largest_channel(apart)[inside > 0].mean()
            if shows_more(old, new) or new < EDGELESS * contrast:
                ghosts[window] |= inside > 0
        return ghosts

    def unsettled(self, time: float) -> bool:
        """Tell whether the neighbourhoods should be brought into the light at `time`, s.

        As long as it changes and it is another one than the background was learned in; and where
        it only is another one, once in a while.
        """
        if not self.lighting and time - self.relit < RELIGHT_SECONDS:
            return False
        return cv2.norm(self.light, cv2.NORM_L1) > UNSETTLED * self.light.size

    def relight(self, image: Image, time: float, foreground: Mask, protected: Mask) -> None:
        """Bring each neighbourhood into the light of `image`, seen at `time` in seconds."""
        self.relit = time
        self._follow_light(local_gain(image, self.mean, foreground, protected))

    def uncover(self, image: Image, usual: Image, foreground: Mask) -> None:
        """Take what foreground of `image` is as `usual` for background that something covered.

        But not where the outline of a patch is an edge of the picture rather than of the
        background: something came and stays.
        """
        apart = largest_channel(cv2.absdiff(image, usual))
        same = cv2.compare(apart, self.quick_limit, cv2.CMP_LE)
        ground: Mask = np.asarray(cv2.bitwise_and(foreground, same), np.uint8)
        for window, inside in outlined(ground):
            old = outline_edge(self.reference[window], inside)
            if shows_more(outline_edge(image[window], inside), old):
                ground[window][inside > 0] = 0
        cells = np.flatnonzero(ground)
        if len(cells):
            self.mean.reshape(-1, 3)[cells] = at(usual, cells)
            self.still.ravel()[cells] = 0.0
            self.refresh()

    def relearn(self, image: Image, protected: Mask) -> None:
        """Take `image` for the background, but for what is `protected`."""
        cv2.accumulateWeighted(image, self.mean, RELEARNED, mask=cv2.bitwise_not(protected))
        self.light *= np.float32(1.0 - RELEARNED)
        self.refresh()


class RunningBackground:
    """Learns mean and noise as it goes, from the first frame on; for live sources.

    Parameters
    ----------
    sensitivity
        What makes a cell foreground.
    learning_seconds
        Time in which a lasting change becomes background.
    """

    def __init__(self, sensitivity: Sensitivity, *, learning_seconds: float) -> None:
        self.sensitivity = sensitivity
        self.learning_seconds = learning_seconds
        self.model: GaussianBackground | None = None
        self.opening = Opening(learning_seconds)

    def _started(self, image: Image) -> GaussianBackground:
        if self.model is None:
            noise = np.full(image.shape[:2], FIRST_NOISE, np.float32)
            self.model = GaussianBackground(
                image.astype(np.float32),
                noise,
                self.sensitivity,
                learning_seconds=self.learning_seconds,
                adaptive_noise=True,
            )
        return self.model

    def foreground(self, image: Image) -> Mask:
        """Return the cells of `image` that differ from the background."""
        return self._started(image).foreground(image)

    def appearance(
        self, cells: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return colour, shape (n, 3), and noise, shape (n,), of the background at `cells`."""
        if self.model is None:
            raise RuntimeError("The model has seen no frame yet; call foreground() first.")
        return self.model.appearance(cells)

    def due(self, time: float) -> bool:
        """Tell whether there is something to learn at `time`, s."""
        return self.model is not None and (self.opening.due(time) or self.model.due(time))

    def learn(self, image: Image, time: float, foreground: Mask, protected: Mask) -> None:
        """Learn as `GaussianBackground.learn` does, and what the first seconds show."""
        model = self._started(image)
        if self.opening.due(time):
            model.uncover(image, self.opening.usual(image, time), foreground)
        if model.due(time):
            model.learn(image, time, foreground, protected)

    def expect(self, noise: NDArray[np.float32]) -> None:
        """Take it that there is at least such noise, shape (height, width), for the time being.

        What sways is foreground from the first frame on, and nothing is learned of the noise there.
        """
        assert self.model is not None, "frames were seen, and looked back at"
        self.model.noise = np.maximum(self.model.noise, noise)
        self.model.refresh(edges=False)

    def unsettled(self, time: float) -> bool:
        """See `GaussianBackground.unsettled`."""
        return self.model is not None and self.model.unsettled(time)

    def relight(self, image: Image, time: float, foreground: Mask, protected: Mask) -> None:
        """See `GaussianBackground.relight`."""
        self._started(image).relight(image, time, foreground, protected)

    def relearn(self, image: Image, protected: Mask) -> None:
        """See `GaussianBackground.relearn`."""
        self._started(image).relearn(image, protected)
