"""What every source of frames offers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from tracker.types import Frame, Image


class Verdict(StrEnum):
    """How the reading of a source ended."""

    COMPLETE = "complete"
    DAMAGED = "damaged"  # frames were missing or undecodable on the way
    CUT_SHORT = "cut short"  # it ended, or its reader died, before the end it claims
    STOPPED = "stopped"  # the caller asked for no more


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known of a source; counts and verdict grow while it is read.

    Parameters
    ----------
    spec
        The source as the user named it.
    kind
        "file", "camera", "stream", "images" or "demo".
    width, height
        Size of the frames in px.
    fps
        Frames per second used where the frames carry no time of their own.
    live
        True where frames cannot be asked for again: a camera or a stream.
    time_base
        "container", "fps" or "clock": where the times of the frames come from.
    claimed_frames
        Frames that the container claims, or None where it claims nothing.
    decoded_frames
        Frames handed over so far.
    begun
        When the first frame of a live source came, seconds since 1970; else None.
    dropped_frames
        Frames of a live source that were skipped because a newer one had come.
    missing_frames
        Frames that could not be decoded.
    verdict
        How the reading ended so far.
    reason
        One sentence for a verdict other than COMPLETE or a header that claims what is not so, else
        empty.
    """

    spec: str
    kind: str
    width: int
    height: int
    fps: float
    live: bool
    time_base: str
    claimed_frames: int | None = None
    begun: float | None = None
    decoded_frames: int = 0
    dropped_frames: int = 0
    missing_frames: int = 0
    verdict: Verdict = Verdict.STOPPED
    reason: str = ""

    def age(self, moment: float) -> float | None:
        """Return how long ago, s, a time of a live source was; None of any other source."""
        return None if self.begun is None else time.time() - self.begun - moment

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames, px."""
        return self.width, self.height


class Source(Protocol):
    """A stream of frames with one owner; a context manager, iterated once."""

    @property
    def facts(self) -> SourceFacts:
        """What is known of the source by now."""

    def sample(self, count: int) -> Iterator[Image]:
        """Yield up to `count` frames spread evenly over the whole source.

        Does not disturb the iteration. A source that cannot seek (live) yields none.
        """

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
