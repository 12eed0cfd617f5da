"""The benchmarks' scores against cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matching import match
from overlay_sheet import report, runs
from scoring import (
    Trajectories,
    overlap,
    read,
    read_truth,
    rows_by_frame,
    score_boxes,
    score_points,
)


def walkers(frames: int = 10) -> Trajectories:
    """Objects 1 and 2, 100 px apart, boxes of 20 x 40 px, both in all frames."""
    rows = [(i, k, 5 * i, 100 * k, 20, 40) for i in range(frames) for k in (1, 2)]
    values = np.array(rows, float)
    return Trajectories.of_boxes(values[:, 0], values[:, 1], values[:, 2:])


def renamed(rows: Trajectories, ids: np.ndarray) -> Trajectories:
    return Trajectories(rows.frames, ids.astype(np.int64), rows.boxes, rows.points)


def test_truth_against_itself_is_perfect() -> None:
    truth = walkers()
    for scores in (score_boxes(truth, truth), score_points(truth, truth)):
        assert scores.hota == scores.mota == scores.motp == scores.idf1 == pytest.approx(100)
        assert scores.false_positives == scores.misses == scores.switches == scores.fragments == 0


def test_exchanged_ids_count_as_two_switches() -> None:
    truth = walkers()
    late = truth.frames >= 6
    predicted = renamed(truth, np.where(late, 3 - truth.ids, truth.ids) + 10)
    scores = score_boxes(truth, predicted)
    assert scores.switches == 2
    assert scores.mota == pytest.approx(100 * (1 - 2 / 20))
    assert scores.idf1 == pytest.approx(100 * 12 / 20)  # six of ten frames under the one id
    assert scores.deta == pytest.approx(100)
    # 6 of each truth's 10 frames share 6 of 14 with one id, 4 share 4 of 16 with the other
    assert scores.assa == pytest.approx(100 * (0.6 * 6 / 14 + 0.4 * 4 / 16))
    assert [(s.frame, s.truth, s.before, s.after) for s in match(truth, predicted).switches] == [
        (6, 1, 11, 12),
        (6, 2, 12, 11),
    ]


def test_a_gap_and_a_ghost_are_counted_and_listed() -> None:
    truth = walkers()
    gap = (truth.ids == 2) & (truth.frames >= 3) & (truth.frames <= 5)
    kept = truth.select(~gap)
    predicted = Trajectories.of_boxes(
        [*kept.frames, 7, 8], [*kept.ids, 9, 9], [*kept.boxes, *[[300, 300, 20, 40]] * 2]
    )
    scores = score_boxes(truth, predicted)
    assert (scores.misses, scores.false_positives, scores.switches) == (3, 2, 0)
    assert scores.fragments == 1
    assert scores.mota == pytest.approx(100 * (1 - 5 / 20))
    matching = match(truth, predicted)
    assert set(matching.missed) == {(3, 2), (4, 2), (5, 2)}
    assert set(matching.false) == {(7, 9), (8, 9)}
    assert matching.followers() == {1: {1: 10}, 2: {2: 7}}
    text = report(matching, truth, predicted)
    assert "T2: 3 / 10, near 0: 3-5@25,220" in text
    assert "P9: 2 / 2, near 0: 7-8@310,320" in text


@pytest.mark.parametrize(("shift", "matched"), [(24.9, True), (25.1, False)])
def test_points_match_up_to_the_radius(shift: float, matched: bool) -> None:
    truth = walkers()
    moved = Trajectories.of_points(truth.frames, truth.ids, truth.points + np.array([shift, 0]))
    scores = score_points(truth, moved, radius=25)
    assert scores.misses == scores.false_positives == (0 if matched else len(truth))
    # alphas up to 0.5 accept 0.502, up to 0.45 accept 0.498
    assert scores.hota == pytest.approx(100 * (10 if matched else 9) / 19)


def test_boxes_match_from_the_overlap_on() -> None:
    truth = walkers()
    half = Trajectories.of_boxes(truth.frames, truth.ids, truth.boxes * [1, 1, 1, 0.5])
    assert score_boxes(truth, half, iou=0.5).misses == 0
    assert score_boxes(truth, half, iou=0.51).misses == len(truth)


def test_matching_agrees_with_the_scores_on_a_disorderly_prediction() -> None:
    rng = np.random.default_rng(4)
    truth = walkers(60)
    kept = truth.select(rng.random(len(truth)) > 0.2)
    noisy = Trajectories.of_boxes(
        kept.frames,
        np.where(rng.random(len(kept)) < 0.1, kept.ids + 10, kept.ids),
        kept.boxes + rng.normal(0, 4, kept.boxes.shape),
    )
    scores, matching = score_boxes(truth, noisy), match(truth, noisy)
    assert scores.switches == len(matching.switches) > 5
    assert scores.misses == len(matching.missed) > 5
    assert scores.false_positives == len(matching.false) > 5


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [10, 0, 5, 5], [0, 0, 0, 0]], float)
    assert overlap(boxes[:1], boxes)[0] == pytest.approx([1, 1 / 3, 0, 0])


def test_nothing_predicted_and_nothing_there() -> None:
    truth, empty = walkers(), Trajectories.of_boxes([], [], [])
    scores = score_boxes(truth, empty)
    assert (scores.hota, scores.misses, scores.false_positives) == (0, 20, 0)
    assert score_boxes(empty, truth).false_positives == 20


def test_two_rows_of_one_object_in_one_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="Object 1 has more than one row in frame 3"):
        Trajectories.of_points([3, 3], [1, 1], [[0, 0], [1, 1]])


def test_both_file_kinds_are_read_alike(tmp_path: Path) -> None:
    truth = walkers(3)
    mot, table = tmp_path / "mot.txt", tmp_path / "tracks.csv"
    lines, rows = [], ["frame,particle,x,y,left,top,width,height"]
    for frame, one, box, point in zip(
        truth.frames, truth.ids, truth.boxes, truth.points, strict=True
    ):
        size = ",".join(map(str, box))
        lines.append(f"{frame + 1},{one},{size},{int(frame != 1)},-1,-1,-1")
        rows.append(f"{frame},{one},{point[0]},{point[1]},{size}")
    mot.write_text("\n".join(lines))
    table.write_text("\n".join(rows))
    for found in (read(mot), read(table), read_truth(table)):
        assert found.keys() == truth.keys()
        np.testing.assert_array_equal(found.boxes, truth.boxes)
        np.testing.assert_array_equal(found.points, truth.points)
    assert set(read_truth(mot).frames.tolist()) == {0, 2}  # a flag of 0: not to be counted
    table.write_text("frame,particle\n0,1\n")
    with pytest.raises(ValueError, match="has no column 'left'"):
        read(table)


def test_rows_are_grouped_by_frame() -> None:
    groups = rows_by_frame(np.array([4, 1, 4, 2]), np.array([0, 1, 2, 4, 5]))
    assert [group.tolist() for group in groups] == [[], [1], [3], [0, 2], []]


def test_runs_join_consecutive_frames() -> None:
    assert runs([5, 1, 2, 3, 9]) == [(1, 3), (5, 5), (9, 9)]
