"""Make a clip with truth harder in ways that a user's own is, and measure what that costs.

`python benchmarks/harder.py vtest.avi=gt.txt` writes each variant as H.264, tracks it with default
settings from the file and as from a camera, and prints the scores of the boxes. A variant takes a
minute on one core.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from table import Table

from tracker import Job, load_config, open_source, run
from tracker.evaluation import Trajectories, read_rows, read_truth, score_boxes
from tracker.types import Image

CRF = 18
CAMERA = ("foreground.model=running", "tracking.lag_seconds=0")

Clip = tuple[list[Image], Trajectories]
Change = Callable[[list[Image], np.random.Generator], Iterable[Image]]


def _lit(images: list[Image], gains: np.ndarray) -> Iterator[Image]:
    for image, gain in zip(images, gains, strict=True):
        yield np.clip(image * gain, 0, 255).astype(np.uint8)


def _noisy(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    for image in images:
        yield np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def _swaying(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    del rng
    return _lit(images, 1 + 0.08 * np.sin(np.arange(len(images)) / 7))


def _switched(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    del rng
    third = np.arange(len(images)) * 3 // len(images)
    return _lit(images, np.where(third == 1, 0.72, 1.0))


def _evening(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    del rng
    return _lit(images, np.linspace(1, 0.5, len(images)))


def _dark(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    del rng
    return _lit(images, np.full(len(images), 0.35))


def _clouded(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    """Let the soft shadows of three clouds pass."""
    height, width = images[0].shape[:2]
    y, x = np.mgrid[:height, :width]
    clouds = [(rng.uniform(0.3, 0.9), rng.uniform(0.25, 0.4), rng.uniform(0, 1)) for _ in range(3)]
    for index, image in enumerate(images):
        light = np.ones((height, width))
        for pace, size, row in clouds:
            middle = (index * pace / 100 + row) % 3 * width - width
            apart = np.hypot(x - middle, 1.5 * (y - row * height)) - size * width
            light *= 1 - 0.3 / (1 + np.exp(apart / (0.03 * width)))
        yield np.clip(image * light[:, :, None], 0, 255).astype(np.uint8)


def _shaken(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    """Let the camera sway by a pixel."""
    height, width = images[0].shape[:2]
    off = np.zeros(2)
    for image in images:
        off = 0.8 * off + 0.6 * rng.normal(0, 1, 2)
        shift = np.array([[1, 0, off[0]], [0, 1, off[1]]])
        border = cv2.BORDER_REFLECT
        yield cv2.warpAffine(
            image, shift, (width, height), flags=cv2.INTER_CUBIC, borderMode=border
        ).astype(np.uint8)


def _snowy(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    for image in images:
        snow = image.copy()
        snow[rng.random(image.shape[:2]) < 0.002] = 255
        yield snow


def _grey(images: list[Image], rng: np.random.Generator) -> Iterator[Image]:
    del rng
    for image in images:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        yield cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "noise of 8 grey levels": _noisy,
    "light that sways by 8 %": _swaying,
    "light down by 28 % and up again": _switched,
    "evening, down to half": _evening,
    "dark, 35 %": _dark,
    "shadows of clouds, 30 %": _clouded,
    "camera sways by a pixel": _shaken,
    "snow": _snowy,
    "grey": _grey,
}


def mirrored(clip: Clip) -> Clip:
    """Return the clip with left and right exchanged."""
    images, truth = clip
    boxes = truth.boxes.copy()
    boxes[:, 0] = images[0].shape[1] - boxes[:, 0] - boxes[:, 2]
    return [np.ascontiguousarray(image[:, ::-1]) for image in images], _boxed(truth, boxes)


def scaled(clip: Clip, factor: float) -> Clip:
    """Return the clip larger or smaller."""
    images, truth = clip
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    resized = [cv2.resize(i, None, fx=factor, fy=factor, interpolation=how) for i in images]
    return [image.astype(np.uint8) for image in resized], _boxed(truth, truth.boxes * factor)


def halved(clip: Clip) -> Clip:
    """Return every second frame."""
    images, truth = clip
    even = truth.select(truth.frames % 2 == 0)
    return images[::2], replace(even, frames=even.frames // 2)


def paused(clip: Clip, seconds: float, fps: float) -> Clip:
    """Return the clip with everything standing still for so long in its middle."""
    images, truth = clip
    middle, more = len(images) // 2, round(seconds * fps)
    order = [*range(middle), *[middle] * more, *range(middle, len(images))]
    parts = [truth.select(truth.frames == old) for old in order]
    frames = np.repeat(np.arange(len(order)), [len(part.frames) for part in parts])
    names = ("ids", "points", "boxes")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return [images[old] for old in order], replace(truth, frames=frames, **columns)


def _boxed(truth: Trajectories, boxes: np.ndarray) -> Trajectories:
    return replace(truth, boxes=boxes, points=boxes[:, :2] + boxes[:, 2:] / 2)


def variants(clip: Clip, fps: float) -> Iterator[tuple[str, Clip, float, int]]:
    """Yield a name, the clip, its frames per second and the CRF of its file."""
    images, truth = clip
    yield "as it is", clip, fps, CRF
    yield "left and right exchanged", mirrored(clip), fps, CRF
    for factor in (0.5, 1.5, 1.875):
        yield f"{factor} times as large", scaled(clip, factor), fps, CRF
    yield "half the frames", halved(clip), fps / 2, CRF
    yield "30 s of standing still", paused(clip, 30, fps), fps, CRF
    yield "coarse codec (CRF 36)", clip, fps, 36
    for name, change in CHANGES.items():
        yield name, (list(change(images, np.random.default_rng(1))), truth), fps, CRF


def write(path: Path, images: list[Image], fps: float, crf: int) -> None:
    """Write frames as H.264."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        stream.codec_context.thread_count = 1  # several write other pictures from run to run
        for image in images:
            even = np.ascontiguousarray(image[: height // 2 * 2, : width // 2 * 2])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
        container.mux(stream.encode())


def measured(path: Path, truth: Trajectories, *settings: str) -> tuple[str, ...]:
    """Track a file and return HOTA, MOTA and IDF1."""
    config = load_config(None, ["output.video=false", *settings])
    out = path.parent / "out"
    run(Job(spec=str(path), out=out, config=config))
    scores = score_boxes(truth, read_rows(out / "mot.txt"))
    return tuple(f"{value:.1f}" for value in (scores.hota, scores.mota, scores.idf1))


def main() -> None:
    """Measure all variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", help="a video and the boxes in it, as video=truth")
    parser.add_argument("--only", default="", help="variants whose names hold this")
    parser.add_argument("--markdown", action="store_true", help="print a table for the docs")
    arguments = parser.parse_args()
    video, _, truth = arguments.clip.partition("=")
    if not truth:
        parser.error(f"{video} comes without its truth: write {video}=TRUTH")
    with open_source(video) as source:
        fps, images = source.facts.fps, [frame.image.copy() for frame in source]
    rows = []
    for name, (pictures, boxes), rate, crf in variants((images, read_truth(Path(truth))), fps):
        if arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            write(path, pictures, rate, crf)
            rows.append((name, *measured(path, boxes), *measured(path, boxes, *CAMERA)))
        print(*rows[-1], flush=True)
    columns = ("the clip", "HOTA", "MOTA", "IDF1", "live HOTA", "live MOTA", "live IDF1")
    Table("Harder", columns, rows).print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
