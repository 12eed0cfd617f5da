"""Measure how fast clips are tracked, beside decoding them alone and beside peers.

`python benchmarks/speed.py CLIP ...` runs every way over each clip and over drawn clips of four
sizes with 5, 20 and 100 objects, in turns, each time in a process of its own. It prints medians of
speed and memory, HOTA and the error of centres where there is truth (`CLIP=TRUTH` names it), and
where the tracker's time goes. Times are those of the whole process, its start included. All of it
takes hours; `--sizes 768x576 --objects 20 --frames 500` takes minutes. POSIX only.

This process stays small (no OpenCV, no numpy): a child's peak memory counts from its parent's on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from table import Table

SIZES = ("480x360", "768x576", "1280x720", "1920x1080")
OBJECTS = (5, 20, 100)
DECODING = "decoding alone (OpenCV)"
STAGES = ("open", "read", "foreground", "track", "write")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds by the clock, seconds of CPU, and peak memory in MB.

    The memory is that of the largest process where there are several.
    """

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Clip:
    """A video to run over, and its truth, if there is one, as `tracker eval` reads it.

    Parameters
    ----------
    video, truth
        The files.
    drawn
        Whether it shows drawn animals rather than people: the peers are set for either.
    """

    video: Path
    truth: Path | None = None
    drawn: bool = False

    @classmethod
    def named(cls, text: str) -> Clip:
        """Read `CLIP` or `CLIP=TRUTH`."""
        video, _, truth = text.partition("=")
        return cls(Path(video), Path(truth) if truth else None)


# What runs in processes of its own ----------------------------------------------------------------


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


def peer(background: str, scene: str, clip: str, out: str) -> None:
    """Track the people or the drawn animals of a clip with a background model of OpenCV's and SORT.

    Writes `mot.txt` into the folder `out`.
    """
    from drawn import SHARE
    from peers import UPRIGHT, Cleaning, boxes, identities

    images = pictures(clip)
    cleaning = UPRIGHT
    if scene == "animals":  # a third of one is the least; dark animals would pass for shadows
        first = next(images)
        images = chain([first], images)
        height, width = first.shape[:2]
        cleaning = Cleaning(least_area=round(SHARE * width * height / 3), shadows=False)
    found = identities(enumerate(boxes(images, background, cleaning)), "SORT", 25)
    rows = zip(found.frames.tolist(), found.ids.tolist(), found.boxes.tolist(), strict=True)
    Path(out, "mot.txt").write_text(
        "".join(
            f"{frame + 1},{number},{','.join(f'{side:.2f}' for side in box)},1,-1,-1,-1\n"
            for frame, number, box in rows
        ),
        encoding="ascii",
    )


CHILDREN: dict[str, Callable[..., None]] = {"decode": decode, "peer": peer}


# What starts them ---------------------------------------------------------------------------------


def child(name: str, *words: str) -> list[str]:
    """Return the command that runs one of `CHILDREN` in a process of its own."""
    return [sys.executable, __file__, "--only", name, *words]


