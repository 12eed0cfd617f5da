"""What the program and its decoder say to each other through two pipes.

The decoder speaks in messages of fixed size. A frame's message names the slot of the shared memory
that holds its picture; a JSON message is followed by its text. The program answers with single
bytes: the number of a slot that may be written again, or `WANT` for the newest frame of a live
source. The end of the program's pipe ends the decoder.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any, NamedTuple

MESSAGE = struct.Struct("<cBcxIqd")
FRAME = b"F"
TEXT = b"J"
WANT = 255

TIME_BASES = {b"c": "container", b"f": "fps", b"k": "clock"}
BASE_CODES = {name: code for code, name in TIME_BASES.items()}

DEFAULT_RATE = 25.0
"""Frames per second of a source that states no usable rate."""


class Message(NamedTuple):
    """One message of fixed size.

    Parameters
    ----------
    kind
        `FRAME` or `TEXT`.
    slot
        Where the picture lies.
    base
        Key of `TIME_BASES`.
    dropped
        Frames of a live source dropped so far.
    number
        Index of the frame, or the length in bytes of the text that follows.
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
    text = json.dumps(values).encode()
    pipe.write(MESSAGE.pack(*Message(TEXT, number=len(text))) + text)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Message | dict[str, Any] | None:
    """Read one message: a frame's, the values of a JSON message, or None where the pipe ended."""
    head = pipe.read(MESSAGE.size)
    if len(head) < MESSAGE.size:
        return None
    message = Message(*MESSAGE.unpack(head))
    if message.kind == FRAME:
        return message
    text = pipe.read(message.number)
    if len(text) < message.number:
        return None
    values: dict[str, Any] = json.loads(text)
    return values


def spread(length: int, count: int) -> list[int]:
    """Return up to `count` distinct indices spread evenly over `range(length)`."""
    if length <= count:
        return list(range(length))
    return [int((number + 0.5) * length / count) for number in range(count)]
