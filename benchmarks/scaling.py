"""Measure how the time of a frame grows with the picture, with the foreground, and with objects.

`python benchmarks/scaling.py` hands discs as point sets to `Tracker.update` and prints the median
and the slowest twentieth of the updates, and the exponent a of time ~ points^a. Objects that are
"apart" never touch; those in a "crowd" walk freely, so that many do. Then it takes drawn pictures
through foreground and tracking: larger ones, ones with larger objects, ones with more objects.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from drawn import FPS, Herd
from numpy.typing import NDArray
from table import Table

from tracker import Tracker
from tracker.config import Config
from tracker.foreground import make_foreground
from tracker.pipeline import Timings
from tracker.tracking import snapshot, start, step
from tracker.types import Array, Frame, Scene

WARMING = 30  # frames before the clock starts: the sizes are learnt by then
OBJECTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
AREAS = (50, 100, 200, 400, 800, 1600, 3200)
PICTURES = ((320, 240), (640, 480), (960, 720), (1280, 960), (1920, 1440), (2560, 1920))
SHARES = (0.0005, 0.001, 0.002, 0.004, 0.008)  # of the picture, each of 20 objects
PROMISED = ((10, 500, 1.0), (33, 2424, 5.0), (256, 100, 10.0))  # objects, px² of each, ms


@dataclass(frozen=True, slots=True)
class World:
    """Equal discs in a square picture, on ways of their own.

    Parameters
    ----------
    objects
        How many there are.
    area
        Of each, px².
    crowd
        Whether they walk freely; else each stays within a cell of its own.
    """

    objects: int
    area: int
    crowd: bool = False

    @property
    def radius(self) -> float:
        return float(np.sqrt(self.area / np.pi))

    @property
    def side(self) -> int:
        """Side of the picture, px: a tenth of it is covered in a crowd, a seventh apart."""
        return int(
            np.ceil(np.ceil(np.sqrt(self.objects)) * self.radius * (5.6 if self.crowd else 4.8))
        )

    def centres(self, frames: int) -> Array:
        """Return where the objects are, shape (frames, objects, 2), px."""
        rng = np.random.default_rng(self.objects)
        time = np.arange(frames)[:, None, None]
        if self.crowd:
            walls = self.side - 2 * self.radius
            start = rng.uniform(0, 2 * walls, (self.objects, 2)) if walls > 0 else np.zeros(2)
            speed = rng.normal(0, 0.1 * self.radius, (self.objects, 2))
            # A way folded at the walls.
            return self.radius + np.abs((start + time * speed) % (2 * walls) - walls)
        columns = int(np.ceil(np.sqrt(self.objects)))
        places = np.stack(np.divmod(np.arange(self.objects), columns), axis=1) + 0.5
        angle = rng.uniform(0, 2 * np.pi, self.objects) + 0.1 * time[:, :, 0]
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=2)
        return places * self.side / columns + 0.3 * self.radius * circle

    def frames(self, count: int) -> Iterator[Array]:
        """Yield the pixels of each frame's mask, row by row, each of shape (n, 2)."""
        reach = int(np.ceil(self.radius)) + 1
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        for centres in self.centres(count):
            cells = np.rint(centres).astype(np.intp)
            columns, rows = cells[:, :1] + x, cells[:, 1:] + y
            filled = (columns - centres[:, :1]) ** 2 + (rows - centres[:, 1:]) ** 2
            inside = filled <= self.radius**2
            mask: NDArray[np.bool_] = np.zeros((self.side + 2 * reach, self.side + 2 * reach), bool)
            mask[rows[inside], columns[inside]] = True
            yield np.argwhere(mask)[:, ::-1].astype(np.float64)


def measure(world: World, frames: int) -> tuple[float, float, float, float]:
    """Return median and 95 % quantile of an update in ms, points and tracks of a frame."""
    tracker = Tracker(scene=Scene(size=(world.side, world.side)))
    times, points, tracks = [], [], []
    for index, frame in enumerate(world.frames(WARMING + frames)):
        begin = time.thread_time()
        snapshot = tracker.update(frame, time=index / FPS)
        times.append(1e3 * (time.thread_time() - begin))
        points.append(len(frame))
        tracks.append(len(snapshot.tracks))
    middle, slow = np.quantile(times[WARMING:], (0.5, 0.95))
    return float(middle), float(slow), float(np.mean(points)), float(np.mean(tracks[WARMING:]))


def exponent(amounts: list[float], times: list[float]) -> float:
    """Return a of times ~ amountsᵃ, by least squares in logarithms."""
    return float(np.polyfit(np.log(amounts), np.log(times), 1)[0])


