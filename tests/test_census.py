"""Places that always hold as many objects, and what that says of those that appear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker import Tracker
from tracker.config import TrackingOptions
from tracker.tracking.census import census
from tracker.tracking.sizes import SizeModel
from tracker.types import Array, Blob, Scene, Snapshot

RADIUS, SIZE, SAMPLES = 8.0, (400, 300), 48
SIZES = SizeModel(
    intercept=float(np.sqrt(np.pi) * RADIUS),
    slope=0.0,
    rows=(0.0, 300.0),
    shape=np.eye(2) / (4 * np.pi),
    upright=False,
    spread=0.05,
    typical=float(np.pi * RADIUS**2),
)


def scene(counts: Array, random: np.random.Generator, *, grown: float = 1.0) -> Scene:
    """Return a survey in which each sample shows so many discs."""
    area = np.pi * RADIUS**2 * grown
    blobs = [
        Blob(random.uniform(30, 270, 2), np.eye(2) * RADIUS**2 / 4, area, False, sample)
        for sample, count in enumerate(counts)
        for _ in range(count)
    ]
    return Scene(size=SIZE, blobs=tuple(blobs), samples=len(counts))


def disc(x: float, y: float) -> Array:
    grid = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1].reshape(2, -1).T
    return grid[np.hypot(*grid.T) <= RADIUS] + np.rint([x, y])


def test_a_place_that_always_holds_as_many_is_known() -> None:
    random = np.random.default_rng(1)
    counts = np.full(SAMPLES, 7)
    counts[::9] = 6  # where two of them cover one another
    assert census(scene(counts, random), SIZES) == 7


def test_two_in_one_patch_are_two() -> None:
    random = np.random.default_rng(2)
    assert census(scene(np.full(SAMPLES, 3), random, grown=2.0), SIZES) == 6


@pytest.mark.parametrize("mean", [1, 3, 10, 30])
def test_who_comes_and_goes_is_no_population(mean: int) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        assert census(scene(random.poisson(mean, SAMPLES), random), SIZES) == 0


def test_a_crowd_is_not_counted_to_the_last_one() -> None:
    random = np.random.default_rng(5)
    counts = 120 - random.poisson(5, SAMPLES)  # always 120, of whom some stand before others
    assert census(scene(counts, random), SIZES) == 0


def test_a_car_that_parks_where_people_pass_is_no_population() -> None:
    random = np.random.default_rng(4)
    parked, walkers = scene(np.ones(SAMPLES, int), random), random.poisson(1, SAMPLES)
    passing = scene(walkers, random, grown=0.2)
    assert census(parked, SIZES) == 1
    together = replace(parked, blobs=parked.blobs + passing.blobs)
    assert census(together, SIZES) == 0


def test_a_piece_here_and_there_among_many_does_not_spoil_the_count() -> None:
    """Of 25 animals one or the other has lost a wing to the threshold in two samples of five."""
    random = np.random.default_rng(6)
    many = scene(np.full(SAMPLES, 25), random)
    pieces = scene((np.arange(SAMPLES) % 5 < 2).astype(int), random, grown=0.2)
    assert census(replace(many, blobs=many.blobs + pieces.blobs), SIZES) == 25


def test_few_samples_tell_nothing() -> None:
    random = np.random.default_rng(3)
    assert census(scene(np.full(11, 4), random), SIZES) == 0


def followed(paths: list[Array], count: int) -> list[Snapshot]:
    """Return what is known of discs on some paths, (frames, 2), NaN where there is none."""
    tracker = Tracker(scene=scene(np.full(SAMPLES, count), np.random.default_rng(4)))
    found = []
    for frame, places in enumerate(np.stack(paths, axis=1)):
        there = [disc(*place) for place in places if np.isfinite(place).all()]
        found.append(tracker.update(np.unique(np.concatenate(there), axis=0), time=frame / 25))
    return found


def rest(x: float, y: float, frames: int = 100) -> Array:
    return np.tile([x, y], (frames, 1)).astype(float)


def test_one_that_darts_keeps_its_name() -> None:
    darting = rest(100, 100)
    darting[40:] = [250, 180]
    darting[70:] = [80, 240]
    found = followed([darting, rest(320, 60), rest(320, 240)], 3)
    first = {tuple(np.rint(track.mean)): track.id for track in found[10].tracks}
    last = {tuple(np.rint(track.mean)): track.id for track in found[-1].tracks}
    assert last[(80, 240)] == first[(100, 100)]
    assert all(len(one.tracks) == 3 for one in found[3:])


@pytest.mark.parametrize(("x", "most"), [(200.0, 0.95), (8.0, 0.5)])
def test_a_name_for_what_turns_up_far_away_is_told_and_doubted(x: float, most: float) -> None:
    """It may be another one, above all where the lost one may have left the picture."""
    tracker = Tracker(TrackingOptions(objects=2), scene=Scene(size=SIZE))
    told = []
    for frame in range(100):
        place = (x, 150) if frame < 50 else (320, 240)
        here = [disc(*place), disc(80, 60)]
        snapshot = tracker.update(np.concatenate(here[frame == 50 :]), time=frame / 25)
        told += [(frame, e) for e in snapshot.diagnostics.events if e.kind == "return"]
    ((when, event),) = told
    assert 50 < when < 60
    assert event.message == f"far from where it was lost, p = {most:.2f}"
    sure = {track.id: track.identity_confidence for track in snapshot.tracks}
    (other,) = set(sure) - set(event.tracks)
    assert sure[event.tracks[0]] == pytest.approx(most)
    assert sure[other] == 1.0


def test_light_beside_them_is_none_and_a_guest_that_moves_is_one() -> None:
    light, guest = rest(200, 250), rest(0, 0)
    light[:20] = np.nan
    guest[:, 0], guest[:, 1] = np.linspace(20, 380, 100), 150
    guest[:30] = np.nan
    two = [rest(100, 60), rest(300, 60)]
    assert all(len(one.tracks) == 2 for one in followed([*two, light], 2)[3:])
    assert len(followed([*two, guest], 2)[-1].tracks) == 3


def test_who_leaves_the_picture_is_not_who_enters_it() -> None:
    leaves, enters = rest(0, 150), rest(0, 80)
    leaves[:, 0] = 355 + 1.0 * np.arange(100)
    leaves[40:] = np.nan
    enters[:, 0] = 10 + 4.0 * (np.arange(100) - 42)
    enters[:42] = np.nan
    found = followed([rest(200, 250), leaves, enters], 2)
    left = {track.id for track in found[30].tracks if track.mean[1] < 200}
    there = {track.id for track in found[-1].tracks}
    assert len(left) == 1
    assert len(there) == 2
    assert not left & there
