"""How many objects a patch holds, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.config import TrackingOptions
from tracker.foreground.survey import Patch, typical_area
from tracker.mixture import Mixture, Stats, squared_distances
from tracker.tracking import Tracker, start
from tracker.tracking.births import Count, Newborn, _Patch, affordable, resolve, split
from tracker.tracking.blobs import find_blobs
from tracker.tracking.info import Info
from tracker.tracking.policy import _newborn, learn
from tracker.tracking.sizes import Patches, SizeModel, fit_sizes
from tracker.types import Array, Blob, Points, Scene, Status

RADIUS = 12.0
EXTENT = RADIUS**2 / 4 * np.eye(2)


def discs(*centres: tuple[float, float], radius: float = RADIUS) -> Array:
    """Return the pixels of a union of discs, shape (n, 2)."""
    x, y = np.meshgrid(np.arange(200.0), np.arange(100.0))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    near = [((pixels - c) ** 2).sum(axis=1) <= radius**2 for c in centres]
    return pixels[np.any(near, axis=0)]


def counted(points: Array, weights: Array | None = None) -> Count:
    places = np.array([[x, y] for x in (30.0, 100.0, 170.0) for y in (20.0, 50.0, 80.0)])
    patches = Patches(places, np.tile(EXTENT, (9, 1, 1)), np.full(9, np.pi * RADIUS**2))
    sizes = fit_sizes(patches)
    assert sizes is not None
    return split(Points(points, weights), sizes)


@pytest.mark.parametrize("upright", [False, True])
def test_distances_along_and_across_are_those_of_the_covariances(upright: bool) -> None:
    shape = np.diag([0.12, 0.05])
    sizes = SizeModel(20.0, 0.1, (10.0, 90.0), shape, upright, 0.2, 400.0)
    rng = np.random.default_rng(1)
    means, stretch = rng.uniform(30, 70, (4, 2)), rng.normal(0, 0.3, (4, 2))
    turned = rng.normal(size=(4, 2, 2))
    like = turned @ turned.swapaxes(1, 2) + np.eye(2)
    patch = _Patch.of(Points(discs((50, 50))), sizes)
    along_and_across = patch.squares(means, sizes.headings(like))
    distances = (along_and_across / sizes.sides(means, stretch).T[:, :, None]).sum(axis=1)
    mixture = Mixture(np.full(4, 0.25), means, sizes.covariances(means, like, stretch))
    np.testing.assert_allclose(distances, squared_distances(patch.cells, mixture), rtol=1e-9)


def test_one_disc_is_one_object() -> None:
    count = counted(discs((80, 50)))
    assert len(count.parts.mass) == 1
    assert count.chance > 0.9


@pytest.mark.parametrize("apart", [20.0, 24.0])
def test_a_union_of_two_discs_is_two(apart: float) -> None:
    count = counted(discs((80, 50), (80 + apart, 50)))
    assert len(count.parts.mass) == 2
    assert count.chance > 0.85
    np.testing.assert_allclose(np.sort(count.parts.mean[:, 0]), [80, 80 + apart], atol=1)


def test_limbs_that_cross_do_not_hide_the_bodies() -> None:
    """Spiders are counted by their bodies: what they spread around these hides where they are."""
    bodies = discs((80, 50), (112, 50))
    legs = np.vstack([discs((96, 50), radius=30.0), bodies])
    _, first = np.unique(legs, axis=0, return_index=True)
    legs = legs[first]
    body = (legs[:, None] == bodies).all(axis=2).any(axis=1)
    count = counted(legs, np.where(body, 1.0, 0.1))
    assert len(count.parts.mass) == 2
    assert count.chance > 0.99
    np.testing.assert_allclose(np.sort(count.parts.mean[:, 0]), [80, 112], atol=1)


def test_a_few_heavy_points_do_not_hide_the_others() -> None:
    patch = discs((80, 50), (104, 50))
    weights = np.ones(len(patch))
    weights[:3] = 1000.0
    assert len(counted(patch, weights).parts.mass) == 2


def test_doubt_grows_as_two_discs_become_one() -> None:
    apart = (0, 2, 6, 8, 10, 14, 20)
    chances = [counted(discs((80, 50), (80 + a, 50))).chances for a in apart]
    for chance in chances:
        assert chance.sum() == pytest.approx(1)
    one = [float(chance[0]) for chance in chances]
    assert one == sorted(one, reverse=True)
    assert any(0.1 < chance < 0.9 for chance in one), "somewhere it is open"


def test_the_count_is_told_when_the_objects_begin() -> None:
    blobs = tuple(
        Blob(np.array([x, y]), EXTENT, np.pi * RADIUS**2, border=False)
        for x in (30.0, 100.0, 170.0)
        for y in (20.0, 50.0, 80.0)
    )
    tracker = Tracker(scene=Scene(size=(200, 100), blobs=blobs))
    snapshot = tracker.update(Points(discs((80, 50), (100, 50))), time=0.0)
    (event,) = snapshot.diagnostics.events
    assert (event.kind, event.tracks) == ("group", (1, 2))
    words, _, chance = event.message.rpartition(" = ")
    assert words == "this patch is 2, p"
    assert 0.85 < float(chance) <= 1
    alone = Tracker(scene=Scene(size=(200, 100), blobs=blobs))
    assert not alone.update(Points(discs((80, 50))), time=0.0).diagnostics.events


def test_a_group_that_rests_does_not_count_again_and_again() -> None:
    """One pair that stands in all samples beside single objects that pass."""
    random = np.random.default_rng(3)
    area = np.pi * RADIUS**2
    blobs = [
        blob
        for sample in range(60)
        for blob in (
            Blob(random.normal((90, 50), 0.2), 2 * EXTENT, 2 * area, False, sample),
            Blob(random.uniform((0, 0), (200, 100)), EXTENT, area, False, sample),
        )
        if blob.area > area or sample % 2
    ]
    sizes = start(TrackingOptions(), Scene(size=(200, 100), blobs=tuple(blobs), samples=60)).sizes
    assert sizes is not None
    assert sizes.typical == pytest.approx(area, rel=0.05)


@pytest.mark.parametrize("horizon", [-100.0, 40.0])
def test_sizes_grow_from_the_horizon_whatever_groups_and_fragments_say(horizon: float) -> None:
    random = np.random.default_rng(5)
    rows = random.uniform(60, 400, 300)
    lengths = 0.2 * (rows - horizon) * np.exp(random.normal(0, 0.1, 300))
    lengths[::4] *= random.uniform(0.1, 0.6, 75)
    lengths[1::6] *= random.uniform(1.5, 3.0, 50)
    extents = np.eye(2) * lengths[:, None, None] ** 2 / 12
    patches = Patches(np.stack([200 + 0 * rows, rows], axis=1), extents, lengths**2)
    sizes = fit_sizes(patches)
    assert sizes is not None
    places = np.array([[200.0, row] for row in (120, 200, 380)])
    np.testing.assert_allclose(sizes.lengths(places), 0.2 * (places[:, 1] - horizon), rtol=0.25)
    beyond = np.array([[200.0, 20.0]])
    assert sizes.newborn(beyond) > 2 * sizes.areas(beyond)


def test_where_those_far_away_walk_in_pairs_the_horizon_is_that_of_the_heights() -> None:
    """Two side by side have twice the area, and the height of one."""
    random = np.random.default_rng(7)
    rows = random.uniform(100, 500, 400)
    heights = 0.02 * (rows + 300) * np.exp(random.normal(0, 0.06, 400))
    abreast = random.random(400) < np.where(rows < 300, 0.9, 0.1)
    widths = heights * np.exp(random.normal(0, 0.12, 400)) * np.where(abreast, 0.62, 0.33)
    extents = np.zeros((400, 2, 2))
    extents[:, 0, 0], extents[:, 1, 1] = widths**2, heights**2
    means = np.stack([random.uniform(0, 600, 400), rows], axis=1)
    sizes = fit_sizes(Patches(means, extents, 4 * np.pi * heights * widths))
    assert sizes is not None
    assert sizes.upright
    places = np.array([[300.0, row] for row in (150, 300, 450)])
    one = 4 * np.pi * 0.33 * (0.02 * (places[:, 1] + 300)) ** 2
    np.testing.assert_allclose(sizes.areas(places), one, rtol=0.35)


def test_things_on_a_conveyor_belt_are_all_equally_far_away() -> None:
    random = np.random.default_rng(6)
    lengths = 30 * np.exp(random.normal(0, 0.1, 200))
    extents = np.eye(2) * lengths[:, None, None] ** 2 / 12
    means = np.stack([random.uniform(0, 600, 200), np.full(200, 240.0)], axis=1)
    sizes = fit_sizes(Patches(means, extents, lengths**2))
    assert sizes is not None
    assert sizes.slope == 0
    assert sizes.typical == pytest.approx(30**2, rel=0.15)


def test_a_long_box_is_one_object_where_sizes_vary_and_a_row_of_discs_is_not() -> None:
    random = np.random.default_rng(2)
    lengths = np.sqrt(np.pi) * RADIUS * np.exp(random.normal(0, 0.25, 30))
    patches = Patches(
        random.uniform(0, 100, (30, 2)), np.eye(2) * lengths[:, None, None] ** 2 / 12, lengths**2
    )
    sizes = fit_sizes(patches)
    assert sizes is not None
    x, y = np.meshgrid(np.arange(110.0), np.arange(36.0))
    lorry = np.column_stack([x.ravel(), y.ravel()])
    assert len(split(Points(lorry), sizes).parts.mass) == 1
    row = discs((40, 50), (64, 50), (88, 50))
    assert len(split(Points(row), sizes).parts.mass) == 3


@pytest.mark.parametrize("length", [100, 160])
def test_a_car_among_walkers_is_one_and_a_row_of_walkers_is_not(length: int) -> None:
    """However alike the walkers are: a car is of another kind, whose size nobody expects."""
    area = np.pi * 8 * 30
    shape = np.diag([8.0**2, 30.0**2]) / 4 / area
    walkers = SizeModel(float(np.sqrt(area)), 0.0, (0.0, 240.0), shape, True, 0.05, float(area))
    rows, columns = np.indices((240, 400))
    along = np.abs(columns - 200)
    car = (along < length / 2) & (rows > 110) & (rows < 140)
    car |= (along < length / 4) & (rows > 90) & (rows <= 110)
    row = np.zeros_like(car)
    for x in range(170, 231, 15):
        row |= ((columns - x) / 8) ** 2 + ((rows - 120) / 30) ** 2 < 1
    parts = [split(Points(np.argwhere(patch)[:, ::-1]), walkers).parts for patch in (car, row)]
    assert [len(part.mass) for part in parts] == [1, 5]


def crossing(vehicles: int) -> tuple[Blob, ...]:
    """Return patches of five walkers and so many vehicles in each of twenty samples."""
    random, blobs = np.random.default_rng(7), []
    walker, vehicle = np.diag([64.0, 400.0]), np.diag([3600.0, 900.0])
    for sample in range(20):
        for number, kind in enumerate([walker] * 5 + [vehicle] * vehicles):
            scale = np.exp(random.normal(0, 0.1))
            place = np.array([60.0 + 70 * number + 3 * sample, random.uniform(120, 360)])
            area = 4 * np.pi * np.sqrt(np.linalg.det(kind)) * scale**2
            blobs.append(Blob(place, kind * scale**2, area, border=False, sample=sample))
    return tuple(blobs)


@pytest.mark.parametrize("vehicles", [1, 3])
def test_walkers_among_vehicles_are_typical_where_most_walk(vehicles: int) -> None:
    """A car or a bus outweighs them, and who is small among large ones was never found."""
    blobs = crossing(vehicles)
    state = start(TrackingOptions(), Scene(size=(640, 480), blobs=blobs, samples=20))
    assert state.sizes is not None
    assert state.sizes.upright
    walker = 4 * np.pi * 160
    assert state.sizes.typical == pytest.approx(walker, rel=0.2)
    patches = [Patch(blob, blob, 40.0) for blob in blobs]
    assert typical_area(patches) == pytest.approx(walker, rel=0.2)


def test_vehicles_are_typical_where_few_walk() -> None:
    blobs = crossing(6)
    state = start(TrackingOptions(), Scene(size=(640, 480), blobs=blobs, samples=20))
    assert state.sizes is not None
    assert not state.sizes.upright
    assert state.sizes.typical == pytest.approx(4 * np.pi * 1800, rel=0.2)
    patches = [Patch(blob, blob, 40.0) for blob in blobs]
    assert typical_area(patches) == pytest.approx(4 * np.pi * 1800, rel=0.2)


def test_who_stands_teaches_the_sizes_once() -> None:
    """One who stood for long made everyone of another size unfindable."""
    stander = np.argwhere(np.ones((72, 28)))[:, ::-1] + (300.0, 200.0)
    tracker = Tracker(scene=Scene(size=(640, 480), blobs=crossing(0), samples=20))
    for index in range(200):
        tracker.update(stander, time=index / 25)
    assert len(tracker.state.objects) == 1
    assert len(tracker.state.patches) <= 2


def test_a_line_of_points_is_counted() -> None:
    line = np.column_stack([np.arange(2000.0), np.full(2000, 50.0)])
    assert counted(line).chances.sum() == pytest.approx(1)


def test_what_comes_into_the_picture_is_one_object_before_half_of_it_is_there() -> None:
    shape, area = RADIUS**2 / 4 * np.eye(2), np.pi * RADIUS**2
    places = np.array([[x, y] for x in (30.0, 100.0, 170.0) for y in (20.0, 50.0, 80.0)])
    seen = tuple(Blob(place, shape, area, False, 0) for place in places)
    tracker = Tracker(scene=Scene(size=(200, 100), blobs=seen))
    middles = 0.5 * np.arange(100) - RADIUS
    rows = [
        tracker.update(discs((middle, 50.0)), time=i / 25).tracks
        for i, middle in enumerate(middles)
    ]
    first = next(i for i, tracks in enumerate(rows) if tracks)
    assert (middles[first] + RADIUS) / (2 * RADIUS) < 0.5
    assert {track.id for tracks in rows for track in tracks} == {1}


def cars() -> Scene:
    """Return what a survey saw where cars of many sizes pass."""
    places = [(x, y) for x in (30.0, 100.0, 170.0) for y in (20.0, 50.0, 80.0)]
    radii = (8, 9, 9, 10, 10, 11, 12, 16, 20)
    blobs = tuple(
        Blob(np.array(place), radius**2 / 4 * np.eye(2), np.pi * radius**2, False, 0)
        for place, radius in zip(places, radii, strict=True)
    )
    return Scene(size=(200, 100), blobs=blobs, samples=9)


def test_a_trailer_that_comes_in_bit_by_bit_is_one() -> None:
    tracker = Tracker(scene=cars())
    x, y = np.meshgrid(np.arange(200.0), np.arange(100.0))
    ids = []
    for index in range(64):
        behind, aside = 3.0 * index - x, np.abs(y - 50)
        cab, coupling = (behind >= 0) & (behind < 24), (behind >= 24) & (behind < 34)
        trailer = (behind >= 34) & (behind < 130)
        lorry = (cab & (aside < 14)) | (coupling & (aside < 4)) | (trailer & (aside < 22))
        points = np.column_stack([x[lorry], y[lorry]])
        snapshot = tracker.update(Points(points), time=index / 25)
        ids.append({track.id for track in snapshot.tracks})
    assert len(ids[-1]) == 2  # the cab came first, and alone
    assert ids[-1] <= ids[30]
    assert np.mean([len(one) for one in ids[30:]]) < 2.5


def test_a_lorry_keeps_its_name_until_it_has_left_the_picture() -> None:
    """Of its rear little is left to see, but as much as of a car."""
    tracker = Tracker(scene=replace(cars(), size=(300, 100)))
    x, y = np.meshgrid(np.arange(300.0), np.arange(100.0))
    names = set()
    for index in range(80):
        behind, aside = 180.0 + 4.0 * index - x, np.abs(y - 50)
        lorry = (behind >= 0) & (behind < 160) & (aside < 20)
        points = np.column_stack([x[lorry], y[lorry]])
        names |= {track.id for track in tracker.update(Points(points), time=index / 25).tracks}
    assert names == {1}


def names_of_a_lorry(parted: list[bool]) -> list[set[int]]:
    """Return the ids of each frame of a lorry, of which some frames show its two ends alone."""
    tracker = Tracker(scene=replace(cars(), size=(500, 100)))
    x, y = np.meshgrid(np.arange(500.0), np.arange(100.0))
    ids = []
    for index, ends in enumerate(parted):
        behind, aside = 150.0 + 3.0 * index - x, np.abs(y - 50)
        lorry = (behind >= 0) & (behind < 100) & (aside < 20)
        if ends:
            lorry &= (behind < 22) | (behind >= 78)
        snapshot = tracker.update(Points(np.column_stack([x[lorry], y[lorry]])), time=index / 25)
        ids.append({track.id for track in snapshot.tracks})
    return ids


def test_ends_of_a_lorry_that_were_seen_apart_become_one_when_they_go_on_as_one() -> None:
    """From far away its cab and its doors are all that is seen of it."""
    ids = names_of_a_lorry([True] * 12 + [False] * 78)
    assert ids[11] == {1, 2}
    assert ids[-1] in ({1}, {2})  # a name that was known before


@pytest.mark.parametrize("late", [False, True], ids=["a van", "two cars"])
def test_pieces_of_a_van_that_were_never_apart_for_long_become_one(late: bool) -> None:
    """It is smaller than a lorry; and two cars beside one another are as large, but not its shape.

    Its roof and its bonnet are all that is seen of it at first.
    """
    tracker = Tracker(scene=replace(cars(), size=(500, 100)))
    x, y = np.meshgrid(np.arange(500.0), np.arange(100.0))
    numbers = []
    for index in range(100):
        behind, aside = 80.0 + 3.0 * index - x, np.abs(y - 50)
        van = (behind >= 0) & (behind < 46) & (aside < 14)
        if late or index < 4:
            van &= (behind < 19) | (behind >= 27)
        if late:
            van |= (behind >= 0) & (behind < 46) & (aside < 2)
        tracks = tracker.update(Points(np.column_stack([x[van], y[van]])), time=index / 25).tracks
        numbers.append(len(tracks))
    assert numbers[10] == 2
    assert numbers[-1] == (2 if late else 1)


def test_the_way_that_ends_of_a_lorry_go_as_one_is_not_that_which_they_go_apart() -> None:
    ids = names_of_a_lorry([True] * 12 + [False] * 12 + [True] * 46 + [False] * 20)
    assert all({1, 2} <= names for names in ids[11:])


@pytest.mark.parametrize("aside", [0.0, 7.0])
def test_who_was_lost_does_not_come_back_to_what_another_shows(aside: float) -> None:
    tracker = Tracker(scene=cars())
    for index in range(120):
        lost, other = (120.0 - 2 * index, 50.0), (2.0 * index - 100, 50.0 + aside)
        shown = discs(other, radius=13)
        if lost[0] > 60:
            shown = np.unique(np.concatenate([discs(lost, radius=10), shown]), axis=0)
        tracks = tracker.update(Points(shown), time=index / 25).tracks
        if lost[0] <= 60:
            assert sum(track.status != Status.COASTING for track in tracks) <= 1


@pytest.mark.parametrize(
    ("offset", "untouched", "count"), [(36.0, False, 0), (36.0, True, 1), (90.0, False, 1)]
)
def test_a_lorry_among_cars_has_its_size_and_its_rest_is_no_car(
    offset: float, untouched: bool, count: int
) -> None:
    tracker = Tracker(scene=cars())
    for index in range(60):  # it comes nearer
        lorry = discs((30 + index, 40), radius=min(10 + 0.5 * index, 26))
        tracks = tracker.update(Points(lorry), time=index / 25).tracks
        assert len(tracks) < 2
    assert 4 * np.pi * np.sqrt(np.linalg.det(tracks[0].covariance)) > 0.9 * len(lorry)
    rest = find_blobs(Points(discs((89 + offset, 40), radius=11)))
    born = resolve(rest, np.array([untouched]), tracker.state, TrackingOptions())
    assert len(born) == count


def test_a_lost_object_is_not_the_next_one_that_comes() -> None:
    """Where one may be after a second of coasting is uncertain, but not the whole picture."""
    places = [(x, y) for x in (30.0, 100.0, 170.0) for y in (20.0, 50.0, 80.0)]
    area = np.pi * RADIUS**2
    blobs = tuple(Blob(np.array(place), EXTENT, area, border=False) for place in places)
    tracker = Tracker(scene=Scene(size=(200, 100), blobs=blobs))
    found: dict[int, list[float]] = {}
    for index in range(60):
        points = np.empty((0, 2))
        if index < 30:
            points = discs((30 + 0.5 * index, 50))
        if index >= 50:
            points = discs((150, 60))
        for track in tracker.update(Points(points), time=index / 25).tracks:
            found.setdefault(track.id, []).append(track.mean[0])
    assert sorted(found) == [1, 2]
    assert max(found[1]) < 70
    assert min(found[2]) > 140
    assert len(found[2]) > 6


@pytest.mark.parametrize(("speed", "name"), [(0.0, 2), (1.5, 1)])
def test_what_never_went_anywhere_does_not_turn_up_far_away(speed: float, name: int) -> None:
    """A flicker beside the road takes no car's place; who walked may have gone on unseen."""
    places = [(x, y) for x in (30.0, 100.0, 170.0) for y in (20.0, 50.0, 80.0)]
    area = np.pi * RADIUS**2
    blobs = tuple(Blob(np.array(place), EXTENT, area, border=False) for place in places)
    tracker = Tracker(scene=Scene(size=(200, 100), blobs=blobs))
    for index in range(70):
        place = (20 + speed * min(index, 30), 50.0)
        if index >= 30:
            place = (place[0] + 2.2 * np.sqrt(area), 50.0)
        shown = np.empty((0, 2)) if 30 <= index < 60 else discs(place)
        tracks = tracker.update(Points(shown), time=index / 25).tracks
    assert {track.id for track in tracks if track.status is not Status.COASTING} == {name}


