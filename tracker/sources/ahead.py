"""Items that a thread prepares while the ones before are worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

AHEAD = 2  # items that are ready before they are asked for

Item = TypeVar("Item")


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items while a thread prepares the next ones: decoding lets go of Python's lock."""
    ready: queue.Queue[Item | None] = queue.Queue(AHEAD)
    failures: list[BaseException] = []

    def prepare() -> None:
        try:
            for item in items:
                ready.put(item)
        except BaseException as error:
            failures.append(error)
        ready.put(None)

    threading.Thread(target=prepare, daemon=True).start()
    while (item := ready.get()) is not None:
        yield item
    if failures:
        raise failures[0]
