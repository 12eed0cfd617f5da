"""Draws and encodes the overlay video, in a process of its own; the other end of `sinks.video`.

On its standard input come pickles of the program: first an `Order`, then the path and the shape of
the shared memory, then an `Item` for each picture in it, and None at the end. On its standard
output it says which slot may be written again, a byte each; `WHOLE` once the file is whole; or
`FAILED` and a sentence.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import cv2
import numpy as np

from tracker.config import OverlayOptions
from tracker.errors import OutputError
from tracker.overlay import Overlay
from tracker.sinks.files import partial_name, writing
from tracker.types import Image, Snapshot

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

WHOLE = 254
FAILED = 255

_TIME_BASE = Fraction(1, 90_000)
_MOVFLAGS = "frag_keyframe+empty_moov+default_base_moof"


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted.

    Parameters
    ----------
    path
        Final name of the file; it grows under its partial name.
    rate
        Frames per second that the source claims.
    options
        What to draw.
    """

    path: Path
    rate: Fraction
    options: OverlayOptions


class Item(NamedTuple):
    """A picture in the shared memory, its time in seconds, and what is drawn over it."""

    slot: int
    time: float
    snapshot: Snapshot


class _Encoder:
    """Writes the file.

    Parameters
    ----------
    order
        What is wanted.
    file
        What to write into.
    size
        Width and height of the pictures, px.
    """

    def __init__(self, order: Order, file: BinaryIO, size: tuple[int, int]) -> None:
        import av

        self._file = file
        self._rate = order.rate
        self._container: OutputContainer = av.open(
            file, "w", format="mp4", options={"movflags": _MOVFLAGS}
        )
        self._stream = self._add_stream(size)
        self._begin: float | None = None
        self._previous = -1
        self._planes: Image | None = None

    def _add_stream(self, size: tuple[int, int]) -> VideoStream:
        from av.video.reformatter import ColorRange, Colorspace

        stream = self._container.add_stream("libx264", rate=self._rate)
        stream.width, stream.height = (side + side % 2 for side in size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = _TIME_BASE
        context = stream.codec_context
        context.time_base = _TIME_BASE
        context.gop_size = max(1, round(self._rate))  # a key frame begins a fragment
        context.max_b_frames = 0
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU601  # what OpenCV's conversion yields
        # Others decode and track; with each thread the sum of the encoder's time grows by a tenth.
        context.thread_count = max(1, (os.cpu_count() or 1) - 1)
        # Half the time of "superfast" for a picture no worse, in a file up to half as large again.
        # At one PSNR a constant quantiser takes up to a fourth less time and room than a CRF, which
        # spends most on noise.
        context.options = {"preset": "ultrafast", "qp": "24", "x264-params": "deblock=1,0,0"}
        return stream

    def planes(self, image: Image) -> Image:
        """Return a picture as the codec wants it, in memory that the next call writes anew."""
        height, width = image.shape[:2]
        if height % 2 or width % 2:  # the last row or column is doubled to even sides
            image = np.asarray(
                cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE),
                np.uint8,
            )
        self._planes = np.asarray(
            cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420, self._planes), np.uint8
        )
        return self._planes

    def write(self, planes: Image, time: float) -> None:
        """Add a picture that is seen at `time`, s."""
        import av

        # Without a copy, which some versions of av can do with heights that four divides only.
        whole = len(planes) % 6 == 0
        make = av.VideoFrame.from_numpy_buffer if whole else av.VideoFrame.from_ndarray
        coded = make(planes, format="yuv420p")
        if self._begin is None:
            self._begin = time
        self._previous = max(round((time - self._begin) / _TIME_BASE), self._previous + 1)
        coded.pts, coded.time_base = self._previous, _TIME_BASE
        self._mux(coded)
        self._file.flush()

    def _mux(self, coded: Any) -> None:
        for packet in self._stream.encode(coded):
            packet.duration = round(1 / self._rate / _TIME_BASE)
            self._container.mux(packet)

    def close(self) -> None:
        """Write what the codec still holds, and the end of the file."""
        self._mux(None)
        self._container.close()


def _received(pipe: BinaryIO) -> Iterator[Any]:
    """Yield what the program says, to the end of the pipe at most: it may have been killed."""
    with contextlib.suppress(EOFError):
        while (value := pickle.load(pipe)) is not None:
            yield value


def _say(pipe: BinaryIO, data: bytes) -> None:
    """Tell the program something, if it is still there."""
    with contextlib.suppress(BrokenPipeError):
        pipe.write(data)
        pipe.flush()


def _run(order: Order, values: Iterator[Any], pipe: BinaryIO) -> None:
    """Draw and encode what comes."""
    path, shape = next(values)
    with open(path, "r+b") as shared:
        memory = mmap.mmap(shared.fileno(), int(np.prod(shape)))
    os.unlink(path)
    images: list[Image] = list(np.frombuffer(memory, np.uint8).reshape(shape))
    overlay = Overlay(order.options)
    with writing(order.path), partial_name(order.path).open("wb") as file:
        encoder = _Encoder(order, file, (shape[2], shape[1]))
        for slot, time, snapshot in values:
            overlay.draw_over(images[slot], snapshot)
            planes = encoder.planes(images[slot])
            _say(pipe, bytes([slot]))
            encoder.write(planes, time)
        encoder.close()


def main() -> None:
    """Write one video."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The other cores decode and track: OpenCV's threads would wait for them longer than they save.
    cv2.setNumThreads(1)
    messages = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not reach the pipe
    values = _received(sys.stdin.buffer)
    order: Order = next(values)
    try:
        _run(order, values, messages)
        answer = bytes([WHOLE])
    except OutputError as error:
        answer = bytes([FAILED]) + str(error).encode()
    except Exception as error:
        sentence = (
            f"cannot write {order.path}: the encoder says {str(error)!r}; "
            "run with --no-video to go without it"
        )
        answer = bytes([FAILED]) + sentence.encode()
    _say(messages, answer)


if __name__ == "__main__":
    main()
