"""Remake demo.mp4 and its truth from the built-in scene: `python videos/make.py [FOLDER]`."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
from av.video.reformatter import ColorRange, Colorspace

from tracker.synthetic import Stage, demo_scene


def encode(scene: Stage, path: Path) -> None:
    """Write the frames as H.264, in one thread so that every run gives the same bytes."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(scene.fps))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.colorspace = Colorspace.ITU601
        stream.options = {"preset": "slow", "crf": "19"}
        for index in range(scene.frame_count):
            frame = av.VideoFrame.from_ndarray(scene.render(index), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    scene = demo_scene()
    encode(scene, folder / "demo.mp4")
    (folder / "demo_truth.txt").write_text(scene.mot(), encoding="ascii", newline="\n")
    (folder / "demo_truth.csv").write_text(scene.table(), encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
