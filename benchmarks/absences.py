"""Show who keeps the name behind something wide, and whose name another one gets.

`python benchmarks/absences.py` draws walkers, as bare point sets, who pass behind a strip that
hides many of them for longer than the tracker waits for them. Most go through; some rest behind it,
turn back, stay there, or come out as somebody else. A drawing takes about two seconds on one core.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from table import Table

from tracker import Points, Scene, Snapshot, Tracker
from tracker.config import TrackingOptions
from tracker.tracking import combine, look_back
from tracker.types import COLOR_BINS, Array

FPS = 25.0
FRAMES = 400
SIZE = (640, 360)
LANE = 50  # px
LANES = 6
KINDS = ("through", "rests", "turns", "stays", "comes")
SHARES = (0.6, 0.12, 0.08, 0.1, 0.1)
CONCENTRATION = 0.15  # of a walker's colours: few bins of the palette hold most of it
LIGHT = 0.2  # standard deviation of the logarithm of how the light changes a bin
NEAR = 15.0  # px within which a track is a walker's
SIGHTS = 10  # frames before and after an absence that tell the name


@dataclass(frozen=True, eq=False)
class Walker:
    """Somebody on a way that leads behind the strip.

    Parameters
    ----------
    path
        Shape (FRAMES, 2), px; NaN where it is away for good, or has not come yet.
    size
        Shape (2,), standard deviations of the extent along x and y, px.
    colors
        Shape (COLOR_BINS,), shares.
    """

    path: Array
    size: Array
    colors: Array

    @classmethod
    def drawn(cls, lane: int, rng: np.random.Generator) -> Walker:
        """Draw one that keeps to its lane, so that no two touch."""
        width, speed = SIZE[0], rng.uniform(1.5, 4) * rng.choice([-1, 1])
        time = np.arange(FRAMES) - rng.uniform(0, 200)
        kind = rng.choice(KINDS, p=SHARES)
        begin = -40 if speed > 0 else width + 40
        middle = (width / 2 - begin) / speed
        late = np.maximum(time - middle, 0)
        rest = rng.uniform(0, 3 * FPS) if kind == "rests" else 0.0
        on = np.maximum(late - rest, 0) * (-1 if kind == "turns" else 1)
        x = begin + speed * (np.minimum(time, middle) + on)
        y = LANE * (lane + 1) + 3 * np.sin(time / 15 + rng.uniform(0, 6))
        away = time < 0
        if kind == "stays":
            away |= late > 0
        if kind == "comes":
            away |= late == 0
        path = np.where(away[:, None], np.nan, np.column_stack([x, y]))
        size = rng.uniform(0.85, 1.15) * np.array([6.0, 11.0])
        return cls(path, size, rng.dirichlet(np.full(COLOR_BINS, CONCENTRATION)))


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the names of those who were behind the strip and came out again.

    Parameters
    ----------
    kept, new, taken
        How many had the same name, a new one, or one that somebody else had before.
    """

    kept: int = 0
    new: int = 0
    taken: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.kept + other.kept, self.new + other.new, self.taken + other.taken)


def pictures(walkers: Sequence[Walker], strip: float, rng: np.random.Generator) -> list[Points]:
    """Return the points of all frames, those behind the strip left out."""
    (width, height), middle = SIZE, SIZE[0] / 2
    light = np.zeros((len(walkers), COLOR_BINS))
    frames = []
    for frame in range(FRAMES):
        light = 0.95 * light + rng.normal(0, LIGHT * np.sqrt(1 - 0.95**2), light.shape)
        pixels, bins = [np.zeros((0, 2), int)], [np.zeros(0, int)]
        for walker, change in zip(walkers, light, strict=True):
            mean = walker.path[frame]
            if np.isnan(mean).any():
                continue
            low = np.floor(mean - 30).astype(int)
            x, y = np.meshgrid(*(low[d] + np.arange(61) for d in range(2)))
            half = 2 * walker.size * (1 + 0.05 * rng.normal(size=2))
            on = ((x - mean[0]) / half[0]) ** 2 + ((y - mean[1]) / half[1]) ** 2 <= 1
            on &= (x >= 0) & (x < width) & (y >= 0) & (y < height)
            on &= abs(x - middle) > strip / 2
            mine = np.column_stack([x[on], y[on]])
            shares = walker.colors * np.exp(change)
            pixels.append(mine)
            bins.append(rng.choice(COLOR_BINS, len(mine), p=shares / shares.sum()))
        coordinates = np.concatenate(pixels).astype(np.float64)
        frames.append(Points(coordinates, colors=np.concatenate(bins).astype(np.uint8)))
    return frames


