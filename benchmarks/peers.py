"""The usual way to track with a static camera: OpenCV's background models, then a box tracker.

MOG2 or KNN finds the foreground, morphology cleans it, connected components become boxes, and one
of roboflow's `trackers` (SORT, OC-SORT, ByteTrack) gives them identities. The boxes carry
confidence 1; everything that is not set in this file is left at the peers' own defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import supervision
from scoring import Floats, Trajectories
from trackers import ByteTrackTracker, OCSORTTracker, SORTTracker

HISTORY = 500
LEAST_AREA = 150  # px² at 768 x 576; scaled with the picture
TRACKERS = {"SORT": SORTTracker, "OC-SORT": OCSORTTracker, "ByteTrack": ByteTrackTracker}
SUBTRACTORS = {"MOG2": cv2.createBackgroundSubtractorMOG2, "KNN": cv2.createBackgroundSubtractorKNN}


def boxes(images: Iterable[Any], subtractor: str) -> Iterator[Floats]:
    """Yield the boxes, shape (n, 4): left, top, width, height in px, of each picture's foreground.

    Shadows are detected and left out (value 127 of the mask), the mask is opened by 3 x 3, closed
    by 7 x 15 (upright objects), and patches under `LEAST_AREA` are dropped.
    """
    model = SUBTRACTORS[subtractor](history=HISTORY, detectShadows=True)
    opening = np.ones((3, 3), np.uint8)
    closing = np.ones((15, 7), np.uint8)
    for image in images:
        mask = (model.apply(image) > 200).astype(np.uint8)
        opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, opening)
        closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, closing)
        _, _, patches, _ = cv2.connectedComponentsWithStats(closed)
        least = LEAST_AREA * image.shape[0] * image.shape[1] / (768 * 576)
        kept = patches[1:][patches[1:, cv2.CC_STAT_AREA] >= least]
        yield kept[:, :4].astype(float)


def identities(
    boxes_of_frames: Iterable[tuple[int, Floats]], tracker: str, fps: float
) -> Trajectories:
    """Give the boxes of each frame, pairs of frame index and boxes, the ids of one tracker."""
    model = TRACKERS[tracker](frame_rate=fps)
    frames: list[int] = []
    ids: list[int] = []
    found: list[Floats] = []
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
