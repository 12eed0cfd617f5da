"""The scores against TrackEval's, and against cases worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_sheet import report, runs
from trackeval.metrics import CLEAR, HOTA, Identity

from tracker.cli import main
from tracker.errors import SourceError
from tracker.evaluation import (
    Comparison,
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
    tally,
)
from tracker.evaluation.matching import overlap

BOXES = Measure("box")


def walkers(frames: int = 10) -> Trajectories:
    """Objects 1 and 2, 100 px apart, boxes of 20 x 40 px, both in all frames."""
    rows = [(i, k, 5 * i, 100 * k, 20, 40) for i in range(frames) for k in (1, 2)]
    values = np.array(rows, float)
    return Trajectories.of_boxes(values[:, 0], values[:, 1], values[:, 2:])


def renamed(rows: Trajectories, ids: np.ndarray) -> Trajectories:
    return Trajectories(rows.frames, ids.astype(np.int64), rows.boxes, rows.points)


def matched(truth: Trajectories, predicted: Trajectories) -> Matching:
    return match(compare(truth, predicted, BOXES))


# Against TrackEval --------------------------------------------------------------------------------


def of_trackeval(comparisons: list[Comparison]) -> dict[str, float]:
    """Score one sequence, or several together, with the classes of TrackEval."""
    found: dict[str, list[dict[str, object]]] = {"HOTA": [], "CLEAR": [], "Identity": []}
    options = {"THRESHOLD": comparisons[0].measure.threshold, "PRINT_CONFIG": False}
    metrics = {"HOTA": HOTA(), "CLEAR": CLEAR(options), "Identity": Identity(options)}
    for comparison in comparisons:
        truth, predicted = comparison.truth, comparison.predicted
        true_ids, of_truth = np.unique(truth.ids, return_inverse=True)
        predicted_ids, of_predicted = np.unique(predicted.ids, return_inverse=True)
        data = {
            "num_timesteps": len(comparison.moments),
            "num_gt_ids": len(true_ids),
            "num_tracker_ids": len(predicted_ids),
            "num_gt_dets": len(truth),
            "num_tracker_dets": len(predicted),
            "gt_ids": [of_truth[moment.rows] for moment in comparison.moments],
            "tracker_ids": [of_predicted[moment.columns] for moment in comparison.moments],
            "similarity_scores": [moment.similarity for moment in comparison.moments],
        }
        for name, metric in metrics.items():
            found[name].append(metric.eval_sequence(data))
    hota, clear, identity = (
        results[0]
        if len(results) == 1
        else metrics[name].combine_sequences(dict(enumerate(results)))
        for name, results in found.items()
    )
    return {
        "hota": 100 * np.mean(hota["HOTA"]),
        "deta": 100 * np.mean(hota["DetA"]),
        "assa": 100 * np.mean(hota["AssA"]),
        "loca": 100 * np.mean(hota["LocA"]),
        "mota": 100 * clear["MOTA"],
        "motp": 100 * clear["MOTP"],
        "idf1": 100 * identity["IDF1"],
        "false_positives": clear["CLR_FP"],
        "misses": clear["CLR_FN"],
        "switches": clear["IDSW"],
        "fragments": clear["Frag"],
    }


def assert_equal(scores: Scores, theirs: dict[str, float]) -> None:
    for name, value in theirs.items():
        assert getattr(scores, name) == pytest.approx(value, abs=1e-9), name


@st.composite
def sequences(draw: st.DrawFn) -> tuple[Trajectories, Trajectories]:
    """A random truth, and a result with shaken boxes, gaps, ghosts and exchanged ids."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    objects, frames = draw(st.integers(0, 5)), draw(st.integers(1, 12))
    shake = draw(st.sampled_from([0.0, 2.0, 8.0]))
    frame, one = (values.ravel() for values in np.mgrid[0:frames, 0:objects])
    corners = rng.uniform(0, 60, (objects, 2))[one] + 3.0 * frame[:, None]
    truth = Trajectories.of_boxes(frame, one, np.hstack([corners, np.full((len(one), 2), 20.0)]))
    truth = truth.select(rng.random(len(truth)) > draw(st.sampled_from([0.0, 0.4])))
    kept = truth.select(rng.random(len(truth)) > draw(st.sampled_from([0.0, 0.3, 1.0])))
    other = rng.random(len(kept)) < draw(st.sampled_from([0.0, 0.3]))
    ghosts = int(rng.integers(0, frames + 1))
    boxes = np.vstack([kept.boxes, rng.uniform(10, 60, (ghosts, 4))])
    predicted = Trajectories.of_boxes(
        np.concatenate([kept.frames, rng.permutation(frames)[:ghosts]]),
        np.concatenate([np.where(other, kept.ids + 10, kept.ids), np.full(ghosts, 99)]),
        boxes + rng.normal(0, shake + 1e-6, boxes.shape) * [1, 1, 0.2, 0.2],
    )
    return truth, predicted


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(sequences(), min_size=1, max_size=3), st.sampled_from(["box", "point"]))
def test_scores_equal_those_of_trackeval(
    pairs: list[tuple[Trajectories, Trajectories]], by: str
) -> None:
    measure = Measure("box", overlap=0.5) if by == "box" else Measure("point", radius=9)
    for pair in pairs:
        assert_equal(tally(*pair, measure).scores(), of_trackeval([compare(*pair, measure)]))
    whole, *others = (tally(*pair, measure) for pair in pairs)
    for other in others:
        whole += other
    comparisons = [compare(*pair, measure) for pair in pairs]
    # Without any truth TrackEval's MOTA is 0 for one sequence, and minus the false rows for more.
    if any(len(truth) for truth, _ in pairs):
        assert_equal(whole.scores(), of_trackeval(comparisons))