@pytest.mark.parametrize("farthest", [15.5, 21.0])
def test_two_that_came_as_one_are_two_as_soon_as_the_evidence_says_so(farthest: float) -> None:
    """Half in front of one another for long, they have won the right to an odd shape as one."""
    places = [(x, y) for x in (30.0, 100.0, 170.0) for y in (20.0, 50.0, 80.0)]
    area = np.pi * RADIUS**2
    blobs = tuple(Blob(np.array(place), EXTENT, area, border=False) for place in places)
    tracker = Tracker(scene=Scene(size=(200, 100), blobs=blobs))
    for index in range(110):
        apart = np.clip(index - 60.0, 8.0, farthest)
        left, right = 30 + index - apart / 2, 30 + index + apart / 2
        points = discs((left, 50), (right, 50))
        tracks = tracker.update(Points(points), time=index / 25).tracks
        assert len(tracks) == (index >= 2) or index > 60
    xs = sorted(track.mean[0] for track in tracks)
    np.testing.assert_allclose(xs, [left, right], atol=2)


@pytest.mark.parametrize(("step", "beside", "count"), [(1.0, 0, 1), (0.1, 0, 0), (1.0, 26, 0)])
def test_a_small_thing_that_goes_its_own_way_is_an_object(
    step: float, beside: float, count: int
) -> None:
    """A quarter of a car: a motorcycle; a flicker on the spot; a piece of the car beside it."""
    tracker = Tracker(scene=cars())
    for index in range(30):
        car = discs((40.0 + step * index, 50.0 + (beside or -200.0)), radius=10)
        small = discs((40.0 + step * index, 50.0), radius=5)
        tracks = tracker.update(Points(np.concatenate([car, small])), time=index / 25).tracks
    places = np.array([track.mean for track in tracks]).reshape(-1, 2)
    assert (np.abs(places[:, 1] - 50.0) < 5).sum() == count
    assert len(places) == count + bool(beside)


