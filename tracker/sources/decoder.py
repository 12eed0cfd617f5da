"""The child process in which OpenCV decodes: a file that makes it abort ends this process alone.

Started by `tracker.sources.process`; see `tracker.sources.wire` for what goes through its pipes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO

import cv2
import numpy as np

from tracker.sources import errand, readers, wire
from tracker.sources.ahead import ahead
from tracker.types import Frame, Image

LOG_LIMIT = 1 << 20  # bytes of the decoder's own messages that are kept
PIPE_BYTES = 1 << 20  # the foreground of a frame takes some 100 kB
COMPLAINT = re.compile(r"^\[\w+ @ 0x[0-9a-f]+\] (.+)$", re.MULTILINE)


class Port:
    """The decoder's end of the pipes and of the shared memory.

    Parameters
    ----------
    commands, messages
        The pipes from and to the program.
    live
        True where the program asks for each frame and gets the newest.
    """

    def __init__(self, commands: BinaryIO, messages: BinaryIO, *, live: bool) -> None:
        self._commands, self._messages, self._live = commands, messages, live
        # The slot that came back last is the next: its memory is in the cache, that of others may
        # not even exist.
        self._free: queue.LifoQueue[int] = queue.LifoQueue()
        self._words: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._newest: wire.Message | None = None
        self._wanted = not live
        self._dropped = 0
        self.images: list[Image] = []

    def share(self, path: str, shape: tuple[int, ...], slots: int) -> None:
        """Map the shared memory at `path` and begin to listen to the program."""
        size = int(np.prod(shape))
        with open(path, "r+b") as file:
            memory = mmap.mmap(file.fileno(), size * slots)
        self.images = list(np.frombuffer(memory, np.uint8).reshape(slots, *shape))
        for slot in range(slots):
            self._free.put(slot)
        self.tell(mapped=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, **values: Any) -> None:
        """Send named values."""
        with self._lock:
            wire.send_text(self._messages, **values)

    def take(self) -> int:
        """Wait for a free slot."""
        return self._free.get()

    def word(self) -> bytes:
        """Wait for the next word of the program."""
        return self._words.get()

    def say(self, data: bytes) -> None:
        """Send what an errand has to say."""
        with self._lock:
            wire.send_bytes(self._messages, data)

    def put(self, slot: int, reading: readers.Reading, answer: bytes | None = None) -> None:
        """Hand over the frame whose picture is in `slot`, or keep it for when it is wanted.

        After a frame that is handed over at once comes what an errand has to say of it.
        """
        message = wire.Message(
            wire.FRAME, slot, wire.BASE_CODES[reading.base], 0, reading.index, reading.time
        )
        with self._lock:
            if self._wanted:
                self._send(message)
                if answer is not None:
                    wire.send_bytes(self._messages, answer)
                return
            if self._newest is not None:
                self._dropped += 1
                self._free.put(self._newest.slot)
            self._newest = message

    def finish(self, ending: readers.Ending) -> None:
        """Hand over a frame that still waits, then how the reading ended."""
        with self._lock:
            if self._newest is not None:
                self._send(self._newest)
        self.tell(end=ending._asdict())

    def _send(self, message: wire.Message) -> None:
        wire.send(self._messages, message._replace(dropped=self._dropped))
        self._newest, self._wanted = None, not self._live

    def _listen(self) -> None:
        while command := self._commands.read(1):
            if command[0] == wire.WORD:
                (length,) = wire.LENGTH.unpack(self._commands.read(wire.LENGTH.size))
                self._words.put(self._commands.read(length))
                continue
            if command[0] != wire.WANT:
                self._free.put(command[0])
                continue
            with self._lock:
                self._wanted = True
                if self._newest is not None:
                    self._send(self._newest)
        os._exit(0)  # the program is gone or has closed its source


def run(port: Port, request: dict[str, Any], commands: BinaryIO) -> None:
    """Read what `request` names and hand it over frame by frame."""
    try:
        reader = readers.open_reader(request)
        first = reader.read(None)
        while first is not None and first.index < request["skip"]:
            first = reader.read(None)
    except ValueError as error:
        port.tell(error=str(error))
        return
    if first is None and request["skip"]:
        port.finish(with_complaints(reader.ending()))
        return
    if first is None:
        port.tell(error="not one frame of it can be decoded; try to convert it or choose another")
        return
    height, width = first.image.shape[:2]
    begun = time.time() - first.time
    port.tell(
        width=width,
        height=height,
        fps=reader.fps,
        claimed=reader.claimed,
        base=first.base,
        begun=begun,
    )
    # Meanwhile the program makes memory to share.
    begin = errand.find(request["errand"]) if request["errand"] else None
    ring = json.loads(commands.readline())
    port.share(ring["path"], first.image.shape, ring["slots"])

    worker = None
    if begin is not None:
        worker = begin(request["settings"], (width, height), partial(sampled, request))
        hand_back()
        port.say(worker.greeting)
    readings = filled(port, reader, first)
    if worker is None:
        for slot, reading in readings:
            port.put(slot, reading)
    else:
        for place, (slot, reading) in enumerate(ahead(readings)):
            word = port.word() if place >= errand.LAG else None
            frame = Frame(reading.index, reading.time, port.images[slot])
            port.put(slot, reading, worker.work(frame, word))
    port.finish(with_complaints(reader.ending()))


def filled(
    port: Port, reader: readers.Reader, first: readers.Reading
) -> Iterator[tuple[int, readers.Reading]]:
    """Yield each reading with the slot that holds its picture, as slots become free."""
    reading: readers.Reading | None = first
    slot = port.take()
    while reading is not None:
        if reading.image is not port.images[slot]:
            np.copyto(port.images[slot], reading.image)
        yield slot, reading
        slot = port.take()
        reading = reader.read(port.images[slot])
        if reading is not None and reading.index % 1000 == 0 and os.fstat(2).st_size > LOG_LIMIT:
            os.ftruncate(2, 0)


def sampled(request: dict[str, Any], count: int, made: Callable[[Image], Image]) -> Iterable[Image]:
    """Return up to `count` frames spread evenly over what `request` names, as `made` makes them."""
    try:
        reader = readers.open_reader(request | {"samples": count})
    except ValueError:
        return []  # nothing decodes where the samples lie; reading on tells what is wrong
    if isinstance(reader, readers.FileSampler):
        return reader.images(made)
    return (made(reading.image) for reading in ahead(iter(lambda: reader.read(None), None)))


def roomy(pipe: BinaryIO) -> None:
    """Let a pipe hold what errands say of some frames: they should not wait for the program.

    Linux alone can do that, and only as long as a user's pipes are not too large together.
    """
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def hand_back() -> None:
    """Hand back to the system what sampling took: glibc would keep it for ever."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # other systems have no such call
        ctypes.CDLL(None).malloc_trim(0)


