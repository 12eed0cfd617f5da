"""The calibration benchmark says what is true of cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from calibration import Result, encounter, expected_calibration_error, follow, overview, precision

from tracker import Tracker
from tracker.types import COLOR_BINS


def test_the_expected_calibration_error_is_the_mean_distance_from_the_truth() -> None:
    doubt = np.array([0.02] * 50 + [0.45] * 50)
    honest = np.array([1.0] + [0.0] * 49 + [1.0] * 20 + [0.0] * 30)
    assert expected_calibration_error(doubt, honest) == pytest.approx(0.5 * 0.05)
    assert expected_calibration_error(doubt, 1 - honest) == pytest.approx(0.5 * 0.96 + 0.5 * 0.15)


def test_a_meeting_is_drawn_followed_and_judged() -> None:
    rng = np.random.default_rng(5)
    drawn = [encounter(rng) for _ in range(3)]
    colored = [e for e in drawn if e.similarity is not None]
    assert all(points.colors.max() < COLOR_BINS for e in colored for points in e.frames)
    results = [follow(e, rng) for e in drawn]
    assert all(result.exchanged is False and result.doubt < 0.5 for result in results)
    counts = {row[0]: row[1:4] for row in overview(results, results).rows}
    assert counts["all"] == ("3", "0", "0")


def test_true_covariances_are_within_their_band() -> None:
    rng = np.random.default_rng(1)
    for scale, inside in ((1.0, True), (1.2, False)):
        errors = scale * rng.chisquare(2, (1000, 2))
        results = [Result("bounce", 0.04, None, 0.0, False, *pair) for pair in errors]
        for _, number, mean, band, _, _ in precision(results).rows:
            low, high = map(float, band.split(" to "))
            assert number == "1000"
            assert (low < float(mean) < high) == inside


@pytest.mark.parametrize("ragged", [0.03, 0.12])
def test_the_covariance_of_a_position_is_that_of_its_error(ragged: float) -> None:
    rng = np.random.default_rng(4)
    offsets = np.stack(np.meshgrid(np.arange(-14, 15), np.arange(-14, 15)), axis=-1).reshape(-1, 2)
    grid = 60.0 * np.stack(np.meshgrid(np.arange(6), np.arange(5)), axis=-1).reshape(-1, 2)
    centres = grid + rng.uniform(0, 1, grid.shape)
    velocities = rng.uniform(-0.5, 0.5, grid.shape)
    tracker, errors = Tracker(), []
    for i in range(45):
        centres = centres + velocities
        frame = []
        for centre in centres:
            pixels = np.round(centre) + offsets
            radius = 10 * (1 + rng.normal(0, ragged, len(pixels)))
            frame.append(pixels[np.hypot(*(pixels - centre).T) < radius])
        snapshot = tracker.update(np.vstack(frame), time=i / 25)
        if i > 20 and i % 6 == 0:
            for track in snapshot.tracks:
                apart = track.mean - centres
                error = apart[np.hypot(*apart.T).argmin()]
                errors.append(error @ np.linalg.solve(track.position_covariance, error))
    assert len(errors) == 4 * len(grid)
    assert 1.3 < np.mean(errors) < 2.7  # 2 where it is true
