"""The foreground pixels of a video as points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracker.config import Config
from tracker.errors import SourceError
from tracker.fitting.options import Frames
from tracker.foreground import make_foreground, samples_wanted
from tracker.foreground.grid import Grid
from tracker.sources import Source, SourceFacts
from tracker.types import Array, Image

_MEDIAN_OF = 25  # frames that the picture without objects is the median of


@dataclass(frozen=True, slots=True)
class Pixels:
    """Foreground pixels, of one frame or of several together.

    Parameters
    ----------
    points
        Shape (n, 2), x and y, px; whole numbers unless a processing scale was asked for.
    weights
        Shape (n,), how many foreground pixels lie at each place.
    """

    points: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.points)


class Tally:
    """Counts at each place how often it was foreground: all frames in the memory of one picture.

    Parameters
    ----------
    grid
        The raster of the foreground model.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._counts = np.zeros(grid.cells[0] * grid.cells[1], np.uint32)

    def add(self, points: Array) -> None:
        """Count the foreground pixels of one frame, shape (n, 2)."""
        columns, rows = np.floor((points.T + 0.5) / np.array(self.grid.step)[:, None])
        self._counts[(rows * self.grid.cells[0] + columns).astype(np.intp)] += 1

    @property
    def pixels(self) -> Pixels:
        """All that was counted by now."""
        cells = np.flatnonzero(self._counts)
        weights = self._counts[cells].astype(np.float64) * self.grid.cell_area
        return Pixels(self.grid.coordinates(cells), weights)


class Footage:
    """An open source whose foreground pixels are the points; a fit's end of it.

    Parameters
    ----------
    source
        Where the frames come from; whoever opened it closes it.
    config
        How the foreground is told from the background.
    frames
        Which frames to take.
    """

    def __init__(self, source: Source, config: Config, frames: Frames) -> None:
        options = config.foreground
        if not options.scale:
            options = replace(options, scale=1.0)  # every pixel, at whole coordinates
        size = source.facts.size
        count = samples_wanted(options, size)
        kept: list[Image] = []
        samples = _keeping(source.sample(count), max(1, count // _MEDIAN_OF), kept)
        self._source = source
        self._frames = frames
        self._foreground = make_foreground(options, size, samples, source.facts.live)
        self.grid = Grid.scaled(size, options.scale)
        """The raster of the foreground model."""
        self.picture = _median(kept) if kept else None
        """The place without what moves, BGR; the first frame where nothing better is known."""
        self.counted = 0
        """Frames taken by now, but for"""
        self.flooded = 0
        """those left out because their light changed as a whole."""

    def __iter__(self) -> Iterator[tuple[int, Pixels]]:
        """Yield the index of each frame that is taken, with its foreground pixels."""
        for frame in self._source:
            if self._frames.last is not None and frame.index > self._frames.last:
                return
            if frame.index not in self._frames:
                continue
            if self.picture is None:
                self.picture = frame.image.copy()
            points = self._foreground.points(frame)
            if points.flood:
                self.flooded += 1
                continue
            self.counted += 1
            assert points.weights is not None, "a detector says how many pixels a point covers"
            yield frame.index, Pixels(points.coordinates, points.weights)

    @property
    def facts(self) -> SourceFacts:
        """What is known of the source by now."""
        return self._source.facts

    def nothing(self) -> SourceError:
        """Return the error of a fit that got no points."""
        if self.counted:
            return SourceError(
                f"{self.facts.spec} shows no foreground in frames {self._frames}; take more "
                "frames with --frames, or lower the threshold with --set foreground.threshold=4"
            )
        if self.flooded:
            return SourceError(
                f"{self.facts.spec} changes as a whole in frames {self._frames}, so that nothing "
                "stands out; take other frames with --frames"
            )
        return SourceError(
            f"{self.facts.spec} has no frames {self._frames}: it has {self.facts.decoded_frames}; "
            "give --frames a range within them"
        )


def _keeping(samples: Iterable[Image], every: int, kept: list[Image]) -> Iterator[Image]:
    """Pass the samples on, and keep each `every`-th of them."""
    for number, image in enumerate(samples):
        if number % every == 0:
            kept.append(image.copy())
        yield image


def _median(images: Sequence[Image]) -> Image:
    """Return the median picture."""
    stack = np.stack(images)
    middle = len(stack) // 2
    stack.partition(middle, axis=0)  # in place, and without the halves that np.median would make
    return np.asarray(stack[middle], np.uint8)
