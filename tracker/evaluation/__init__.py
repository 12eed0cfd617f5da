"""How well a result agrees with the truth: HOTA, CLEAR, IDF1 and the error of the centres."""

from tracker.evaluation.matching import Comparison, Matching, Measure, Switch, compare, match
from tracker.evaluation.reading import Sequence, find_sequences, read_rows, read_truth
from tracker.evaluation.scores import Scores, Tally, score_boxes, score_points, tally
from tracker.evaluation.trajectories import Integers, Trajectories

__all__ = [
    "Comparison",
    "Integers",
    "Matching",
    "Measure",
    "Scores",
    "Sequence",
    "Switch",
    "Tally",
    "Trajectories",
    "compare",
    "find_sequences",
    "match",
    "read_rows",
    "read_truth",
    "score_boxes",
    "score_points",
    "tally",
]
