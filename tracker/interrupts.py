"""Ctrl-C that ends a run between two frames instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

Item = TypeVar("Item")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_SECONDS = 2.0


class Interrupts:
    """Holds SIGINT and SIGTERM back, except where the program says that it may be stopped.

    A context manager. The first signal raises KeyboardInterrupt within `allowed`, at once or as
    soon as that is entered; everything outside runs to its end, so no result is left half-written.
    Further signals are one and the same wish for two seconds (a terminal or `timeout` often sends
    two); after that another one raises at once, wherever the program is.

    Signals belong to the main thread: in any other thread this does nothing.
    """

    def __init__(self) -> None:
        self._requested: float | None = None
        self._allowed = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal raise KeyboardInterrupt inside the block."""
        try:
            self._allowed = True
            if self._requested is not None:
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def between(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items; a signal may end the waiting for each, but not the work on it."""
        iterator = iter(items)
        while True:
            with self.allowed():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def _receive(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._requested is None:
            self._requested = now
        if self._allowed or now - self._requested > _GRACE_SECONDS:
            raise KeyboardInterrupt
