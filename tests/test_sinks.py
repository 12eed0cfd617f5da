"""Results: whole or not under their final names, readable by others, and safe from crashes."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracker.beside import launch, reserve
from tracker.config import Config, OutputOptions, OverlayOptions
from tracker.errors import OutputError
from tracker.sinks import (
    ContactsTable,
    FramesTable,
    Health,
    MotTable,
    Sinks,
    TracksTable,
    open_sinks,
)
from tracker.sinks.tables import axes
from tracker.sinks.video import OverlayVideo
from tracker.sinks.viewer import Viewer
from tracker.sources.base import SourceFacts, Verdict
from tracker.types import (
    Contact,
    ContactStage,
    Diagnostics,
    Event,
    Frame,
    Snapshot,
    Status,
    Track,
)

FACTS = SourceFacts(
    spec="clip.mp4", kind="file", width=64, height=48, fps=25.0, live=False, time_base="container"
)
NAMES = ("tracks.csv", "contacts.csv", "frames.csv", "mot.txt", "overlay.mp4", "run.json")


def track(identity: int, x: float, y: float, status: Status = Status.SEEN) -> Track:
    return Track(
        id=identity,
        mean=np.array([x, y]),
        covariance=np.array([[16.0, 0.0], [0.0, 4.0]]),
        position_covariance=np.array([[0.25, 0.0], [0.0, 0.04]]),
        velocity=np.array([5.0, -2.5]),
        box=np.array([x - 8, y - 4, 16.0, 8.0]),
        mass=100.0,
        age=7,
        status=status,
        confidence=0.9,
        identity_confidence=0.8,
    )


def items(count: int, size: tuple[int, int] = (64, 48)) -> list[tuple[Frame, Snapshot]]:
    """Frames with two objects, of grey levels that tell them apart."""
    width, height = size
    made = []
    for index in range(count):
        image = np.full((height, width, 3), 60 + 4 * (index % 40), np.uint8)
        tracks = (track(1, 20 + index % 9, 20), track(3, 40, 30, Status.COASTING))
        events = (Event("birth", (1,), "one"),) if index == 0 else ()
        made.append(
            (
                Frame(index, index / 25, image),
                Snapshot(index, index / 25, tracks, Diagnostics(events=events)),
            )
        )
    return made


def fill(folder: Path, count: int, config: Config | None = None) -> None:
    with open_sinks(folder, config or Config(), lambda: FACTS, seconds={"track": 1.5}) as sinks:
        for frame, snapshot in items(count):
            sinks.write(frame, snapshot)


def present(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_results_stand_under_their_final_names(tmp_path: Path) -> None:
    fill(tmp_path / "new" / "out", 30)
    assert present(tmp_path / "new" / "out") == set(NAMES)


def test_results_are_partial_until_the_end(tmp_path: Path) -> None:
    with open_sinks(tmp_path, Config(), lambda: FACTS) as sinks:
        for frame, snapshot in items(3):
            sinks.write(frame, snapshot)
        assert present(tmp_path) == {name + ".partial" for name in NAMES}


def test_contacts_have_a_row_once_they_are_judged(tmp_path: Path) -> None:
    def contact(pair: tuple[int, int], stage: str, *, touching: bool, swap: float) -> Contact:
        return Contact(pair, ContactStage(stage), touching, 0.5, swap, "motion")

    by_frame = {
        2: (contact((1, 3), "open", touching=True, swap=0.1),),
        4: (
            contact((1, 3), "open", touching=True, swap=0.2),
            contact((3, 4), "open", touching=True, swap=0.0),
        ),
        5: (contact((1, 3), "open", touching=False, swap=0.2),),
        9: (contact((1, 3), "parted", touching=False, swap=0.05),),
        11: (contact((1, 3), "lost", touching=False, swap=0.3),),
    }
    path = tmp_path / "contacts.csv"
    with ContactsTable(path) as table:
        for frame, snapshot in items(12):
            diagnostics = Diagnostics(contacts=by_frame.get(frame.index, ()))
            table.write(frame, replace(snapshot, diagnostics=diagnostics))
        judged = (tmp_path / "contacts.csv.partial").read_text().splitlines()
        assert [line.rpartition(",")[2] for line in judged] == ["stage", "parted", "lost"]
    with path.open() as file:
        rows = list(csv.DictReader(file))
    frames = [tuple(row[k] for k in ("episode", "from_frame", "to_frame", "stage")) for row in rows]
    assert frames == [("1", "2", "4", "parted"), ("3", "11", "11", "lost"), ("2", "4", "4", "open")]
    assert [float(row["p_swap"]) for row in rows] == [0.05, 0.3, 0.0]


def test_frames_table_tells_how_each_frame_went(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    how = Diagnostics(
        points=900, unexplained=0.25, log_likelihood=-3.5, iterations=4, flood=True, drift=3.25
    )
    with FramesTable(path) as table:
        for frame, snapshot in items(3):
            table.write(frame, replace(snapshot, diagnostics=how))
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["0", "1", "2"]
    assert {key: float(value) for key, value in rows[0].items()} == {
        "frame": 0,
        "time": 0,
        "tracks": 2,
        "starved": 1,
        "points": 900,
        "unexplained": 0.25,
        "log_likelihood": -3.5,
        "iterations": 4,
        "flood": 1,
        "drift": 3.2,
    }


def test_an_interrupt_leaves_whole_results(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_sinks(tmp_path, Config(), lambda: FACTS) as sinks:
        for frame, snapshot in items(12):
            sinks.write(frame, snapshot)
        raise KeyboardInterrupt
    assert present(tmp_path) == set(NAMES)
    assert json.loads((tmp_path / "run.json").read_text())["state"] == "interrupted"
    assert len(decoded(tmp_path / "overlay.mp4")) == 12


def test_an_error_leaves_partial_results_and_those_of_the_earlier_run(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    before = {name: (tmp_path / name).read_bytes() for name in NAMES}
    with (
        pytest.raises(ZeroDivisionError),
        open_sinks(tmp_path, Config(), lambda: FACTS) as sinks,
    ):
        for frame, snapshot in items(9):
            sinks.write(frame, snapshot)
        raise ZeroDivisionError("by zero")
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == before
    record = json.loads((tmp_path / "run.json.partial").read_text())
    assert (record["state"], record["error"]) == ("failed", "by zero")
    assert len(decoded(tmp_path / "overlay.mp4.partial")) == 9


def test_no_frames_and_no_objects_are_ordinary(tmp_path: Path) -> None:
    fill(tmp_path / "none", 0)
    assert present(tmp_path / "none") == set(NAMES) - {"overlay.mp4"}
    with open_sinks(tmp_path / "empty", Config(), lambda: FACTS) as sinks:
        sinks.write(items(1)[0][0], Snapshot(0, 0.0, ()))
    assert (tmp_path / "empty" / "mot.txt").read_text() == ""
    assert (tmp_path / "empty" / "tracks.csv").read_text().count("\n") == 1
    assert len(decoded(tmp_path / "empty" / "overlay.mp4")) == 1


def test_without_video(tmp_path: Path) -> None:
    fill(tmp_path, 2, Config(output=OutputOptions(video=False)))
    assert present(tmp_path) == set(NAMES) - {"overlay.mp4"}
    assert json.loads((tmp_path / "run.json").read_text())["results"] == [
        "tracks.csv",
        "contacts.csv",
        "frames.csv",
        "mot.txt",
    ]


def test_tracks_table_tells_what_the_tracks_are(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with (tmp_path / "tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["particle"]) for row in rows] == [
        (str(frame), particle) for frame in range(3) for particle in "13"
    ]
    row = {key: value for key, value in rows[2].items() if key != "status"}
    assert rows[2]["status"] == "seen"
    assert rows[3]["status"] == "coasting"
    assert {key: float(value) for key, value in row.items()} == {
        "frame": 1, "particle": 1, "x": 21, "y": 20, "time": 0.04,
        "major": 8, "minor": 4, "angle": 0, "left": 13, "top": 16, "width": 16, "height": 8,
        "vx": 5, "vy": -2.5, "confidence": 0.9, "identity_confidence": 0.8,
        "x_sd": 0.5, "y_sd": 0.2, "mass": 100, "age": 7,
    }  # fmt: skip


@pytest.mark.parametrize("degrees", [0.0, 30.0, 89.0, 90.0, 120.0, 179.999])
def test_axes_return_the_ellipse_that_was_put_in(degrees: float) -> None:
    turn = math.radians(degrees)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    major, minor, angle = axes(rotation @ np.diag([25.0, 4.0]) @ rotation.T)
    assert (major, minor) == pytest.approx((10, 4))
    assert 0 <= angle < 180
    assert math.sin(math.radians(angle - degrees)) == pytest.approx(0, abs=2e-4)


def test_mot_rows_count_frames_from_one(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    first = (tmp_path / "mot.txt").read_text().splitlines()[0]
    assert [float(value) for value in first.split(",")] == [
        1, 1, 12, 16, 16, 8, 0.9, -1, -1, -1,
    ]  # fmt: skip


def test_rows_reach_the_file_at_once(tmp_path: Path) -> None:
    with TracksTable(tmp_path / "tracks.csv") as table:
        for count, (frame, snapshot) in enumerate(items(3), start=1):
            table.write(frame, snapshot)
            text = (tmp_path / "tracks.csv.partial").read_text()
            assert text.count("\n") == 1 + 2 * count


def test_record_tells_how_late_the_results_of_a_live_source_were(tmp_path: Path) -> None:
    begun = time.time() - 60
    with open_sinks(tmp_path, Config(), lambda: replace(FACTS, begun=begun)) as sinks:
        for frame, snapshot in items(3):
            sinks.write(frame, snapshot)
    ages = json.loads((tmp_path / "run.json").read_text())["age_seconds"]
    assert ages["largest"] == pytest.approx(60, abs=1)
    assert 58 < ages["mean"] < ages["largest"]


def test_record_counts_and_keeps_the_events(tmp_path: Path) -> None:
    facts = replace(FACTS, claimed_frames=9, decoded_frames=5, verdict=Verdict.CUT_SHORT)
    seconds: dict[str, float] = {}
    with open_sinks(tmp_path, Config(), lambda: facts, seconds=seconds) as sinks:
        for frame, snapshot in items(5):
            sinks.write(frame, snapshot)
        seconds["track"] = 1.5  # a mapping that is empty at first still counts
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["state"] == "complete"
    assert record["source"]["verdict"] == "cut short"
    assert record["source"]["claimed_frames"] == 9
    assert record["counts"] == {
        "frames": 5, "objects": 2, "rows": 10, "floods": 0, "events": {"birth": 1},
    }  # fmt: skip
    assert record["events"] == [{"frame": 0, "kind": "birth", "tracks": [1], "message": "one"}]
    assert record["stage_seconds"] == {"track": 1.5}
    assert record["config"]["overlay"]["trail_seconds"] == 2.0


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    """Return time and picture of each frame of a video."""
    import av

    with av.open(str(path), format="mp4") as container:
        return [(float(f.time or 0), f.to_ndarray(format="bgr24")) for f in container.decode()]


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (63, 50), (2, 2), (1, 1)])
def test_video_keeps_size_times_and_colours(tmp_path: Path, size: tuple[int, int]) -> None:
    times = [0.0, 0.04, 0.1, 0.101, 2.5]
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[:] = (40, 90, 200)
    with OverlayVideo(tmp_path / "o.mp4", OverlayOptions(), 25.0) as video:
        for index, moment in enumerate(times):
            video.write(Frame(index, 7 + moment, image), Snapshot(index, 7 + moment, ()))
    frames = decoded(tmp_path / "o.mp4")
    assert [moment for moment, _ in frames] == pytest.approx(times, abs=1e-4)
    width, height = (side + side % 2 for side in size)
    assert {picture.shape for _, picture in frames} == {(height, width, 3)}
    corner = frames[-1][1][-1, -1].astype(int)  # away from the banner
    assert np.abs(corner - (40, 90, 200)).max() <= 6


def test_video_is_what_browsers_play(tmp_path: Path) -> None:
    import av

    fill(tmp_path, 60)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
    content = (tmp_path / "overlay.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"moof")
    assert content.count(b"moof") >= 2


CRASHER = """
import os, signal, sys, time
from test_sinks import FACTS, items
from tracker.config import Config
from tracker.sinks import open_sinks
with open_sinks(sys.argv[1], Config(), lambda: FACTS) as sinks:
    for frame, snapshot in items(200):
        sinks.write(frame, snapshot)
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_run_stays_readable(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CRASHER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        time.sleep(0.3)  # a few frames still wait for the encoder
        child.kill()
    assert present(tmp_path) == {name + ".partial" for name in NAMES}
    assert (tmp_path / "tracks.csv.partial").read_text().count("\n") == 401
    assert json.loads((tmp_path / "run.json.partial").read_text())["state"] == "running"
    frames = decoded(tmp_path / "overlay.mp4.partial")
    assert len(frames) >= 200 - 50  # the fragment that was growing, and what x264 held


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="it is a file; name a folder"):
        open_sinks(tmp_path / "out", Config(), lambda: FACTS)
    assert (tmp_path / "out").read_text() == "mine"
    with pytest.raises(OutputError, match="cannot write"):
        open_sinks(tmp_path / "out" / "below", Config(), lambda: FACTS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("name", ["tracks.csv", "mot.txt", "overlay.mp4"])
def test_a_full_disk_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / (name + ".partial")).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=rf"cannot write .*{name}: No space left") as caught:
        fill(tmp_path, 400)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / name).exists()


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    (first, snapshot), (other, _) = items(1)[0], items(1, (32, 48))[0]
    with (
        pytest.raises(OutputError, match="has 32x48 px where the first has 64x48"),
        OverlayVideo(tmp_path / "o.mp4", OverlayOptions(), 25.0) as video,
    ):
        video.write(first, snapshot)
        video.write(replace(other, index=1), replace(snapshot, frame=1))
    assert present(tmp_path) == {"o.mp4.partial"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_an_encoder_that_is_killed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def remember(*arguments: Any) -> subprocess.Popen[bytes]:
        started.append(launch(*arguments))
        return started[0]

    shared: list[Path] = []

    def share(size: int) -> str:
        shared.append(Path(reserve(size)))
        return str(shared[0])

    monkeypatch.setattr("tracker.sinks.video.launch", remember)
    monkeypatch.setattr("tracker.sinks.video.reserve", share)
    with (
        pytest.raises(OutputError, match=r"the encoder died \(SIGKILL\); run with --no-video"),
        OverlayVideo(tmp_path / "o.mp4", OverlayOptions(), 25.0) as video,
    ):
        for place, (frame, snapshot) in enumerate(items(40)):
            video.write(frame, snapshot)
            if place == 20:
                started[0].kill()
    assert present(tmp_path) == {"o.mp4.partial"}
    assert [path.exists() for path in shared] == [False]


def test_an_interrupt_leaves_a_whole_video(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        OverlayVideo(tmp_path / "o.mp4", OverlayOptions(), 25.0) as video,
    ):
        for frame, snapshot in items(30):
            video.write(frame, snapshot)
        raise KeyboardInterrupt
    assert len(decoded(tmp_path / "o.mp4")) == 30


def test_a_sink_that_cannot_open_closes_the_others(tmp_path: Path) -> None:
    (tmp_path / "mot.txt.partial").mkdir()
    first = TracksTable(tmp_path / "tracks.csv")
    with (
        pytest.raises(OutputError, match=r"mot\.txt"),
        Sinks([first, MotTable(tmp_path / "mot.txt")]),
    ):
        pass
    assert not (tmp_path / "tracks.csv").exists()


def test_without_a_display_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with caplog.at_level(logging.WARNING), Viewer() as viewer:
        viewer.write(*items(1)[0])
        assert not viewer.open
    assert caplog.messages == ["no display to open a window on; the run goes on without one"]


@pytest.mark.skipif(sys.platform != "linux", reason="names an X display")
def test_a_window_that_cannot_open_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with caplog.at_level(logging.WARNING), Viewer() as viewer:
        frame, snapshot = items(1)[0]
        end = time.monotonic() + 20
        while not caplog.messages and time.monotonic() < end:
            viewer.write(frame, snapshot)
            time.sleep(0.01)
    assert len(caplog.messages) == 1
    assert "could not connect to display :987" in caplog.messages[0]
    assert "the run goes on without it" in caplog.messages[0]


def test_the_window_never_meets_av() -> None:
    check = "import sys, tracker.sinks.window; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool"
)
def test_q_closes_the_window_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read, written = os.pipe()
    screen = subprocess.Popen(
        # A screen that resets, as it does after its last client, turns the next one away.
        ["Xvfb", "-noreset", "-displayfd", str(written)],
        pass_fds=[written],
        stderr=subprocess.DEVNULL,
    )
    os.close(written)
    try:
        with os.fdopen(read) as numbers:
            monkeypatch.setenv("DISPLAY", ":" + numbers.readline().strip())
        with caplog.at_level(logging.WARNING), Viewer() as viewer:
            frame, snapshot = items(1)[0]
            end = time.monotonic() + 30
            while viewer.open and time.monotonic() < end:
                viewer.write(frame, snapshot)
                press = ["xdotool", "search", "--name", "^tracker$", "key", "q"]
                subprocess.run(press, check=False, capture_output=True)
            assert not viewer.open
            viewer.write(frame, snapshot)
        assert caplog.messages == []  # the user knows
    finally:
        screen.terminate()
        screen.wait()


