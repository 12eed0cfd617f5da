"""The live window, a process of its own: shows the pictures that come in on standard input.

It never imports av, beside which OpenCV's windows hang. Each picture is a header (width and height,
two little-endian 32-bit numbers) and its pixels (BGR, row by row). The process ends with the input,
or when the window is closed or q or Escape is pressed in it.
"""

from __future__ import annotations

import struct
import sys
import threading
from io import FileIO

import cv2
import numpy as np

from tracker.types import Image

HEADER = struct.Struct("<II")
_TITLE = "tracker"
_LARGEST = (1280, 720)
_POLL_MILLISECONDS = 15
_ESCAPE = 27


class _Newest:
    """Reads pictures as fast as they come and keeps the newest."""

    def __init__(self, stream: FileIO) -> None:
        self.ended = False
        self._stream = stream
        self._picture: Image | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> Image | None:
        """Return the newest picture that was not taken yet, or None."""
        picture, self._picture = self._picture, None
        return picture

    def _read(self) -> None:
        while (header := self._exactly(HEADER.size)) is not None:
            width, height = HEADER.unpack(header)
            pixels = self._exactly(3 * width * height)
            if pixels is None:
                break
            self._picture = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        self.ended = True

    def _exactly(self, count: int) -> bytearray | None:
        """Return that many bytes, or None where the input ends before."""
        content = bytearray(count)
        rest = memoryview(content)
        while rest:
            read = self._stream.readinto(rest)
            if not read:
                return None
            rest = rest[read:]
        return content


def main() -> None:
    """Show pictures until there are no more or the user has seen enough."""
    # Unbuffered, since a thread that waits for a buffered standard input aborts the exit.
    newest = _Newest(FileIO(sys.stdin.fileno(), closefd=False))
    opened = False
    while not newest.ended:
        picture = newest.take()
        if picture is not None:
            if not opened:
                _open(picture)
                opened = True
            cv2.imshow(_TITLE, picture)
        if not opened:
            threading.Event().wait(_POLL_MILLISECONDS / 1000)
            continue
        if cv2.waitKey(_POLL_MILLISECONDS) & 0xFF in (ord("q"), _ESCAPE):
            break
        if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
            break


def _open(picture: Image) -> None:
    height, width = picture.shape[:2]
    cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    shrink = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
    cv2.resizeWindow(_TITLE, round(width * shrink), round(height * shrink))


if __name__ == "__main__":
    main()
