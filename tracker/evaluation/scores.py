"""The scores themselves, as counts that add up over sequences.

HOTA: Luiten et al. 2021, "HOTA: a higher order metric for evaluating multi-object tracking".
MOTA, MOTP, switches, fragments: Bernardin & Stiefelhagen 2008. IDF1: Ristani et al. 2016. The
figures equal those of TrackEval's classes HOTA, CLEAR and Identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracker.evaluation.matching import Comparison, Measure, compare, match
from tracker.evaluation.trajectories import Integers, Trajectories
from tracker.types import Array

_ALPHAS = np.arange(0.05, 0.99, 0.05)  # the similarities from which HOTA counts a match
_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True)
class Scores:
    """What is said of a result: percentages, px, then counts.

    `motp` is the mean similarity of the matches (for points 1 - distance / (2 radius));
    `centre_error` is the median distance of their centres, NaN where nothing matched.
    """

    hota: float
    deta: float
    assa: float
    loca: float
    mota: float
    motp: float
    idf1: float
    centre_error: float
    false_positives: int
    misses: int
    switches: int
    fragments: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts and sums of one sequence or of several together; `+` joins them.

    Parameters
    ----------
    true_rows, predicted_rows
        How many rows there are.
    alike
        Shape (19,), matches at each of HOTA's thresholds.
    associated
        Shape (19,), sum over these matches of how well their two objects belong together.
    located
        Shape (19,), sum of their similarities.
    matches, similarity
        CLEAR's matches, and the sum of their similarities.
    switches, fragments
        Changes of id; how often a true object was lost and found again.
    distances
        Shape (matches,), between the centres of CLEAR's matches, px.
    identified
        Rows that agree when each true object is given its best id for good.
    """

    true_rows: int
    predicted_rows: int
    alike: Array
    associated: Array
    located: Array
    matches: int
    similarity: float
    switches: int
    fragments: int
    distances: Array
    identified: int

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.true_rows + other.true_rows,
            self.predicted_rows + other.predicted_rows,
            self.alike + other.alike,
            self.associated + other.associated,
            self.located + other.located,
            self.matches + other.matches,
            self.similarity + other.similarity,
            self.switches + other.switches,
            self.fragments + other.fragments,
            np.concatenate([self.distances, other.distances]),
            self.identified + other.identified,
        )

    def scores(self) -> Scores:
        """Turn the counts into scores."""
        detection = self.alike / np.maximum(1, self.true_rows + self.predicted_rows - self.alike)
        association = self.associated / np.maximum(1, self.alike)
        # Where nothing matches, nothing is out of place.
        location = np.maximum(1e-10, self.located) / np.maximum(1e-10, self.alike)
        false = self.predicted_rows - self.matches
        good = self.matches - false - self.switches
        rows = (self.true_rows + self.predicted_rows) / 2
        return Scores(
            hota=100 * float(np.sqrt(detection * association).mean()),
            deta=100 * float(detection.mean()),
            assa=100 * float(association.mean()),
            loca=100 * float(location.mean()),
            mota=100 * good / self.true_rows if self.true_rows else 0.0,
            motp=100 * self.similarity / max(1, self.matches),
            idf1=100 * self.identified / max(1.0, rows),
            centre_error=float(np.median(self.distances)) if self.matches else float("nan"),
            false_positives=false,
            misses=self.true_rows - self.matches,
            switches=self.switches,
            fragments=self.fragments,
        )


def tally(truth: Trajectories, predicted: Trajectories, measure: Measure) -> Tally:
    """Count how a result agrees with the truth of one sequence.

    Raises
    ------
    ValueError
        Where boxes are to be compared and some row has none.
    """
    comparison = compare(truth, predicted, measure)
    matching = match(comparison)
    objects = _Objects.of(comparison)
    alike, associated, located = _higher_order(comparison, objects)
    return Tally(
        true_rows=len(truth),
        predicted_rows=len(predicted),
        alike=alike,
        associated=associated,
        located=located,
        matches=len(matching.rows),
        similarity=float(matching.similarity.sum()),
        switches=len(matching.switches),
        fragments=matching.fragments,
        distances=matching.distances,
        identified=_identified(comparison, objects),
    )


