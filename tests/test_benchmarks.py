"""The benchmarks' variations of the tracker still fit the tracker."""

from __future__ import annotations

import numpy as np
import pytest
from harder import halved, mirrored, paused, scaled
from variations import ABLATION, Variation, sweep

from tracker import load_config
from tracker.evaluation import Trajectories
from tracker.synthetic import meeting
from tracker.tracking import Tracker
from tracker.types import Image

TRUTH = meeting("full crossing", np.random.default_rng(1))


@pytest.mark.parametrize("variation", ABLATION, ids=lambda variation: variation.name)
def test_the_tracker_runs_without_an_ingredient(variation: Variation) -> None:
    with variation.applied():
        tracker = Tracker(load_config(None, list(variation.settings)))
        snapshots = [tracker.update(p, time=i / 25) for i, p in enumerate(TRUTH.points)]
    assert any(len(snapshot.tracks) == 2 for snapshot in snapshots)


def test_the_sweep_moves_every_setting_both_ways() -> None:
    for variation in sweep():
        load_config(None, list(variation.settings))


def test_a_clip_that_is_made_harder_keeps_its_truth() -> None:
    def painted(image: Image) -> tuple[float, float]:
        rows, columns = np.nonzero(image[:, :, 0] > 100)
        return float(columns.mean() + 0.5), float(rows.mean() + 0.5)

    images = [np.zeros((60, 80, 3), np.uint8) for _ in range(8)]
    for index, image in enumerate(images):
        image[20:40, 10 + 4 * index : 20 + 4 * index] = 255
    frames = np.arange(8)
    boxes = np.array([[10.0 + 4 * index, 20, 10, 20] for index in frames])
    truth = Trajectories(frames, np.ones(8, int), boxes, boxes[:, :2] + boxes[:, 2:] / 2)
    clip = images, truth
    for changed in (mirrored(clip), scaled(clip, 2.0), halved(clip), paused(clip, 1.0, 5.0)):
        pictures, told = changed
        assert len(told.frames) == len(pictures)
        for frame, point in zip(told.frames, told.points, strict=True):
            assert painted(pictures[frame]) == pytest.approx(tuple(point), abs=0.6)
