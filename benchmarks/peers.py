"""The usual way to track with a static camera: OpenCV's background models, then a box tracker.

MOG2 or KNN finds the foreground, morphology cleans it, connected components become boxes, and one
of roboflow's `trackers` (SORT, OC-SORT, ByteTrack) gives them identities. The boxes carry
confidence 1; everything that is not set in this file is left at the peers' own defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import supervision
from trackers import ByteTrackTracker, OCSORTTracker, SORTTracker

from tracker.evaluation import Trajectories
from tracker.types import Array

TRACKERS = {"SORT": SORTTracker, "OC-SORT": OCSORTTracker, "ByteTrack": ByteTrackTracker}
SUBTRACTORS: dict[str, Callable[..., Any]] = {
    # 500 frames are OpenCV's own history; 40 was better than its 16 on pedestrians, 400 is its own
    "MOG2": partial(cv2.createBackgroundSubtractorMOG2, history=500, varThreshold=40),
    "KNN": partial(cv2.createBackgroundSubtractorKNN, history=500, dist2Threshold=400),
}


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is done to the mask before its patches become boxes.

    Parameters
    ----------
    closing
        Width and height of the closing after a 3 x 3 opening, px.
    least_area
        Patches smaller than this are dropped, px².
    shadows
        Leave out what the background model takes for a cast shadow (value 127 of its mask).
    """

    closing: tuple[int, int] = (3, 3)
    least_area: int = 150
    shadows: bool = True


UPRIGHT = Cleaning(closing=(3, 15), least_area=450)
"""With MOG2 the best of 48 settings for SORT on PETS09 by its truth: it was tuned, ours was not."""

ARENA = Cleaning(shadows=False)
"""Dark animals on a bright ground look like shadows; there are none in an arena."""


def boxes(images: Iterable[Any], subtractor: str, cleaning: Cleaning) -> Iterator[Array]:
    """Yield the boxes, shape (n, 4): left, top, width, height in px, of each picture."""
    model = SUBTRACTORS[subtractor](detectShadows=cleaning.shadows)
    opening = np.ones((3, 3), np.uint8)
    closing = np.ones(cleaning.closing[::-1], np.uint8)
    for image in images:
        mask = (model.apply(image) > 200).astype(np.uint8)
        opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, opening)
        closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, closing)
        patches = cv2.connectedComponentsWithStats(closed)[2][1:]
        yield patches[patches[:, cv2.CC_STAT_AREA] >= cleaning.least_area][:, :4].astype(float)


def identities(
    boxes_of_frames: Iterable[tuple[int, Array]], tracker: str, fps: float
) -> Trajectories:
    """Give the boxes of each frame, pairs of frame index and boxes, the ids of one tracker."""
    model = TRACKERS[tracker](frame_rate=fps)
    frames: list[int] = []
    ids: list[int] = []
    found: list[Array] = []
    for frame, rows in boxes_of_frames:
        corners = np.column_stack([rows[:, :2], rows[:, :2] + rows[:, 2:]])
        result = model.update(
            supervision.Detections(xyxy=corners, confidence=np.ones(len(corners)))
        )
        for corner, object_id in zip(result.xyxy, result.tracker_id, strict=True):
            if object_id >= 0:  # -1 marks a track that is not yet confirmed
                frames.append(frame)
                ids.append(int(object_id))
                found.append(np.array([*corner[:2], *(corner[2:] - corner[:2])]))
    return Trajectories.of_boxes(frames, ids, found)