def score_boxes(truth: Trajectories, predicted: Trajectories, iou: float = 0.5) -> Scores:
    """Score boxes; MOTA, MOTP and IDF1 match from `iou` on, HOTA averages over 0.05 ... 0.95."""
    return tally(truth, predicted, Measure("box", overlap=iou)).scores()


def score_points(truth: Trajectories, predicted: Trajectories, radius: float = 25) -> Scores:
    """Score points; MOTA, MOTP and IDF1 match up to `radius` px.

    The similarity falls linearly from 1 at the same place to 0.5 at the radius and 0 at twice it,
    so that HOTA's average runs over radii from 0.1 to 1.9 times the one given.
    """
    return tally(truth, predicted, Measure("point", radius=radius)).scores()


@dataclass(frozen=True, slots=True)
class _Objects:
    """The objects by number: of each row, and in how many frames each object is."""

    of_truth: Integers
    of_predicted: Integers
    true_frames: Integers
    predicted_frames: Integers

    @classmethod
    def of(cls, comparison: Comparison) -> _Objects:
        _, of_truth, true_frames = np.unique(
            comparison.truth.ids, return_inverse=True, return_counts=True
        )
        _, of_predicted, predicted_frames = np.unique(
            comparison.predicted.ids, return_inverse=True, return_counts=True
        )
        return cls(of_truth, of_predicted, true_frames[:, None], predicted_frames[None, :])

    def nothing(self) -> Array:
        """Return zeros, true objects by predicted ones."""
        return np.zeros((len(self.true_frames), self.predicted_frames.shape[1]))


def _higher_order(comparison: Comparison, objects: _Objects) -> tuple[Array, Array, Array]:
    """Return, at each threshold, HOTA's matches and the sums of their association and likeness."""
    together = objects.nothing()
    for rows, columns, similarity in comparison.moments:
        rivals = similarity.sum(axis=0)[None, :] + similarity.sum(axis=1)[:, None] - similarity
        share = np.divide(
            similarity, rivals, out=np.zeros_like(similarity), where=rivals > _EPSILON
        )
        together[np.ix_(objects.of_truth[rows], objects.of_predicted[columns])] += share
    alignment = together / (objects.true_frames + objects.predicted_frames - together)
    pairs = [np.zeros((2, 0), np.int64)]
    likeness = [np.zeros(0)]
    for rows, columns, similarity in comparison.moments:
        first, second = objects.of_truth[rows], objects.of_predicted[columns]
        i, j = linear_sum_assignment(-alignment[np.ix_(first, second)] * similarity)
        pairs.append(np.stack([first[i], second[j]]))
        likeness.append(similarity[i, j])
    (first, second), similar = np.concatenate(pairs, axis=1), np.concatenate(likeness)
    alike, associated, located = (np.zeros(len(_ALPHAS)) for _ in range(3))
    for a, alpha in enumerate(_ALPHAS):
        good = similar >= alpha - _EPSILON
        counts = objects.nothing()
        np.add.at(counts, (first[good], second[good]), 1)
        union = objects.true_frames + objects.predicted_frames - counts
        alike[a], located[a] = good.sum(), similar[good].sum()
        associated[a] = (counts * counts / np.maximum(1, union)).sum()
    return alike, associated, located


def _identified(comparison: Comparison, objects: _Objects) -> int:
    """Return the most rows that can agree when each true object gets one id, and each id one."""
    together = objects.nothing()
    for rows, columns, similarity in comparison.moments:
        i, j = np.nonzero(similarity >= comparison.measure.threshold)
        # A pair of objects occurs once in a frame, so nothing is added twice here.
        together[objects.of_truth[rows[i]], objects.of_predicted[columns[j]]] += 1
    return int(together[linear_sum_assignment(-together)].sum())
