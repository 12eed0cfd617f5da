"""Measure the tracker with its default settings, and its peers, on clips with truth.

`python benchmarks/accuracy.py --data DIR --peers --markdown` prints the tables of the README.
DIR holds the clips; benchmarks/README.md names them and says what is measured on each.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from peers import ARENA, TRACKERS, UPRIGHT, Cleaning, boxes, identities
from table import Table
from variations import ABLATION, Variation, sweep

from tracker import Job, Tracker, load_config, open_source, run
from tracker.evaluation import (
    Matching,
    Measure,
    Scores,
    Trajectories,
    compare,
    match,
    read_rows,
    read_truth,
    score_boxes,
    score_points,
)
from tracker.synthetic import MEETING_KINDS, Meeting, gathering, meeting, score_meeting
from tracker.types import Array

OURS = "tracker"
MEETINGS = 100
SCORE_COLUMNS = ("HOTA", "MOTA", "IDF1", "false", "missed", "switches")


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the clips are and what to run on them.

    Parameters
    ----------
    data
        Folder of the clips.
    peers
        Whether to run the peers, too.
    seed
        Seed of the random meetings.
    """

    data: Path
    peers: bool
    seed: int

    def track(self, spec: Path, *settings: str, refine: bool = False) -> Trajectories:
        """Run the tracker over a clip, with its default settings but for those given."""
        with tempfile.TemporaryDirectory() as folder:
            config = load_config(None, ["output.video=false", *settings])
            run(Job(spec=str(spec), out=Path(folder), config=config, refine=refine))
            return read_rows(Path(folder) / "tracks.csv")

    def track_each_way(self, spec: Path, *settings: str) -> Iterator[tuple[str, Trajectories]]:
        """Run the tracker as it comes, without a lag, as from a camera, and with a second pass."""
        yield OURS, self.track(spec, *settings)
        causal = (*settings, "tracking.lag_seconds=0")
        yield f"{OURS}, causal", self.track(spec, *causal)
        yield f"{OURS}, live", self.track(spec, *causal, "foreground.model=running")
        yield f"{OURS}, refined", self.track(spec, *settings, refine=True)

    def track_by_peers(
        self, spec: Path, cleaning: Cleaning, *settings: str
    ) -> Iterator[tuple[str, Trajectories]]:
        """Run all peers over a clip, if they are wanted; yield a name and the result of each."""
        if not self.peers:
            return
        for subtractor in ("MOG2", "KNN"):
            options = load_config(None, settings).source
            with open_source(str(spec), options) as source:
                fps = source.facts.fps
                images = (frame.image for frame in source)
                found = list(enumerate(boxes(images, subtractor, cleaning)))
            for tracker in TRACKERS:
                yield f"{subtractor} + {tracker}", identities(found, tracker, fps)


def pets(bench: Bench) -> Iterator[Table]:
    """Measure pedestrians seen from above, boxes and points."""
    folder = bench.data / "pets09_s2l1"
    truth = read_truth(folder / "gt.txt")
    clip = folder / "vtest.avi"
    results = [*bench.track_each_way(clip), *bench.track_by_peers(clip, UPRIGHT)]
    yield _scored("PETS09 S2.L1, boxes, IoU 0.5", results, lambda found: score_boxes(truth, found))
    yield _scored("PETS09 S2.L1, points, 25 px", results, lambda found: score_points(truth, found))


def tud(bench: Bench) -> Iterator[Table]:
    """Measure pedestrians seen from the side."""
    folder = bench.data / "tud_campus"
    truth = read_truth(folder / "gt" / "gt.txt")
    images = folder / "img1"
    results = [
        *bench.track_each_way(images, "source.fps=25"),
        *bench.track_by_peers(images, UPRIGHT, "source.fps=25"),
    ]
    yield _scored("TUD-Campus, boxes, IoU 0.5", results, lambda found: score_boxes(truth, found))