def passes(frames: Sequence[Points]) -> tuple[list[Snapshot], list[Snapshot]]:
    """Return what is known of each frame from those before it, and after looking back."""
    options, scene = TrackingOptions(), Scene(size=SIZE)
    tracker = Tracker(options, scene)
    forward = [tracker.update(points, time=i / FPS) for i, points in enumerate(frames)]
    known = zip(reversed(forward), reversed(frames), strict=True)
    backward = [*look_back(known, options, scene)][::-1]
    return forward, combine(forward, backward, scene=scene, recording=frames)


def score(walkers: Sequence[Walker], strip: float, snapshots: Sequence[Snapshot]) -> Score:
    """Compare the names before and after each absence."""
    names = np.array([_names(walkers, one) for one in snapshots])
    told = [{track.id for track in one.tracks} for one in snapshots]
    total = Score()
    for number, walker in enumerate(walkers):
        behind = abs(walker.path[:, 0] - SIZE[0] / 2) < strip / 2 + 2 * walker.size[0]
        hidden = np.flatnonzero(behind)
        if not len(hidden):
            continue
        sides = names[: hidden[0], number], names[hidden[-1] + 1 :, number]
        before, after = (side[side > 0] for side in sides)
        if min(len(before), len(after)) < SIGHTS:
            continue
        was, now = _commonest(before[-SIGHTS:]), _commonest(after[:SIGHTS])
        if now == was:
            total += Score(kept=1)
        elif any(now in here for here in told[: hidden[len(hidden) // 2]]):
            total += Score(taken=1)
        else:
            total += Score(new=1)
    return total


def _names(walkers: Sequence[Walker], snapshot: Snapshot) -> list[int]:
    """Return the name of the track at each walker, 0 where there is none."""
    tracks, names = snapshot.tracks, []
    for walker in walkers:
        off = [float(np.hypot(*(track.mean - walker.path[snapshot.frame]))) for track in tracks]
        near = [(far, track.id) for far, track in zip(off, tracks, strict=True) if far < NEAR]
        names.append(min(near)[1] if near else 0)
    return names


def _commonest(names: Array) -> int:
    return int(np.bincount(names.astype(int)).argmax())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--count", type=int, default=30, help="drawings for each width")
    parser.add_argument("--widths", default="60,100,160", help="of the strip, px, with commas")
    parser.add_argument("--seed", type=int, help="of the drawings; default: a fresh one")
    parser.add_argument("--markdown", action="store_true", help="print a table for a document")
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    lines = []
    for width in map(float, arguments.widths.split(",")):
        scores = {
            (way, colored): Score()
            for colored in ("colours", "no colours")
            for way in ("as it goes", "refined")
        }
        for number in range(arguments.count):
            rng = np.random.default_rng([seed, int(width), number])
            walkers = [Walker.drawn(lane, rng) for lane in range(LANES)]
            frames = pictures(walkers, width, rng)
            plain = [replace(points, colors=None) for points in frames]
            for colored, shown in (("colours", frames), ("no colours", plain)):
                for way, told in zip(("as it goes", "refined"), passes(shown), strict=True):
                    scores[way, colored] += score(walkers, width, told)
        for (way, colored), one in scores.items():
            counts = map(str, (one.kept, one.new, one.taken))
            lines.append((f"{width:.0f} px", f"{way}, {colored}", *counts))
    columns = ("strip", "run", "same name", "new name", "another's name")
    title = f"Walkers who were hidden and came out again, seed {seed}"
    Table(title, columns, lines).print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
