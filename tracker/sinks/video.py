"""The overlay video: H.264 that plays in browsers and survives a crash."""

from __future__ import annotations

import contextlib
import mmap
import pickle
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tracker.beside import launch, obituary, reserve
from tracker.config import OverlayOptions
from tracker.errors import OutputError
from tracker.sinks.encoder import FAILED, WHOLE, Item, Order
from tracker.sinks.files import ended_cleanly, partial_name, writing
from tracker.types import Frame, Image, Snapshot

_SLOTS = 8  # pictures that may wait to be drawn, at most,
_SLOTS_BYTES = 20_000_000  # and memory for them; two of them always may


class OverlayVideo:
    """Writes the frames with their overlay as H.264 in fragmented MP4; a sink.

    Drawing and encoding run in a process of their own. Frames keep their own times, so the rate may
    vary. About each second of video is a fragment that a crash leaves readable.

    Parameters
    ----------
    path
        The file's final name.
    options
        What to draw.
    fps
        Frame rate that the source claims, 1/s.
    """

    def __init__(self, path: Path, options: OverlayOptions, fps: float) -> None:
        self.path = path
        rate = Fraction(fps if fps > 0 else 25.0).limit_denominator(1001)
        self._order = Order(path, rate, options)
        self._encoder: _Encoder | None = None

    def write(self, frame: Frame, snapshot: Snapshot) -> None:
        """Hand one frame to the encoder; waits where the encoder is far behind."""
        image = frame.image
        if self._encoder is None:
            self._encoder = _Encoder(self._order, image.shape)
        (height, width, _), (high, wide, _) = image.shape, self._encoder.shape
        if (height, width) != (high, wide):
            raise OutputError(
                f"cannot write {self.path}: frame {frame.index} has {width}x{height} px where the "
                f"first has {wide}x{high}; give all frames one size"
            )
        points = snapshot.foreground if self._order.options.tint else None
        self._encoder.write(image, frame.time, replace(snapshot, foreground=points))

    def __enter__(self) -> Self:
        with writing(self.path):
            partial_name(self.path).write_bytes(b"")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        clean = ended_cleanly(kind)  # else the first error counts, and the partial file stays
        if self._encoder is not None:
            try:
                if clean:
                    self._encoder.finish()
            finally:
                self._encoder.close()
        if not clean:
            return
        with writing(self.path):
            if self._encoder is None:
                partial_name(self.path).unlink()  # not a single frame came
            else:
                partial_name(self.path).replace(self.path)


class _Encoder:
    """The process that draws and encodes, and the memory that it shares.

    Parameters
    ----------
    order
        What it is to write.
    shape
        Of the pictures: height, width, 3.
    """

    def __init__(self, order: Order, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._path = order.path
        size = int(np.prod(shape))
        slots = min(max(2, _SLOTS_BYTES // size), _SLOTS)
        self._free = list(range(slots))
        with writing(order.path):
            self._shared = Path(reserve(slots * size))
            with self._shared.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), slots * size)
        pictures = np.frombuffer(memory, np.uint8).reshape(slots, *shape)
        self._images: list[Image] = list(pictures)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = launch("tracker.sinks.encoder", self._log)
        assert self._process.stdin is not None, "launched with pipes"
        assert self._process.stdout is not None, "launched with pipes"
        self._commands, self._messages = self._process.stdin, self._process.stdout
        self._say(order)
        self._say((str(self._shared), pictures.shape))

    def write(self, image: Image, time: float, snapshot: Snapshot) -> None:
        """Hand over a picture, seen at `time` in s, and what is to be drawn over it."""
        if not self._free:
            self._wait()
        slot = self._free.pop()
        np.copyto(self._images[slot], image)
        self._say(Item(slot, time, snapshot))

    def finish(self) -> None:
        """Wait until the file is whole."""
        self._say(None)
        while self._wait():
            pass

    def close(self) -> None:
        """Let go of the process: without being told to finish it ends with what it has got."""
        with contextlib.suppress(BrokenPipeError):
            self._commands.close()
        self._process.wait()
        self._messages.close()
        self._shared.unlink(missing_ok=True)  # it does so itself once it has mapped the memory
        self._log.close()

    def _say(self, value: object) -> None:
        try:
            pickle.dump(value, self._commands, pickle.HIGHEST_PROTOCOL)
            self._commands.flush()
        except BrokenPipeError:
            while self._wait():  # it died, and says why
                pass

    def _wait(self) -> bool:
        """Wait for a slot that may be written again; return False where the file is whole instead.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        message = self._messages.read(1)
        if not message:
            raise OutputError(
                f"cannot write {self._path}: the encoder died "
                f"({obituary(self._process, self._log)}); run with --no-video to go without it"
            )
        if message[0] == FAILED:
            raise OutputError(self._messages.read().decode())
        if message[0] == WHOLE:
            return False
        self._free.append(message[0])
        return True
