"""Which predicted object follows which true one, frame by frame."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment
from scoring import Floats, Integers, Trajectories, overlap, point_similarity, rows_by_frame


@dataclass(frozen=True, slots=True)
class Switch:
    """A truth whose matching prediction changed."""

    frame: int
    truth: int
    before: int
    after: int


@dataclass(slots=True)
class Matching:
    """Which prediction follows which truth, frame by frame.

    Parameters
    ----------
    partner
        Predicted id by (frame, truth id).
    missed
        Overlap of the best prediction by (frame, truth id), for truths without partner.
    false
        Overlap of the best truth by (frame, predicted id), for predictions without partner.
    switches
        Changes of partner, by frame.
    """

    partner: dict[tuple[int, int], int] = field(default_factory=dict)
    missed: dict[tuple[int, int], float] = field(default_factory=dict)
    false: dict[tuple[int, int], float] = field(default_factory=dict)
    switches: list[Switch] = field(default_factory=list)

    def followers(self) -> dict[int, dict[int, int]]:
        """Frames by truth id and predicted id, in the order in which the predictions came."""
        frames: dict[int, dict[int, int]] = defaultdict(dict)
        for (_, one), other in self.partner.items():
            frames[one][other] = frames[one].get(other, 0) + 1
        return frames


def _similarities(
    truth: Trajectories, rows: Integers, predicted: Trajectories, columns: Integers, radius: float
) -> Floats:
    """Overlap of the boxes; with a radius, 1 at the same point and 0.5 at the radius."""
    if not radius:
        return overlap(truth.boxes[rows], predicted.boxes[columns])
    return point_similarity(truth.points[rows], predicted.points[columns], radius)


def match(
    truth: Trajectories, predicted: Trajectories, least: float = 0.5, radius: float = 0
) -> Matching:
    """Match as CLEAR does: keep last frame's pairs where they still overlap, then the best sum."""
    frames = np.union1d(truth.frames, predicted.frames)
    result = Matching()
    last: dict[int, int] = {}
    previous: dict[int, int] = {}
    for frame, rows, columns in zip(
        frames.tolist(),
        rows_by_frame(truth.frames, frames),
        rows_by_frame(predicted.frames, frames),
        strict=True,
    ):
        truth_ids, predicted_ids = truth.ids[rows].tolist(), predicted.ids[columns].tolist()
        similarity = _similarities(truth, rows, predicted, columns, radius)
        kept = np.array(
            [[previous.get(one) == other for other in predicted_ids] for one in truth_ids]
        ).reshape(similarity.shape)
        gain = np.where(similarity >= least, similarity + 1000 * kept, 0)
        pairs = {
            truth_ids[i]: predicted_ids[j]
            for i, j in zip(*linear_sum_assignment(-gain), strict=True)
            if gain[i, j] > 0
        }
        followed = set(pairs.values())
        for i, one in enumerate(truth_ids):
            if one in pairs:
                result.partner[frame, one] = pairs[one]
                if last.get(one, pairs[one]) != pairs[one]:
                    result.switches.append(Switch(frame, one, last[one], pairs[one]))
            else:
                result.missed[frame, one] = float(similarity[i].max(initial=0))
        for j, other in enumerate(predicted_ids):
            if other not in followed:
                result.false[frame, other] = float(similarity[:, j].max(initial=0))
        last.update(pairs)
        if truth_ids and predicted_ids:
            previous = pairs
    return result
