"""Work on each picture that is done where it is decoded, beside the rest of the program.

An errand is named by its module and the function in it that starts it, so that nothing but its name
and its settings travels to the decoder's process. What it says is bytes; only its two ends know
what they mean.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from tracker.types import Frame, Image

LAG = 3
"""Frames after which a word of the program reaches the errand.

Always as many, so that results do not depend on which process is faster.
"""


@dataclass(frozen=True, slots=True)
class Errand:
    """What the decoder shall do beside decoding.

    Parameters
    ----------
    start
        "module:function", a `Start`.
    settings
        What the function gets; of the kinds that JSON knows.
    """

    start: str
    settings: Mapping[str, Any]


class Worker(Protocol):
    """An errand in work, in the decoder's process."""

    greeting: bytes
    """What it has to say before the first frame."""

    def work(self, frame: Frame, word: bytes | None) -> bytes:
        """Return what it has to say of a frame.

        `word` is what the program said `LAG` frames before, or None.
        """


Samples = Callable[[int, Callable[[Image], Image]], Iterable[Image]]
"""Gives up to so many frames spread evenly over the source, each as the function makes it.

The function may be called in several threads at once.
"""

Start = Callable[[Mapping[str, Any], tuple[int, int], Samples], Worker]
"""Starts an errand from its settings, the pictures' width and height in px, and samples."""


def find(name: str) -> Start:
    """Return the function that starts an errand, from its name "module:function"."""
    module, _, function = name.partition(":")
    return cast(Start, getattr(importlib.import_module(module), function))
