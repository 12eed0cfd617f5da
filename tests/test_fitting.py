"""Fits, samples and scores as a user makes them: what is written is true, and stands only whole."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tracker.cli import main, progress
from tracker.errors import ConfigError
from tracker.fitting import plots
from tracker.fitting.frames import Spread
from tracker.fitting.options import Frames
from tracker.fitting.scored import mixture_of
from tracker.mixture.estimator import GaussianMixture
from tracker.synthetic import eruptions, heights

FEW = ("--set", "foreground.samples=9")  # that is quicker
TABLES = {"mixture.json", "labels.csv", "selection.csv"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def column(path: Path, name: str) -> Any:
    return np.array([float(row[name]) for row in rows(path)])


def files(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


def fitted(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "mixture.json").read_text())["fitted"]
    return {name: np.array(value) for name, value in content.items()}


def save(path: Path, points: Any, names: str) -> Path:
    np.savetxt(path, points, delimiter=",", header=names, comments="", fmt="%.17g")
    return path


@pytest.fixture(scope="module")
def geyser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("data") / "geyser.csv", eruptions(), "duration,rest")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, as without matplotlib."""
    monkeypatch.setattr(plots, "can_draw", lambda: False)


# Fit ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(geyser: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(["fit", str(geyser), "--components", "1:4", "--out", str(out)]) == 0
    return out


def test_a_fit_finds_what_the_points_were_drawn_from(whole: Path) -> None:
    assert files(whole) == {*TABLES, "fit.png", "selection.png"}
    mixture = fitted(whole)
    order = np.argsort(mixture["means_"][:, 0])
    assert len(order) == 2
    np.testing.assert_allclose(mixture["weights_"][order], [0.35, 0.65], atol=0.06)
    np.testing.assert_allclose(mixture["means_"][order], [[2.0, 55], [4.3, 80]], rtol=0.03)
    assert list(mixture["feature_names_in_"]) == ["duration", "rest"]
    for name in ("fit.png", "selection.png"):
        picture = cv2.imread(str(whole / name))
        assert picture is not None
        assert picture.std() > 10


def test_the_tables_of_a_fit_agree_with_one_another(whole: Path) -> None:
    labels, selection = whole / "labels.csv", rows(whole / "selection.csv")
    points = np.stack([column(labels, "duration"), column(labels, "rest")], axis=1)
    np.testing.assert_array_equal(points, eruptions())  # the same rows in the same order
    assert (column(labels, "posterior") >= 0.5).all()
    assert [row["components"] for row in selection] == ["1", "2", "3", "4"]
    best = min(selection, key=lambda row: float(row["bic"]))
    assert best["components"] == "2"
    log_likelihood = column(labels, "log_density").sum()
    assert float(best["log_likelihood"]) == pytest.approx(log_likelihood, abs=1e-3)
    for row in selection:
        k = int(row["components"])
        likelihood, parameters = float(row["log_likelihood"]), k * 6 - 1
        assert int(row["parameters"]) == parameters
        assert float(row["aic"]) == pytest.approx(2 * parameters - 2 * likelihood)
        assert float(row["bic"]) == pytest.approx(parameters * math.log(400) - 2 * likelihood)
        assert float(row["icl"]) >= float(row["bic"])


def test_the_same_seed_gives_the_same_fit(geyser: Path, tmp_path: Path, plain: None) -> None:
    outs = [tmp_path / name for name in "ab"]
    for out in outs:
        assert main(["fit", str(geyser), "--components", "3", "--out", str(out)]) == 0
    for name in TABLES:
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()


def test_a_weight_counts_as_so_many_rows(tmp_path: Path, plain: None) -> None:
    points = np.round(eruptions(60), 1)
    counts = np.arange(60) % 3
    weighted = save(tmp_path / "a.csv", np.column_stack([points, counts]), "x,y,n")
    repeated = save(tmp_path / "b.csv", np.repeat(points, counts, axis=0), "x,y")
    a, b = tmp_path / "a", tmp_path / "b"
    more = ["--components", "2", "--tolerance", "1e-12"]
    assert main(["fit", str(weighted), "--weights", "n", "--out", str(a), *more]) == 0
    assert main(["fit", str(repeated), "--out", str(b), *more]) == 0
    np.testing.assert_allclose(
        np.sort(fitted(a)["means_"], axis=0), np.sort(fitted(b)["means_"], axis=0), rtol=1e-4
    )
    likelihoods = [float(rows(out / "selection.csv")[0]["log_likelihood"]) for out in (a, b)]
    assert likelihoods[0] == pytest.approx(likelihoods[1], abs=1e-6)