def fish(bench: Bench) -> Iterator[Table]:
    """Measure how many of another tool's positions of eight fish have a track of their own."""
    folder = bench.data / "idtrackerai_a"
    truth = read_truth(folder / "peer_idtrackerai_test_A.csv")
    clip = folder / "test_A.avi"
    results = [
        (f"{OURS}, objects 8", bench.track(clip, "tracking.objects=8")),
        *bench.track_each_way(clip),
        *bench.track_by_peers(clip, ARENA),
    ]
    lines = []
    for name, found in results:
        matching = _matching(truth, found, radius=20)
        share = len(matching.rows) / len(truth)
        middle = _median(matching.distances)
        counts = np.bincount(found.frames)[30:]  # after about a second
        eight = f"{np.mean(counts == 8):.1%}"
        lines.append((name, f"{share:.1%}", middle, str(len(np.unique(found.ids))), eight))
    yield Table(
        "Eight zebrafish, against idtracker.ai's positions, one to one",
        (
            "method",
            "positions with a track within 20 px",
            "median distance",
            "ids used",
            "frames with 8 tracks",
        ),
        lines,
    )


def caltrans(bench: Bench) -> Iterator[Table]:
    """Measure how many of the vehicles painted in the last frame of ten webcams have a track."""
    totals: dict[str, list[tuple[int, int, int]]] = {}
    for painted in sorted((bench.data / "caltrans").glob("*_mask.png")):
        clip = painted.with_name(painted.name.replace("_mask.png", ".mp4"))
        mask = cv2.imread(str(painted), cv2.IMREAD_GRAYSCALE)
        assert mask is not None, painted
        with open_source(str(clip)) as source:
            last = max(frame.index for frame in source)
        results = [(OURS, bench.track(clip)), *bench.track_by_peers(clip, UPRIGHT)]
        for name, found in results:
            totals.setdefault(name, []).append(_painted(mask, found.select(found.frames == last)))
    lines = []
    for name, counts in totals.items():
        vehicles, kept, false = np.array(counts).T
        shares = f"{np.mean(kept / vehicles):.0%}", f"{np.mean(false / vehicles):.2f}"
        lines.append((name, *shares, f"{kept.sum()} of {vehicles.sum()}"))
    yield Table(
        "Ten traffic webcams, vehicles painted in the last frame, mean over the clips",
        ("method", "vehicles with a track", "false tracks a vehicle", "vehicles in all"),
        lines,
    )


def _painted(mask: NDArray[np.uint8], found: Trajectories) -> tuple[int, int, int]:
    """Count painted vehicles, those that a track's ellipse overlaps, and tracks on none."""
    count, labels = cv2.connectedComponents((mask > 127).astype(np.uint8), connectivity=8)
    seen: set[int] = set()
    false = 0
    for left, top, width, height in found.boxes:
        ellipse = np.zeros(mask.shape, np.uint8)
        centre = round(left + width / 2), round(top + height / 2)
        axes = max(round(width / 2), 1), max(round(height / 2), 1)
        cv2.ellipse(ellipse, centre, axes, 0, 0, 360, 255, cv2.FILLED)
        under = set(np.unique(labels[ellipse > 0]).tolist()) - {0}
        seen |= under
        false += not under
    return count - 1, len(seen), false


def mouse(bench: Bench) -> Iterator[Table]:
    """Measure how far the tracker and three other tools are from one another on one mouse."""
    folder = bench.data / "tracktor_mouse"
    clip = folder / "mouse_video.mp4"
    tools = {
        "Tracktor": _tracktor(folder / "mouse_video_tracked.csv"),
        "idTracker": _idtracker(folder / "mouse_video_idtracked.txt"),
        "ToxTrac": _toxtrac(folder / "mouse_video_toxtracked.txt"),
    }
    found = bench.track(clip)
    ids, counts = np.unique(found.ids, return_counts=True)
    tools[OURS] = found.select(found.ids == ids[counts.argmax()])
    lines = []
    for first, second in combinations(tools, 2):
        apart = _apart(tools[first], tools[second])
        far = f"{np.percentile(apart, 95):.1f} px"
        lines.append((f"{first} and {second}", _median(apart), far, str(len(apart))))
    yield Table(
        f"One mouse, 10,000 frames, against three other tools (ids of {OURS}: {len(ids)})",
        ("between", "median distance", "95 % within", "frames"),
        lines,
    )


