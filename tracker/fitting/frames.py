"""The results of fits of single frames: tables that grow, and a few of the fits to look at."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np

from tracker.fitting.pixels import Pixels
from tracker.fitting.results import CsvWriter, exact_format, text_output
from tracker.fitting.scored import SELECTION, Scored, label_formats, mixture_of, selection_row
from tracker.fitting.search import Search

Item = TypeVar("Item")

_FRAME = {"frame": "%d"}
_COMPONENT = {"component": "%d", "weight": "%.6f"} | dict.fromkeys(
    ("x", "y", "xx", "xy", "yy"), "%.3f"
)


class FrameTables:
    """Writes mixtures.csv, labels.csv and selection.csv frame by frame; a context manager.

    Parameters
    ----------
    folder
        Where they go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._writers: list[CsvWriter] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def write(self, index: int, pixels: Pixels, found: Search, scored: Scored) -> None:
        """Append the rows of one frame."""
        if not self._writers:
            axis = exact_format(pixels.points)
            labelled = label_formats(found.best.model, every=False)
            self._writers = [
                self._opened("mixtures.csv", _COMPONENT),
                self._opened("labels.csv", {"x": axis, "y": axis} | labelled),
                self._opened("selection.csv", SELECTION),
            ]
        components, labels, selection = self._writers
        mixture = mixture_of(found.best.model)
        c = mixture.covariances
        components.write(
            np.full(len(mixture), index),
            np.arange(len(mixture)),
            mixture.weights,
            *mixture.means.T,
            *(c[:, 0, 0], c[:, 0, 1], c[:, 1, 1]),
        )
        labels.write(np.full(len(pixels), index), *pixels.points.T, *scored.columns(False))
        for candidate in found.table:
            selection.write([index], *([value] for value in selection_row(candidate)))

    def _opened(self, name: str, formats: dict[str, str]) -> CsvWriter:
        file = self._files.enter_context(text_output(self._folder / name))
        return CsvWriter(file, _FRAME | formats)


class Spread(Generic[Item]):
    """Keeps a few of many items, evenly spread, without knowing how many will come.

    Parameters
    ----------
    most
        How many it keeps at most.
    """

    def __init__(self, most: int) -> None:
        self.kept: list[Item] = []
        self._most = most
        self._came = 0
        self._gap = 1

    def add(self, item: Item) -> None:
        """Take one more item."""
        if self._came % self._gap == 0:
            self.kept.append(item)
            if len(self.kept) > self._most:
                self.kept = self.kept[::2]
                self._gap *= 2
        self._came += 1
