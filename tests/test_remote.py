"""The foreground model that works where the frames are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tracker import ConfigError, Job, run
from tracker.config import Config, ForegroundOptions
from tracker.foreground import Footprint, make_foreground, samples_wanted
from tracker.foreground.remote import RemoteForeground
from tracker.pipeline import FOREGROUND
from tracker.sources import Errand, ProcessSource, Verdict, open_source
from tracker.sources.errand import LAG

OPTIONS = ForegroundOptions(learning_seconds=0.2)  # much learning in a short clip


@contextmanager
def seeing(clip: Path) -> Iterator[ProcessSource]:
    with open_source(str(clip), errand=Errand(FOREGROUND, asdict(OPTIONS))) as source:
        assert isinstance(source, ProcessSource)
        yield source


def objects_at(index: int) -> Footprint:
    """Some object that walks through the picture."""
    return Footprint(np.array([[20.0 + 2 * index, 60.0]]), np.diag([80.0, 60.0])[None])


def test_the_other_process_sees_what_this_one_would(clip: Path) -> None:
    with open_source(str(clip)) as source:
        size = source.facts.size
        model = make_foreground(OPTIONS, size, source.sample(samples_wanted(OPTIONS, size)), False)
        expected = [
            model.points(frame, objects_at(frame.index - LAG) if frame.index >= LAG else None)
            for frame in source
        ]
    with seeing(clip) as source:
        spent: list[float] = []
        remote = RemoteForeground(source, spent=spent.append)
        points = [remote.points(frame, objects_at(frame.index)) for frame in source]
    assert remote.scene.step == model.scene.step
    assert len(remote.scene.blobs) == len(model.scene.blobs) > 0
    assert len(points) == len(expected) > 2 * LAG
    assert len(spent) == len(points)
    assert min(spent) > 0
    for ours, theirs in zip(expected, points, strict=True):
        np.testing.assert_array_equal(ours.coordinates, theirs.coordinates)
        np.testing.assert_array_equal(ours.colors, theirs.colors)
        np.testing.assert_array_equal(ours.weights, theirs.weights)


def test_a_decoder_that_dies_takes_no_frame_with_it(clip: Path) -> None:
    with seeing(clip) as source:
        remote, counts = RemoteForeground(source, spent=print), {}
        for frame in source:
            counts[frame.index] = len(remote.points(frame))
            if frame.index == 5:
                source._decoder._process.kill()
    assert sorted(counts) == list(range(len(counts)))
    assert len(counts) == source.facts.claimed_frames
    assert min(list(counts.values())[1:]) > 0
    assert source.facts.verdict is Verdict.COMPLETE
    assert "SIGKILL" in source.facts.reason


def test_a_decoder_that_dies_while_it_looks_is_replaced(clip: Path) -> None:
    with seeing(clip) as source:
        source._decoder._process.kill()
        remote = RemoteForeground(source, spent=print)
        assert sum(len(remote.points(frame)) > 0 for frame in source) > 10


def test_settings_that_cannot_be_used_are_refused_here(clip: Path, tmp_path: Path) -> None:
    config = Config(foreground=ForegroundOptions(region=str(tmp_path / "none.png")))
    with pytest.raises(ConfigError, match=r"none\.png"):
        run(Job(spec=str(clip), out=tmp_path / "out", config=config))
