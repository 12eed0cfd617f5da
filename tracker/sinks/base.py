"""What every writer of results offers."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from tracker.types import Frame, Snapshot


class Sink(Protocol):
    """Takes the result of each frame; a context manager with one owner.

    Results stand under their final names only after a clean exit (an interrupt by the user is one);
    until then, and after a crash, they are readable under a name that ends in `.partial`.
    """

    def write(self, frame: Frame, snapshot: Snapshot) -> None:
        """Take one frame and its result."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
