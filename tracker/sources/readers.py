"""Readers of frames, one for each kind of source; they live in the decoder's process.

Each has `fps`, `claimed`, `read(into)` and `ending()`. `read` decodes straight into the picture it
is given where the shapes agree.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from tracker.sources.ahead import ahead
from tracker.sources.container import Container, NotAVideo, TimedFrame
from tracker.sources.images import Levels, Picture, levels, pictures
from tracker.sources.wire import DEFAULT_RATE, spread
from tracker.types import Image

PATIENCE = 50  # failed reads in a row that end a file, at least; see FileReader.read
PATIENCE_SECONDS = 3.0
DELAYED = 2  # frames that some codecs keep back at the end of a file without an error
SHORTFALL = 0.02  # share of the claimed duration that may be missing from a whole file
TIMEOUT = 10_000  # milliseconds to wait for a stream
COUNTABLE = 20_000  # frames up to which a header's claim is checked before sampling
SKIMMED = 4  # frames for each sample from which on it may be any near the wanted one
KEY_FRAME = 5  # other frames that are decoded in the same time as a key frame
DECODED_PIXELS = 600_000_000  # that sampling decodes at most
PROBES = 8  # images of more than 8 bits that tell the range of all
MOST_WORKERS = 4  # that decode samples side by side: each has its decoder's memory


@dataclass(frozen=True, slots=True)
class Reading:
    """A decoded frame: index, time in seconds, key of its time base, picture."""

    index: int
    time: float
    base: str
    image: Image


class Stripe(NamedTuple):
    """A stretch of a file that is decoded for samples: times, s, of its key frame and of those."""

    key: float
    wanted: list[float]


class Ending(NamedTuple):
    """How a reading ended: value of a `Verdict`, one sentence or nothing, frames lost."""

    verdict: str
    reason: str
    missing: int


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that the readers of files use."""

    def get(self, propId: int) -> float: ...
    def set(self, propId: int, value: float) -> bool: ...
    def grab(self) -> bool: ...
    def retrieve(self, image: Any = ...) -> tuple[bool, Any]: ...


class PlainCapture:
    """Decodes a file without OpenCV: slower, for files in which OpenCV's own reader dies.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: str) -> None:
        self._container = Container(path)
        self._frames = self._container.frames()
        self._frame: TimedFrame | None = None

    def get(self, propId: int) -> float:
        """Return a property of the video, 0 where it is unknown."""
        if propId == cv2.CAP_PROP_POS_MSEC and self._frame is not None:
            return self._frame.time * 1000
        if propId == cv2.CAP_PROP_FRAME_COUNT:
            return self._container.claimed
        return self._container.rate if propId == cv2.CAP_PROP_FPS else 0.0

    def set(self, propId: int, value: float) -> bool:
        """Refuse: this reader goes forward only."""
        return False

    def grab(self) -> bool:
        """Decode the next frame."""
        self._frame = next(self._frames, None)
        return self._frame is not None

    def retrieve(self, image: Any = None) -> tuple[bool, Any]:
        """Return the decoded frame."""
        return (False, None) if self._frame is None else (True, self._frame.image)


class Reader(Protocol):
    """What `open_reader` returns."""

    fps: float
    claimed: int | None

    def read(self, into: Image | None) -> Reading | None:
        """Return the next frame, decoded into `into` where its shape fits, or None at the end."""

    def ending(self) -> Ending:
        """Say how the reading ended."""


def open_reader(request: dict[str, Any]) -> Reader:
    """Open what `request` names.

    Raises
    ------
    ValueError
        Where it is not what it claims to be; the message gives the reason and what to try.
    """
    kind, fps = request["kind"], request["fps"]
    if kind == "images":
        return ImagesReader(pictures(request["paths"]), fps, request["samples"])
    if kind in ("camera", "stream"):
        return LiveReader(request["address"], fps)
    path = request["address"]
    if request["samples"]:
        return FileSampler(path, request["samples"])
    container = Container(path)  # says more clearly than OpenCV why a file is no video
    capture = PlainCapture(path) if request["plain"] else open_capture(path)
    return FileReader(container, capture, fps)


def as_bgr(image: np.ndarray[Any, Any]) -> Image:
    """Return a picture of any depth and number of channels as 3-channel 8-bit BGR."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    return image.astype(np.uint8, copy=False)


