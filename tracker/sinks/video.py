"""The overlay video: H.264 that plays in browsers and survives a crash."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import cv2

from tracker.errors import OutputError
from tracker.overlay import Overlay
from tracker.sinks.files import ended_cleanly, partial_name, writing
from tracker.types import Frame, Image, Snapshot

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_TIME_BASE = Fraction(1, 90_000)
_QUEUED = 8  # frames that may wait for the encoder, at most,
_QUEUED_BYTES = 20_000_000  # and of pictures; two of them always may
_MOVFLAGS = "frag_keyframe+empty_moov+default_base_moof"


class OverlayVideo:
    """Writes the frames with their overlay as H.264 in fragmented MP4; a sink.

    Drawing and encoding run in a thread of their own. Frames keep their own times, so the rate may
    vary. About each second of video is a fragment that a crash leaves readable.

    Parameters
    ----------
    path
        The file's final name.
    overlay
        Draws the frames; nobody else may use it.
    fps
        Frame rate that the source claims, 1/s.
    size
        Width and height of the pictures that the source claims, px: fewer large ones wait for the
        encoder.
    """

    def __init__(self, path: Path, overlay: Overlay, fps: float, size: tuple[int, int]) -> None:
        self.path = path
        self._overlay = overlay
        self._rate = Fraction(fps if fps > 0 else 25.0).limit_denominator(1001)
        bearable = _QUEUED_BYTES // (3 * size[0] * size[1])
        self._queue: Queue[tuple[Frame, Snapshot] | None] = Queue(min(max(2, bearable), _QUEUED))
        self._thread = threading.Thread(target=self._run, name="overlay video", daemon=True)
        self._error: BaseException | None = None
        self._size: tuple[int, int] | None = None
        self._file: BinaryIO | None = None

    def write(self, frame: Frame, snapshot: Snapshot) -> None:
        """Hand one frame to the encoder; waits where the encoder is far behind."""
        self._raise_error()
        self._queue.put((frame, snapshot))

    def __enter__(self) -> Self:
        with writing(self.path):
            self._file = partial_name(self.path).open("wb")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if not ended_cleanly(kind):
            return  # the first error counts, and the partial file stays
        self._raise_error()
        with writing(self.path):
            if self._size is None:
                partial_name(self.path).unlink()  # not a single frame came
            else:
                partial_name(self.path).replace(self.path)

    def _raise_error(self) -> None:
        if self._error is None:
            return
        if isinstance(self._error, OutputError):
            raise self._error
        raise OutputError(
            f"cannot write {self.path}: the encoder says {str(self._error)!r}; "
            f"run with --no-video to go without it"
        ) from self._error

    def _run(self) -> None:
        """Encode until the end; after an error only empty the queue, so that nobody waits."""
        assert self._file is not None, "the thread starts in enter"
        try:
            with writing(self.path), self._file:
                self._encode(self._file)
        except BaseException as error:
            self._error = error
            while self._queue.get() is not None:
                pass

    def _encode(self, file: BinaryIO) -> None:
        import av

        item = self._queue.get()
        if item is None:
            return
        first = item[0]
        height, width = first.image.shape[:2]
        self._size = (width, height)
        with av.open(file, "w", format="mp4", options={"movflags": _MOVFLAGS}) as container:
            stream = self._add_stream(container)
            previous = -1
            while item is not None:
                frame, snapshot = item
                picture = self._picture(self._overlay.draw(frame.image, snapshot), frame.index)
                coded = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                previous = max(round((frame.time - first.time) / _TIME_BASE), previous + 1)
                coded.pts, coded.time_base = previous, _TIME_BASE
                self._mux(container, stream, coded)
                file.flush()
                item = self._queue.get()
            self._mux(container, stream, None)

    def _add_stream(self, container: OutputContainer) -> VideoStream:
        from av.video.reformatter import ColorRange, Colorspace

        assert self._size is not None, "the first frame tells the size"
        stream = container.add_stream("libx264", rate=self._rate)
        stream.width, stream.height = (side + side % 2 for side in self._size)
        stream.pix_fmt = "yuv420p"
        stream.time_base = _TIME_BASE
        context = stream.codec_context
        context.time_base = _TIME_BASE
        context.gop_size = max(1, round(self._rate))  # a key frame begins a fragment
        context.max_b_frames = 0
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU601  # what OpenCV's conversion yields
        # Half the time of "superfast" for a picture no worse, in a file up to half as large again.
        context.options = {"preset": "ultrafast", "crf": "24", "x264-params": "deblock=1,0,0"}
        return stream

    def _mux(self, container: OutputContainer, stream: VideoStream, coded: Any) -> None:
        for packet in stream.encode(coded):
            packet.duration = round(1 / self._rate / _TIME_BASE)
            container.mux(packet)

    def _picture(self, image: Image, index: int) -> Image:
        """Return the picture as YUV 4:2:0, with its last row or column doubled to even sides."""
        height, width = image.shape[:2]
        if (width, height) != self._size:
            assert self._size is not None, "the first frame tells the size"
            raise OutputError(
                f"cannot write {self.path}: frame {index} has {width}x{height} px where the first "
                f"has {self._size[0]}x{self._size[1]}; give all frames one size"
            )
        if height % 2 or width % 2:
            image = cv2.copyMakeBorder(  # type: ignore[assignment]
                image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)  # type: ignore[return-value]
