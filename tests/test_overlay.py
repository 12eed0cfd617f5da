"""The overlay shows what a snapshot says, on any picture, and changes nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.config import OverlayOptions
from tracker.overlay import PALETTE, Overlay, color_of, ellipse
from tracker.types import Array, Diagnostics, Image, Points, Snapshot, Status, Track

PLAIN = OverlayOptions(trail_seconds=0)


def track(
    identity: int,
    x: float,
    y: float,
    *,
    status: Status = Status.SEEN,
    covariance: tuple[tuple[float, float], tuple[float, float]] = ((100, 40), (40, 225)),
) -> Track:
    return Track(
        id=identity,
        mean=np.array([x, y], float),
        covariance=np.array(covariance, float),
        position_covariance=np.eye(2) * 4,
        velocity=np.array([30.0, -10.0]),
        box=np.array([x - 20, y - 30, 40.0, 60.0]),
        mass=1000.0,
        age=3,
        status=status,
        confidence=0.9,
    )


def grey(level: int = 128, size: tuple[int, int] = (320, 240)) -> Image:
    image = np.full((size[1], size[0], 3), level, np.uint8)
    image.flags.writeable = False
    return image


def changed(image: Image, drawn: Image) -> NDArray[np.bool_]:
    return (image != drawn).any(axis=2)


def around(identity: Image, color: tuple[int, int, int], within: int = 24) -> int:
    """Count the pixels of about this colour."""
    return int((np.abs(identity.astype(int) - color).max(axis=2) <= within).sum())


@pytest.mark.parametrize("size", [(1, 1), (9, 3), (48, 48), (352, 240), (1920, 1080)])
@pytest.mark.parametrize("level", [0, 255])
def test_draws_on_a_copy_of_any_size(size: tuple[int, int], level: int) -> None:
    image = grey(level, size)
    options = OverlayOptions(tint=True, uncertainty=True, velocity=True)
    points = Points(np.array([[-4.0, 0.0], [0.0, 0.0], [1e4, 1e4]]))
    tracks = (
        track(1, size[0] / 2, size[1] / 2),
        track(2, -500, 3000, status=Status.COASTING),
        track(12345678, 0, 0, status=Status.CONTACT, covariance=((0, 0), (0, 0))),
        track(9, 5, 5, covariance=((1e6, 0), (0, 1e6))),
    )
    overlay = Overlay(options)
    for index in range(3):
        drawn = overlay.draw(image, Snapshot(index, index / 25, tracks, foreground=points))
        assert drawn.shape == image.shape
        assert drawn.dtype == np.uint8
        assert (image == level).all()
        assert not np.shares_memory(image, drawn)


@pytest.mark.parametrize(
    "covariance", [((100, 40), (40, 225)), ((9, 0), (0, 1)), ((1, 1), (1, 1)), ((0, 0), (0, 0))]
)
def test_outline_lies_at_two_standard_deviations(
    covariance: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    matrix: Array = np.array(covariance, float)
    corners = ellipse(np.array([5.0, 7.0]), matrix) - (5, 7)
    # Over all corners of such an ellipse the second moments are twice the covariance.
    np.testing.assert_allclose(corners.T @ corners / len(corners), 2 * matrix, atol=1e-9)
    if np.linalg.det(matrix) > 0:
        distances = np.einsum("ni,ij,nj->n", corners, np.linalg.inv(matrix), corners)
        np.testing.assert_allclose(distances, 4)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("identity", range(1, len(PALETTE) + 1))
def test_outline_has_the_colour_of_its_id(level: int, identity: int) -> None:
    item = track(identity, 320, 240)
    # At this size lines are two pixels wide, so that their middle has the pure colour.
    drawn = Overlay(PLAIN).draw(grey(level, (768, 576)), Snapshot(0, 0.0, (item,)))
    x, y = np.rint(ellipse(item.mean, item.covariance)).astype(int).T
    assert np.median(np.abs(drawn[y, x].astype(int) - color_of(identity)).max(axis=1)) < 40


def test_the_three_states_look_different() -> None:
    drawn = {
        status: Overlay(PLAIN).draw(grey(), Snapshot(0, 0.0, (track(1, 160, 120, status=status),)))
        for status in Status
    }
    for one, other in itertools.combinations(Status, 2):
        assert changed(drawn[one], drawn[other]).sum() > 60
    ink = {status: around(image, color_of(1)) for status, image in drawn.items()}
    assert ink[Status.COASTING] < 0.8 * ink[Status.SEEN]


def test_trail_leads_to_the_object_and_fades() -> None:
    overlay = Overlay(OverlayOptions(trail_seconds=2))
    image = grey(0)
    small = ((4.0, 0.0), (0.0, 4.0))
    for index in range(51):
        item = track(1, 40 + 4 * index, 180, covariance=small)
        drawn = overlay.draw(image, Snapshot(index, index / 25, (item,)))
    along = drawn[180, 50:220].max(axis=1).astype(int)
    assert along[0] < 0.25 * along[-1]
    assert (np.diff(along[::17]) > 0).all()
    lost = overlay.draw(image, Snapshot(90, 90 / 25, ()))
    assert lost[180].any()  # the trail of a lost object fades away
    assert not overlay.draw(image, Snapshot(120, 120 / 25, ()))[180].any()  # and then it is gone


def test_frames_that_are_not_drawn_leave_no_gap() -> None:
    every, last = Overlay(), Overlay()
    image = grey()
    for index in range(30):
        snapshot = Snapshot(index, index / 25, (track(1, 40 + 4 * index, 120),))
        drawn = every.draw(image, snapshot)
        if index < 29:
            last.remember(snapshot)
    np.testing.assert_array_equal(last.draw(image, snapshot), drawn)


def test_labels_of_objects_at_one_place_stay_readable() -> None:
    point = ((0.0, 0.0), (0.0, 0.0))
    items = [track(identity, 384, 288, covariance=point) for identity in range(8881, 8885)]

    def ink(items: list[Track]) -> dict[int, int]:
        drawn = Overlay(PLAIN).draw(grey(size=(768, 576)), Snapshot(0, 0.0, tuple(items)))
        return {item.id: around(drawn, color_of(item.id)) for item in items}

    together = ink(items)
    for item in items:
        # All of the label, but perhaps not the dot: that is hidden below the other dots.
        assert together[item.id] > 0.85 * ink([item])[item.id]


def test_labels_stay_inside_the_picture() -> None:
    point = ((0.0, 0.0), (0.0, 0.0))

    def ink(x: float, y: float) -> int:
        item = track(88888, x, y, covariance=point)
        drawn = Overlay(PLAIN).draw(grey(size=(768, 576)), Snapshot(0, 0.0, (item,)))
        return around(drawn, color_of(item.id))

    for x, y in [(0, 0), (767, 0), (0, 575), (767, 575), (384, -40), (-40, 288)]:
        # The label is whole; only of the dot that such an object is, a part may be cut off.
        assert ink(x, y) > 0.9 * ink(384, 288) > 100


def test_banner_tells_of_a_light_change_and_covers_little() -> None:
    image = grey()
    plain = Overlay(PLAIN).draw(image, Snapshot(0, 0.0, ()))
    flood = Overlay(PLAIN).draw(image, Snapshot(0, 0.0, (), Diagnostics(flood=True)))
    assert changed(plain, flood).any()
    rows, _ = np.nonzero(changed(image, plain))
    assert rows.max() < 0.12 * image.shape[0]


@pytest.mark.parametrize("spacing", [1.0, 2.0, 1.5])
def test_tint_marks_the_foreground_and_nothing_else(spacing: float) -> None:
    image = grey()
    # Centres of the cells that cover x from 90 to 149 and y from 120 to 179.
    steps = np.arange(60 / spacing) * spacing + (spacing - 1) / 2
    x, y = np.meshgrid(90 + steps, 120 + steps)
    points = Points(np.stack([x.ravel(), y.ravel()], axis=1), spacing=spacing)
    snapshot = Snapshot(0, 0.0, (), foreground=points)
    plain = Overlay(PLAIN).draw(image, snapshot)
    tinted = Overlay(OverlayOptions(trail_seconds=0, tint=True)).draw(image, snapshot)
    expected = np.zeros(image.shape[:2], bool)
    expected[120:180, 90:150] = True
    np.testing.assert_array_equal(changed(plain, tinted), expected)


@pytest.mark.parametrize("extra", ["uncertainty", "velocity"])
def test_extras_are_drawn_when_asked_for(extra: str) -> None:
    snapshot = Snapshot(0, 0.0, (track(1, 160, 120),))
    plain = Overlay(PLAIN).draw(grey(), snapshot)
    options = OverlayOptions(
        trail_seconds=0, uncertainty=extra == "uncertainty", velocity=extra == "velocity"
    )
    assert changed(plain, Overlay(options).draw(grey(), snapshot)).sum() > 20


# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear red, green, blue.
VISION = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def linear(colors: Array) -> Array:
    """Return red, green, blue in linear light, 0 to 1, of colours in blue, green, red."""
    value = colors[:, ::-1] / 255
    light: Array = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return light


def lab(light: Array) -> Array:
    """Return CIE L*a*b* (D65) of linear red, green, blue."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    f = np.cbrt(np.clip(light, 0, 1) @ to_xyz.T / (0.9505, 1.0, 1.089))
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


@pytest.mark.parametrize("vision", VISION)
def test_colours_differ_for_every_kind_of_vision(vision: str) -> None:
    colors = lab(linear(np.array(PALETTE, float)) @ VISION[vision].T)
    pairs = itertools.combinations(range(len(PALETTE)), 2)
    assert min(float(np.linalg.norm(colors[i] - colors[j])) for i, j in pairs) > 10


def test_colours_stand_out_from_their_dark_rim() -> None:
    luminance = linear(np.array([*PALETTE, (24, 24, 24)], float)) @ (0.2126, 0.7152, 0.0722)
    assert ((luminance[:-1] + 0.05) / (luminance[-1] + 0.05) > 4.5).all()


def test_ids_keep_their_colour_and_neighbours_differ() -> None:
    assert color_of(3) == color_of(3 + len(PALETTE))
    assert all(color_of(identity) != color_of(identity + 1) for identity in range(1, 40))