def retrieve(capture: Capture, into: Image | None) -> Image | None:
    """Fetch the grabbed frame, or None where it cannot be decoded."""
    decoded, image = capture.retrieve() if into is None else capture.retrieve(into)
    if not decoded or image is None:
        return None
    if into is not None and image.ctypes.data == into.ctypes.data:
        return into
    return as_bgr(image)


def usable_rate(*rates: float) -> float:
    """Return the first of the frame rates that can be one."""
    return next((rate for rate in rates if 0 < rate <= 1000), DEFAULT_RATE)


def open_capture(path: str) -> cv2.VideoCapture:
    """Open a video file, its rotation honoured."""
    # Others find the foreground and track; with more threads the sum of the decoder's time grows.
    threads = max(1, (os.cpu_count() or 1) - 1)
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    if not capture.isOpened():
        raise NotAVideo(
            "no decoder knows its format; try to convert it with: "
            "ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4"
        )
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


class FileReader:
    """Every frame of a video file.

    Parameters
    ----------
    container
        Says which frames the file holds.
    capture
        What decodes it.
    fps
        Frame rate that overrides the file's own, or 0.
    """

    def __init__(self, container: Container, capture: Capture, fps: float) -> None:
        self._container = container
        self._capture = capture
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        guessed = self._container.rate
        # A header that states twice the true rate is common; a difference of rounding is not one.
        lies = guessed > 0 and abs(stated - guessed) > 0.05 * guessed
        self.fps = usable_rate(fps, guessed if lies else stated, guessed)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.claimed = int(count) if count > 0 else None
        self._base = "fps" if fps > 0 else "container"
        self._next = 0
        self._decoded = 0
        self._missing = 0
        self._start = 0.0
        self._last = -np.inf  # time handed over with the newest frame
        self._seen = 0.0  # greatest time that the container gave

    def read(self, into: Image | None) -> Reading | None:
        """Return the next frame; keeps trying for a while where the decoder fails."""
        failures, patience = 0, PATIENCE
        while failures < patience:
            if not self._capture.grab():
                if not failures:
                    left = self._container.remaining(self._next)
                    patience = max(PATIENCE, int(PATIENCE_SECONDS * self.fps), left)
                failures += 1
                continue
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if 0 < stamp <= self._seen and self._container.late(stamp):
                continue  # after damage a decoder may hand over a frame out of its order
            image = retrieve(self._capture, into)
            index = self._next
            if stamp > self._seen or not self._decoded:
                index = self._container.rank(stamp, index)
                self._seen = stamp
            self._missing += index - self._next + (image is None)
            self._next = index + 1
            if image is None:
                failures += 1
                continue
            self._last = self._time(index, stamp)
            self._decoded += 1
            return Reading(index, self._last, self._base, image)
        return None

    def _time(self, index: int, stamp: float) -> float:
        """Return the time of a frame: the container's where it grows, else by the frame rate."""
        if not self._decoded:
            self._start = stamp if self._base == "container" and np.isfinite(stamp) else 0.0
            return self._start
        if self._base == "container":
            if self._last < stamp < np.inf:
                return stamp
            if self._decoded > 1:
                return self._last + 1 / self.fps
            self._base = "fps"  # the container has no times
        return self._start + index / self.fps

    def ending(self) -> Ending:
        """Say how the reading ended."""
        tail = self._container.remaining(self._next)
        if tail > DELAYED:
            self._missing += tail
        duration = self._container.duration
        shortfall = duration - self._seen - 1 / self.fps
        if self._seen > 0 and shortfall > max(4 / self.fps, SHORTFALL * duration):
            reason = (
                f"it ends {shortfall:.1f} s before the {duration:.1f} s that its header claims; "
                "use a complete copy to see the rest"
            )
            return Ending("cut short", reason, self._missing)
        if self._missing:
            reason = f"{self._missing} frames could not be decoded; use an undamaged copy"
            return Ending("damaged", reason, self._missing)
        if self.claimed is not None and self.claimed > self._decoded:
            reason = f"its header claims {self.claimed} frames, it holds {self._decoded}"
            return Ending("complete", reason, 0)
        return Ending("complete", "", 0)


