"""Arenas: objects that differ from the ground by their grey alone, and nothing to learn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracker.foreground.grid import Mask
from tracker.foreground.models import ThresholdBackground
from tracker.types import Image

SIZE = (300, 240)
FLIES = [(90, 100), (150, 60), (200, 150)]
GROUND, TABLE, FLY = 200.0, 60.0, 45.0


def arena(
    *, ground: float = GROUND, fly: float = FLY, slope: float = 0.0, radius: int = 4
) -> Image:
    """Return a picture of flies on a ground whose right side is brighter by `slope`."""
    random = np.random.default_rng(2)
    picture = np.full(SIZE[::-1], ground) + slope * np.linspace(-0.5, 0.5, SIZE[0])
    picture += random.normal(0, 1.5, picture.shape)
    for fly_ in FLIES:
        cv2.circle(picture, fly_, radius, fly, -1)
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def dish(image: Image) -> Mask:
    """Return the cells of a round dish that nearly meets the border of the picture."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(mask, (SIZE[0] // 2, SIZE[1] // 2), 112, 255, -1)
    return mask


def found(model: ThresholdBackground, image: Image) -> list[tuple[int, int]]:
    """Return the middles of all patches that are no specks, from left to right."""
    _, _, stats, middles = cv2.connectedComponentsWithStats(model.foreground(image))
    large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] > 12) + 1
    return sorted((round(x), round(y)) for x, y in middles[large])


def everywhere(image: Image) -> Mask:
    return np.full(image.shape[:2], 255, np.uint8)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize(("ground", "fly"), [(GROUND, FLY), (60.0, 190.0)])
def test_objects_are_what_is_rare(ground: float, fly: float, adaptive: bool) -> None:
    image = arena(ground=ground, fly=fly)
    model = ThresholdBackground("auto", everywhere(image), adaptive=adaptive)
    assert found(model, image) == FLIES


def test_small_animals_are_seen_on_a_ground_with_shades() -> None:
    image = arena(fly=120.0, slope=22.0, radius=3)
    grey = image[..., 0]
    otsu, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    assert (grey <= otsu).mean() > 0.3, "Otsu's level parts the ground"
    model = ThresholdBackground("auto", everywhere(image), adaptive=False)
    assert found(model, image) == FLIES


@pytest.mark.parametrize("light", [1.0, 0.97, 0.94, 0.8, 1.1])
def test_a_dark_animal_on_bedding_is_all_that_is_seen(light: float) -> None:
    random = np.random.default_rng(4)
    chips = random.normal(165, 18, (SIZE[1] // 5, SIZE[0] // 5)).astype(np.float32)
    bedding = cv2.resize(chips, SIZE, interpolation=cv2.INTER_NEAREST)
    cv2.circle(bedding, FLIES[0], 14, (40.0,), -1)
    image = np.repeat(bedding.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    otsu, _ = cv2.threshold(image[..., 0], 0, 255, cv2.THRESH_OTSU)
    assert (image[..., 0] <= otsu).mean() > 0.3, "Otsu's level parts the chips"
    model = ThresholdBackground("auto", everywhere(image), adaptive=False)
    model.foreground(image)
    dimmed = (image * light).clip(0, 255).astype(np.uint8)
    mask = model.foreground(dimmed)
    assert found(model, dimmed) == FLIES[:1]
    assert np.count_nonzero(mask) == pytest.approx(np.pi * 14**2, rel=0.1)


def test_a_glare_does_not_turn_the_ground_into_an_object() -> None:
    image = arena(ground=130.0, fly=70.0)
    model = ThresholdBackground("auto", everywhere(image), adaptive=False)
    assert found(model, image) == FLIES
    cv2.circle(image, (250, 60), 30, (255,) * 3, -1)
    assert found(model, image) == FLIES


def test_the_table_around_a_dish_is_no_object() -> None:
    image = arena()
    image[dish(image) == 0] = TABLE
    model = ThresholdBackground("auto", everywhere(image), adaptive=False)
    assert found(model, image) == FLIES


def test_who_sits_at_the_wall_is_no_part_of_the_table() -> None:
    image = arena()
    image[dish(image) == 0] = TABLE
    wall = (SIZE[0] // 2 - 112, SIZE[1] // 2)
    cv2.ellipse(image, (wall[0] + 10, wall[1]), (12, 4), 0, 0, 360, (FLY,) * 3, -1)
    model = ThresholdBackground("auto", everywhere(image), adaptive=False)
    patches = found(model, image)
    assert patches[1:] == FLIES
    assert patches[0] == pytest.approx((wall[0] + 12, wall[1]), abs=3)


def test_what_lies_outside_the_region_does_not_set_the_level() -> None:
    image = arena(fly=150.0)
    outside = everywhere(image)
    outside[:, 40:] = 0
    image[outside > 0] = 0  # far darker than the flies, and touching one side of the picture only
    model = ThresholdBackground("auto", everywhere(image) - outside, adaptive=False)
    assert found(model, image) == FLIES


def test_a_large_animal_at_the_border_is_an_object() -> None:
    image = arena(radius=0)
    cv2.circle(image, (10, 120), 40, (FLY,) * 3, -1)
    model = ThresholdBackground("auto", everywhere(image), adaptive=False)
    assert len(found(model, image)) == 1


def test_an_empty_arena_has_no_objects() -> None:
    image = arena(ground=GROUND, fly=GROUND)
    model = ThresholdBackground("auto", everywhere(image), adaptive=False)
    assert found(model, image) == []
    assert found(model, arena()) == FLIES
