"""Draw clips with exact truth, fast: the ground once, then in each frame only what moves.

`python benchmarks/drawn.py drawn.mp4 --size 1280x720 --objects 20` draws animals seen from above
that walk freely over a paved place, each covering a thousandth of the picture, and writes drawn.mp4
(H.264) and drawn.txt (the truth as MOTChallenge rows).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np

from tracker.synthetic import Stage
from tracker.types import Array, Image

FPS = 25
SHARE = 0.001  # of the picture that one object covers
GRAINS = 8  # pictures of the empty ground, each with its own noise
SUBPIXEL = 4  # fractional bits of the coordinates that OpenCV draws with


@dataclass(frozen=True)
class Herd:
    """Animals that walk over a place on straight ways, turn at its walls and heed nobody.

    Parameters
    ----------
    width, height
        Of the picture, px.
    objects
        How many animals there are.
    frames
        How many frames.
    share
        Share of the picture that each covers.
    switch
        Frame from which the light is a third brighter; None: never.
    """

    width: int
    height: int
    objects: int
    frames: int
    share: float = SHARE
    switch: int | None = None

    @property
    def radius(self) -> float:
        """Radius of a disc as large as an animal, px."""
        return float(np.sqrt(self.share * self.width * self.height / np.pi))

    @cached_property
    def axes(self) -> Array:
        """Semi-axes of the animals, the longer first, shape (objects, 2), px."""
        aspects = np.sqrt(np.random.default_rng(0).uniform(1.3, 2.0, self.objects))
        return self.radius * np.stack([aspects, 1 / aspects], axis=1)

    @cached_property
    def centres(self) -> Array:
        """Where the animals are, shape (frames, objects, 2), px."""
        rng = np.random.default_rng(1)
        walls = np.array([self.width, self.height]) - 2.5 * self.radius
        start = rng.uniform(0, 2 * walls, (self.objects, 2))
        angle = rng.uniform(0, 2 * np.pi, self.objects)
        pace = rng.uniform(0.1, 0.35, self.objects) * self.radius
        step = pace[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        way = start + np.arange(self.frames)[:, None, None] * step
        return 1.25 * self.radius + walls - np.abs(way % (2 * walls) - walls)  # folded at the walls

    @cached_property
    def headings(self) -> Array:
        """Directions in which they walk, shape (frames, objects), radians."""
        steps = np.diff(self.centres, axis=0)
        angles = np.arctan2(steps[..., 1], steps[..., 0])
        return np.concatenate([angles, angles[-1:]])

    @cached_property
    def boxes(self) -> Array:
        """Left, top, width, height of their outlines, shape (frames, objects, 4), px."""
        cosine, sine = np.cos(self.headings), np.sin(self.headings)
        long, short = self.axes.T
        half = np.stack(
            [np.hypot(long * cosine, short * sine), np.hypot(long * sine, short * cosine)], axis=2
        )
        return np.concatenate([self.centres - half, 2 * half], axis=2)

    def pictures(self) -> Iterator[Image]:
        """Draw the frames one after the other, shape (height, width, 3), BGR."""
        rng = np.random.default_rng(2)
        stage = Stage(self.width, self.height, FPS, GRAINS, (), drift=0.0)
        grounds = [stage.render(index) for index in range(GRAINS)]
        colors = rng.uniform(10, 70, (self.objects, 3)).tolist()
        unit = 1 << SUBPIXEL
        for index in range(self.frames):
            picture = grounds[rng.integers(GRAINS)].copy()
            centres = np.rint(self.centres[index] * unit).astype(int).tolist()
            angles = np.degrees(self.headings[index]).tolist()
            axes = np.rint(self.axes * unit).astype(int).tolist()
            for centre, axis, angle, color in zip(centres, axes, angles, colors, strict=True):
                cv2.ellipse(picture, centre, axis, angle, 0, 360, color, -1, cv2.LINE_AA, SUBPIXEL)
            if self.switch is not None and index >= self.switch:
                picture = cv2.convertScaleAbs(picture, alpha=4 / 3)
            yield picture

    def truth(self) -> str:
        """Return the truth as MOTChallenge rows."""
        return "".join(
            f"{frame},{number},{left:.2f},{top:.2f},{width:.2f},{height:.2f},1,1,1\n"
            for frame, boxes in enumerate(self.boxes.tolist(), 1)
            for number, (left, top, width, height) in enumerate(boxes, 1)
        )

    def write(self, clip: Path) -> None:
        """Write the clip, and its truth beside it with the suffix .txt.

        The clip gets its name when it is whole, so whatever has the name can be used again.
        """
        clip.with_suffix(".txt").write_text(self.truth(), encoding="ascii")
        growing = clip.with_name(clip.name + ".partial")
        with av.open(str(growing), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(FPS))
            stream.width, stream.height, stream.pix_fmt = self.width, self.height, "yuv420p"
            stream.codec_context.options = {"preset": "superfast", "crf": "23"}
            for picture in self.pictures():
                planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
            container.mux(stream.encode(None))
        growing.replace(clip)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("clip", type=Path, help="file to write")
    parser.add_argument("--size", default="1280x720", help="width and height, even numbers of px")
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument(
        "--share", type=float, default=SHARE, help="of the picture that each object covers"
    )
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    begin = time.perf_counter()
    herd = Herd(width, height, arguments.objects, arguments.frames, arguments.share)
    herd.write(arguments.clip)
    print(f"drew {arguments.clip} in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
