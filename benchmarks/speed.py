"""Measure how fast a clip is tracked, beside decoding it alone and beside peers.

`python benchmarks/speed.py CLIP ...` runs every way over each clip, and over a drawn 1080p clip,
in turns, each time in a process of its own, and prints medians. Times are those of the whole
process, its start included. POSIX only.

This process stays small (no OpenCV, no numpy): a child's peak memory counts from its parent's on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from table import Table


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds by the clock, seconds of CPU, and peak memory in MB.

    The memory is that of the largest process where there are several.
    """

    wall: float
    cpu: float
    memory: float


def pictures(clip: str) -> Iterator[Any]:
    """Decode a clip with OpenCV."""
    import cv2

    capture = cv2.VideoCapture(clip)
    while True:
        found, image = capture.read()
        if not found:
            return
        yield image


def decode(clip: str) -> None:
    """Decode a clip, throw the pictures away, and print how many there were."""
    print(sum(1 for _ in pictures(clip)))


def peer(background: str, clip: str) -> None:
    """Track a clip with a background model of OpenCV's and SORT."""
    from peers import UPRIGHT, boxes, identities

    identities(enumerate(boxes(pictures(clip), background, UPRIGHT)), "SORT", 25)


def draw(clip: str) -> None:
    """Draw a clip of 20 animals in 1920 x 1080."""
    import cv2

    from tracker.synthetic import crowd

    scene = crowd(20, 1920, 1080, frame_count=120)
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(clip, code, scene.fps, (scene.width, scene.height))
    for index in range(scene.frame_count):
        writer.write(scene.render(index))
    writer.release()


CHILDREN: dict[str, Callable[[str], None]] = {
    "decode": decode,
    "mog2": partial(peer, "MOG2"),
    "knn": partial(peer, "KNN"),
    "draw": draw,
}


def child(name: str, clip: str) -> list[str]:
    """Return the command that runs one of `CHILDREN` in a process of its own."""
    return [sys.executable, __file__, clip, "--only", name]


def commands(clip: str, out: str) -> dict[str, list[str]]:
    """Return the command of each way over a clip."""
    run = [sys.executable, "-m", "tracker", "run", clip, "--out", out]
    return {
        "decoding alone (OpenCV)": child("decode", clip),
        "tracker run --no-video": [*run, "--no-video"],
        "tracker run": run,
        "MOG2 + SORT": child("mog2", clip),
        "KNN + SORT": child("knn", clip),
    }


def cost(command: list[str]) -> Cost:
    """Run a command to its end, quietly, and return what it took."""
    begin = time.perf_counter()
    quiet = [
        (os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0)
        for stream in (sys.stdout.fileno(), sys.stderr.fileno())
    ]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - begin
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise SystemExit(f"`{' '.join(command)}` ended with exit code {code}; run it by itself.")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(wall, usage.ru_utime + usage.ru_stime, kilobytes / 1024)


def measure(clip: str, repetitions: int) -> Table:
    """Run every way over a clip in turns and return the medians."""
    counted = subprocess.run(child("decode", clip), check=True, capture_output=True, text=True)
    frames = int(counted.stdout)
    with tempfile.TemporaryDirectory() as folder:
        ways = commands(clip, folder)
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(repetitions):
            for name, command in ways.items():
                costs[name].append(cost(command))
    walls = {name: median(one.wall for one in all_costs) for name, all_costs in costs.items()}
    base = next(iter(walls.values()))
    return Table(
        f"{Path(clip).name}, {frames} frames, medians of {repetitions}",
        ("way", "frames a second", "seconds", "of decoding", "CPU seconds", "peak memory"),
        [
            (
                name,
                f"{frames / walls[name]:.0f}",
                f"{walls[name]:.2f}",
                f"{walls[name] / base:.1f} x",
                f"{median(one.cpu for one in all_costs):.2f}",
                f"{median(one.memory for one in all_costs):.0f} MB",
            )
            for name, all_costs in costs.items()
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("clips", nargs="*", help="video files")
    parser.add_argument("--no-hd", action="store_true", help="leave the drawn 1080p clip out")
    parser.add_argument("--repetitions", type=int, default=3, help="runs of each way")
    parser.add_argument("--markdown", action="store_true", help="print tables for the README")
    parser.add_argument("--only", choices=CHILDREN, help="run one part, not measured")
    arguments = parser.parse_args()
    if arguments.only:
        CHILDREN[arguments.only](*arguments.clips)
        return
    with tempfile.TemporaryDirectory() as folder:
        clips = list(arguments.clips)
        if not arguments.no_hd:
            clips.append(str(Path(folder) / "drawn_1080p.mp4"))
            subprocess.run(child("draw", clips[-1]), check=True)
        for clip in clips:
            measure(clip, arguments.repetitions).print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
