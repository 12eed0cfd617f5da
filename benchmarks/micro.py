"""Measure the innermost steps: E-step, M-step, and the foreground of one frame.

`pytest -n 0 benchmarks/micro.py` prints minimum, median and rounds of each; pytest-benchmark's own
options compare runs (`--benchmark-save`, `--benchmark-compare`). No part of the tests.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest
from drawn import FPS, Herd

from tracker.config import ForegroundOptions
from tracker.foreground import make_foreground
from tracker.foreground.detector import Detector, clean
from tracker.mixture import Coverage, Gaussian, Mixture, Prior, e_step, m_step
from tracker.types import Array, Frame, Image

SIZES = ((768, 576), (1280, 720), (1920, 1080))
OBJECTS = 20
FRAMES = 24  # that take turns


def world(points: int, objects: int) -> tuple[Array, Mixture]:
    """Return points of objects on a raster, and the mixture that they were drawn from."""
    rng = np.random.default_rng(0)
    columns = int(np.ceil(np.sqrt(objects)))
    means = 60.0 * np.stack(np.divmod(np.arange(objects), columns), axis=1)
    covariances = np.tile(64.0 * np.eye(2), (objects, 1, 1))
    owners = rng.integers(objects, size=points)
    drawn = means[owners] + rng.normal(0, 8, (points, 2))
    return drawn, Mixture(np.full(objects, 1 / objects), means, covariances)


@pytest.mark.parametrize(("points", "objects"), [(5_000, 10), (80_000, 33)])
@pytest.mark.parametrize("likelihood", [Gaussian(), Coverage(0.05)], ids=["gaussian", "coverage"])
def test_e_step(benchmark: Any, likelihood: Gaussian | Coverage, points: int, objects: int) -> None:
    drawn, mixture = world(points, objects)
    stats = benchmark(e_step, drawn, mixture, likelihood=likelihood)
    assert np.isfinite(stats.mass).all()


@pytest.mark.parametrize("objects", [10, 256])
@pytest.mark.parametrize("predicted", [False, True], ids=["likelihood", "prior"])
def test_m_step(benchmark: Any, predicted: bool, objects: int) -> None:
    drawn, mixture = world(50 * objects, objects)
    precisions = np.tile(np.eye(2), (objects, 1, 1))
    prior = Prior(mixture.means, precisions, mixture.covariances, 160.0, 200.0)
    stats = e_step(drawn, mixture, likelihood=Gaussian())
    assert len(benchmark(m_step, stats, prior if predicted else None)) == objects


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def scene(request: Any) -> tuple[Detector, list[Image]]:
    """Return the default foreground model of a drawn scene, and frames of it."""
    images = list(Herd(*request.param, OBJECTS, FRAMES).pictures())
    model = make_foreground(ForegroundOptions(), request.param, images, live=False)
    assert isinstance(model, Detector), "the default model is one"
    return model, images


def test_shrink(benchmark: Any, scene: tuple[Detector, list[Image]]) -> None:
    model, images = scene
    benchmark(model.grid.shrink, images[0])


def test_compare(benchmark: Any, scene: tuple[Detector, list[Image]]) -> None:
    model, images = scene
    benchmark(model.background.foreground, model.grid.shrink(images[0]))


def test_clean(benchmark: Any, scene: tuple[Detector, list[Image]]) -> None:
    model, images = scene
    image = model.grid.shrink(images[0])
    changed = model.background.foreground(image)
    benchmark(lambda: clean(changed.copy(), image, model.background, model.shadow))


def test_points(benchmark: Any, scene: tuple[Detector, list[Image]]) -> None:
    model, images = scene
    frames = (Frame(index, index / FPS, images[index % FRAMES]) for index in count())
    points = benchmark(lambda: model.points(next(frames)))
    assert len(points.coordinates) > 100
