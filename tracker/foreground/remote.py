"""A foreground model that works in another process, where the frames are decoded.

Its two ends: `serve` starts it there, and `RemoteForeground` is what the program holds. In between
travel the bytes of an errand (see `tracker.sources.errand`): the program's own, so pickles.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from tracker.config import ForegroundOptions
from tracker.errors import ConfigError
from tracker.foreground import make_foreground, sample_grid, samples_wanted
from tracker.foreground.base import Footprint, ForegroundModel
from tracker.types import Frame, Image, Points, Scene


class Channel(Protocol):
    """What carries words to the other end and back."""

    def greeting(self) -> bytes:
        """Wait for what the other end says before the first frame."""

    def answer(self) -> bytes:
        """Return what the other end says of the newest frame."""

    def say(self, word: bytes) -> None:
        """Say something to the other end."""


class RemoteForeground:
    """The program's end. Frames must come from where the model works, each once and in order.

    The model is told of the objects of some frames before, as it works ahead.

    Parameters
    ----------
    channel
        What carries words to the model and back.
    spent
        Told of the time, in seconds, that the model took for a frame, beside the program.

    Raises
    ------
    ConfigError
        The region cannot be used.
    """

    def __init__(self, channel: Channel, *, spent: Callable[[float], None]) -> None:
        self._channel = channel
        self._spent = spent
        greeting = pickle.loads(channel.greeting())
        if isinstance(greeting, ConfigError):
            raise greeting
        self.scene: Scene = greeting

    def points(self, frame: Frame, protect: Footprint | None = None) -> Points:
        """Return the foreground of `frame`, the newest; see `ForegroundModel`."""
        del frame
        points: Points
        points, seconds = pickle.loads(self._channel.answer())
        self._spent(seconds)
        self._channel.say(pickle.dumps(protect))
        return points


class _Server:
    """The other end."""

    def __init__(self, model: ForegroundModel) -> None:
        self._model = model
        self.greeting = pickle.dumps(model.scene)

    def work(self, frame: Frame, word: bytes | None) -> bytes:
        """Return the points of `frame`, and the time that they took."""
        begin = time.perf_counter()
        protect = None if word is None else pickle.loads(word)
        points = self._model.points(frame, protect)
        return pickle.dumps((points, time.perf_counter() - begin), pickle.HIGHEST_PROTOCOL)


class _Refusal:
    """The other end, where there can be no model."""

    def __init__(self, error: ConfigError) -> None:
        self.greeting = pickle.dumps(error)

    def work(self, frame: Frame, word: bytes | None) -> bytes:
        """Say nothing: whoever was greeted with an error asks no more."""
        del frame, word
        return b""


def serve(
    settings: Mapping[str, Any],
    size: tuple[int, int],
    samples: Callable[[int, Callable[[Image], Image]], Iterable[Image]],
) -> _Server | _Refusal:
    """Start a model where the frames are decoded.

    Parameters
    ----------
    settings
        Those of `ForegroundOptions`.
    size
        Width and height of the picture, px.
    samples
        Gives up to so many frames spread over the source, each as the function makes it.
    """
    options = ForegroundOptions(**settings)

    def kept() -> Iterator[Image]:  # asks for none before a model wants them
        yield from samples(samples_wanted(options, size), sample_grid(options, size).reduce)

    try:
        return _Server(make_foreground(options, size, kept(), live=False))
    except ConfigError as error:
        return _Refusal(error)