class FileSampler:
    """Frames spread evenly over a video file, without decoding all of a long or large one.

    A frame is decoded from its key frame on. Where the wanted frames would take too long, all of
    them move towards their key frames, by as much as it takes.

    Parameters
    ----------
    path
        The file.
    count
        Number of frames wanted.
    """

    def __init__(self, path: str, count: int) -> None:
        self._path = path
        with Container(path) as scout:
            self.fps = usable_rate(scout.rate)
            self.claimed: int | None = None
            total = scout.claimed or round(scout.duration * self.fps)
            self._times: list[float] = []  # of all frames, where they can be counted
            if total <= COUNTABLE:
                total, self._times = scout.remaining(0), scout.times()
            width, height = scout.size
            affordable = max(count, DECODED_PIXELS // (width * height))
            self._skim = total >= SKIMMED * count and scout.reordered
            self._stripes: list[Stripe] = []
            places = spread(total, count)
            if self._times or total > COUNTABLE:
                span = scout.duration or total / self.fps
                times = self._times or np.linspace(0.0, span, total, endpoint=False)
                wanted = [float(times[place]) for place in places]
                self._stripes = self._planned(scout, wanted, affordable)
        if len(self._stripes) > 1 or (self._stripes and total > affordable):
            self._readings = self._along(self._stripes)
        else:  # nothing to choose from, or nothing to seek by
            self._readings = self._through(places)

    def _planned(self, scout: Container, times: list[float], affordable: int) -> list[Stripe]:
        """Return what to decode for the frames at these times, s: some from each key frame on.

        What lies between key frames and the last wanted frame of each is decoded in all, so that
        much is `affordable`, in frames.
        """
        stripes = {key: list(wanted) for key, wanted in groupby(times, key=scout.keyframe)}
        ahead = sum(wanted[-1] - key for key, wanted in stripes.items()) * self.fps
        rest = affordable - KEY_FRAME * len(stripes)
        nearer = min(1.0, max(0.0, rest / max(ahead, 1.0)))
        return [
            Stripe(key, [key + nearer * (time - key) for time in wanted])
            for key, wanted in stripes.items()
        ]

    def _through(self, places: list[int]) -> Iterator[Reading]:
        """Decode the whole file and yield the frames of these numbers, or the next ones after."""
        timed = self._skim and bool(self._times)
        with Container(self._path) as container:
            for number, frame in enumerate(container.frames(skim=timed)):
                if not places:
                    break
                if timed:
                    number = bisect_left(self._times, frame.time - 0.5 / self.fps)
                if number >= places[0]:
                    yield Reading(number, number / self.fps, "fps", frame.image)
                    places = places[bisect_right(places, number) :]

    def _along(self, stripes: Iterable[Stripe], threads: int = 0) -> Iterator[Reading]:
        """Decode each stripe and yield its wanted frames."""
        with Container(self._path, threads=threads) as container:
            for stripe in stripes:
                due = list(stripe.wanted)
                for frame in container.frames(since=stripe.key, skim=self._skim):
                    if frame.time >= due[0] - 0.5 / self.fps:
                        yield Reading(round(frame.time * self.fps), frame.time, "fps", frame.image)
                        del due[0]
                    if not due:
                        break

    def read(self, into: Image | None) -> Reading | None:
        """Return the next sample."""
        return next(self._readings, None)

    def images(self, made: Callable[[Image], Image]) -> list[Image]:
        """Return all samples as `made` makes each of them, in their order; instead of `read`.

        The cores share the stripes: to decode a few frames from a key frame on keeps one busy.
        """
        workers = min(os.cpu_count() or 1, MOST_WORKERS, len(self._stripes))
        if workers < 2:
            return [made(reading.image) for reading in ahead(self._readings)]

        def share(number: int) -> list[tuple[float, Image]]:
            readings = self._along(self._stripes[number::workers], threads=1)
            return [(reading.time, made(reading.image)) for reading in readings]

        with ThreadPoolExecutor(workers) as pool:
            taken = [sample for some in pool.map(share, range(workers)) for sample in some]
        return [image for _, image in sorted(taken, key=itemgetter(0))]

    def ending(self) -> Ending:
        """Say that the sampling is done."""
        return Ending("complete", "", 0)


class LiveReader:
    """A camera or a network stream.

    Parameters
    ----------
    address
        Number of the camera or address of the stream.
    fps
        Frame rate that overrides the source's own, or 0.
    """

    def __init__(self, address: int | str, fps: float) -> None:
        self.claimed: int | None = None
        self._camera = isinstance(address, int)
        if isinstance(address, int):
            self._capture = cv2.VideoCapture(address)
        else:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT]
            limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT]
            self._capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
        if not self._capture.isOpened():
            raise ValueError(
                "no such camera answers; check the cable and the permission, or try another number"
                if self._camera
                else "nothing there answers with a video; check the address, the network and the "
                f"user's rights (no answer is awaited for more than {TIMEOUT // 1000} s)"
            )
        self.fps = usable_rate(fps, self._capture.get(cv2.CAP_PROP_FPS))
        # A file behind an address comes as fast as the network carries it: play it in its own time.
        self._recorded = not self._camera and self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
        self._next = 0
        self._start = 0.0
        self._last = 0.0

    def read(self, into: Image | None) -> Reading | None:
        """Return the next frame, its time measured by the clock from the first."""
        image = retrieve(self._capture, into) if self._capture.grab() else None
        if image is None:
            return None
        if not self._next:
            self._start = time.monotonic()
        elif self._recorded:
            due = self._start + self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            time.sleep(min(max(due - time.monotonic(), 0.0), 1.0))
        index = self._next
        self._next += 1
        self._last = max(
            time.monotonic() - self._start, np.nextafter(self._last, np.inf) if index else 0.0
        )
        return Reading(index, self._last, "clock", image)

    def ending(self) -> Ending:
        """Say that a live source was lost: it has no end of its own."""
        what = "the camera" if self._camera else "the stream"
        return Ending("cut short", f"{what} stopped after {self._last:.1f} s; start it again", 0)


