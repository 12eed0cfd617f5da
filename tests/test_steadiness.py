"""A camera that turns is noticed, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker import Job, load_config, run
from tracker.foreground.steadiness import Outlook, Steadiness, displacement
from tracker.types import Image

FPS = 25


def scene(width: int = 700, height: int = 240) -> Image:
    """Return a still scene with edges."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(40, 200, (height // 12, width // 12, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def drifts(images: list[Image]) -> list[float]:
    """Return what is said of pictures a second apart."""
    steadiness = Steadiness()
    return [steadiness.drift(image, float(second), 2.0) for second, image in enumerate(images)]


@pytest.mark.parametrize("step", [-20, 3, 10, 60])
def test_the_speed_of_the_picture_is_measured(step: int) -> None:
    whole = scene()
    begins = [(360 if step < 0 else 0) + step * second for second in range(7)]
    found = drifts([whole[:, b : b + 320] for b in begins])
    assert found[0] == 0.0
    assert found[1:] == pytest.approx([2.0 * abs(step)] * 6, rel=0.15)


def test_things_that_move_and_noise_are_no_camera() -> None:
    rng = np.random.default_rng(4)
    images = []
    for second in range(10):
        image = scene(320).copy()
        for row in range(4):
            cv2.circle(image, (20 + 25 * second, 30 + 60 * row), 18, (0, 0, 250), -1)
        noise = rng.normal(0, 4, image.shape)
        images.append(np.clip(image + noise, 0, 255).astype(np.uint8))
    assert not any(drifts(images))
    assert not any(drifts([rng.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(10)]))
    assert not any(drifts([np.full((240, 320, 3), 90, np.uint8)] * 10))


@pytest.mark.parametrize("shift", [(3, 2), (-5, 0), (0, 9)])
def test_a_knock_is_measured(shift: tuple[int, int]) -> None:
    whole = scene()
    before = whole[20:220, 100:500]
    now = whole[20 - shift[1] : 220 - shift[1], 100 - shift[0] : 500 - shift[0]]
    cv2.circle(now := now.copy(), (200, 100), 25, (0, 0, 250), -1)
    found = displacement(Outlook.of(before), Outlook.of(now))
    np.testing.assert_allclose(found, shift, atol=0.3)


def test_what_moves_in_front_and_noise_are_no_knock() -> None:
    rng = np.random.default_rng(5)
    for ground in (scene(400), np.full((240, 400, 3), 120, np.uint8)):
        view = ground.copy()
        for place in ((60, 60), (200, 120), (330, 200)):
            cv2.circle(view, place, 30, (40, 40, 40), -1)
        noisy = np.clip(view + rng.normal(0, 3, view.shape), 0, 255).astype(np.uint8)
        assert not displacement(Outlook.of(ground), Outlook.of(noisy)).any()


def test_between_two_looks_the_last_one_counts() -> None:
    whole, steadiness = scene(), Steadiness()
    said = [steadiness.drift(whole[:, i : i + 320], i / FPS, 1.0) for i in range(4 * FPS)]
    assert set(np.unique(np.round(said))) == {0.0, 25.0}


def test_a_run_says_that_the_camera_turns(tmp_path: Path) -> None:
    whole, path = scene(), tmp_path / "turning.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    for i in range(6 * FPS):
        writer.write(np.ascontiguousarray(whole[:, i : i + 320]))
    writer.release()
    config = load_config(None, ["output.video=false"])
    outcome = run(Job(spec=str(path), out=tmp_path / "out", config=config))
    assert any(
        "the picture as a whole moved, by about 25 px a second" in warning
        for warning in outcome.warnings
    )
