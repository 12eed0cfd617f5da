"""Which row of a result belongs to which row of the truth, frame by frame."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracker.evaluation.trajectories import Integers, Trajectories
from tracker.types import Array

_EPSILON = float(np.finfo(float).eps)
_KEEP = 1000.0  # a pair of the frame before outweighs any similarity


@dataclass(frozen=True, slots=True)
class Measure:
    """How alike two rows are, and how alike they must be to match.

    Parameters
    ----------
    by
        "box": intersection over union. "point": 1 at the same place, 0.5 at the radius, 0 from
        twice the radius on, linear between.
    overlap
        Least intersection over union of a match.
    radius
        Farthest distance of a match, px.
    """

    by: Literal["box", "point"] = "box"
    overlap: float = 0.5
    radius: float = 25.0

    @property
    def threshold(self) -> float:
        """Least similarity of a match."""
        return self.overlap if self.by == "box" else 0.5

    def similarity(
        self, truth: Trajectories, rows: Integers, predicted: Trajectories, columns: Integers
    ) -> Array:
        """Return how alike the given rows are, shape (rows, columns), 0 to 1."""
        if self.by == "box":
            return overlap(truth.boxes[rows], predicted.boxes[columns])
        apart = truth.points[rows][:, None] - predicted.points[columns][None]
        near: Array = np.clip(1 - np.linalg.norm(apart, axis=2) / (2 * self.radius), 0, None)
        return near


def overlap(first: Array, second: Array) -> Array:
    """Return intersection over union of boxes, shapes (n, 4) and (m, 4) -> (n, m)."""
    start = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    common = np.clip(end - start, 0, None).prod(axis=2)
    union = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - common
    share: Array = common / np.maximum(union, np.finfo(float).tiny)
    return share


class Moment(NamedTuple):
    """The rows of one frame: indices into truth and result, and how alike they are."""

    rows: Integers
    columns: Integers
    similarity: Array


@dataclass(frozen=True, slots=True)
class Comparison:
    """Truth and result side by side.

    Parameters
    ----------
    truth, predicted
        What is compared.
    measure
        How.
    moments
        One for each frame in which either has rows, by ascending frame.
    """

    truth: Trajectories
    predicted: Trajectories
    measure: Measure
    moments: tuple[Moment, ...]


def compare(truth: Trajectories, predicted: Trajectories, measure: Measure) -> Comparison:
    """Put truth and result side by side.

    Raises
    ------
    ValueError
        Where boxes are to be compared and some row has none.
    """
    if measure.by == "box" and not (truth.boxed and predicted.boxed):
        raise ValueError("some rows have no box; compare points instead")
    frames = np.union1d(truth.frames, predicted.frames)
    moments = tuple(
        Moment(rows, columns, measure.similarity(truth, rows, predicted, columns))
        for rows, columns in zip(truth.by_frame(frames), predicted.by_frame(frames), strict=True)
    )
    return Comparison(truth, predicted, measure, moments)


class Switch(NamedTuple):
    """A true object whose match changed its id."""

    frame: int
    truth: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Matching:
    """One to one pairs of rows of truth and result.

    Parameters
    ----------
    truth, predicted
        What was matched.
    rows, columns
        Shape (m,), the matched rows of truth and of the result, frame by frame.
    similarity
        Shape (m,), of each pair.
    moments
        Shape (m,), number of the pair's frame among those in which both have rows.
    nearest_of_truth, nearest_of_predicted
        For each row, matched or not, the similarity of the best of the other side.
    """

    truth: Trajectories
    predicted: Trajectories
    rows: Integers
    columns: Integers
    similarity: Array
    moments: Integers
    nearest_of_truth: Array
    nearest_of_predicted: Array

    @property
    def missed(self) -> Integers:
        """Rows of the truth without a match."""
        return np.setdiff1d(np.arange(len(self.truth)), self.rows)

    @property
    def false(self) -> Integers:
        """Rows of the result without a match."""
        return np.setdiff1d(np.arange(len(self.predicted)), self.columns)

    @property
    def distances(self) -> Array:
        """Shape (m,), between the centres of each pair, px."""
        apart = self.truth.points[self.rows] - self.predicted.points[self.columns]
        lengths: Array = np.hypot(apart[:, 0], apart[:, 1])
        return lengths

    @property
    def switches(self) -> list[Switch]:
        """The changes of id, by ascending frame."""
        last: dict[int, int] = {}
        found = []
        for row, column in zip(self.rows.tolist(), self.columns.tolist(), strict=True):
            one, after = int(self.truth.ids[row]), int(self.predicted.ids[column])
            before = last.get(one, after)
            if before != after:
                found.append(Switch(int(self.truth.frames[row]), one, before, after))
            last[one] = after
        return found

    @property
    def fragments(self) -> int:
        """How often a true object was lost and found again."""
        ids = self.truth.ids[self.rows]
        order = np.lexsort([self.moments, ids])
        same, ahead = np.diff(ids[order]) == 0, np.diff(self.moments[order])
        return int((same & (ahead > 1)).sum())

    def followers(self) -> dict[int, dict[int, int]]:
        """Return frames by true and predicted id, in the order in which the predictions came."""
        frames: dict[int, dict[int, int]] = defaultdict(dict)
        for row, column in zip(self.rows.tolist(), self.columns.tolist(), strict=True):
            counts = frames[int(self.truth.ids[row])]
            other = int(self.predicted.ids[column])
            counts[other] = counts.get(other, 0) + 1
        return dict(frames)


def match(comparison: Comparison) -> Matching:
    """Match as CLEAR does: keep the last frame's pairs where they still are alike, then the best.

    Bernardin & Stiefelhagen 2008, "Evaluating multiple object tracking performance".
    """
    truth, predicted = comparison.truth, comparison.predicted
    least = comparison.measure.threshold - _EPSILON
    nearest_of_truth, nearest_of_predicted = np.zeros(len(truth)), np.zeros(len(predicted))
    true_ids, of_truth = np.unique(truth.ids, return_inverse=True)
    of_predicted = np.unique(predicted.ids, return_inverse=True)[1]
    previous = np.full(len(true_ids), -1)  # number of each true object's match, -1: none
    none = np.zeros(0, np.int64)
    found = [(none, none, np.zeros(0), none)]
    for rows, columns, similarity in comparison.moments:
        if len(rows) == 0 or len(columns) == 0:
            continue  # and what was matched before still counts as the frame before
        nearest_of_truth[rows] = similarity.max(axis=1)
        nearest_of_predicted[columns] = similarity.max(axis=0)
        kept = previous[of_truth[rows]][:, None] == of_predicted[columns][None, :]
        gain = np.where(similarity < least, 0.0, similarity + _KEEP * kept)
        i, j = linear_sum_assignment(-gain)
        good = gain[i, j] > _EPSILON
        i, j = i[good], j[good]
        found.append((rows[i], columns[j], similarity[i, j], np.full(len(i), len(found))))
        previous[:] = -1
        previous[of_truth[rows[i]]] = of_predicted[columns[j]]
    every_row, every_column, alike, moments = zip(*found, strict=True)
    return Matching(
        truth=truth,
        predicted=predicted,
        rows=np.concatenate(every_row),
        columns=np.concatenate(every_column),
        similarity=np.concatenate(alike),
        moments=np.concatenate(moments),
        nearest_of_truth=nearest_of_truth,
        nearest_of_predicted=nearest_of_predicted,
    )