def demo(bench: Bench) -> Iterator[Table]:
    """Measure the drawn clip of this repository against its exact truth."""
    folder = Path(__file__).parent.parent / "videos"
    truth = read_rows(folder / "demo_truth.csv")
    clip = folder / "demo.mp4"
    results = [*bench.track_each_way(clip), *bench.track_by_peers(clip, UPRIGHT)]
    lines = []
    for name, found in results:
        matching = _matching(truth, found, radius=25)
        kept = sum(len(names) == 1 for names in matching.followers().values())
        error = _median(matching.distances)
        objects = len(np.unique(truth.ids))
        cells = _cells(score_points(truth, found))
        lines.append((name, f"{kept} of {objects}", error, *cells))
    yield Table(
        "Demo clip, points, 25 px",
        ("method", "objects under one id", "median centre error", *SCORE_COLUMNS),
        lines,
    )


def meetings(bench: Bench) -> Iterator[Table]:
    """Measure random meetings of two and more objects, as bare point sets."""
    kinds: dict[str, Callable[[np.random.Generator], Meeting]] = {
        **{f"two: {kind}": partial(meeting, kind) for kind in MEETING_KINDS},
        "three cross": partial(gathering, 3),
        "four cross": partial(gathering, 4),
    }
    lines = []
    for place, (kind, make) in enumerate(kinds.items()):
        kept, errors, spent = 0, [], []
        for number in range(MEETINGS):
            truth = make(np.random.default_rng([bench.seed, place, number]))
            tracker, snapshots = Tracker(), []
            for i, points in enumerate(truth.points):
                begin = time.perf_counter()
                snapshots.append(tracker.update(points, time=i / 25))
                spent.append(time.perf_counter() - begin)
            score = score_meeting(truth, snapshots)
            kept += score.kept
            errors.append(score.error)
        lines.append(
            (
                kind,
                f"{kept} of {MEETINGS}",
                f"{np.median(errors):.2f} px",
                f"{1000 * np.median(spent):.2f} ms",
                f"{1000 * np.mean(spent):.2f} ms",
            )
        )
    yield Table(
        f"Random meetings of objects as point sets, seed {bench.seed}",
        ("meeting", "identities kept", "median error in contact", "median update", "mean update"),
        lines,
    )


def varied(bench: Bench, title: str, variations: Iterable[Variation], names: set[str]) -> Table:
    """Measure the tracker as it comes and with one thing changed, on clips with full truth."""
    clips: list[tuple[str, Callable[[Variation], Scores]]] = []

    def clip(name: str, spec: Path, truth: Path, score: _Score, *settings: str) -> None:
        rows = read_truth(truth)

        def measured(variation: Variation) -> Scores:
            with variation.applied():
                return score(rows, bench.track(spec, *settings, *variation.settings))

        clips.append((name, measured))

    if "pets" in names:
        pets = bench.data / "pets09_s2l1"
        clip("PETS09", pets / "vtest.avi", pets / "gt.txt", score_boxes)
    if "tud" in names:
        tud = bench.data / "tud_campus"
        clip("TUD-Campus", tud / "img1", tud / "gt" / "gt.txt", score_boxes, "source.fps=25")
    if "demo" in names:
        folder = Path(__file__).parent.parent / "videos"
        clip("demo, points", folder / "demo.mp4", folder / "demo_truth.csv", score_points)
    lines = []
    for variation in variations:
        scores = [measured(variation) for _, measured in clips]
        lines.append(
            (variation.name, *(f"{s.hota:.1f} / {s.mota:.1f} / {s.idf1:.1f}" for s in scores))
        )
        print(*lines[-1], sep="  ", file=sys.stderr, flush=True)
    return Table(f"{title}; HOTA / MOTA / IDF1", ("", *(name for name, _ in clips)), lines)