def test_one_column_gives_a_histogram_and_its_densities(tmp_path: Path) -> None:
    np.save(tmp_path / "heights.npy", heights())
    out = tmp_path / "out"
    arguments = ["fit", str(tmp_path / "heights.npy"), "--components", "2", "--out", str(out)]
    assert main([*arguments, "--fixed-weights", "0.5,0.5"]) == 0
    assert files(out) == {*TABLES, "fit.png"}  # nothing was selected
    np.testing.assert_allclose(fitted(out)["weights_"], [0.5, 0.5])
    assert set(rows(out / "labels.csv")[0]) == {"1", "label", "posterior", "log_density"}


def test_several_columns_are_drawn_in_pairs(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    np.save(tmp_path / "points.npy", points)
    out = tmp_path / "out"
    assert main(["fit", str(tmp_path / "points.npy"), "--components", "1", "--out", str(out)]) == 0
    assert files(out) == {*TABLES, "fit.png"}


def test_noise_gets_the_label_of_none(tmp_path: Path) -> None:
    strays = np.random.default_rng(1).uniform(-400, 400, (40, 2))
    data = save(tmp_path / "points.csv", np.concatenate([eruptions(), strays]), "x,y")
    out = tmp_path / "out"
    arguments = ["fit", str(data), "--components", "2", "--noise", "--posteriors"]
    assert main([*arguments, "--out", str(out)]) == 0
    labels = column(out / "labels.csv", "label")
    assert (labels[-40:] == -1).mean() > 0.9
    assert (labels[:-40] == -1).mean() < 0.1
    every = [column(out / "labels.csv", f"posterior_{k}") for k in range(2)]
    own = column(out / "labels.csv", "posterior")
    np.testing.assert_allclose(own[labels == -1], 1 - sum(every)[labels == -1], atol=2e-6)
    assert fitted(out)["noise_weight_"] == pytest.approx(40 / 440, abs=0.03)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_pictures_show_the_density_that_the_model_has(kind: str) -> None:
    points = eruptions(80)
    model = GaussianMixture(2, covariance_type=kind, random_state=0).fit(points)
    mixture = mixture_of(model)
    densities = [
        weight * multivariate_normal(mean, covariance).pdf(points)
        for weight, mean, covariance in zip(
            mixture.weights, mixture.means, mixture.covariances, strict=True
        )
    ]
    np.testing.assert_allclose(np.log(sum(densities)), model.score_samples(points), rtol=1e-9)


def test_a_trace_shows_every_iteration(
    geyser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    climbed: list[Any] = []
    drawn = plots.draw_steps

    def draw(path: Path, sight: Any, views: Any, scores: Any) -> None:
        climbed.append(scores)
        drawn(path, sight, views, scores)

    monkeypatch.setattr(plots, "draw_steps", draw)
    monkeypatch.setattr(plots, "draw_fit", lambda *_: None)
    out, trace = tmp_path / "out", tmp_path / "trace"
    arguments = ["fit", str(geyser), "--components", "2", "--init", "random_from_data"]
    more = ["--starts", "2", "--iterations", "3", "--trace", str(trace)]
    assert main([*arguments, *more, "--out", str(out)]) == 0
    ((first, second, third),) = climbed
    assert first <= second <= third  # EM never loses likelihood
    total = float(rows(out / "selection.csv")[0]["log_likelihood"])
    assert third == pytest.approx(total / 400, abs=1e-6)
    assert sorted(files(trace)) == ["0001.png", "0002.png", "0003.png"]
    assert (cv2.imread(str(trace / "0001.png")) != cv2.imread(str(trace / "0003.png"))).any()


@pytest.mark.parametrize(("end", "pictures"), [("gif", 3), ("mp4", 7)])
def test_a_trace_may_be_a_moving_picture(
    end: str, pictures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 49, 65, 3), np.uint8)
    monkeypatch.setattr(plots, "_step", lambda sight, steps, scores, now: noise[now])
    sight: Any = None
    steps: Any = range(3)
    plots.draw_steps(tmp_path / f"trace.{end}", sight, steps, np.zeros(3))
    moving = cv2.VideoCapture(str(tmp_path / f"trace.{end}"))
    found = 0
    while moving.read()[0]:
        found += 1
    assert found == pictures  # the video stays a second at its end


# Videos -------------------------------------------------------------------------------------------


def test_the_foreground_of_a_video_is_fitted_as_a_whole(clip: Path, tmp_path: Path) -> None:
    arguments = ["fit", str(clip), "--frames", "10:50", "--every", "4", "--components", "2", *FEW]
    arguments += ["--init", "random_from_data", "--starts", "8"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert files(tmp_path) == {*TABLES, "fit.png"}
    means = fitted(tmp_path)["means_"]
    np.testing.assert_allclose(np.sort(means[:, 1]), [35, 85], atol=1.5)
    labels = tmp_path / "labels.csv"
    for axis in "xy":
        assert (column(labels, axis) % 1 == 0).all()
    discs = 11 * np.pi * (9**2 + 11**2)  # in 11 frames; what is blurred around them counts too
    assert discs < column(labels, "weight").sum() < 1.6 * discs


def test_each_frame_of_a_video_is_fitted_by_itself(clip: Path, tmp_path: Path) -> None:
    arguments = ["fit", str(clip), "--frames", "20:40", "--every", "10", "--components", "2", *FEW]
    assert main([*arguments, "--per-frame", "--out", str(tmp_path)]) == 0
    assert files(tmp_path) == {"mixtures.csv", "labels.csv", "selection.csv", "fit.png"}
    found = rows(tmp_path / "mixtures.csv")
    assert [row["frame"] for row in found] == ["20", "20", "30", "30", "40", "40"]
    for row in found:
        frame, x, y = int(row["frame"]), float(row["x"]), float(row["y"])
        upper = abs(y - 35) < 1.5 and abs(x - (-10 + 3 * frame)) < 1.5
        lower = abs(y - 85) < 1.5 and abs(x - (175 - 3 * frame)) < 1.5
        assert upper or lower, row
    assert {row["frame"] for row in rows(tmp_path / "labels.csv")} == {"20", "30", "40"}


def test_a_video_cut_short_keeps_its_fit(
    clip: Path, tmp_path: Path, plain: None, capfd: pytest.CaptureFixture[str]
) -> None:
    stump = tmp_path / "stump.avi"
    stump.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    out = tmp_path / "out"
    arguments = ["fit", str(stump), "--every", "9", "--components", "2", *FEW]
    assert main([*arguments, "--out", str(out)]) == 4
    assert files(out) == TABLES
    assert re.search("stump.avi|undamaged", capfd.readouterr().err)


def test_frames_are_ranges_with_both_ends() -> None:
    def taken(text: str, every: int = 1) -> list[int]:
        frames = Frames.parse(text, every)
        return [index for index in range(10) if index in frames]

    assert taken("2:4") == [2, 3, 4]
    assert taken("7:") == [7, 8, 9]
    assert taken(":2") == [0, 1, 2]
    assert taken("5") == [5]
    assert taken("1:8", 3) == [1, 4, 7]
    for text in ("", "a:b", "1-3", "-1:3", "5:2"):
        with pytest.raises(ConfigError, match="--frames"):
            Frames.parse(text, 1)


# Sample and score ---------------------------------------------------------------------------------


def test_samples_score_as_their_mixture_says(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixture, points = str(whole / "mixture.json"), tmp_path / "new" / "points.csv"
    assert main(["sample", mixture, "-n", "2000", "--labels", "--out", str(points)]) == 0
    assert set(rows(points)[0]) == {"duration", "rest", "label"}
    assert len(rows(points)) == 2000
    assert abs(np.diff(column(points, "label")).astype(bool).mean() - 0.45) < 0.1  # mixed order
    out = tmp_path / "scores.csv"
    assert main(["score", mixture, str(points), "--out", str(out)]) == 0
    same = column(out, "label") == column(points, "label")
    assert same.mean() > 0.98  # the two kinds are far apart
    said = capsys.readouterr().out
    assert said.startswith("2000 points, log-density ")
    fit = float(rows(whole / "selection.csv")[1]["log_likelihood"]) / 400
    assert float(said.split()[3]) == pytest.approx(fit, abs=0.1)


def test_scoring_the_data_of_a_fit_repeats_its_labels(
    geyser: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = save(tmp_path / "swapped.csv", eruptions()[:, ::-1], "rest,duration")
    for data in (geyser, swapped):  # columns are found by their names
        assert main(["score", str(whole / "mixture.json"), str(data)]) == 0
        said = capsys.readouterr()
        assert said.out == (whole / "labels.csv").read_text()
        assert said.err.startswith("400 points, log-density ")


def test_samples_are_the_same_for_the_same_seed(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = []
    for seed in ("1", "1", "2"):
        assert main(["sample", str(whole / "mixture.json"), "-n", "5", "--seed", seed]) == 0
        drawn.append(capsys.readouterr().out)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_reader_that_has_seen_enough_is_no_error(whole: Path) -> None:
    sampling = subprocess.Popen(
        [sys.executable, "-m", "tracker", "sample", str(whole / "mixture.json"), "-n", "200000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert sampling.stdout is not None
    assert sampling.stdout.readline() == b"duration,rest\n"
    sampling.stdout.close()
    assert sampling.stderr is not None
    assert sampling.stderr.read() == b""
    sampling.stderr.close()
    assert sampling.wait(20) == 0


# Ctrl-C -------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to itself")
@pytest.mark.parametrize("counts", ["3", "1:9"])
def test_ctrl_c_keeps_the_best_fit_so_far(
    counts: str, geyser: Path, tmp_path: Path, plain: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    @contextmanager
    def telling() -> Iterator[Callable[[str], None]]:
        def tell(line: str) -> None:
            told.append(line)
            if line.startswith("components 3") and "iteration 4" in line:
                os.kill(os.getpid(), signal.SIGINT)

        yield tell

    monkeypatch.setattr(progress, "telling", telling)
    arguments = ["fit", str(geyser), "--components", counts, "--tolerance", "0"]
    assert main([*arguments, "--iterations", "20", "--out", str(tmp_path)]) == 130
    assert files(tmp_path) == TABLES
    fits = [line for line in told if line.startswith("components")]
    assert fits[-1].startswith("components 3, start 1 of 3, iteration 4,")
    kept = [row["components"] for row in rows(tmp_path / "selection.csv")]
    assert kept == (["3"] if counts == "3" else ["1", "2"])
    if counts == "3":
        assert fitted(tmp_path)["n_iter_"] == 4


# What is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "arguments", "code", "parts"),
    [
        ("x,y\n1,2\n3,4\n", "--components 3", 2, ["2 rows", "3 components", "fewer"]),
        ("x\n1\n", "--components 1", 2, ["1 row ", "1 component;", "more rows"]),
        ("x,y\n1,5\n3,5\n", "--components 1", 3, ["value 5 in every row", "'y'", "--columns x"]),
        ("x\n5\n5\n", "--components 1", 3, ["in every row", "data that vary"]),
        ("x,y\n1,2\n3,nan\n", "", 3, ["NaN", "line 3, column 'y'"]),
        ("x\n1\n2\n", "--components 0", 2, ["--components is '0'", "2:8"]),
        ("x\n1\n2\n", "--components 8:2", 2, ["--components is '8:2'"]),
        ("x\n1\n2\n", "--components many", 2, ["--components is 'many'", "auto"]),
        ("x\n1\n2\n", "--starts 0", 2, ["--starts is 0"]),
        ("x\n1\n2\n", "--tolerance nan", 2, ["--tolerance is nan"]),
        ("x\n1\n2\n", "--fixed-weights 0.5,x --components 2", 2, ["'0.5,x'", "'equal'"]),
        ("x\n1\n2\n", "--fixed-weights 0.5,0.4 --components 2", 2, ["adds up to 0.9"]),
        ("x\n1\n2\n", "--fixed-weights 0.5,0.5 --components 1:2", 2, ["2 of the 1"]),
        ("x\n1\n2\n", "--frames 3:4", 2, ["--frames", "is a table"]),
        ("x\n1\n2\n", "--per-frame", 2, ["--per-frame", "is a table"]),
        ("x\n1\n2\n", "--columns z", 2, ["no column 'z'"]),
    ],
)
def test_a_bad_fit_is_refused_in_one_sentence(
    content: str,
    arguments: str,
    code: int,
    parts: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, out = tmp_path / "a.csv", tmp_path / "out"
    data.write_text(content)
    assert main(["fit", str(data), "--out", str(out), *arguments.split()]) == code
    said = capsys.readouterr().err
    assert said.startswith("tracker: ")
    assert said.count("\n") == 1
    for part in parts:
        assert part in said, said
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        ("--columns x", 2, "--columns"),
        ("--frames 70:80", 3, "has no frames 70 to 80"),
        ("--frames 5:1", 2, "ends before it begins"),
        ("--trace t --per-frame", 2, "leave one out"),
        ("--trace t.avi", 2, "ends in .gif or .mp4"),
    ],
)
def test_a_bad_fit_of_a_video_is_refused(
    arguments: str, code: int, part: str, clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    more = ["--components", "2", "--every", "9", "--out", str(out), *FEW]
    assert main(["fit", str(clip), *more, *arguments.split()]) == code
    said = capfd.readouterr().err
    assert part in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_without_matplotlib_the_tables_come_and_a_line_says_what_to_install(
    geyser: Path,
    tmp_path: Path,
    plain: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["fit", str(geyser), "--components", "2", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert files(tmp_path / "out") == TABLES
    assert "pip install matplotlib" in capsys.readouterr().err
    assert main([*arguments, "--trace", str(tmp_path / "trace")]) == 2
    assert "--trace draws with matplotlib" in capsys.readouterr().err


def test_a_fit_that_did_not_converge_says_so(
    geyser: Path, tmp_path: Path, plain: None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fit", str(geyser), "--components", "4", "--iterations", "2"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert "not converged after 2 iterations; give more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "part"),
    [(None, "No such file"), ("{", "is no mixture"), ('{"format": 1}', "is no mixture")],
)
def test_what_is_no_mixture_is_refused(
    content: str | None, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mixture.json"
    if content is not None:
        path.write_text(content)
    for command in (["sample", str(path)], ["score", str(path), "-"]):
        assert main(command) == 3
        said = capsys.readouterr().err
        assert part in said
        assert "mixture.json" in said
        assert said.count("\n") == 1


def test_scores_need_the_columns_of_the_fit(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content, part in (
        ("duration,pause\n1,2\n", "no column 'rest'"),
        ("1,2,3\n", "3 columns and the mixture was fitted to 2"),
    ):
        (tmp_path / "new.csv").write_text(content)
        assert main(["score", str(whole / "mixture.json"), str(tmp_path / "new.csv")]) == 2
        assert part in capsys.readouterr().err
    assert main(["sample", str(whole / "mixture.json"), "-n", "0"]) == 2
    assert "-n is 0" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_ends_with_5(
    geyser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    assert main(["fit", str(geyser), "--components", "1", "--out", str(tmp_path / "out")]) == 5
    assert "it is a file; name a folder with --out" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 1, 5, 9, 10, 100, 1234])
def test_a_few_items_are_kept_evenly_spread(count: int) -> None:
    spread: Spread[int] = Spread(9)
    for item in range(count):
        spread.add(item)
    assert len(spread.kept) == count if count <= 9 else 5 <= len(spread.kept) <= 9
    assert len(set(np.diff(spread.kept))) <= 1
