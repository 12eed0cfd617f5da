"""What a video file's container says of its frames, read without decoding any of them."""

from __future__ import annotations

import contextlib
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import av
import av.logging
import numpy as np

from tracker.types import Image

LOOKAHEAD = 64  # packets; codecs present frames at most 16 packets after they are stored
PLACEHOLDER = 1  # bytes; a packet this small stands for a frame that another packet carries


class NotAVideo(ValueError):
    """The file holds no moving picture; the message says why and what to try."""


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A decoded picture and its time in seconds."""

    time: float
    decoded: av.VideoFrame

    @property
    def image(self) -> Image:
        """The picture as BGR, turned upright; the same bytes as OpenCV makes of it."""
        turned = np.rot90(self.decoded.to_ndarray(format="bgr24"), self.decoded.rotation // 90)
        return np.ascontiguousarray(turned)


class Container:
    """A video file's packets in order of presentation, read a little ahead of the decoder.

    A decoder passes over packets that it cannot decode without a word. The rank of a decoded
    frame's time among the packets' times shows how many frames were lost before it.

    Parameters
    ----------
    path
        The file.
    threads
        That decode it; 0: as many as there are cores.

    Raises
    ------
    NotAVideo
        Where the file cannot be read as a video.
    """

    def __init__(self, path: str, *, threads: int = 0) -> None:
        av.logging.set_level(av.logging.PANIC)
        try:
            self._container = av.open(path, options={"protocol_whitelist": "file"})
        except (av.FFmpegError, OSError) as error:
            raise NotAVideo(
                "no decoder knows its format, or it was cut off before its index was written; "
                "try to convert it with: ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4"
            ) from error
        moving = [
            stream
            for stream in self._container.streams.video
            if not stream.disposition & av.stream.Disposition.attached_pic
        ]
        if not moving:
            self.close()
            raise NotAVideo("it holds sound or data but no video; name a file with a picture")
        self._stream = moving[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = threads
        self._packets = self._read()
        self._window: list[float] = []
        self._passed = 0
        self._offset: int | None = None
        self._lost: list[float] = []
        self._timed = True
        self._introduced = False
        rate = self._stream.guessed_rate or self._stream.average_rate
        self.rate = float(rate) if rate else 0.0
        self._tolerance = 0.3 / self.rate if self.rate else 0.01  # seconds

    @property
    def duration(self) -> float:
        """Seconds of video that the container claims, 0 where it claims nothing."""
        if self._stream.duration and self._stream.time_base:
            return float(self._stream.duration * self._stream.time_base)
        stated = self._stream.metadata.get("DURATION", "")
        if stated.count(":") == 2:
            hours, minutes, seconds = stated.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        return (self._container.duration or 0) / av.time_base

    @property
    def claimed(self) -> int:
        """Frames that the container claims, 0 where it claims nothing."""
        return self._stream.frames

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture as it is stored, px."""
        return self._stream.width, self._stream.height

    def frames(self, *, since: float | None = None, skim: bool = False) -> Iterator[TimedFrame]:
        """Decode the frames that can be decoded.

        Parameters
        ----------
        since
            Begin with the newest key frame at or before this time, s; else go on.
        skim
            Pass over the frames that no other one refers to.
        """
        if since is not None:
            self._introduce()
            self._seek(since)
        self._stream.codec_context.skip_frame = "NONREF" if skim else "DEFAULT"
        for packet in self._demuxed():
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                continue  # its frame is missing, which its neighbours' times tell
            for frame in decoded:
                assert isinstance(frame, av.VideoFrame), "the stream is one of pictures"
                yield TimedFrame(0.0 if frame.pts is None else self._seconds(frame.pts), frame)

    def _introduce(self) -> None:
        """Decode the first packet, once: it may say what the decoder must know of all others.

        Of 4:4:4 pictures by x264 before its build 151 a decoder makes garbage unless it has read
        the encoder's note there (`x264_build` in libavcodec).
        """
        if not self._introduced:
            self._introduced = True
            with contextlib.suppress(av.FFmpegError, StopIteration):
                next(self._demuxed()).decode()

    def rank(self, time: float, expected: int) -> int:
        """Return the index of the frame shown at `time` seconds; `expected` where nothing is lost.

        The first frame that decodes counts as the first of the video.
        """
        tolerance = self._tolerance
        while len(self._window) < LOOKAHEAD or self._window[-1] <= time:
            packet = next(self._packets, None)
            if packet is None:
                break
            insort(self._window, packet)
        place = bisect_left(self._window, time - tolerance)
        known = place < len(self._window) and self._window[place] <= time + tolerance
        if not (self._timed and known):
            return expected
        rank = self._passed + place
        self._passed = rank + 1
        if self._offset is not None:
            self._lost.extend(self._window[:place])
        del self._window[: place + 1]
        if self._offset is None:
            self._offset = rank - expected
        return max(expected, rank - self._offset)

    def late(self, time: float) -> bool:
        """Return True where the frame shown at `time` was passed over and counts as lost."""
        return any(abs(time - lost) <= self._tolerance for lost in self._lost[-LOOKAHEAD:])

    def remaining(self, count: int) -> int:
        """Return how many frames the file still holds after the first `count`; reads to its end."""
        self._window.extend(self._packets)
        held = self._passed + len(self._window)
        return max(0, held - (self._offset or 0) - count)

    def times(self) -> list[float]:
        """Return when each frame is shown, in order, s; nothing where that is not known.

        Reads to the end of the file.
        """
        self._window.extend(self._packets)
        return sorted(self._window) if self._timed else []

    @property
    def reordered(self) -> bool:
        """Whether frames may be stored after later ones; most of those no other frame refers to."""
        return bool(self._stream.codec_context.has_b_frames)

    def keyframe(self, time: float) -> float:
        """Return the time in seconds of the newest key frame at or before `time`."""
        self._seek(time)
        for packet in self._demuxed():
            stamp = packet.pts if packet.pts is not None else packet.dts
            if packet.size and stamp is not None:
                return self._seconds(stamp)
        return 0.0

    def _read(self) -> Iterator[float]:
        for packet in self._demuxed():
            if packet.size <= PLACEHOLDER or packet.is_discard:
                continue
            if packet.pts is None or self._stream.time_base is None:
                self._timed = False
                yield 0.0
            else:
                yield self._seconds(packet.pts)

    def _demuxed(self) -> Iterator[av.Packet[Any]]:
        """Yield the packets from here on; a broken container ends where it breaks."""
        with contextlib.suppress(av.FFmpegError):
            yield from self._container.demux(self._stream)

    def _seconds(self, stamp: int) -> float:
        start, base = self._stream.start_time or 0, self._stream.time_base
        return 0.0 if base is None else float((stamp - start) * base)

    def _seek(self, time: float) -> None:
        start, base = self._stream.start_time or 0, self._stream.time_base
        if base is not None:
            self._container.seek(round(time / base) + start, stream=self._stream, backward=True)

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
