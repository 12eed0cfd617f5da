"""Laws of points on a lattice: what is found by row is what a look at every point would find."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tracker.tracking.blobs import find_blobs
from tracker.tracking.lattice import Lattice, joined, overlapping, spans
from tracker.types import Array, Points

SEEDS = st.integers(0, 2**32 - 1)


def mask_and_points(seed: int) -> tuple[Array, Array, float]:
    """Return a random mask, its points in the order of their rows, and their spacing."""
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 25, 2)) < rng.uniform(0.1, 0.8)
    mask[0, 0] = True
    spacing = float(rng.choice([0.5, 1.0, 3.0]))
    corner = rng.uniform(-50, 50, 2)
    return mask, np.argwhere(mask)[:, ::-1] * spacing + corner, spacing


NUMBERS = st.sampled_from([0, 1, 4, 12, 90])  # of boxes: few are compared otherwise than many


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_patches_are_those_of_an_image(seed: int) -> None:
    mask, points, spacing = mask_and_points(seed)
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    blobs = find_blobs(Points(points, spacing=spacing))
    assert len(blobs) == count
    np.testing.assert_array_equal(blobs.labels, labels[mask] - 1)
    for b in range(count):
        own = points[blobs.labels == b]
        np.testing.assert_allclose(blobs.mass[b], len(own) * spacing**2)
        np.testing.assert_allclose(blobs.means[b], own.mean(axis=0))
        np.testing.assert_allclose(
            blobs.scatters[b],
            np.cov(own.T, bias=True).reshape(2, 2) + spacing**2 / 12 * np.eye(2)
            if len(own) > 1
            else spacing**2 / 12 * np.eye(2),
            atol=1e-9,
        )
        edges = np.concatenate([own.min(axis=0) - spacing / 2, own.max(axis=0) + spacing / 2])
        np.testing.assert_allclose(blobs.boxes[b], edges)


@settings(max_examples=30, deadline=None)
@given(
    seed=SEEDS,
    # Between the two lies what is rounded to the lattice.
    jitter=st.just(0.0) | st.floats(1e-4, 0.4),
    times=st.integers(1, 3),
)
def test_patches_of_irregular_points_have_their_moments(
    seed: int, jitter: float, times: int
) -> None:
    _, points, spacing = mask_and_points(seed)
    rng = np.random.default_rng([2, seed])
    points = np.repeat(points, times, axis=0)
    points = points + rng.uniform(-jitter, jitter, points.shape) * spacing
    weights = rng.uniform(0.2, 3, len(points))
    blobs = find_blobs(Points(points, weights, spacing=spacing))
    np.testing.assert_allclose(blobs.mass.sum(), weights.sum())
    for b in range(len(blobs)):
        own, w = blobs.coordinates[blobs.labels == b], blobs.weights[blobs.labels == b]
        mean = w @ own / w.sum()
        apart = own - mean
        scatter = (apart.T * w) @ apart / w.sum() + spacing**2 / 12 * np.eye(2)
        np.testing.assert_allclose(blobs.means[b], mean)
        np.testing.assert_allclose(blobs.scatters[b], scatter, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_the_points_in_an_ellipse_are_all_found_and_no_others(seed: int) -> None:
    _, points, spacing = mask_and_points(seed)
    rng = np.random.default_rng([1, seed])
    lattice, order = Lattice.of(points, spacing)
    assert order is None
    np.testing.assert_allclose(lattice.cells(lattice.keys), points)
    means = points[rng.integers(len(points), size=4)] + rng.normal(0, 5 * spacing, (4, 2))
    roots = rng.normal(0, 3 * spacing, (4, 2, 2)) + 0.3 * spacing * np.eye(2)
    covariances = roots @ roots.transpose(0, 2, 1) + 1e-3 * np.eye(2)
    apart = points[None] - means[:, None]
    distances = np.einsum("kni,kij,knj->kn", apart, np.linalg.inv(covariances), apart)
    found = np.zeros(distances.shape, dtype=bool)
    found[lattice.inside(means, covariances)] = True
    clear = np.abs(distances - 1) > 1e-6
    np.testing.assert_array_equal(found[clear], (distances < 1)[clear])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, every=st.integers(1, 4))
def test_one_point_in_m_of_one_row_in_m_is_found_alike_by_all(seed: int, every: int) -> None:
    mask, points, spacing = mask_and_points(seed)
    rng = np.random.default_rng([3, seed])
    lattice, _ = Lattice.of(points, spacing)
    means = points[rng.integers(len(points), size=4)]
    covariances = rng.uniform(0.3, 8, (4, 1, 1)) * spacing**2 * np.eye(2)
    all_of_them = set(zip(*map(list, lattice.inside(means, covariances)), strict=True))
    some = set(zip(*map(list, lattice.inside(means, covariances, np.full(4, every))), strict=True))
    rows = np.nonzero(mask)[0]
    kept = (np.arange(len(points)) % every == 0) & (rows % every == 0)
    assert some == {(ellipse, point) for ellipse, point in all_of_them if kept[point]}


def test_points_in_any_order_are_sorted() -> None:
    points = np.array([[3.0, 1.0], [0.0, 2.0], [1.0, 1.0]])
    lattice, order = Lattice.of(points, 1.0)
    np.testing.assert_array_equal(order, [2, 0, 1])
    np.testing.assert_allclose(lattice.cells(lattice.keys), points[order])


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=NUMBERS, others=NUMBERS)
def test_boxes_that_overlap_are_found(seed: int, count: int, others: int) -> None:
    rng = np.random.default_rng(seed)

    def boxes(number: int) -> Array:
        low = rng.uniform(0, 30, (number, 2))
        return np.hstack([low, low + rng.uniform(0.1, 12, (number, 2))])

    first, second = boxes(count), boxes(others)
    found = np.zeros((count, others), dtype=bool)
    found[overlapping(first, second)] = True
    meet = (first[:, None, :2] < second[None, :, 2:]) & (first[:, None, 2:] > second[None, :, :2])
    np.testing.assert_array_equal(found, meet.all(axis=2))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 30), links=st.integers(0, 40))
def test_linked_things_are_joined_and_numbered_by_their_first(
    seed: int, count: int, links: int
) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.integers(count, size=(2, links))
    reach = np.eye(count, dtype=bool)
    reach[one, other] = reach[other, one] = True
    for _ in range(count):
        reach = reach @ reach
    first = reach.argmax(axis=1)  # the smallest number that each is linked with
    labels, number = joined(one, other, count)
    np.testing.assert_array_equal(labels, np.unique(first, return_inverse=True)[1])
    assert number == len(np.unique(first))


def test_spans_list_ranges_and_skip_empty_ones() -> None:
    owner, number = spans(np.array([3, 7, 5]), np.array([5, 6, 8]))
    np.testing.assert_array_equal(owner, [0, 0, 2, 2, 2])
    np.testing.assert_array_equal(number, [3, 4, 5, 6, 7])