def sweep(title: str, worlds: list[World], frames: int) -> Table:
    """Measure some worlds, each about twice as large as the one before it."""
    rows, points, times = [], [], []
    for world in worlds:
        middle, slow, count, tracks = measure(world, frames)
        points.append(count)
        times.append(middle)
        rows.append(
            (str(world.objects), f"{count:.0f}", f"{tracks:.1f}", f"{middle:.2f}", f"{slow:.2f}")
        )
    # What an update costs with hardly any points says nothing about growth.
    whole, late = exponent(points, times), exponent(points[-4:], times[-4:])
    title += f": time ~ points^{whole:.2f}, over the last four ^{late:.2f}"
    return Table(title, ("objects", "points", "tracks", "ms", "slowest 5 %, ms"), rows)


def pipeline(herd: Herd) -> tuple[float, float, float, float, float]:
    """Return CPU time of a drawn scene, and what was found, drawing left out.

    Returns
    -------
    survey, foreground, tracking, points, tracks
        Seconds, then medians of a frame: ms, ms, and numbers of points and tracks.
    """
    options = Config()
    timings = Timings(clock=time.process_time)
    with timings.stage("open"):
        samples = timings.waiting("draw", islice(herd.pictures(), options.foreground.samples))
        size = (herd.width, herd.height)
        model = make_foreground(options.foreground, size, samples, live=False)
    state = start(options.tracking, model.scene)
    costs = []
    for index, picture in enumerate(herd.pictures()):
        frame = Frame(index, index / FPS, picture)
        begin = time.process_time()
        points = model.points(frame, protect=state.footprint)
        between = time.process_time()
        state, info = step(state, points, frame.time, options.tracking)
        tracks = snapshot(frame.index, frame.time, state, info).tracks
        end = time.process_time()
        row = (between - begin, end - between, len(points.coordinates), len(tracks))
        costs.append(row)
    foreground, tracking, count, found = np.median(costs[WARMING:], axis=0).tolist()
    survey = timings.seconds["open"] - timings.seconds["draw"]
    return survey, 1e3 * foreground, 1e3 * tracking, count, found


def drawn(title: str, unit: str, herds: dict[float, Herd]) -> Table:
    """Measure drawn scenes by the amount that grows from one to the next."""
    costs = [pipeline(herd) for herd in herds.values()]
    totals = [foreground + tracking for _, foreground, tracking, _, _ in costs]
    whole, late = exponent(list(herds), totals), exponent(list(herds)[-3:], totals[-3:])
    title += f": time ~ {unit}^{whole:.2f}, over the last three ^{late:.2f}"
    rows = [
        (
            f"{amount:g}",
            *(f"{part:.2f}" for part in cost[:3]),
            *(f"{part:.0f}" for part in cost[3:]),
        )
        for amount, cost in zip(herds, costs, strict=True)
    ]
    columns = (unit, "survey, s", "foreground, ms", "tracking, ms", "points", "tracks")
    return Table(title, columns, rows)


def drawn_sweeps(frames: int, most: int) -> Iterator[Table]:
    """Measure drawn scenes of growing pictures, foregrounds and numbers of objects."""
    frames += WARMING
    pictures = {w * h / 1e6: Herd(w, h, 8, frames, share=400 / (w * h)) for w, h in PICTURES}
    yield drawn("8 objects of 400 px² in larger pictures", "megapixels", pictures)
    larger = {2000 * share: Herd(768, 576, 20, frames, share) for share in SHARES}
    yield drawn("20 larger objects in 768 x 576 px", "percent covered", larger)
    more = {n: Herd(1920, 1080, n, frames, 0.0001) for n in OBJECTS if n <= most}
    yield drawn("More objects of 207 px² in 1920 x 1080 px", "objects", more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--frames", type=int, default=60, help="updates that are timed")
    parser.add_argument("--most", type=int, default=512, help="objects at most")
    parser.add_argument("--markdown", action="store_true", help="print tables for the docs")
    arguments = parser.parse_args()
    rows = []
    for objects, area, promised in PROMISED:
        for crowd in (False, True):
            middle, slow, count, _ = measure(World(objects, area, crowd), arguments.frames)
            where = "crowd" if crowd else "apart"
            rows.append(
                (
                    str(objects),
                    f"{count:.0f}",
                    where,
                    f"{middle:.2f}",
                    f"{slow:.2f}",
                    f"{promised:g}",
                )
            )
    columns = ("objects", "points", "where", "ms", "slowest 5 %, ms", "wanted, ms")
    Table("Tracker.update", columns, rows).print(markdown=arguments.markdown)
    objects_sweep = [n for n in OBJECTS if n <= arguments.most]
    for crowd in (False, True):
        title = f"Objects of 100 px² {'in a crowd' if crowd else 'apart'}"
        worlds = [World(n, 100, crowd) for n in objects_sweep]
        sweep(title, worlds, arguments.frames).print(markdown=arguments.markdown)
    worlds = [World(16, area) for area in AREAS]
    sweep("16 objects apart", worlds, arguments.frames).print(markdown=arguments.markdown)
    for table in drawn_sweeps(arguments.frames, arguments.most):
        table.print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
