"""Feeds the live window, which runs in a process of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import tracker
from tracker.beside import lines_of
from tracker.config import OverlayOptions
from tracker.overlay import Overlay
from tracker.types import Frame, Snapshot

_LOG = logging.getLogger(__name__)
_PATIENCE_SECONDS = 3.0
_REMEMBERED = 100  # snapshots kept for the trails while the window is busy


class Viewer:
    """Shows the frames with their overlay in a live window; a sink.

    Never holds the run up: where the window is slow, frames are left out and the newest wins.
    Closing the window, or pressing q or Escape in it, ends the window alone. Where there is no
    display, a warning is logged and the run goes on without.

    Parameters
    ----------
    options
        What to draw.
    """

    def __init__(self, options: OverlayOptions | None = None) -> None:
        self._overlay = Overlay(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._thread = threading.Thread(target=self._feed, name="viewer", daemon=True)
        self._changed = threading.Condition()
        self._waiting: deque[Snapshot] = deque(maxlen=_REMEMBERED)
        self._newest: Frame | None = None
        self._closing = False

    @property
    def open(self) -> bool:
        """True while the window's process runs."""
        return self._process is not None and self._process.poll() is None

    def write(self, frame: Frame, snapshot: Snapshot) -> None:
        """Offer one frame to the window."""
        if not self._thread.is_alive():
            return
        with self._changed:
            self._waiting.append(snapshot)
            self._newest = frame
            self._changed.notify()

    def __enter__(self) -> Self:
        if not _has_display():
            _LOG.warning("no display to open a window on; the run goes on without one")
            return self
        self._complaints = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            # Without -P a file of the working directory could stand in for a module.
            [sys.executable, "-P", "-m", "tracker.sinks.window"],
            stdin=subprocess.PIPE,
            stderr=self._complaints,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is the run's business
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None or self._complaints is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_PATIENCE_SECONDS)  # it closes the pipe, which ends the window
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._complaints.close()

    def _feed(self) -> None:
        from tracker.sinks.window import HEADER

        assert self._process is not None, "the thread starts with the process"
        assert self._process.stdin is not None, "its input is a pipe"
        try:
            with self._process.stdin as pipe:
                while (item := self._take()) is not None:
                    frame, snapshots = item
                    for snapshot in snapshots[:-1]:
                        self._overlay.remember(snapshot)
                    image = self._overlay.draw(frame.image, snapshots[-1])
                    height, width = image.shape[:2]
                    pipe.write(HEADER.pack(width, height) + image.tobytes())
                    pipe.flush()
        except BrokenPipeError:
            # The window is gone: either the user has closed it, or it could not be opened.
            code = self._process.wait()
            assert self._complaints is not None, "opened with the process"
            if code != 0:
                # Qt names the reason first and then what it could have done; Python names it last.
                lines = lines_of(self._complaints) or ["no reason given"]
                _LOG.warning(
                    "the window closed with code %d (%s); the run goes on without it",
                    code,
                    lines[0] if code < 0 else lines[-1],
                )

    def _take(self) -> tuple[Frame, list[Snapshot]] | None:
        """Wait for a frame; return it and all snapshots since the last one, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._closing)
            if self._newest is None or self._closing:
                return None
            item = self._newest, list(self._waiting)
            self._newest = None
            self._waiting.clear()
            return item


def _has_display() -> bool:
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _environment() -> dict[str, str]:
    """Return this process's environment, in which the child finds the same package."""
    root = str(Path(tracker.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
