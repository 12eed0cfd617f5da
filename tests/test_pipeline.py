"""The fold over frames, and what a whole run adds to it."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker import Config, Frame, Job, Points, Scene, Snapshot, SourceError, Tracker, run, track
from tracker.config import OutputOptions, TrackingOptions
from tracker.pipeline import Timings
from tracker.sources.base import SourceFacts, Verdict
from tracker.types import Footprint

TABLES_ALONE = Config(output=OutputOptions(video=False))


class Squares:
    """A foreground model for tests: two squares that walk, whatever the picture shows."""

    scene = Scene()

    def __init__(self) -> None:
        self.protected: list[int] = []

    def points(self, frame: Frame, protect: Footprint | None = None) -> Points:
        self.protected.append(0 if protect is None else len(protect.means))
        return Points(self.coordinates(frame.index))

    @staticmethod
    def coordinates(index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        square = np.argwhere(np.ones((12, 12))).astype(float)
        return np.concatenate(
            [square + np.array([20 + 3 * index, 20]), square + np.array([150 - 3 * index, 90])]
        )


def frames(count: int = 20) -> list[Frame]:
    image = np.zeros((120, 160, 3), np.uint8)
    return [Frame(i, i / 20, image) for i in range(count)]


def described(snapshot: Snapshot) -> bytes:
    return pickle.dumps(replace(snapshot, foreground=None))


def test_track_is_the_tracker_fed_frame_by_frame() -> None:
    model, tracker = Squares(), Tracker()
    for frame, snapshot in track(frames(), model, TrackingOptions()):
        again = tracker.update(model.coordinates(frame.index), time=frame.time)
        assert described(snapshot) == described(again)
        assert snapshot.foreground is not None
        assert len(snapshot.foreground) == 288
    assert len(snapshot.tracks) == 2
    assert model.protected[0] == 0
    assert model.protected[-1] >= 2


def test_the_time_of_each_stage_is_counted_once() -> None:
    timings = Timings()
    list(track(frames(), Squares(), TrackingOptions(), timings))
    assert set(timings.seconds) == {"read", "foreground", "track"}
    assert all(seconds > 0 for seconds in timings.seconds.values())


def test_no_frames_are_an_ordinary_case() -> None:
    assert list(track([], Squares(), TrackingOptions())) == []


def test_a_run_counts_and_is_watched(clip: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        seen.append((snapshot.frame, facts.decoded_frames))

    job = Job(spec=str(clip), out=tmp_path, config=TABLES_ALONE, max_frames=25)
    outcome = run(job, watch=watch)
    assert (outcome.frames, outcome.objects) == (25, 2)
    assert (outcome.verdict, outcome.interrupted) == (Verdict.STOPPED, False)
    assert seen == [(i, i + 1) for i in range(25)]


def test_two_runs_in_threads_do_not_disturb_one_another(clip: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in "ab"]
    jobs = [Job(spec=str(clip), out=out, config=TABLES_ALONE) for out in outs]
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tables = [(out / "tracks.csv").read_bytes() for out in outs]
    assert tables[0] == tables[1]
    assert b"\n59,2," in tables[0]


def test_an_interrupt_ends_a_run_after_the_frame_in_work(clip: Path, tmp_path: Path) -> None:
    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        if snapshot.frame == 9:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = run(Job(spec=str(clip), out=tmp_path, config=TABLES_ALONE), watch=watch)
    assert outcome.interrupted
    assert outcome.frames == 10
    assert not list(tmp_path.glob("*.partial"))


def test_a_failure_leaves_partial_results(clip: Path, tmp_path: Path) -> None:
    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        if snapshot.frame == 9:
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        run(Job(spec=str(clip), out=tmp_path, config=TABLES_ALONE), watch=watch)
    names = {path.name for path in tmp_path.iterdir()}
    results = ("tracks.csv", "contacts.csv", "frames.csv", "mot.txt", "run.json")
    assert names == {f"{result}.partial" for result in results}


def test_a_source_that_is_none_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        run(Job(spec=str(tmp_path / "nowhere.mp4"), out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_one_frame_is_an_ordinary_case(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "only.png"), np.full((48, 64, 3), 90, np.uint8))
    outcome = run(Job(spec=str(tmp_path / "*.png"), out=tmp_path / "out", config=TABLES_ALONE))
    assert (outcome.frames, outcome.objects, outcome.verdict) == (1, 0, Verdict.COMPLETE)


@pytest.mark.parametrize("leg", [1, 2])
def test_an_interrupt_of_a_second_pass_leaves_whole_tables(
    clip: Path, tmp_path: Path, leg: int
) -> None:
    frames: list[int] = []

    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        frames.append(snapshot.frame)
        if len(frames) == 30 * leg + 10:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = run(Job(spec=str(clip), out=tmp_path, max_frames=30, refine=True), watch=watch)
    assert outcome.interrupted
    assert frames[:40] == [*range(30), *reversed(range(20, 30))]
    assert not list(tmp_path.glob("*.partial"))
    assert (tmp_path / "overlay.mp4").exists() == (leg == 2)
    figures = "causal" if leg == 1 else "refined"
    assert f'"figures": "{figures}"' in (tmp_path / "run.json").read_text()
    rows = (tmp_path / "mot.txt").read_text().split()
    assert rows[-1].startswith("30,")
