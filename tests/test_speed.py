"""The speed benchmark draws what it says is true, and says what it has measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import Herd
from speed import DECODING, Clip, Cost, commands, measure, speeds, spent

from tracker.evaluation import read_truth


def test_the_truth_of_a_drawn_clip_is_what_is_drawn(tmp_path: Path) -> None:
    alone = Herd(160, 120, 1, 30, share=0.02)
    empty = list(Herd(160, 120, 0, 30).pictures())
    for index, picture in enumerate(alone.pictures()):
        if index % 7:
            continue
        # The ground is one of a few that differ by their noise alone.
        apart = min(
            (np.abs(picture.astype(int) - ground).max(axis=2) for ground in empty),
            key=lambda difference: float(difference.sum()),
        )
        rows, columns = np.nonzero(apart > 20)
        assert [columns.mean(), rows.mean()] == pytest.approx(alone.centres[index, 0], abs=0.5)
        left, top, width, height = alone.boxes[index, 0]
        found = [columns.min(), rows.min(), columns.max(), rows.max()]
        assert found == pytest.approx([left, top, left + width, top + height], abs=2)
    clip = tmp_path / "drawn.mp4"
    Herd(160, 120, 3, 5).write(clip)
    assert len(read_truth(clip.with_suffix(".txt"))) == 15
    assert list(tmp_path.glob("*.partial")) == []


def test_every_way_has_a_row() -> None:
    ways = list(commands(Clip(Path("a.mp4")), "out"))
    costs = {name: [Cost(2.0, 3.0, 100.0), Cost(4.0, 3.0, 100.0)] for name in ways}
    table = speeds("a", 60, costs, dict.fromkeys(ways, ("-", "-")))
    assert [row[0] for row in table.rows] == ways
    assert ways[0] == DECODING
    assert set(table.rows) == {
        (name, "20", "3.00", "1.0 x", "3.00", "100 MB", "-", "-") for name in ways
    }
    runs = [{"open": 1.0, "read": 0.3, "foreground": 0.6, "track": 0.12, "write": 0.06}]
    (stages,) = spent("a", 60, {ways[1]: runs})
    assert stages.rows == [(ways[1], "1.00", "5.00", "10.00", "2.00", "1.00")]
    assert len(stages.columns) == len(stages.rows[0])
    assert list(spent("a", 60, {})) == []


def test_a_clip_is_measured(clip: Path) -> None:
    (table,) = measure(Clip.named(f"{clip}=truth.txt"), 1, [DECODING])
    assert table.title == "discs.avi, 60 frames, medians of 1"
    assert table.rows[0][3] == "1.0 x"
