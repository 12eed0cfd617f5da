"""Laws of absences: who comes back under the same name, and who must not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike

from tracker.cli import main
from tracker.synthetic import Actor, Figure, Part, Post, Stage, route
from tracker.tracking import combine
from tracker.tracking.gaps import Bridge, bridges
from tracker.types import COLOR_BINS, Array, Points, Scene, Snapshot, Status, Track

FPS = 25.0
EXTENT = np.diag([36.0, 81.0])
PLACE = Scene(size=(640, 360))
RED, BLUE, GREY = 5, 40, 12  # bins of the palette


def ellipse(mean: Array) -> Array:
    """Return the pixels of an object, shape (n, 2)."""
    low, high = np.floor(mean - 20), np.ceil(mean + 20)
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    return pixels[((pixels - mean) ** 2 / np.diagonal(EXTENT)).sum(axis=1) <= 4]


def walk(begin: ArrayLike, step: ArrayLike, frames: range) -> dict[int, Track]:
    """Return the rows of an object that walks, by frame; steps in px."""
    rows = {}
    for age, frame in enumerate(frames):
        mean = np.asarray(begin, float) + age * np.asarray(step, float)
        box = np.append(mean - [12, 18], [24.0, 36.0])
        rows[frame] = Track(
            1,
            mean,
            EXTENT,
            np.eye(2),
            FPS * np.asarray(step, float),
            box,
            600.0,
            age + 1,
            Status.SEEN,
            0.99,
        )
    return rows


def shown(paths: Sequence[Mapping[int, Track]], colors: Sequence[int], frames: int) -> list[Points]:
    """Return the points of objects, each of one colour with a little of the next."""
    rng = np.random.default_rng(7)
    found = []
    for frame in range(frames):
        here = [
            (ellipse(rows[frame].mean), color)
            for rows, color in zip(paths, colors, strict=True)
            if frame in rows
        ]
        bins = [np.where(rng.random(len(pixels)) < 0.8, c, c + 1) for pixels, c in here]
        pixels = np.concatenate([pixels for pixels, _ in here])
        found.append(Points(pixels, colors=np.concatenate(bins).astype(np.uint8)))
    return found


def around(frames: int) -> list[dict[int, Track]]:
    """Return others that are there all the time, so that the run tells how things are."""
    return [walk((60, 300), (1, 0), range(frames)), walk((500, 330), (-1, 0), range(frames))]


FRAMES = 220
TIMES = np.arange(FRAMES) / FPS
BEFORE = walk((80, 100), (3, 0), range(60))
AFTER = walk((80 + 3 * 130, 100), (3, 0), range(130, 170))


def joins(*paths: Mapping[int, Track], colors: Sequence[int] | None = None) -> list[Bridge]:
    every = [*paths, *around(FRAMES)]
    recording = colors and shown(every, [*colors, GREY, GREY], FRAMES)
    return bridges(every, TIMES, PLACE, recording)


def told(found: Sequence[Bridge]) -> list[tuple[int, int]]:
    return [(one.first, one.second) for one in found]


@pytest.mark.parametrize(("color", "same"), [(RED, [(0, 1)]), (BLUE, [])])
def test_who_comes_back_looks_as_before(color: int, same: list[tuple[int, int]]) -> None:
    assert told(joins(BEFORE, AFTER, colors=(RED, color))) == same


@pytest.mark.parametrize(("colors", "same"), [((RED, BLUE), [(0, 1)]), ((BLUE, RED), [(0, 2)])])
def test_colours_choose_among_rivals(colors: tuple[int, int], same: list[tuple[int, int]]) -> None:
    rivals = (walk((470, 100 + off), (3, 0), range(130, 170)) for off in (-20, 20))
    assert told(joins(BEFORE, *rivals, colors=(RED, *colors))) == same


@pytest.mark.parametrize("colors", [None, (RED, RED, RED)])
def test_of_two_alike_none_is_chosen(colors: tuple[int, int, int] | None) -> None:
    came = (walk((470, 100 + off), (3, 0), range(130, 170)) for off in (-20, 20))
    assert not joins(BEFORE, *came, colors=colors)
    went = (walk((80, 100 + off), (3, 0), range(60)) for off in (-20, 20))
    assert not joins(*went, AFTER, colors=colors)


def test_the_farther_from_where_it_should_be_the_less_sure() -> None:
    sure = []
    for off in (0, 12, 24):
        came = walk((80 + 3 * 100, 100 + off), (3, 0), range(100, 140))
        sure += [one.sure for one in joins(BEFORE, came, colors=(RED, RED))]
    assert len(sure) == 3
    assert all(one > other for one, other in pairwise(sure))


def test_who_turns_up_anywhere_is_another() -> None:
    assert not joins(BEFORE, walk((150, 250), (3, 0), range(70, 120)))
    assert not joins(BEFORE, walk((380, 100), (-3, 0), range(100, 140)))


def test_time_may_run_backwards() -> None:
    rng = np.random.default_rng(11)
    every = [*around(FRAMES)]
    for _ in range(6):
        begin, speed = rng.uniform((100, 60), (200, 300)), np.array([rng.uniform(2, 4), 0])
        came = begin + speed * rng.uniform(80, 100) + rng.normal(0, 10, 2)
        every.append(walk(begin, speed, range(50)))
        every.append(walk(came, speed + rng.normal(0, 0.3, 2), range(90, 150)))
    colors = [GREY, GREY, *rng.integers(0, COLOR_BINS - 1, 12).tolist()]
    colors[3::4] = colors[2::4]
    recording = shown(every, colors, FRAMES)
    ahead = bridges(every, TIMES, PLACE, recording)
    last = FRAMES - 1
    mirrored = [
        {last - n: replace(rows[n], velocity=-rows[n].velocity) for n in sorted(rows, reverse=True)}
        for rows in every
    ]
    behind = bridges(mirrored, TIMES[-1] - TIMES[::-1], PLACE, recording[::-1])
    assert ahead
    assert {(b.second, b.first) for b in behind} == set(told(ahead))
    sure = {(one.first, one.second): one for one in ahead}
    for other in behind:
        one = sure[other.second, other.first]
        assert other.sure == pytest.approx(one.sure)
        for place, track in one.rows.items():
            np.testing.assert_allclose(other.rows[last - place].mean, track.mean)


def test_what_was_there_at_the_same_time_is_never_one() -> None:
    early = walk((80 + 3 * 59, 100), (3, 0), range(59, 100))
    assert not joins(BEFORE, early, colors=(RED, RED))
    at_once = walk((80 + 3 * 60, 100), (3, 0), range(60, 100))
    assert told(joins(BEFORE, at_once, colors=(RED, RED))) == [(0, 1)]


def test_rows_that_differ_by_rounding_alone_say_nothing_of_sizes() -> None:
    off = replace(BEFORE[20], mean=np.nextafter(BEFORE[20].mean, 300))
    exact, rounded = (
        told(bridges([rows, AFTER], TIMES, PLACE, None)) for rows in (BEFORE, {**BEFORE, 20: off})
    )
    assert rounded == exact


def test_who_led_out_of_the_picture_has_left() -> None:
    leaves = walk((440, 100), (3, 0), range(60))
    enters = walk((617, 100), (-3, 0), range(90, 150))
    assert not joins(leaves, enters, colors=(RED, RED))


def test_a_short_absence_has_rows_and_a_long_one_has_none() -> None:
    near = walk((80 + 3 * 80, 100), (3, 0), range(80, 120))
    (short,) = joins(BEFORE, near)
    assert list(short.rows) == list(range(60, 80))
    for place, track in short.rows.items():
        np.testing.assert_allclose(track.mean, [80 + 3 * place, 100])
        np.testing.assert_allclose(track.velocity, [3 * FPS, 0])
        np.testing.assert_allclose(track.box, np.append(track.mean - [12, 18], [24, 36]))
        assert track.status is Status.COASTING
    spread = [track.position_covariance[0, 0] for track in short.rows.values()]
    assert np.argmax(spread) in (9, 10)
    assert spread[0] < spread[4] < spread[9]
    slow = walk((80, 100), (1, 0), range(30)), walk((285, 100), (1, 0), range(205, FRAMES))
    (long,) = joins(*slow, colors=(RED, RED))
    assert not long.rows


def snapshots(paths: Sequence[Mapping[int, Track]]) -> list[Snapshot]:
    return [
        Snapshot(
            n,
            TIMES[n],
            tuple(replace(rows[n], id=k) for k, rows in enumerate(paths, start=1) if n in rows),
        )
        for n in range(FRAMES)
    ]


def test_a_name_that_comes_back_is_as_sure_as_the_evidence() -> None:
    again = walk((80 + 3 * 95, 100), (-0.5, 0), range(200, 220))
    paths = [BEFORE, walk((80 + 3 * 85, 100), (3, 0), range(85, 95)), again, *around(FRAMES)]
    colors = [RED, RED, BLUE, GREY, GREY]
    known = snapshots(paths)
    refined = combine(known, known, scene=PLACE, recording=shown(paths, colors, FRAMES))
    of_name = [[t for s in refined for t in s.tracks if t.id == k] for k in range(1, 5)]
    for rows in of_name:
        sure = [track.identity_confidence for track in rows]
        assert all(one >= other for one, other in pairwise(sure))
    events = [(s.frame, e) for s in refined for e in s.diagnostics.events if e.kind == "return"]
    ((frame, event),) = events
    assert frame == 85
    assert event.tracks == (1,)
    (came,) = (t for t in refined[85].tracks if t.id == 1)
    assert event.message == f"p = {came.identity_confidence:.2f}"
    assert 0.9 <= came.identity_confidence < 1
    assert {t.id for t in refined[210].tracks} == {2, 3, 4}


def test_behind_a_wide_pillar(tmp_path: Path) -> None:
    fps, frames = 12.5, 90

    def disc(color: tuple[float, float, float], *waypoints: tuple[float, float, float]) -> Actor:
        figure = Figure((Part(0, 0, 9, 9, color),))
        return Actor(figure, route(waypoints, fps=fps, frame_count=frames))

    actors = (
        disc((40, 40, 210), (0, 20, 70), (7.2, 310, 70)),
        disc((60, 160, 30), (0, -10, 20), (7.2, 330, 20)),
        disc((20, 20, 20), (0, 330, 24), (7.2, -10, 24)),
    )
    pillar = Post(x=160, top=44, base=96, half_width=60)
    stage = Stage(320, 100, fps, frames, actors, (pillar,), seed=5, shadow=0.0)
    clip = tmp_path / "pillar.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), fps, (320, 100))
    for index in range(frames):
        writer.write(stage.render(index))
    writer.release()
    words = ["run", str(clip), "--out", str(tmp_path / "out"), "--no-video", "--refine"]
    assert main(words) == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["counts"]["objects"] == 3
    (back,) = (event for event in record["events"] if event["kind"] == "return")
    assert 35 <= back["frame"] <= 65
