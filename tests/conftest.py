"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the real clips, which are not part of the repository; see CONTRIBUTING.md."""
    folder = os.environ.get("TRACKER_DATA")
    if not folder:
        pytest.skip("TRACKER_DATA names no folder of real clips")
    return Path(folder)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 60 frames, 160 x 120, in which two discs cross the picture one above the other."""
    path = tmp_path_factory.mktemp("clip") / "discs.avi"
    rng = np.random.default_rng(7)
    background = cv2.GaussianBlur(rng.integers(60, 190, (120, 160, 3), np.uint8), (0, 0), 2)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (160, 120))
    for i in range(60):
        image = background.astype(np.int16) + rng.normal(0, 2, background.shape).astype(np.int16)
        picture = np.clip(image, 0, 255).astype(np.uint8)
        cv2.circle(picture, (-10 + 3 * i, 35), 9, (30, 30, 220), -1, cv2.LINE_AA)
        cv2.circle(picture, (175 - 3 * i, 85), 11, (220, 80, 20), -1, cv2.LINE_AA)
        writer.write(picture)
    writer.release()
    return path