class ImagesReader:
    """Images, one frame each.

    Those of more than 8 bits are shown in one range of levels, the same for all and for samples.

    Parameters
    ----------
    images
        In order.
    fps
        Frame rate, or 0 for the usual one.
    samples
        Above 0: read so many of them, spread out.
    """

    def __init__(self, images: Sequence[Picture], fps: float, samples: int) -> None:
        self._images = images
        self._wanted = [images[place] for place in spread(len(images), samples or len(images))]
        self.claimed: int | None = len(self._wanted)
        self.fps = usable_rate(fps)
        self._next = 0
        self._shape: tuple[int, ...] | None = None
        self._lost: list[Picture] = []

    def read(self, into: Image | None) -> Reading | None:
        """Return the next image that can be read and has the size of the first."""
        while self._next < len(self._wanted):
            index = self._next
            self._next += 1
            image = self._load(self._wanted[index])
            if image is not None and self._shape in (None, image.shape):
                self._shape = image.shape
                return Reading(index, index / self.fps, "fps", image)
            self._lost.append(self._wanted[index])
        return None

    @cached_property
    def _levels(self) -> Levels:
        """The range, from images spread over all and not over the samples."""
        return levels(self._images[at].decoded() for at in spread(len(self._images), PROBES))

    def _load(self, picture: Picture) -> Image | None:
        image = picture.decoded()
        if image is None:
            return None
        return as_bgr(image if image.dtype == np.uint8 else self._levels.shown(image))

    def ending(self) -> Ending:
        """Say how many images were of no use."""
        if not self._lost:
            return Ending("complete", "", 0)
        count = len(self._lost)
        reason = (
            f"{count} of {len(self._wanted)} images cannot be read or have another size than the "
            f"first, among them {self._lost[0]}; replace or remove them"
        )
        return Ending("damaged", reason, count)
