"""What the tracker must show on real clips and on the demo clip, by the real command.

The bounds are those the project promises, not those it reaches; see the README for these.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tracker.cli import main
from tracker.evaluation import Trajectories, read_rows, read_truth, score_boxes, score_points

ROOT = Path(__file__).parents[1]


def run(*words: object) -> None:
    """Run the command, which is to end well."""
    assert not main(["run", *map(str, words), "--no-video"])


@pytest.mark.clips
def test_pedestrians(data: Path, tmp_path: Path) -> None:
    folder = data / "pets09_s2l1"
    run(folder / "vtest.avi", "--out", tmp_path)
    scores = score_boxes(read_truth(folder / "gt.txt"), read_rows(tmp_path / "mot.txt"))
    assert scores.hota >= 55
    assert scores.mota >= 70
    assert scores.idf1 >= 72


@pytest.mark.clips
def test_a_mouse_whose_film_needs_the_note_of_its_encoder(data: Path, tmp_path: Path) -> None:
    """Samples were garbage, and so was the background, wherever a decoder began later."""
    run(data / "robustness" / "mouse_openfield.mp4", "--max-frames", 600, "--out", tmp_path)
    tracks = read_rows(tmp_path / "tracks.csv")
    assert set(tracks.ids) == {1}
    assert len(tracks.ids) == 600


@pytest.mark.clips
def test_fish_of_a_known_number(data: Path, tmp_path: Path) -> None:
    folder = data / "idtrackerai_a"
    run(folder / "test_A.avi", "--objects", 8, "--out", tmp_path)
    tracks = read_rows(tmp_path / "tracks.csv")
    rows = np.genfromtxt(folder / "peer_idtrackerai_test_A.csv", delimiter=",", skip_header=1)
    rows = rows[~np.isnan(rows).any(axis=1)]
    found = 0
    for frame, _, x, y in rows:
        here = tracks.points[tracks.frames == frame]
        found += bool((np.hypot(*(here - (x, y)).T) < 20).any())
    assert found / len(rows) >= 0.95
    assert len(np.unique(tracks.ids)) == 8


@pytest.mark.clips
def test_fish_are_counted(data: Path, tmp_path: Path) -> None:
    run(data / "idtrackerai_a" / "test_A.avi", "--out", tmp_path)
    tracks = read_rows(tmp_path / "tracks.csv")
    counts = np.bincount(tracks.frames)[28:]
    assert np.mean(counts == 8) >= 0.95


@pytest.mark.clips
def test_mouse_lies_between_what_other_tools_say(data: Path, tmp_path: Path) -> None:
    folder = data / "tracktor_mouse"
    run(folder / "mouse_video.mp4", "--max-frames", 1500, "--out", tmp_path)
    tracks = read_rows(tmp_path / "tracks.csv")
    ids, counts = np.unique(tracks.ids, return_counts=True)
    mouse = tracks.select(tracks.ids == ids[counts.argmax()])
    assert len(mouse.frames) > 1480
    assert len(ids) <= 2  # though the camera adjusts its exposure
    rows = np.genfromtxt(folder / "mouse_video_tracked.csv", delimiter=",", skip_header=1)
    frames, peer = rows[:, 1].astype(int) - 1, rows[:, 2:4]
    _, mine, theirs = np.intersect1d(mouse.frames, frames, return_indices=True)
    apart = np.linalg.norm(mouse.points[mine] - peer[theirs], axis=1)
    assert np.median(apart) < 2.9  # as far as the tools are from one another


@pytest.mark.clips
def test_a_group_that_stands_for_the_whole_film_is_an_object(data: Path, tmp_path: Path) -> None:
    run(data / "robustness" / "people_drift.mp4", "--out", tmp_path)
    tracks = read_rows(tmp_path / "tracks.csv")
    there = np.hypot(*(tracks.points - (141, 184)).T) < 25
    _, counts = np.unique(tracks.ids[there], return_counts=True)
    assert counts.max() > 0.95 * (tracks.frames.max() + 1)


@pytest.mark.clips
def test_objects_are_kept_while_the_light_goes(data: Path, tmp_path: Path) -> None:
    """A lamp goes out between frames 165 and 260, while parts of the scene have begun to move."""
    run(data / "robustness" / "lights_change.mp4", "--out", tmp_path)
    tracks = read_rows(tmp_path / "tracks.csv")
    before, after = (set(tracks.ids[tracks.frames == frame]) for frame in (200, 300))
    assert len(before) >= 2
    assert before <= after
    assert len(after - before) <= len(before & after)
    assert len(np.unique(tracks.ids)) < 20


@pytest.mark.clips
def test_demo_clip(tmp_path: Path) -> None:
    run(ROOT / "videos" / "demo.mp4", "--out", tmp_path)
    truth = read_rows(ROOT / "videos" / "demo_truth.csv")
    tracks = read_rows(tmp_path / "tracks.csv")
    scores = score_points(truth, tracks)
    assert scores.switches == 0
    assert len(np.unique(tracks.ids)) == len(np.unique(truth.ids))
    assert np.median(_errors(truth, tracks)) < 1.5
    assert json.loads((tmp_path / "run.json").read_text())["source"]["verdict"] == "complete"


def _errors(truth: Trajectories, tracks: Trajectories) -> list[float]:
    """Return the distance of each true centre to the nearest track, px."""
    return [
        float(np.hypot(*(tracks.points[tracks.frames == frame] - point).T).min(initial=np.inf))
        for frame, point in zip(truth.frames, truth.points, strict=True)
    ]
