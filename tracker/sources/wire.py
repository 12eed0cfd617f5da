"""What the program and its decoder say to each other through two pipes.

The decoder speaks in messages of fixed size. A frame's message names the slot of the shared memory
that holds its picture; a JSON message is followed by its text. The program answers with single
bytes: the number of a slot that may be written again, or `WANT` for the newest frame of a live
source. The end of the program's pipe ends the decoder.

A decoder that runs an errand (see `tracker.sources.errand`) sends its bytes after each frame, and
gets the program's words: `WORD`, their length, themselves.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any, NamedTuple

MESSAGE = struct.Struct("<cBcxIqd")
FRAME = b"F"
TEXT = b"J"
BYTES = b"B"
WANT = 255
WORD = 254
LENGTH = struct.Struct("<I")

TIME_BASES = {b"c": "container", b"f": "fps", b"k": "clock"}
BASE_CODES = {name: code for code, name in TIME_BASES.items()}

CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""Variable of the environment that OpenCV reads when it opens a file or a stream."""

DEFAULT_RATE = 25.0
"""Frames per second of a source that states no usable rate."""


class Message(NamedTuple):
    """One message of fixed size.

    Parameters
    ----------
    kind
        `FRAME`, `TEXT` or `BYTES`.
    slot
        Where the picture lies.
    base
        Key of `TIME_BASES`.
    dropped
        Frames of a live source dropped so far.
    number
        Index of the frame, or the length in bytes of what follows.
    time
        Seconds.
    """

    kind: bytes
    slot: int = 0
    base: bytes = b"f"
    dropped: int = 0
    number: int = 0
    time: float = 0.0


def send(pipe: IO[bytes], message: Message) -> None:
    """Write one message."""
    pipe.write(MESSAGE.pack(*message))
    pipe.flush()


def send_text(pipe: IO[bytes], **values: Any) -> None:
    """Write named values as one JSON message."""
    _send_long(pipe, TEXT, json.dumps(values).encode())


def send_bytes(pipe: IO[bytes], data: bytes) -> None:
    """Write what an errand has to say."""
    _send_long(pipe, BYTES, data)


def _send_long(pipe: IO[bytes], kind: bytes, data: bytes) -> None:
    pipe.write(MESSAGE.pack(*Message(kind, number=len(data))))
    pipe.write(data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Message | dict[str, Any] | bytes | None:
    """Read one message: a frame's, named values, bytes, or None where the pipe ended."""
    head = pipe.read(MESSAGE.size)
    if len(head) < MESSAGE.size:
        return None
    message = Message(*MESSAGE.unpack(head))
    if message.kind == FRAME:
        return message
    data = pipe.read(message.number)
    if len(data) < message.number:
        return None
    if message.kind == BYTES:
        return data
    values: dict[str, Any] = json.loads(data)
    return values


def spread(length: int, count: int) -> list[int]:
    """Return up to `count` distinct indices spread evenly over `range(length)`."""
    if length <= count:
        return list(range(length))
    return [int((number + 0.5) * length / count) for number in range(count)]