@pytest.mark.parametrize(("passing", "length"), [(60, 10.0), (0, 20.0)])
def test_who_stands_for_a_whole_film_does_not_tell_sizes(passing: int, length: float) -> None:
    """A couple that stands sways a little, so that it is another patch in each of the samples."""
    random = np.random.default_rng(4)
    walkers = [
        Blob(place, 100 * np.diag([0.04, 0.2]), 100.0, False, sample)
        for sample, place in enumerate(random.uniform((50, 50), (350, 150), (passing, 2)))
    ]
    couple = [
        Blob(place, 400 * np.diag([0.07, 0.12]), area, False, sample, stands=True)
        for sample, (place, area) in enumerate(
            zip(random.normal(200, 3, (96, 2)), random.normal(400, 20, 96), strict=True)
        )
    ]
    scene = Scene(size=(400, 400), blobs=(*walkers, *couple), samples=96)
    sizes = start(TrackingOptions(), scene).sizes
    assert sizes is not None
    assert sizes.lengths(np.array([[100.0, 100.0]])) == pytest.approx(length, rel=0.1)


def test_what_a_survey_saw_of_sizes_is_not_forgotten() -> None:
    """Cars of all distances were seen; then, for a while, only near ones pass, alone."""
    random = np.random.default_rng(2)
    rows = random.permuted(np.linspace(130, 350, 1200))
    rows[-400:] = random.uniform(280, 350, 400)  # towards the end of the film there is a jam
    lengths = 0.2 * (rows - 100) * np.exp(random.normal(0, 0.1, 1200))
    lengths[-400:] *= random.uniform(1.0, 2.0, 400)
    blobs = tuple(
        Blob(np.array([x, row]), s**2 * np.diag([0.14, 0.06]), s**2, False, sample)
        for sample, (x, row, s) in enumerate(
            zip(random.uniform(100, 500, 1200), rows, lengths, strict=True)
        )
    )
    state = start(TrackingOptions(), Scene(size=(600, 400), blobs=blobs, samples=96))
    info = Info(find_blobs(Points(np.zeros((0, 2)))), np.zeros(0, dtype=bool))
    before = state.sizes
    for index in range(40):
        near = random.uniform((200, 250), (400, 300), (8, 2))
        moments = Stats(
            (0.2 * (near[:, 1] - 100)) ** 2,
            near,
            (0.2 * (near[:, 1] - 100))[:, None, None] ** 2 * np.diag([0.14, 0.06]),
        )
        objects = replace(
            _newborn(state, moments), confirmed=np.ones(8, bool), hits=np.full(8, 5 * index)
        )
        state = learn(state.with_objects(objects), info)
    assert before is not None
    assert state.sizes is not None
    assert state.sizes is not before
    places = np.array([[300.0, row] for row in (150, 250, 340)])
    np.testing.assert_allclose(state.sizes.lengths(places), 0.2 * (places[:, 1] - 100), rtol=0.35)