@pytest.mark.clips
@pytest.mark.parametrize("measure", [BOXES, Measure("point", radius=25)], ids=["box", "point"])
def test_scores_on_pedestrians_equal_those_of_trackeval(
    data: Path, tmp_path: Path, measure: Measure
) -> None:
    folder = data / "pets09_s2l1"
    assert main(["run", str(folder / "vtest.avi"), "--no-video", "--out", str(tmp_path)]) == 0
    truth, predicted = read_truth(folder / "gt.txt"), read_rows(tmp_path / "tracks.csv")
    comparison = compare(truth, predicted, measure)
    assert_equal(tally(truth, predicted, measure).scores(), of_trackeval([comparison]))


# By hand ------------------------------------------------------------------------------------------


def test_truth_against_itself_is_perfect() -> None:
    truth = walkers()
    for scores in (score_boxes(truth, truth), score_points(truth, truth)):
        assert scores.hota == scores.mota == scores.motp == scores.idf1 == pytest.approx(100)
        assert scores.false_positives == scores.misses == scores.switches == scores.fragments == 0
        assert scores.centre_error == 0


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
    assert [(s.frame, s.truth, s.before, s.after) for s in matched(truth, predicted).switches] == [
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
    matching = matched(truth, predicted)
    assert truth.select(matching.missed).keys() == [(3, 2), (4, 2), (5, 2)]
    assert predicted.select(matching.false).keys() == [(7, 9), (8, 9)]
    assert matching.followers() == {1: {1: 10}, 2: {2: 7}}
    text = report(matching)
    assert "T2: 3 / 10, near 0: 3-5@25,220" in text
    assert "P9: 2 / 2, near 0: 7-8@310,320" in text


@pytest.mark.parametrize(("shift", "matched"), [(24.9, True), (25.1, False)])
def test_points_match_up_to_the_radius(shift: float, matched: bool) -> None:
    truth = walkers()
    moved = Trajectories.of_points(truth.frames, truth.ids, truth.points + np.array([shift, 0]))
    scores = score_points(truth, moved, radius=25)
    assert scores.centre_error == pytest.approx(shift) if matched else np.isnan(scores.centre_error)
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
    scores, matching = score_boxes(truth, noisy), matched(truth, noisy)
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
    with pytest.raises(ValueError, match="object 1 has more than one row in frame 3"):
        Trajectories.of_points([3, 3], [1, 1], [[0, 0], [1, 1]])


def test_rows_are_grouped_by_frame() -> None:
    rows = Trajectories.of_points([4, 1, 4, 2], [1, 2, 3, 4], np.zeros((4, 2)))
    groups = rows.by_frame(np.array([0, 1, 2, 4, 5]))
    assert [group.tolist() for group in groups] == [[], [1], [3], [0, 2], []]


def test_runs_join_consecutive_frames() -> None:
    assert runs([5, 1, 2, 3, 9]) == [(1, 3), (5, 5), (9, 9)]


# Files --------------------------------------------------------------------------------------------


def write_mot(path: Path, rows: Trajectories, flag: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{frame + 1},{one},{','.join(map(str, box))},{flag},-1,-1,-1"
        for (frame, one), box in zip(rows.keys(), rows.boxes.tolist(), strict=True)
    ]
    path.write_text("\n".join(lines))


def write_table(path: Path, rows: Trajectories, header: str = "frame,particle,x,y") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{frame},{one},{x},{y}"
        for (frame, one), (x, y) in zip(rows.keys(), rows.points.tolist(), strict=True)
    ]
    path.write_text("\n".join([header, *lines]))


