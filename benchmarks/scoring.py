"""Score trajectories against truth with TrackEval's metrics, all in memory.

`python benchmarks/scoring.py TRUTH PREDICTION` prints one line for boxes and one for points.
Frames count from 0 here; the 1-based frames of MOTChallenge rows are converted where they are read.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trackeval.metrics import CLEAR, HOTA, Identity  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Similarity = Callable[["Trajectories", Integers, "Trajectories", Integers], Floats]


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Where each object was in each frame.

    Parameters
    ----------
    frames
        Shape (n,), frame of each row, from 0.
    ids
        Shape (n,), object of each row.
    boxes
        Shape (n, 4), left, top, width, height, px; NaN where only points are known.
    points
        Shape (n, 2), x, y of the centre, px.
    """

    frames: Integers
    ids: Integers
    boxes: Floats
    points: Floats

    def __post_init__(self) -> None:
        pairs, counts = np.unique(
            np.column_stack([self.frames, self.ids]), axis=0, return_counts=True
        )
        if (counts > 1).any():
            frame, object_id = pairs[counts > 1][0]
            raise ValueError(
                f"Object {object_id} has more than one row in frame {frame} (from 0); "
                "give each object one row a frame."
            )

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def of_boxes(cls, frames: Any, ids: Any, boxes: Any) -> Trajectories:
        """Make rows whose points are the centres of their boxes."""
        boxes = np.asarray(boxes, float).reshape(-1, 4)
        return cls(
            np.asarray(frames, np.int64),
            np.asarray(ids, np.int64),
            boxes,
            boxes[:, :2] + boxes[:, 2:] / 2,
        )

    @classmethod
    def of_points(cls, frames: Any, ids: Any, points: Any) -> Trajectories:
        """Make rows of which only the points are known."""
        points = np.asarray(points, float).reshape(-1, 2)
        return cls(
            np.asarray(frames, np.int64),
            np.asarray(ids, np.int64),
            np.full((len(points), 4), np.nan),
            points,
        )

    def keys(self) -> list[tuple[int, int]]:
        """Return frame and id of each row."""
        return list(zip(self.frames.tolist(), self.ids.tolist(), strict=True))

    def select(self, rows: Any) -> Trajectories:
        """Return the rows that a mask or an index array names."""
        return Trajectories(self.frames[rows], self.ids[rows], self.boxes[rows], self.points[rows])


@dataclass(frozen=True, slots=True)
class Scores:
    """What TrackEval says of one sequence: percentages, then counts.

    `motp` is the mean similarity of the matches; for points that is 1 - distance / (2 radius).
    """

    hota: float
    deta: float
    assa: float
    loca: float
    mota: float
    motp: float
    idf1: float
    false_positives: int
    misses: int
    switches: int
    fragments: int

    def __str__(self) -> str:
        return (
            f"HOTA {self.hota:.1f}  DetA {self.deta:.1f}  AssA {self.assa:.1f}  "
            f"LocA {self.loca:.1f}  MOTA {self.mota:.1f}  MOTP {self.motp:.1f}  "
            f"IDF1 {self.idf1:.1f}  FP {self.false_positives}  FN {self.misses}  "
            f"IDSW {self.switches}  Frag {self.fragments}"
        )


def overlap(first: Floats, second: Floats) -> Floats:
    """Intersection over union of boxes, shapes (n, 4) and (m, 4) -> (n, m)."""
    start = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    common: Floats = np.clip(end - start, 0, None).prod(axis=2)
    union: Floats = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - common
    return common / np.maximum(union, np.finfo(float).tiny)


def point_similarity(first: Floats, second: Floats, radius: float) -> Floats:
    """1 at the same place, 0.5 at the radius, 0 from twice it on; (n, 2) and (m, 2) -> (n, m)."""
    steps: Floats = first[:, None] - second[None]
    near: Floats = np.clip(1 - np.linalg.norm(steps, axis=2) / (2 * radius), 0, None)
    return near


def score_boxes(truth: Trajectories, predicted: Trajectories, iou: float = 0.5) -> Scores:
    """Score boxes; MOTA, MOTP and IDF1 match from `iou` on, HOTA averages over 0.05 ... 0.95."""
    return _score(
        truth, predicted, lambda a, rows, b, columns: overlap(a.boxes[rows], b.boxes[columns]), iou
    )


def score_points(truth: Trajectories, predicted: Trajectories, radius: float = 25) -> Scores:
    """Score points; MOTA, MOTP and IDF1 match up to `radius` px.

    The similarity falls linearly from 1 at the same place to 0.5 at the radius and 0 at twice it,
    so that HOTA's average runs over radii from 0.1 to 1.9 times the one given.
    """

    return _score(
        truth,
        predicted,
        lambda a, rows, b, columns: point_similarity(a.points[rows], b.points[columns], radius),
        0.5,
    )