def test_a_frame_looks_into_the_first_patches_and_into_one_however_large() -> None:
    few, spent = affordable(np.full(100, 10.0))
    assert 1 < few < 100
    assert affordable(np.full(100, 10.0), spent) == (0, spent)
    assert affordable(np.array([1e9, 10.0]))[0] == 1
    assert affordable(np.zeros(0)) == (0, 0.0)


def test_a_count_that_could_not_be_followed_says_so() -> None:
    places, area = np.array([[20.0, 20], [60, 20]]), np.pi * RADIUS**2
    parts = Stats(np.array([area, 0.8 * area]), places, np.array([EXTENT, EXTENT]))
    found = Newborn.counted(Count(parts, np.array([0.1, 0.9])))
    (both,), (one,) = found.told(7), found.largest(1).told(7)
    assert (both.tracks, both.message) == ((7, 8), "this patch is 2, p = 0.90")
    assert one.tracks == (7,)
    assert one.message == "this patch is 2, p = 0.90, of which 1 could be started"


def test_a_count_beside_a_known_object_names_it_too() -> None:
    places, area = np.array([[20.0, 20], [60, 20]]), np.pi * RADIUS**2
    parts = Stats(np.array([area, 0.8 * area]), places, np.array([EXTENT, EXTENT]))
    beside = Newborn.counted(Count(parts, np.array([0.1, 0.9])), {1: 3})
    np.testing.assert_array_equal(beside.stats.mean, places[:1])
    (event,) = beside.joined(beside.largest(0)).told(7)
    assert (event.tracks, event.message) == ((3, 7), "this patch is 2, p = 0.90")
