"""Shadows on ground in the sun, which are bluer than it: told where the sun casts any."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.config import ForegroundOptions
from tracker.foreground import make_foreground
from tracker.types import Frame, Image

SIZE = (240, 160)
LIT = np.array([110.0, 150.0, 190.0])  # BGR, dry grass in the sun
ROAD = np.array([90.0, 85.0, 82.0])
SKYLIGHT = np.array([0.76, 0.65, 0.58])  # what is left of each channel where the sun is kept off
LANE = 120  # columns of grass, left of the road
FRAMES = 96


def noisy(scene: NDArray[np.float64], random: np.random.Generator) -> Image:
    picture = scene + random.normal(0, 1.5, scene.shape)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def ground() -> NDArray[np.float64]:
    """Return the empty scene: grass with some texture in the sun, and a road in the shade."""
    random = np.random.default_rng(2)
    texture = cv2.resize(random.uniform(0.92, 1.08, (40, 60)), SIZE)[..., None]
    scene = np.empty((SIZE[1], SIZE[0], 3))
    scene[:, :LANE] = LIT
    scene[:, LANE:] = ROAD
    return np.asarray(scene * texture)


def motorway(*, sun: bool = True) -> Iterator[tuple[Image, list[NDArray[np.bool_]]]]:
    """Yield pictures of vans that pass with their shadows to the left of them, and these shadows.

    Without the sun nothing casts a shadow.
    """
    empty, random = ground(), np.random.default_rng(4)
    rows, columns = np.indices(SIZE[::-1])
    colours = random.uniform(20, 235, (6, 3))
    for frame in range(FRAMES):
        scene, shadows = empty.copy(), []
        for number, colour in enumerate(colours):
            y = (frame * 5 + number * 31) % (SIZE[1] + 60) - 30
            x = 150 + 40 * (number % 2)
            van = (np.abs(columns - x) < 12) & (np.abs(rows - y) < 14)
            scene[van] = colour
            scene[van & (np.abs(rows - y) < 5)] = 0.4 * colour + 20
            shadow = np.hypot((columns - (x - 70)) / 21, (rows - y) / 9) < 1
            shadow &= columns < LANE
            if sun:
                scene[shadow] = empty[shadow] * SKYLIGHT
                shadows.append(shadow)
        yield noisy(scene, random), shadows


def share_seen(places: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    return float((places & mask).sum() / max(places.sum(), 1))


def seen(film: list[Image], *, live: bool = False) -> list[NDArray[np.bool_]]:
    """Return the foreground of each picture of a film as a mask; it is surveyed if not live."""
    samples = [] if live else film
    foreground = make_foreground(ForegroundOptions(scale=1), SIZE, samples, live=live)
    masks = []
    for index, picture in enumerate(film):
        points = foreground.points(Frame(index, index / 25, picture))
        mask = np.zeros(SIZE[::-1], bool)
        x, y = np.rint(points.coordinates).astype(int).T
        mask[y, x] = True
        masks.append(mask)
    return masks


def test_shadows_that_vans_cast_on_sunlit_grass_are_none_of_the_foreground() -> None:
    film = list(motorway())
    masks = seen([picture for picture, _ in film])
    road = np.zeros(SIZE[::-1], bool)
    road[:, LANE:] = True
    kept = [
        share_seen(shadow, mask)
        for mask, (_, shadows) in zip(masks, film, strict=True)
        for shadow in shadows
        if shadow.any()
    ]
    assert np.mean(kept) < 0.1
    assert np.mean([share_seen(road, mask) for mask in masks]) > 0.12  # the vans are there


@pytest.mark.parametrize("depth", [0.4, 1.0, 1.8], ids=["half lit", "usual", "on a slope"])
def test_a_shadow_that_hangs_on_what_casts_it_is_cut_off_where_others_fell_alone(
    depth: float,
) -> None:
    """What is half in the light, or on ground that faces the sun, is as deep as that."""
    film = list(motorway())
    picture = film[-1][0].copy()
    rows, columns = np.indices(SIZE[::-1])
    empty = ground()
    shadow = (np.abs(rows - 80) < 9) & (columns > 75) & (columns < LANE)
    lorry = (np.abs(rows - 80) < 30) & (columns >= LANE) & (columns < 150)
    picture[shadow] = (empty * SKYLIGHT**depth)[shadow]
    picture[lorry] = (200, 200, 210)
    mask = seen([*(picture for picture, _ in film), picture])[-1]
    assert share_seen(shadow, mask) < 0.2
    assert share_seen(lorry, mask) > 0.9


def walkers(
    shade: NDArray[np.float64], *, below: bool = False
) -> Iterator[tuple[Image, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield pictures of people, what is darker by a shade, beside their feet or below, and them."""
    empty, random = ground(), np.random.default_rng(6)
    empty[:, LANE:] *= LIT / ROAD
    rows, columns = np.indices(SIZE[::-1])
    colours = random.uniform(30, 220, (5, 3))
    for frame in range(FRAMES):
        scene = empty.copy()
        bodies, darker = np.zeros(SIZE[::-1], bool), np.zeros(SIZE[::-1], bool)
        for number, colour in enumerate(colours):
            x = (3 * frame * (1 - 2 * (number % 2)) + 47 * number) % (SIZE[0] + 60) - 30
            y = 30 + 25 * number
            body = (np.abs(columns - x) < 4) & (np.abs(rows - y) < 11)
            if below:
                dark = (np.abs(columns - x) < 4) & (np.abs(rows - y - 16) < 6)
            else:
                dark = (columns > x + 3) & (columns < x + 22)
                dark &= np.abs(rows - y - 10 + 0.3 * (columns - x)) < 4
            scene[dark] = empty[dark] * shade
            scene[body] = colour
            bodies |= body
            darker |= dark & ~body
        yield noisy(scene, random), darker & ~bodies, bodies