def test_all_kinds_of_files_are_read_alike(tmp_path: Path) -> None:
    truth = walkers(3)
    mot, points, table = (tmp_path / name for name in ("mot.txt", "points.csv", "tracks.csv"))
    write_mot(mot, truth)
    write_table(points, truth, header="frame, ID, x, y")
    cells = np.column_stack([truth.frames, truth.ids, truth.boxes, truth.points])
    np.savetxt(
        table,
        cells,
        delimiter=",",
        header="frame,particle,left,top,width,height,x,y",
        comments="",
    )
    for path in (mot, points, table):
        found = read_rows(path)
        assert found.keys() == read_truth(path).keys() == truth.keys()
        np.testing.assert_array_equal(found.points, truth.points)
        if path != points:
            np.testing.assert_array_equal(found.boxes, truth.boxes)
    write_mot(mot, truth, flag=0)
    assert (len(read_truth(mot)), len(read_rows(mot))) == (0, len(truth))  # 0: does not count
    points.write_text("frame,id,x,y\n0,1,5,NaN\n0,2,,7\n\n0,3,5,7\n")
    assert read_rows(points).keys() == [(0, 3)]
    points.write_text("")
    assert len(read_rows(points)) == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("frame,particle\n0,1\n", "the table has no column 'x', only frame, particle;"),
        ("frame,x,y\n0,1,2\n", "the table has no column 'particle'"),
        ("1,2,3\n", "rows of MOT text have at least 6 columns, not 3;"),
        ("1,2,3,4,5,6\n1,2,3\n", "line 2 is '1,2,3', with too few columns"),
        ("frame,id,x,y\n0,1,a,2\n", "line 2 is '0,1,a,2'"),
        ("frame,id,x,y\n0.5,1,2,2\n", "frame is 0.5 in some row; give whole numbers"),
        ("frame,id,x,y\n3,1,2,2\n3,1,2,2\n", "object 1 has more than one row in frame 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_sentence(
    tmp_path: Path, content: str, sentence: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(SourceError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with pytest.raises(SourceError, match="No such file or directory; check the name"):
        read_rows(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="is not text; give MOT text"):
        read_rows(path)


# Command ------------------------------------------------------------------------------------------


def test_the_command_scores_folders_of_sequences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = walkers(8), walkers(5)
    write_mot(tmp_path / "truth" / "one" / "gt" / "gt.txt", one)
    write_mot(tmp_path / "truth" / "other.txt", other)
    write_mot(tmp_path / "found" / "one.txt", one.select(one.frames < 6))
    write_mot(tmp_path / "found" / "other" / "mot.txt", other)
    folders = [str(tmp_path / "truth"), str(tmp_path / "found")]
    assert main(["eval", *folders, "--per-sequence", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["by"], said["iou"]) == ("box", 0.5)
    assert {name: scores["misses"] for name, scores in said["sequences"].items()} == {
        "one": 4,
        "other": 0,
    }
    assert said["all"]["misses"] == 4
    assert said["all"]["mota"] == pytest.approx(100 * 22 / 26)
    assert main(["eval", *folders]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "boxes, overlap at least 0.5"
    assert [line.split()[0] for line in lines[2:]] == ["all"]
    assert main(["eval", *folders, "--per-sequence"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["one", "other", "all"]
    (tmp_path / "found" / "one.txt").unlink()
    assert main(["eval", *folders]) == 3
    assert "the sequence one has no result in" in capsys.readouterr().err


def test_the_command_takes_points_where_there_are_no_boxes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = walkers(4)
    truth, found = tmp_path / "points.csv", tmp_path / "mot.txt"
    write_table(truth, rows)
    write_mot(found, rows)
    assert main(["eval", str(truth), str(found), "--json", "--radius", "3"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["by"], said["radius"], said["all"]["hota"]) == ("point", 3, pytest.approx(100))
    assert main(["eval", str(truth), str(found), "--by", "box"]) == 2
    assert "some rows have none; use --by point" in capsys.readouterr().err
    found.write_text("")
    assert main(["eval", str(truth), str(found), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["all"]["centre_error"] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nothing", "nothing"), "there is no such file or folder"),
        ((".", "."), "there is no truth in"),
        (("rows.csv", "."), "is a folder without tracks.csv or mot.txt"),
    ],
)
def test_the_command_says_what_it_cannot_find(
    words: tuple[str, str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "rows.csv" in words:
        write_table(tmp_path / "rows.csv", walkers(2))
    assert main(["eval", *words]) == 3
    assert sentence in capsys.readouterr().err
