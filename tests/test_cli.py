"""The command, run as a user runs it."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracker
from tracker.cli import main, progress
from tracker.sources.base import SourceFacts
from tracker.types import Snapshot

RESULTS = {"tracks.csv", "contacts.csv", "frames.csv", "mot.txt", "overlay.mp4", "run.json"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tracker", *map(str, arguments)]


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60, check=False
    )


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "tracks.csv").open() as file:
        return list(csv.DictReader(file))


def record(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "run.json").read_text())
    return content


def files(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one whole run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    done = call("run", clip, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = rf"60 frames in \d+\.\d s, 2 objects, results in {re.escape(str(out))}\n"
    assert re.fullmatch(said, done.stdout)
    return out


def test_a_whole_run_leaves_whole_results(whole: Path) -> None:
    assert files(whole) == RESULTS
    content = record(whole)
    assert content["state"] == "complete"
    assert content["version"] == tracker.__version__
    assert content["source"]["verdict"] == "complete"
    assert content["counts"]["frames"] == 60
    assert content["counts"]["rows"] == len(rows(whole))
    assert set(content["stage_seconds"]) == {"open", "read", "foreground", "track", "write"}
    for row in rows(whole):
        if row["particle"] == rows(whole)[0]["particle"] and 20 <= int(row["frame"]) <= 40:
            upper = abs(float(row["y"]) - 35) < 2 and abs(abs(float(row["vx"])) - 60) < 6
            lower = abs(float(row["y"]) - 85) < 2 and abs(abs(float(row["vx"])) - 60) < 6
            assert upper or lower, row


def test_the_same_input_gives_the_same_output_bit_for_bit(
    clip: Path, whole: Path, tmp_path: Path
) -> None:
    assert call("run", clip, "--out", tmp_path, "--no-video").returncode == 0
    assert files(tmp_path) == RESULTS - {"overlay.mp4"}
    for name in ("tracks.csv", "mot.txt"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


def test_options_and_settings_reach_the_run(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("[overlay]\ntint = true\n")
    settings = "--config mine.toml --set foreground.samples=20 --set foreground.shadows=false"
    options = "--objects 2 --fps 50 --max-frames 30"
    assert main(["run", str(clip), *settings.split(), *options.split()]) == 0
    content = record(tmp_path / "out")
    assert content["config"]["overlay"]["tint"] is True
    assert content["config"]["foreground"]["samples"] == 20
    assert content["config"]["foreground"]["shadows"] is False
    assert content["config"]["tracking"]["objects"] == 2
    assert content["counts"]["frames"] == 30
    assert content["source"]["verdict"] == "stopped"
    last = rows(tmp_path / "out")[-1]
    assert float(last["time"]) == pytest.approx(int(last["frame"]) / 50)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run"], "SOURCE"),
        (["rum"], "run"),
        (["run", "x.avi", "--outt", "y"], "--out"),
        (["run", "x.avi", "--objects", "0"], "objects"),
        (["run", "x.avi", "--max-frames", "many"], "max-frames"),
        (["run", "x.avi", "--set", "tracking.object=3"], "'objects'"),
        (["run", "x.avi", "--config", "aren"], "arena"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_said_in_one_go(
    arguments: list[str],
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert part in said.err
    assert said.out == ""
    assert not files(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"hello, this is text\n"])
def test_a_source_that_is_none_leaves_nothing(
    content: bytes | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "clip.mp4"
    if content is not None:
        source.write_bytes(content)
    assert main(["run", str(source), "--out", str(tmp_path / "out")]) == 3
    said = capfd.readouterr().err
    assert said.startswith("tracker: ")
    assert said.count("\n") == 1
    assert "clip.mp4" in said
    assert not (tmp_path / "out").exists()


def test_a_source_cut_short_keeps_its_results(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stump = tmp_path / "stump.avi"
    stump.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    assert main(["run", str(stump), "--out", str(tmp_path / "out")]) == 4
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert files(tmp_path / "out") == RESULTS
    content = record(tmp_path / "out")
    assert content["source"]["verdict"] in ("cut short", "damaged")
    assert content["source"]["reason"] in said
    assert content["warnings"] == [content["source"]["reason"]]
    assert 30 < content["counts"]["frames"] < 40


def test_an_output_that_cannot_be_written_ends_with_5(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    assert main(["run", str(clip), "--out", str(tmp_path / "out")]) == 5
    said = capfd.readouterr().err
    assert said.startswith("tracker: cannot write")
    assert said.count("\n") == 1


@pytest.fixture
def endless(clip: Path, tmp_path: Path) -> Path:
    """A pattern of so many images that a run over them is still going on when it is looked at."""
    import cv2

    capture = cv2.VideoCapture(str(clip))
    images = [capture.read()[1] for _ in range(60)]
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / f"{i:05d}.png"), image)
    for i in range(60, 3000):
        os.link(folder / f"{i % 60:05d}.png", folder / f"{i:05d}.png")
    return folder


def start(source: Path, out: Path) -> subprocess.Popen[str]:
    """Start a run in a process group of its own and wait until rows are being written."""
    running = subprocess.Popen(
        command("run", source, "--out", out, "--fps", 20),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    partial = out / "tracks.csv.partial"
    begin = time.monotonic()
    while not partial.exists() or partial.stat().st_size < 2000:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() - begin < 30
        time.sleep(0.02)
    return running


# A terminal sends to the whole process group, `kill` to the process alone.
@pytest.mark.parametrize(
    ("send", "number"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)]
)
def test_ctrl_c_leaves_whole_results(
    endless: Path, tmp_path: Path, send: Callable[[int, int], None], number: signal.Signals
) -> None:
    out = tmp_path / "out"
    running = start(endless, out)
    send(running.pid, number)
    begin = time.monotonic()
    stdout, stderr = running.communicate(timeout=30)
    assert time.monotonic() - begin < 5
    assert running.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert files(out) == RESULTS
    content = record(out)
    assert content["state"] == "interrupted"
    frames = content["counts"]["frames"]
    assert 0 < frames < 3000
    assert stdout.startswith(f"{frames} frames in ")
    assert content["counts"]["rows"] == len(rows(out))
    assert max(int(row["frame"]) for row in rows(out)) < frames


def test_a_killed_run_leaves_partial_results_under_partial_names(
    endless: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    running = start(endless, out)
    running.kill()
    running.communicate(timeout=30)
    assert RESULTS & files(out) == set()
    assert {"tracks.csv.partial", "mot.txt.partial", "run.json.partial"} <= files(out)
    assert json.loads((out / "run.json.partial").read_text())["state"] == "running"


def test_show_without_a_display_says_so_and_goes_on(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = call("run", clip, "--show", "--no-video", "--max-frames", 3, "--out", tmp_path)
    assert done.returncode == 0
    assert "no display" in done.stderr
    assert done.stderr.count("no display") == 1


def test_elsewhere_plain_lines_tell_the_progress(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    assert main(["run", str(clip), "--no-video", "--out", str(tmp_path), "--max-frames", "9"]) == 0
    lines = capsys.readouterr().err.splitlines()
    line = r"frame (\d) of 9, \d objects, \d+\.\d frames/s, \d+ s left"
    assert [int(re.fullmatch(line, said)[1]) for said in lines] == list(range(2, 10))


def test_the_progress_of_a_live_source_tells_how_late_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    begun = time.time() - 2.5
    facts = SourceFacts("0", "camera", 64, 48, 25.0, True, "clock", begun=begun, dropped_frames=7)
    with progress.watching(None) as watch:
        for index in range(3):
            watch(Snapshot(index, index / 25, ()), facts)
    said = capsys.readouterr().err.splitlines()[-1]
    late = re.search(r"frames/s, (\d\.\d\d) s behind, 7 frames dropped$", said)
    assert late is not None
    assert 2.3 < float(late[1]) < 4


def test_a_second_pass_tells_its_progress(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    assert main(["run", str(clip), "--refine", "--out", str(tmp_path), "--max-frames", "9"]) == 0
    lines = capsys.readouterr().err.splitlines()
    for doing in ("", "looking back, ", "writing, "):
        here = [re.match(rf"{doing}frame (\d) of 9, ", said) for said in lines]
        assert [int(one[1]) for one in here if one] == list(range(2, 10))


def test_a_terminal_gets_a_bar_and_a_last_line(clip: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    terminal, end = pty.openpty()
    running = subprocess.Popen(
        command("run", clip, "--no-video", "--out", tmp_path / "out"),
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    stdout, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert b"2 objects" in shown
    assert b"frames/s" in shown
    assert b"left" in shown
    assert stdout.count("\n") == 1


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == tracker.__version__


def test_settings_prints_what_a_run_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    assert main(["settings"]) == 0
    file.write_text(capsys.readouterr().out)
    assert tracker.load_config(file) == tracker.Config()


@pytest.mark.clips
def test_a_clip_that_crashes_its_decoder_leaves_whole_results(data: Path, tmp_path: Path) -> None:
    done = call("run", data / "robustness" / "demo_rawvideo_48x48.avi", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path) == RESULTS
    assert record(tmp_path)["counts"]["frames"] == 51
