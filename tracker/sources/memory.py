"""A source whose pictures are at hand: a list of arrays, or a scene that draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self, overload

import numpy as np

from tracker.errors import SourceError
from tracker.sources.base import SourceFacts, Verdict
from tracker.sources.wire import DEFAULT_RATE, spread
from tracker.types import Frame, Image


class Drawn(Protocol):
    """A scene that draws its frames when they are asked for."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    @property
    def frame_count(self) -> int:
        """How many frames it has."""

    def render(self, index: int) -> Image:
        """Return frame `index`, shape (height, width, 3), BGR."""


class Renderings(Sequence[Image]):
    """The frames of a scene as a sequence that keeps none of them."""

    def __init__(self, scene: Drawn) -> None:
        self._scene = scene

    def __len__(self) -> int:
        return self._scene.frame_count

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | list[Image]:
        if isinstance(index, slice):
            return [self._scene.render(number) for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._scene.render(index)


class ArraySource:
    """Pictures from memory, for tests and loops of one's own.

    Parameters
    ----------
    images
        Pictures of shape (height, width, 3), BGR, or (height, width), grey; 8-bit, of one size.
    fps
        Frames per second.
    spec, kind
        What the facts call the source.

    Raises
    ------
    SourceError
        Where there is no picture; while reading, where one is not like the first.
    """

    def __init__(
        self,
        images: Sequence[Image],
        *,
        fps: float = DEFAULT_RATE,
        spec: str = "arrays",
        kind: str = "images",
    ) -> None:
        if len(images) == 0:
            raise SourceError(f"cannot open {spec!r}: it holds no image; pass at least one")
        self._images = images
        self._next = 0
        height, width = _picture(images[0], 0).shape[:2]
        self._facts = SourceFacts(
            spec=spec,
            kind=kind,
            width=width,
            height=height,
            fps=fps,
            live=False,
            time_base="fps",
            claimed_frames=len(images),
        )

    @property
    def facts(self) -> SourceFacts:
        """What is known of the source by now."""
        return self._facts

    def sample(self, count: int) -> Iterator[Image]:
        """Yield up to `count` frames spread evenly over the whole source."""
        return map(self._picture, spread(len(self._images), count))

    def __iter__(self) -> Iterator[Frame]:
        while self._next < len(self._images):
            index = self._next
            self._next += 1
            image = self._picture(index)
            self._facts = replace(self._facts, decoded_frames=index + 1)
            yield Frame(index, index / self._facts.fps, image)
        self._facts = replace(self._facts, verdict=Verdict.COMPLETE)

    def _picture(self, index: int) -> Image:
        image = _picture(self._images[index], index)
        if image.shape[:2] != (self._facts.height, self._facts.width):
            raise SourceError(
                f"image {index} has height and width {image.shape[:2]}, the first has "
                f"{(self._facts.height, self._facts.width)}; pass images of one size"
            )
        return image

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._next = len(self._images)


def _picture(image: Image, index: int) -> Image:
    """Return a read-only BGR view of a picture, grey ones with three equal channels."""
    pixels = np.asarray(image)
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise SourceError(
            f"image {index} has shape {pixels.shape} and type {pixels.dtype}; pass 8-bit images of "
            "shape (height, width, 3) or (height, width)"
        )
    view = pixels.view()
    view.flags.writeable = False
    return view