CLIPS: dict[str, Callable[[Bench], Iterator[Table]]] = {
    "pets": pets,
    "tud": tud,
    "fish": fish,
    "caltrans": caltrans,
    "mouse": mouse,
    "demo": demo,
    "meetings": meetings,
}
OWN = {"demo", "meetings"}


_Score = Callable[[Trajectories, Trajectories], Scores]


def _scored(
    title: str,
    results: Iterable[tuple[str, Trajectories]],
    score: Callable[[Trajectories], Scores],
) -> Table:
    return Table(
        title,
        ("method", *SCORE_COLUMNS),
        [(name, *_cells(score(found))) for name, found in results],
    )


def _cells(scores: Scores) -> tuple[str, ...]:
    shares = (scores.hota, scores.mota, scores.idf1)
    counts = (scores.false_positives, scores.misses, scores.switches)
    return (*(f"{share:.1f}" for share in shares), *(str(count) for count in counts))


def _matching(truth: Trajectories, found: Trajectories, radius: float) -> Matching:
    return match(compare(truth, found, Measure("point", radius=radius)))


def _median(distances: Array) -> str:
    return f"{np.median(distances):.2f} px" if len(distances) else "none"


def _apart(first: Trajectories, second: Trajectories) -> Array:
    """Return the distances, px, in the frames that two single trajectories have in common."""
    _, rows, columns = np.intersect1d(first.frames, second.frames, return_indices=True)
    return np.asarray(np.linalg.norm(first.points[rows] - second.points[columns], axis=1))


def _single(frames: Any, points: Array) -> Trajectories:
    seen = np.isfinite(points).all(axis=1)
    frames = np.asarray(frames)[seen]
    return Trajectories.of_points(frames, np.ones(len(frames)), points[seen])


def _tracktor(path: Path) -> Trajectories:
    rows = np.genfromtxt(path, delimiter=",", skip_header=1)  # index, frame from 1, x, y
    return _single(rows[:, 1] - 1, rows[:, 2:4])


def _idtracker(path: Path) -> Trajectories:
    rows = np.genfromtxt(path, skip_header=1)  # x, y, probability; a row for each frame
    return _single(np.arange(len(rows)), rows[:, :2])


def _toxtrac(path: Path) -> Trajectories:
    rows = np.genfromtxt(path)  # frame from 0, arena, animal, x, y in the arena, label
    return _single(rows[:, 0], rows[:, 3:5] + [85.8, 13.4])  # where the arena begins, px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, help="folder of the clips that are not ours")
    parser.add_argument("--clips", default=",".join(CLIPS), help="which of them, with commas")
    parser.add_argument("--peers", action="store_true", help="run the peers, too")
    parser.add_argument("--ablation", action="store_true", help="take out each ingredient instead")
    parser.add_argument("--sweep", action="store_true", help="move ten settings by 30 %% instead")
    parser.add_argument("--markdown", action="store_true", help="print tables for the README")
    parser.add_argument("--seed", type=int, help="seed of the meetings; default: a fresh one")
    arguments = parser.parse_args()
    unknown = set(arguments.clips.split(",")) - set(CLIPS)
    if unknown:
        parser.error(f"--clips has no {', '.join(sorted(unknown))}; choose from {', '.join(CLIPS)}")
    varying = arguments.ablation or arguments.sweep
    names = set(arguments.clips.split(","))
    if arguments.data is None and varying:
        names &= OWN
    if arguments.data is None and not varying and set(arguments.clips.split(",")) - OWN:
        parser.error(
            f"--data names no folder of clips; give it, or --clips {','.join(sorted(OWN))}"
        )
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    bench = Bench(arguments.data or Path(), arguments.peers, seed)
    if arguments.ablation:
        varied(bench, "Taken out", ABLATION, names).print(markdown=arguments.markdown)
    if arguments.sweep:
        varied(bench, "Changed", sweep(), names).print(markdown=arguments.markdown)
    if varying:
        return
    for name in arguments.clips.split(","):
        for table in CLIPS[name](bench):
            table.print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