# Health -------------------------------------------------------------------------------------------


def said_of(
    frames: int,
    tracks: tuple[Track, ...] = (),
    diagnostics: Diagnostics = Diagnostics(points=100),  # noqa: B008
    steps: float = 0.0,
    renamed: int = 1000,
    objects: int = 0,
) -> str:
    """Return the warnings of a run whose tracks move by so many px a frame."""
    health = Health(objects)
    for i in range(frames):
        moved = tuple(
            replace(t, id=t.id + 10 * (i // renamed), mean=t.mean + np.array([steps * i, 0]))
            for t in tracks
        )
        health.add(Snapshot(i, i / 25, moved, diagnostics))
    return "; ".join(health.warnings())


def meetings(parted: int, lost: int, still: int) -> tuple[Contact, ...]:
    """Return so many contacts of each stage, as a frame reports them."""
    ended = [ContactStage.PARTED] * parted + [ContactStage.LOST] * lost
    stages = ended + [ContactStage.OPEN] * still
    return tuple(
        Contact((2 * i + 1, 2 * i + 2), stage, stage is ContactStage.OPEN, 0.5, 0.1, "motion")
        for i, stage in enumerate(stages)
    )


def test_an_orderly_run_gets_no_warning() -> None:
    walkers = tuple(track(k, 5, 5) for k in range(1, 7))
    assert said_of(0) == ""
    assert said_of(50, walkers, steps=3) == ""
    assert said_of(50, walkers) == ""  # standing, but seen
    assert said_of(50, walkers, steps=3, renamed=20) == ""  # they come and go
    assert said_of(50, walkers, objects=6) == ""
    together = tuple(track(k, 5, 5, Status.CONTACT) for k in range(1, 7))
    assert said_of(50, together, Diagnostics(points=100, contacts=meetings(1, 1, 0)), steps=3) == ""
    lost = Diagnostics(points=100, contacts=meetings(0, 2, 5))
    assert said_of(50, walkers, lost, steps=3) == ""  # cars that drive off behind others
    assert said_of(50, together[:4], lost, steps=3) == ""  # two pairs that mate
    assert said_of(50, together, steps=3) == ""


def test_what_cannot_be_tracked_is_said() -> None:
    lost = tuple(track(k, 5, 5, Status.COASTING) for k in range(1, 7))
    assert said_of(50, lost).startswith("100% of the rows are guesses without a sight")
    plants = tuple(track(k, 5, 5) for k in range(1, 7))
    said = said_of(50, plants, renamed=20)
    assert said.startswith("18 of 18 tracks went nowhere, and 12 of them came and went")
    said = said_of(50, plants, objects=8)
    assert said.startswith("never more than 6 of the 8 objects")
    assert "nothing was tracked in 50 frames" in said_of(50)
    seen = (track(1, 5, 5),)
    noise = Diagnostics(points=100, unexplained=0.6)
    assert said_of(50, seen, noise).startswith("60% of the foreground belongs to no track")
    flood = Diagnostics(points=100, flood=True)
    assert said_of(50, seen, flood).startswith("the picture changed as a whole in 50 of 50 frames")
    pieces = tuple(track(k, 5, 5, Status.CONTACT) for k in range(1, 7))
    said = said_of(50, pieces, Diagnostics(points=100, contacts=meetings(0, 2, 5)), steps=3)
    assert said.startswith(
        "6 of 6 tracks touched others or were unseen most of the time, and only 0 of 105 "
    )
    turning = Diagnostics(points=100, drift=12.0)
    assert said_of(50, seen, turning).startswith("the picture as a whole moved, by about 12 px a")