def with_complaints(ending: readers.Ending) -> readers.Ending:
    """Call a reading damaged where the decoder complained: it may have shown distorted pictures."""
    complaints = COMPLAINT.findall(os.pread(2, LOG_LIMIT, 0).decode(errors="replace"))
    if ending.verdict != "complete" or not complaints:
        return ending
    reason = (
        f"the decoder repaired {len(complaints)} errors, the first of them: {complaints[0]}; "
        "use an undamaged copy"
    )
    return readers.Ending("damaged", reason, ending.missing)


def main() -> None:
    """Serve one request that stands on the first line of the standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The other cores decode and track: OpenCV's threads would wait for them longer than they save.
    cv2.setNumThreads(1)
    with contextlib.suppress(ImportError):  # resource exists on POSIX only
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    messages = os.fdopen(os.dup(1), "wb")
    roomy(messages)
    os.dup2(2, 1)  # whatever a library prints must not reach the pipe
    commands = sys.stdin.buffer
    request = json.loads(commands.readline())
    port = Port(commands, messages, live=request["kind"] in ("camera", "stream"))
    with contextlib.suppress(BrokenPipeError):  # the program has closed its source
        run(port, request, commands)
    # No clean-up: it could only fail where a decoder has damaged the heap.
    os._exit(0)


if __name__ == "__main__":
    main()