def commands(clip: Clip, out: str) -> dict[str, list[str]]:
    """Return the command of each way over a clip; those that track write into `out`."""
    video, scene = str(clip.video), "animals" if clip.drawn else "people"
    run = [sys.executable, "-m", "tracker", "run", video, "--out", out]
    return {
        DECODING: child("decode", video),
        "tracker run --no-video": [*run, "--no-video"],
        "tracker run": run,
        "MOG2 + SORT": child("peer", "MOG2", scene, video, out),
        "KNN + SORT": child("peer", "KNN", scene, video, out),
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


def answer(command: list[str]) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def accuracy(clip: Clip, out: Path) -> tuple[str, str]:
    """Return HOTA and the median error of the centres, or dashes where nothing can be said."""
    if clip.truth is None or not (out / "mot.txt").exists():
        return "-", "-"
    evaluation = [sys.executable, "-m", "tracker", "eval", str(clip.truth), str(out / "mot.txt")]
    scores = json.loads(answer([*evaluation, "--json"]))["all"]
    return f"{scores['hota']:.1f}", f"{scores['centre_error'] or 0:.2f} px"


def measure(clip: Clip, repetitions: int, wanted: Sequence[str]) -> list[Table]:
    """Run the wanted ways over a clip in turns and return speed, then stages, as medians."""
    frames = int(answer(child("decode", str(clip.video))))
    with tempfile.TemporaryDirectory() as folder:
        outs = {name: Path(folder, str(place)) for place, name in enumerate(wanted)}
        costs: dict[str, list[Cost]] = {name: [] for name in wanted}
        stages: dict[str, list[dict[str, float]]] = {}
        for _ in range(repetitions):
            for name, out in outs.items():
                out.mkdir(exist_ok=True)
                costs[name].append(cost(commands(clip, str(out))[name]))
                if (out / "run.json").exists():
                    record = json.loads((out / "run.json").read_text())
                    stages.setdefault(name, []).append(record["stage_seconds"])
        scores = {name: accuracy(clip, out) for name, out in outs.items()}
    title = f"{clip.video.name}, {frames} frames, medians of {repetitions}"
    return [speeds(title, frames, costs, scores), *spent(title, frames, stages)]


def speeds(
    title: str,
    frames: int,
    costs: dict[str, list[Cost]],
    scores: dict[str, tuple[str, str]],
) -> Table:
    """Return what each way takes, and how good it is."""
    walls = {name: median(one.wall for one in all_costs) for name, all_costs in costs.items()}
    base = walls.get(DECODING)
    return Table(
        title,
        (
            "way",
            "frames a second",
            "seconds",
            "of decoding",
            "CPU seconds",
            "peak memory",
            "HOTA",
            "centre error",
        ),
        [
            (
                name,
                f"{frames / walls[name]:.0f}",
                f"{walls[name]:.2f}",
                f"{walls[name] / base:.1f} x" if base else "-",
                f"{median(one.cpu for one in all_costs):.2f}",
                f"{median(one.memory for one in all_costs):.0f} MB",
                *scores[name],
            )
            for name, all_costs in costs.items()
        ],
    )


def spent(title: str, frames: int, stages: dict[str, list[dict[str, float]]]) -> Iterator[Table]:
    """Yield where the tracker's time goes, if it was run."""
    if not stages:
        return
    rows = []
    for name, runs in stages.items():
        middle = {stage: median(run.get(stage, 0.0) for run in runs) for stage in STAGES}
        opening, *others = middle.values()
        rows.append((name, f"{opening:.2f}", *(f"{1e3 * part / frames:.2f}" for part in others)))
    columns = ("way", "open, s", *(f"{stage}, ms a frame" for stage in STAGES[1:]))
    yield Table(f"{title}: stages", columns, rows)


def draw(folder: Path, size: str, objects: int, frames: int) -> Clip:
    """Return a drawn clip, from the folder where it is there already."""
    video = folder / f"drawn_{size}_{objects}_{frames}.mp4"
    if not video.exists():
        script = str(Path(__file__).with_name("drawn.py"))
        what = ["--size", size, "--objects", str(objects), "--frames", str(frames)]
        print(answer([sys.executable, script, str(video), *what]), end="", flush=True)
    return Clip(video, video.with_suffix(".txt"), drawn=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("clips", nargs="*", help="CLIP or CLIP=TRUTH")
    parser.add_argument("--sizes", nargs="*", default=SIZES, help="drawn clips; none: leave out")
    parser.add_argument("--objects", nargs="*", type=int, default=OBJECTS, help="in drawn clips")
    parser.add_argument("--frames", type=int, default=1500, help="of drawn clips")
    parser.add_argument("--drawn", type=Path, help="folder that keeps drawn clips")
    parser.add_argument("--ways", help="only those that contain this, or one of a,b,c")
    parser.add_argument("--repetitions", type=int, default=3, help="runs of each way")
    parser.add_argument("--markdown", action="store_true", help="print tables for the README")
    parser.add_argument("--only", choices=CHILDREN, help="run one part, not measured")
    arguments = parser.parse_args()
    if arguments.only:
        CHILDREN[arguments.only](*arguments.clips)
        return
    ways = list(commands(Clip(Path()), ""))
    wanted = [way for way in ways if any(part in way for part in (arguments.ways or "").split(","))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.drawn or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for text in arguments.clips:
            for table in measure(Clip.named(text), arguments.repetitions, wanted):
                table.print(markdown=arguments.markdown)
        for size in arguments.sizes:
            for objects in arguments.objects:
                clip = draw(folder, size, objects, arguments.frames)
                for table in measure(clip, arguments.repetitions, wanted):
                    table.print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
