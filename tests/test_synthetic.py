"""The worlds that the other tests trust: their truth is what their pictures show."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.sources import Verdict, open_source
from tracker.synthetic import (
    MEETING_KINDS,
    Actor,
    Figure,
    MeetingKind,
    Part,
    Sighting,
    Stage,
    crowd,
    demo_scene,
    dog,
    gathering,
    meeting,
    person,
    robot,
    route,
    score_meeting,
    small_scene,
)
from tracker.types import Array, Diagnostics, Snapshot, Status, Track

VIDEOS = Path(__file__).parent.parent / "videos"
FIGURES = {
    "limbed": person((46, 46, 200), (90, 48, 36)),
    "ragged": dog((26, 44, 70)),
    "filled": robot((70, 150, 30)),
}


@cache
def demo() -> Stage:
    return demo_scene()


def sighting(scene: Stage, index: int, particle: int) -> Sighting:
    return {item.particle: item for item in scene.truth(index)}[particle]


# Pictures and their truth -------------------------------------------------------------------------


def blackened(figure: Figure) -> Figure:
    """A figure that takes away all the light, so that the picture tells how much it fills."""
    return replace(
        figure, parts=tuple(replace(part, colour=(0.0, 0.0, 0.0)) for part in figure.parts)
    )


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_truth_is_what_the_picture_shows(name: str, mirrored: bool) -> None:
    path = route([(0, 70.3, 60.8), (1, 130.9, 81.2)], fps=20, frame_count=21)
    empty = Stage(200, 150, 20, 21, (), noise=0, drift=0, shadow=0)
    scene = replace(empty, actors=(Actor(blackened(FIGURES[name]), path, mirrored),))
    for index in (0, 3, 10):
        filled = 1 - scene.render(index).astype(float).sum(2) / empty.render(index).sum(2)
        truth = sighting(scene, index, 1)
        columns, rows = filled.sum(0), filled.sum(1)
        assert columns @ np.arange(200) / columns.sum() == pytest.approx(truth.centre[0], abs=0.05)
        assert rows @ np.arange(150) / rows.sum() == pytest.approx(truth.centre[1], abs=0.05)
        row, column = np.nonzero(filled > 0.5)
        shown = (column.min() - 0.5, row.min() - 0.5, np.ptp(column) + 1, np.ptp(row) + 1)
        assert np.allclose(shown, truth.box, atol=1.01)  # pixels that are filled by halves
        assert truth.visibility == pytest.approx(1)
        assert np.count_nonzero(scene.mask(index) ^ (filled > 0.5)) < 0.01 * len(row)


@pytest.mark.parametrize("angle", np.linspace(0, 2 * np.pi, 7)[:-1])
@pytest.mark.parametrize("upright", [False, True])
def test_no_figure_is_cut_off(upright: bool, angle: float) -> None:
    way = np.arange(40)[:, None] * 3 * np.array([[np.cos(angle), np.sin(angle)]])
    for figure in FIGURES.values():
        actor = Actor(replace(figure, upright=upright), 200 + way)
        scene = Stage(400, 400, 25, 40, (actor,))
        for index in range(0, 40, 3):
            left, top, width, height = scene.truth(index)[0].box
            reach = scene.actors[0].figure.reach
            offsets = np.array([left, left + width, top, top + height]) - np.repeat(
                scene.actors[0].path[index], 2
            )
            assert (np.abs(offsets) < np.repeat(reach, 2) + 1).all()


def test_an_ellipse_has_the_moments_of_an_ellipse() -> None:
    path = np.array([[60.37, 51.82]])
    scene = Stage(120, 100, 25, 1, (Actor(Figure((Part(0, 0, 21, 12, (0, 0, 0)),)), path),))
    row, column = np.nonzero(scene.mask(0))
    assert sighting(scene, 0, 1).centre == pytest.approx((60.37, 51.82), abs=0.02)
    assert len(row) == pytest.approx(np.pi * 21 * 12, rel=0.01)
    assert np.var(column) == pytest.approx(21**2 / 4, rel=0.02)
    assert np.var(row) == pytest.approx(12**2 / 4, rel=0.02)


def test_what_is_seen_adds_up_behind_others_and_at_the_border() -> None:
    path = np.array([[60.0, 50.0]])
    small, large = (Figure((Part(0, 0, size, size, (0, 0, 0)),)) for size in (10, 30))
    behind = Actor(small, path)  # its lower end is above that of the large one
    half = Actor(small, np.array([[-0.5, 90.5]]))  # the picture begins at -0.5
    away = Actor(small, np.array([[-40.0, 20.0]]))
    gone = Actor(small, np.full((1, 2), np.nan))
    scene = Stage(120, 120, 25, 1, (behind, Actor(large, path), half, away, gone))
    shares = {item.particle: item.visibility for item in scene.truth(0)}
    assert shares == {
        1: pytest.approx(0, abs=1e-6),
        2: pytest.approx(1),
        3: pytest.approx(0.5, abs=0.01),
    }
    assert sighting(scene, 0, 3).box == (-10.5, 80.5, 20, 20)


def test_shadows_noise_and_drift_are_no_part_of_the_truth() -> None:
    plain = replace(demo(), shadow=0, noise=0, drift=0)
    for index in (60, 205):
        assert plain.truth(index) == demo().truth(index)
        assert np.array_equal(plain.mask(index), demo().mask(index))


def test_frames_are_the_same_in_any_order_and_of_any_stage_alike() -> None:
    first, second = small_scene(), small_scene()
    forth = [first.render(index) for index in range(first.frame_count)]
    back = [second.render(index) for index in reversed(range(second.frame_count))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(forth, back, strict=True))
    assert not np.array_equal(replace(first, seed=4).render(0), forth[0])


def test_the_noise_is_new_in_every_frame_and_as_strong_as_it_says() -> None:
    still = replace(small_scene(), actors=(), noise=3.0, drift=0)
    images = np.stack([still.render(index) for index in range(12)]).astype(float)
    assert images.std(0).mean() == pytest.approx(3.0, rel=0.08)
    pairs = np.corrcoef((images - images.mean(0)).reshape(12, -1))
    assert np.abs(pairs + 1 / 11)[~np.eye(12, dtype=bool)].max() < 0.03


def test_the_light_drifts_slowly_and_no_further_than_it_says() -> None:
    still = replace(small_scene(), actors=(), noise=0, drift=0.1)
    means = np.array([still.render(index).mean() for index in range(still.frame_count)])
    assert np.ptp(means) / means.mean() == pytest.approx(0.2, rel=0.05)
    assert np.abs(np.diff(means)).max() / means.mean() < 0.02


@pytest.mark.parametrize("index", [-1, 40])
def test_a_frame_that_is_not_there_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"frame {index} is not in a scene of 40 frames"):
        small_scene().render(index)


def test_a_route_stops_between_equal_waypoints() -> None:
    path = route([(0.2, 0, 5), (1, 40, 5), (2, 40, 5), (3, 90, 9)], fps=10, frame_count=40)
    assert np.isnan(path[:2]).all()
    assert np.isnan(path[31:]).all()
    assert np.allclose(path[10:21], (40, 5))
    assert (np.diff(path[2:11, 0]) > 0).all()


@pytest.mark.parametrize("count", [5, 64])
def test_a_crowd_is_as_large_as_asked_and_stays_in_the_picture(count: int) -> None:
    scene = crowd(count, 640, 480, seed=2, frame_count=50)
    for index in (0, 49):
        truth = scene.truth(index)
        assert [item.particle for item in truth] == list(range(1, count + 1))
    areas = [Stage(640, 480, 25, 50, (one,)).mask(0).sum() for one in scene.actors]
    assert 100 <= min(areas) <= max(areas) <= 205
    moved = [
        np.hypot(a.centre[0] - b.centre[0], a.centre[1] - b.centre[1])
        for a, b in zip(scene.truth(20), scene.truth(21), strict=True)
    ]
    assert 0.5 < np.median(moved) < 4.5


@pytest.mark.parametrize("arguments", [(0, 640, 480), (3, 40, 480)])
def test_a_crowd_that_cannot_be_is_an_error(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        crowd(*arguments)


# The demo -----------------------------------------------------------------------------------------


def test_the_demo_shows_what_it_promises() -> None:
    scene = demo()
    assert (scene.width, scene.height, scene.fps) == (640, 480, 25)
    assert 12 <= scene.frame_count / scene.fps <= 15
    seen = [{item.particle: item for item in now} for now in scene.sightings]

    inside = {k: [i for i, now in enumerate(seen) if k in now] for k in range(1, 7)}
    assert [k for k in inside if inside[k][0] > 0] == [1, 4, 5, 6]  # come in
    assert [k for k in inside if inside[k][-1] < scene.frame_count - 2] == [1, 2, 3, 5]  # leave
    hidden = [i for i in inside[1] if seen[i][1].visibility < 0.02 and i in range(150, 260)]
    assert 0.2 < len(hidden) / scene.fps < 1  # the pillar
    assert min(seen[i][2].visibility for i in range(105, 125)) < 0.35  # crossing with 3
    pauses = np.hypot(*scene.actors[2].velocity.T) == 0
    assert np.count_nonzero(pauses[inside[3]]) >= 3 * scene.fps  # the stop
    touch = [i for i in inside[5] if i in inside[6] and _gap(seen[i][5], seen[i][6]) < 0]
    assert len(touch) >= 0.8 * scene.fps
    assert touch == list(range(touch[0], touch[-1] + 1))
    meeting_frames = sum(
        any(_gap(a, b) < 0 for a in now.values() for b in now.values() if a is not b)
        for now in seen
    )
    assert meeting_frames < scene.frame_count / 3


def _gap(a: Sighting, b: Sighting) -> float:
    """Return the distance between two boxes, px; negative where they overlap."""
    return max(
        max(a.box[d], b.box[d]) - min(a.box[d] + a.box[d + 2], b.box[d] + b.box[d + 2])
        for d in range(2)
    )


def test_the_demo_draws_faster_than_it_plays() -> None:
    scene = demo()
    scene.render(0)
    begin = time.process_time()
    for index in range(200, 210):
        scene.render(index)
    assert (time.process_time() - begin) / 10 < 1 / scene.fps


def test_the_truth_in_videos_is_that_of_the_demo() -> None:
    for name, text in (("demo_truth.txt", demo().mot()), ("demo_truth.csv", demo().table())):
        kept = np.genfromtxt((VIDEOS / name).read_text().splitlines(), delimiter=",")
        drawn = np.genfromtxt(text.splitlines(), delimiter=",")
        assert kept.shape == drawn.shape
        # Libraries differ in the last digits, which may move a box by a pixel.
        assert np.nanmax(np.abs(kept - drawn)) < 1.01
        assert np.nanmean(np.abs(kept - drawn)) < 1e-3


def test_the_clip_in_videos_is_the_demo() -> None:
    assert (VIDEOS / "demo.mp4").stat().st_size < 3_000_000
    with av.open(str(VIDEOS / "demo.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        count = 0
        for count, frame in enumerate(container.decode(video=0), 1):
            if count % 100 == 51:
                image = frame.to_ndarray(format="bgr24").astype(float)
                difference = np.abs(image - demo().render(count - 1)).mean()
                following = np.abs(image - demo().render(count)).mean()
                assert difference < min(4.0, following)
    assert count == demo().frame_count


def test_the_demo_is_a_source() -> None:
    with open_source("demo") as source:
        facts = source.facts
        assert (facts.kind, facts.width, facts.height, facts.fps) == ("demo", 640, 480, 25)
        assert facts.claimed_frames == demo().frame_count
        for index, frame in enumerate(source):
            assert frame.index == index
            assert frame.time == pytest.approx(demo().time(index))
            assert np.array_equal(frame.image, demo().render(index))
            if index == 2:
                break
        assert source.facts.verdict is Verdict.STOPPED
        assert len(list(source.sample(3))) == 3


# Meetings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MEETING_KINDS)
def test_a_meeting_is_the_union_of_two_wobbling_ellipses(kind: MeetingKind) -> None:
    truth = meeting(kind, np.random.default_rng(8))
    areas = [4 * np.pi * np.sqrt(np.linalg.det(one)) for one in truth.covariances]
    inverses = np.linalg.inv(truth.covariances)
    for points, centres, overlapped in zip(
        truth.points, truth.centres, truth.overlapped, strict=True
    ):
        assert np.array_equal(points, np.rint(points))
        assert len(np.unique(points, axis=0)) == len(points)  # a shared pixel counts once
        offsets = points[:, None] - centres
        distance = np.sqrt(np.einsum("nki,kij,nkj->nk", offsets, inverses, offsets)) / 2
        assert distance.min(1).max() < 2
        assert np.mean(distance.min(1) < 1.2) > 0.98
        if not overlapped:
            assert len(points) == pytest.approx(sum(areas), rel=0.2)
        else:
            assert len(points) < 1.1 * sum(areas)
    assert truth.overlapped.any()
    assert not truth.overlapped[[0, -1]].any()


def test_a_full_crossing_hides_and_a_bounce_turns_back() -> None:
    for seed in range(3):
        crossing = meeting("full crossing", np.random.default_rng(seed))
        turning = meeting("bounce", np.random.default_rng(seed))
        for truth, sign in ((crossing, -1), (turning, 1)):
            before, after = (truth.centres[i, 0] - truth.centres[i, 1] for i in (0, -1))
            assert np.sign(before @ after) == sign
        least = np.linalg.norm(crossing.centres[:, 0] - crossing.centres[:, 1], axis=1).min()
        assert least < 6


def test_the_same_seed_makes_the_same_meeting() -> None:
    digests = {
        hashlib.sha256(
            np.concatenate(meeting("bounce", np.random.default_rng(5)).points).tobytes()
        ).hexdigest()
        for _ in range(2)
    }
    assert len(digests) == 1


def test_a_meeting_of_no_known_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="no meeting is of kind 'collision'"):
        meeting("collision", np.random.default_rng(0))  # type: ignore[arg-type]


def snapshots(centres: Array, covariances: Array, ids: list[tuple[int, int]]) -> list[Snapshot]:
    """Return what a tracker with these means and ids would say."""
    return [
        Snapshot(
            index,
            float(index),
            tuple(
                Track(
                    id=name,
                    mean=mean,
                    covariance=covariance,
                    position_covariance=np.eye(2),
                    velocity=np.zeros(2),
                    box=np.zeros(4),
                    mass=1.0,
                    age=1,
                    status=Status.SEEN,
                    confidence=1.0,
                )
                for name, mean, covariance in zip(ids[index], means, covariances, strict=True)
            ),
            Diagnostics(),
        )
        for index, means in enumerate(centres)
    ]


def test_a_score_tells_kept_from_swapped_and_measures_the_error() -> None:
    truth = meeting("partial crossing", np.random.default_rng(1))
    count = len(truth.points)
    kept = score_meeting(
        truth, snapshots(truth.centres + np.array([0.3, 0.4]), truth.covariances, [(1, 2)] * count)
    )
    assert kept.kept
    assert kept.error == pytest.approx(0.5)
    names = [(1, 2)] * (count // 2) + [(2, 1)] * (count - count // 2)
    assert not score_meeting(truth, snapshots(truth.centres, truth.covariances, names)).kept
    lost = [(1, 2)] * (count - 1) + [(1, 3)]
    assert not score_meeting(truth, snapshots(truth.centres, truth.covariances, lost)).kept
    with pytest.raises(ValueError, match="wants as many snapshots"):
        score_meeting(truth, [])


@pytest.mark.parametrize("count", [3, 4])
def test_a_gathering_crosses_one_place_and_parts(count: int) -> None:
    whole, again = (gathering(count, np.random.default_rng(count)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(whole.points, again.points, strict=True))
    assert whole.centres.shape == (len(whole.points), count, 2)
    assert whole.overlapped.any()
    assert not whole.overlapped[[0, -1]].any()
    apart = np.linalg.norm(whole.centres - whole.centres.mean(axis=1, keepdims=True), axis=2)
    assert apart.max(axis=1).min() < 0.3 * apart[0].min()
    for place, points in ((0, whole.points[0]), (-1, whole.points[-1])):
        nearest = np.linalg.norm(points[:, None] - whole.centres[place], axis=2).argmin(axis=1)
        areas = np.pi * 4 * np.sqrt(np.linalg.det(whole.covariances))
        assert np.bincount(nearest) == pytest.approx(areas, rel=0.3)