def _score(
    truth: Trajectories, predicted: Trajectories, similarity: Similarity, threshold: float
) -> Scores:
    frames = np.union1d(truth.frames, predicted.frames)
    truth_ids, truth_index = np.unique(truth.ids, return_inverse=True)
    predicted_ids, predicted_index = np.unique(predicted.ids, return_inverse=True)
    truth_rows = rows_by_frame(truth.frames, frames)
    predicted_rows = rows_by_frame(predicted.frames, frames)
    data = {
        "num_timesteps": len(frames),
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(predicted_ids),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(predicted),
        "gt_ids": [truth_index[rows] for rows in truth_rows],
        "tracker_ids": [predicted_index[rows] for rows in predicted_rows],
        "similarity_scores": [
            similarity(truth, rows, predicted, columns)
            for rows, columns in zip(truth_rows, predicted_rows, strict=True)
        ],
    }
    options = {"THRESHOLD": threshold, "PRINT_CONFIG": False}
    hota = HOTA().eval_sequence(data)
    clear = CLEAR(options).eval_sequence(data)
    identity = Identity(options).eval_sequence(data)
    return Scores(
        hota=100 * float(np.mean(hota["HOTA"])),
        deta=100 * float(np.mean(hota["DetA"])),
        assa=100 * float(np.mean(hota["AssA"])),
        loca=100 * float(np.mean(hota["LocA"])),
        mota=100 * float(clear["MOTA"]),
        motp=100 * float(clear["MOTP"]),
        idf1=100 * float(identity["IDF1"]),
        false_positives=int(clear["CLR_FP"]),
        misses=int(clear["CLR_FN"]),
        switches=int(clear["IDSW"]),
        fragments=int(clear["Frag"]),
    )


def rows_by_frame(of_rows: Integers, frames: Integers) -> list[Integers]:
    """Return, for each of the ascending `frames`, the indices of its rows."""
    order = np.argsort(of_rows, kind="stable")
    starts = np.searchsorted(of_rows[order], frames, side="left")
    ends = np.searchsorted(of_rows[order], frames, side="right")
    return [order[start:end] for start, end in zip(starts, ends, strict=True)]


def read_mot(path: Path) -> Trajectories:
    """Read MOTChallenge rows: frame (from 1), id, left, top, width, height, ..."""
    return _of_mot(_mot_rows(path))


def read_truth(path: Path) -> Trajectories:
    """Read truth; MOT rows whose seventh column is 0 do not count, as in the MOTChallenge."""
    if path.suffix == ".csv":
        return read_tracks(path)
    rows = _mot_rows(path)
    return _of_mot(rows[rows[:, 6] != 0])


def _mot_rows(path: Path) -> Floats:
    rows = np.loadtxt(path, delimiter=",", ndmin=2, usecols=range(7))
    return rows.reshape(-1, 7)


def _of_mot(rows: Floats) -> Trajectories:
    return Trajectories.of_boxes(rows[:, 0] - 1, rows[:, 1], rows[:, 2:6])


def read_tracks(path: Path) -> Trajectories:
    """Read a tracks.csv: columns frame (from 0), particle, x, y, left, top, width, height."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return Trajectories.of_boxes([], [], [])

    def columns(*names: str) -> Floats:
        missing = [name for name in names if name not in rows[0]]
        if missing:
            raise ValueError(f"{path} has no column {missing[0]!r}; its columns: {list(rows[0])}.")
        return np.array([[float(row[name]) for name in names] for row in rows])

    return Trajectories(
        columns("frame")[:, 0].astype(np.int64),
        columns("particle")[:, 0].astype(np.int64),
        columns("left", "top", "width", "height"),
        columns("x", "y"),
    )


def read(path: Path) -> Trajectories:
    """Read a prediction: tracks.csv or MOT text, told apart by the name's ending."""
    return read_tracks(path) if path.suffix == ".csv" else read_mot(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("truth", type=Path, help="MOT text or tracks.csv")
    parser.add_argument("prediction", type=Path, help="MOT text or tracks.csv")
    parser.add_argument("--iou", type=float, default=0.5, help="least overlap of a matching box")
    parser.add_argument("--radius", type=float, default=25, help="farthest matching point, px")
    arguments = parser.parse_args()
    truth, predicted = read_truth(arguments.truth), read(arguments.prediction)
    print(f"boxes   {score_boxes(truth, predicted, arguments.iou)}")
    print(f"points  {score_points(truth, predicted, arguments.radius)}")


if __name__ == "__main__":
    main()