@pytest.mark.parametrize("shade", [SKYLIGHT, np.array([0.84, 0.75, 0.68]), np.full(3, 0.5)])
def test_shadows_that_walkers_drag_along_are_cut_off(shade: NDArray[np.float64]) -> None:
    film = list(walkers(shade))
    masks = seen([picture for picture, _, _ in film])
    assert np.mean([share_seen(s, m) for m, (_, s, _) in zip(masks, film, strict=True)]) < 0.15
    assert np.mean([share_seen(b, m) for m, (_, _, b) in zip(masks, film, strict=True)]) > 0.9


def test_a_live_source_learns_what_shadows_are_like_in_its_first_seconds() -> None:
    film = list(walkers(SKYLIGHT))
    masks = seen([picture for picture, _, _ in film], live=True)
    late = list(zip(masks, film, strict=True))[-20:]
    assert np.mean([share_seen(shadow, mask) for mask, (_, shadow, _) in late]) < 0.15
    assert np.mean([share_seen(body, mask) for mask, (_, _, body) in late]) > 0.9


def test_trousers_of_one_shade_are_no_shadows() -> None:
    film = list(walkers(np.full(3, 0.3), below=True))
    masks = seen([picture for picture, _, _ in film])
    assert np.mean([share_seen(s, m) for m, (_, s, _) in zip(masks, film, strict=True)]) > 0.9


@pytest.mark.parametrize("count", [1, 4])
def test_animals_that_look_like_shadows_stay(count: int) -> None:
    """Bluish grey animals on warm bedding: nothing is on one side of them all the time."""
    random = np.random.default_rng(5)
    empty = (
        np.tile(LIT, (SIZE[1], SIZE[0], 1))
        * cv2.resize(random.uniform(0.95, 1.05, (40, 60)), SIZE)[..., None]
    )
    rows, columns = np.indices(SIZE[::-1])
    places = random.uniform((25, 25), (SIZE[0] - 25, SIZE[1] - 25), (count, 2))
    headings = random.uniform(0, 2 * np.pi, count)
    film, truth = [], []
    for _ in range(FRAMES):
        scene, bodies = empty.copy(), np.zeros(SIZE[::-1], bool)
        headings += random.normal(0, 0.4, count)
        places += 4 * np.stack([np.cos(headings), np.sin(headings)], axis=1)
        turned = (places < 20) | (places > np.array(SIZE) - 20)
        places = places.clip(20, np.array(SIZE) - 20)
        headings[turned.any(axis=1)] += np.pi
        for number, (x, y) in enumerate(places):
            body = np.hypot((columns - x) / 10, (rows - y) / 7) < 1
            bodies |= body
            # Every other one is brown: a neighbour that casts nothing.
            scene[body] = empty[body] * SKYLIGHT if number % 2 == 0 else (40, 60, 90)
        film.append(noisy(scene, random))
        truth.append(bodies)
    shares = [share_seen(body, mask) for body, mask in zip(truth, seen(film), strict=True)]
    assert np.mean(shares) > 0.9


def test_without_the_sun_nothing_is_looked_for() -> None:
    film = [picture for picture, _ in motorway(sun=False)]
    foreground = make_foreground(ForegroundOptions(), SIZE, film, live=False)
    dark = film[-1].copy()
    dark[60:90, 30:70] = np.clip(ground()[60:90, 30:70] * SKYLIGHT, 0, 255)
    points = foreground.points(Frame(0, 0.0, dark))
    inside = (np.abs(points.coordinates - (50, 75)) < (20, 15)).all(axis=1)
    assert points.weights[inside].sum() > 0.8 * 40 * 30
