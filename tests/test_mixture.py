"""Laws of the mixture: statistics add up, EM climbs, priors bind as far as they should."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.mixture import (
    Coverage,
    Gaussian,
    Mixture,
    Prior,
    Stats,
    collect,
    determinants,
    e_step,
    inverses,
    longer,
    m_step,
    quadratic,
    sides,
    silhouettes,
    squared_distances,
    totals,
)
from tracker.mixture.planar import roots
from tracker.types import Array

LIKELIHOODS = [Gaussian(), Gaussian(-12.0), Coverage(0.06)]


def sample(seed: int, *, count: int = 600, clusters: int = 3, dimensions: int = 2) -> Array:
    """Return points of overlapping clusters, far from the origin, shape (count, dimensions)."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-20, 20, (clusters, dimensions)) + 300
    stretch = rng.normal(0, 3, (clusters, dimensions, dimensions)) + 4 * np.eye(dimensions)
    label = rng.integers(clusters, size=count)
    noise = rng.normal(size=(count, dimensions))
    return centres[label] + np.einsum("nij,nj->ni", stretch[label], noise)


def beginning(points: Array, k: int, seed: int = 0) -> Mixture:
    """Return the usual first guess: random points as means, the sample covariance for all."""
    rng = np.random.default_rng(seed)
    means = points[rng.choice(len(points), k, replace=False)]
    covariance = np.atleast_2d(np.cov(points.T, bias=True))
    return Mixture(np.full(k, 1 / k), means, np.repeat(covariance[None], k, axis=0))


def filled_ellipse(mean: Array, covariance: Array) -> Array:
    """Return the pixels within two standard deviations, shape (n, 2)."""
    low, high = mean - 4 * np.sqrt(covariance.max()), mean + 4 * np.sqrt(covariance.max())
    x, y = np.meshgrid(np.arange(int(low[0]), high[0]), np.arange(int(low[1]), high[1]))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    apart = pixels - mean
    return pixels[np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart) <= 4]


def assert_same(first: Stats | Mixture, second: Stats | Mixture, rtol: float = 1e-9) -> None:
    for name in first.__dataclass_fields__:
        expected = getattr(second, name)
        scale = max(float(np.abs(expected).max(initial=0)), 1e-9)
        np.testing.assert_allclose(
            getattr(first, name), expected, rtol=rtol, atol=rtol * scale, err_msg=name
        )


# Statistics ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    count=st.integers(1, 80),
    components=st.integers(1, 4),
    dimensions=st.integers(1, 4),
    data=st.data(),
)
def test_statistics_of_chunks_add_up_to_those_of_the_whole(
    seed: int, count: int, components: int, dimensions: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(500, 30, (count, dimensions))
    r = rng.uniform(0, 2, (components, count))
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    edges = [0, *cuts, count]
    parts = [
        collect(points[a:b], r[:, a:b], float(b - a), float(b - a)) for a, b in pairwise(edges)
    ]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + part
    assert_same(joined, collect(points, r, float(count), float(count)))


def test_statistics_are_the_textbook_sums() -> None:
    points = sample(1)
    r = np.random.default_rng(1).uniform(size=(2, len(points)))
    stats = collect(points, r)
    for k in range(2):
        np.testing.assert_allclose(stats.mass[k], r[k].sum())
        np.testing.assert_allclose(stats.mean[k], np.average(points, axis=0, weights=r[k]))
        np.testing.assert_allclose(
            stats.scatter[k], np.cov(points.T, aweights=r[k], bias=True), rtol=1e-9
        )


def test_distances_are_those_of_mahalanobis() -> None:
    points = sample(2, dimensions=3)
    mixture = m_step(collect(points, np.random.default_rng(2).uniform(size=(4, len(points)))))
    apart = points[None] - mixture.means[:, None]
    inverse = np.linalg.inv(mixture.covariances)
    expected = np.einsum("kni,kij,knj->kn", apart, inverse, apart)
    np.testing.assert_allclose(squared_distances(points, mixture), expected, rtol=1e-8)


# The E-step ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", [*LIKELIHOODS, "affine"], ids=str)
def test_blocks_change_nothing(
    likelihood: Gaussian | Coverage | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = sample(3, count=1000)
    if isinstance(likelihood, str):
        affinity = np.random.default_rng(3).uniform(0.1, 1, (3, len(points)))
        likelihood = Coverage(0.06, affinity)
    weights = np.random.default_rng(4).uniform(0.5, 4, len(points))
    mixture = beginning(points, 3)
    whole = e_step(points, mixture, likelihood=likelihood, weights=weights)
    monkeypatch.setattr("tracker.mixture.gaussian.BLOCK", 64)
    monkeypatch.setattr("tracker.mixture.features.BLOCK", 64)
    assert_same(e_step(points, mixture, likelihood=likelihood, weights=weights), whole)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_a_weight_counts_as_repetition(likelihood: Gaussian | Coverage) -> None:
    points = sample(5, count=200)
    counts = np.random.default_rng(5).integers(0, 4, len(points))
    mixture = beginning(points, 3)
    weighted = e_step(points, mixture, likelihood=likelihood, weights=counts.astype(float))
    repeated = e_step(np.repeat(points, counts, axis=0), mixture, likelihood=likelihood)
    assert_same(weighted, repeated)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_the_order_of_points_changes_nothing(likelihood: Gaussian | Coverage) -> None:
    points = sample(6)
    mixture = beginning(points, 3)
    shuffled = np.random.default_rng(6).permutation(points)
    assert_same(
        e_step(shuffled, mixture, likelihood=likelihood),
        e_step(points, mixture, likelihood=likelihood),
    )


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_no_points_are_an_ordinary_case(likelihood: Gaussian | Coverage) -> None:
    mixture = beginning(sample(7), 3)
    stats = e_step(np.zeros((0, 2)), mixture, likelihood=likelihood)
    assert stats.points == 0
    assert stats.log_likelihood == 0
    np.testing.assert_array_equal(stats.mass, np.zeros(3))
    more = e_step(sample(7), mixture, likelihood=likelihood)
    assert_same(stats + more, more)


def test_a_mixture_shares_out_each_point_once() -> None:
    points = np.vstack([sample(8), [[1e5, -1e5]]])  # and one where every density underflows
    mixture = beginning(sample(8), 4)
    ((r, _),) = Gaussian().posteriors(points, mixture)
    np.testing.assert_allclose(r.sum(axis=0), 1, rtol=1e-12)
    ((shared, logs),) = Gaussian(-12.0).posteriors(points, mixture)
    assert (shared.sum(axis=0) < 1).all()
    assert shared[:, -1].sum() < 1e-12  # clutter takes what no component comes near
    assert logs[-1] == pytest.approx(-12.0)


def test_the_log_likelihood_is_that_of_the_density() -> None:
    from scipy.stats import multivariate_normal

    points = sample(9)
    mixture = m_step(e_step(points, beginning(points, 3), likelihood=Gaussian()))
    density = sum(
        mixture.weights[k]
        * multivariate_normal(mixture.means[k], mixture.covariances[k]).pdf(points)
        for k in range(3)
    )
    stats = e_step(points, mixture, likelihood=Gaussian())
    assert stats.log_likelihood == pytest.approx(np.log(density).sum(), rel=1e-10)


# Rounds of EM -------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    components=st.integers(1, 5),
    dimensions=st.integers(1, 3),
    clutter=st.sampled_from([-np.inf, -14.0]),
)
def test_a_round_never_lowers_the_likelihood(
    seed: int, components: int, dimensions: int, clutter: float
) -> None:
    points = sample(seed, count=250, dimensions=dimensions)
    mixture = beginning(points, components, seed)
    last = -np.inf
    for _ in range(12):
        stats = e_step(points, mixture, likelihood=Gaussian(clutter))
        assert stats.log_likelihood >= last - 1e-9 * abs(stats.log_likelihood)
        last = stats.log_likelihood
        mixture = m_step(stats)
        if np.linalg.eigvalsh(mixture.covariances).min() < 1e-9:
            return  # a component has become a plane or a point: the likelihood has no maximum


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), sd=st.floats(0.1, 30))
def test_a_round_with_a_prior_never_lowers_the_posterior(seed: int, sd: float) -> None:
    points = sample(seed, count=250)
    mixture = beginning(points, 3, seed)
    prior = Prior(
        mixture.means, np.repeat(np.eye(2)[None] / sd**2, 3, axis=0), mixture.covariances, np.inf
    )
    last = -np.inf
    for _ in range(12):
        stats = e_step(points, mixture, likelihood=Gaussian())
        apart = mixture.means - prior.means
        posterior = stats.log_likelihood - 0.5 * np.einsum(
            "ki,kij,kj->", apart, prior.precisions, apart
        )
        assert posterior >= last - 1e-9 * abs(posterior)
        last = posterior
        mixture = m_step(stats, prior)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_rounds_equal_those_of_scikit_learn(dimensions: int) -> None:
    from sklearn.mixture import GaussianMixture

    points = sample(10, count=1500, dimensions=dimensions) - 300
    first = beginning(points, 3)
    oracle = GaussianMixture(
        3,
        tol=0.0,
        reg_covar=0.0,
        max_iter=25,
        weights_init=first.weights,
        means_init=first.means,
        precisions_init=np.linalg.inv(first.covariances),
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 25 rounds are not convergence
        oracle.fit(points)
    mixture = first
    for _ in range(25):
        mixture = m_step(e_step(points, mixture, likelihood=Gaussian()))
    expected = Mixture(oracle.weights_, oracle.means_, oracle.covariances_)
    assert_same(mixture, expected, rtol=1e-8)
    stats = e_step(points, mixture, likelihood=Gaussian())
    assert stats.log_likelihood / stats.points == pytest.approx(oracle.score(points), rel=1e-10)


def test_a_converged_mixture_is_a_fixed_point() -> None:
    rng = np.random.default_rng(11)
    points = np.concatenate([rng.normal(c, (2, 3), (300, 2)) for c in ((0, 0), (14, 3), (5, 18))])
    mixture = Mixture(
        np.full(3, 1 / 3),
        np.array([[1.0, 1.0], [13.0, 4.0], [6.0, 17.0]]),
        np.repeat(9 * np.eye(2)[None], 3, axis=0),
    )
    for _ in range(200):
        mixture = m_step(e_step(points, mixture, likelihood=Gaussian()))
    again = m_step(e_step(points, mixture, likelihood=Gaussian()))
    assert_same(again, mixture, rtol=1e-11)


# Coverage -----------------------------------------------------------------------------------------


def test_a_pixel_deep_inside_two_objects_counts_fully_for_both() -> None:
    covariances = np.repeat(100 * np.eye(2)[None], 2, axis=0)
    mixture = Mixture(np.full(2, 0.5), np.array([[50.0, 50.0], [54.0, 50.0]]), covariances)
    pixels = np.array([[52.0, 50.0], [200.0, 200.0]])
    r, logs = Coverage(0.06).responsibilities(squared_distances(pixels, mixture))
    np.testing.assert_allclose(r[:, 0], 1, atol=1e-3)
    assert logs[0] == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(r[:, 1], 0, atol=1e-9)  # and one far outside counts for neither
    ((shared, _),) = Gaussian().posteriors(pixels, mixture)
    np.testing.assert_allclose(shared[:, 0], 0.5, atol=1e-9)  # a mixture would have halved it


@settings(max_examples=20, deadline=None)
@given(
    x=st.floats(60, 61),
    y=st.floats(60, 61),
    long=st.floats(6, 12),
    aspect=st.floats(0.5, 1),
    angle=st.floats(0, np.pi),
    off=st.floats(0, 2 * np.pi),
)
def test_an_isolated_filled_ellipse_is_recovered(
    x: float, y: float, long: float, aspect: float, angle: float, off: float
) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    covariance = turn @ np.diag([long**2, (aspect * long) ** 2]) @ turn.T
    mean = np.array([x, y])
    points = filled_ellipse(mean, covariance)
    # Its outline is the ellipse at two standard deviations.
    whole = collect(points, np.ones((1, len(points))))
    np.testing.assert_allclose(whole.mean[0], mean, atol=0.3)
    np.testing.assert_allclose(whole.scatter[0], covariance, atol=0.08 * long**2)
    # Coverage finds it from a wrong start, where the moments put it.
    wrong = mean + 0.4 * long * np.array([np.cos(off), np.sin(off)])
    mixture = Mixture(np.ones(1), wrong[None], covariance[None])
    flat = Prior(mixture.means, np.zeros((1, 2, 2)), mixture.covariances, np.inf)
    for _ in range(40):
        mixture = m_step(e_step(points, mixture, likelihood=Coverage(0.06)), flat)
    np.testing.assert_allclose(mixture.means[0], whole.mean[0], atol=0.1)


def test_two_overlapping_ellipses_are_both_recovered_from_their_union() -> None:
    means = np.array([[60.0, 60.0], [76.0, 66.0]])
    covariances = np.array([np.diag([100.0, 64.0]), np.diag([49.0, 100.0])])
    union = np.concatenate([filled_ellipse(m, c) for m, c in zip(means, covariances, strict=True)])
    points = np.unique(union, axis=0).astype(float)
    first = Mixture(np.full(2, 0.5), means + np.array([[2.0, -2.0], [-2.0, 1.0]]), covariances)
    flat = Prior(first.means, np.zeros((2, 2, 2)), covariances, np.inf)

    def fitted(likelihood: Gaussian | Coverage) -> float:
        mixture = first
        for _ in range(60):
            mixture = m_step(e_step(points, mixture, likelihood=likelihood), flat)
        return float(np.linalg.norm(mixture.means - means, axis=1).max())

    assert fitted(Coverage(0.06)) < 0.3
    assert fitted(Gaussian()) > 1.0  # a mixture pushes the two apart


@pytest.mark.parametrize("rim", [0.002, 0.05])
@pytest.mark.parametrize("apart", [14.0, 24.0, 34.0])
def test_objects_in_contact_keep_their_distance_with_sharp_and_with_ragged_rims(
    rim: float, apart: float
) -> None:
    """Their shapes are the scatter of their masks, which is larger where these are ragged."""
    x, y = np.meshgrid(np.arange(140.0), np.arange(120.0))
    points = np.column_stack([x.ravel(), y.ravel()])
    means = np.array([[70 - apart / 2, 60.0], [70 + apart / 2, 60.0]])
    distance = np.linalg.norm(points - means[:, None], axis=2) / 24
    seen = 1 / (1 + np.exp(np.minimum((distance - 1) / rim, 60.0)))
    shape = collect(points, seen[:1]).scatter.repeat(2, axis=0)
    mixture = Mixture(np.full(2, 0.5), means + np.array([[1.5, -1.0], [-1.0, 1.0]]), shape)
    flat = Prior(mixture.means, np.zeros((2, 2, 2)), shape, np.inf)
    union = 1 - (1 - seen).prod(axis=0)
    for _ in range(200):
        mixture = m_step(e_step(points, mixture, likelihood=Coverage(0.05), weights=union), flat)
    fitted = float(np.linalg.norm(mixture.means[1] - mixture.means[0]))
    assert fitted == pytest.approx(apart, abs=0.7)


def three_in_contact() -> tuple[Array, Array, Mixture]:
    """Return the pixels of three ellipses that touch, their weights, and a first guess."""
    means = np.array([[60.0, 60.0], [76.0, 66.0], [96.0, 52.0]])
    covariances = np.array([np.diag([100.0, 64.0]), np.diag([49.0, 100.0]), LONG])
    union = np.concatenate([filled_ellipse(m, c) for m, c in zip(means, covariances, strict=True)])
    points = np.unique(union, axis=0).astype(float)
    weights = np.random.default_rng(8).uniform(0.5, 2, len(points))
    return points, weights, Mixture(np.full(3, 1 / 3), means + 1.5, covariances)


LONG = np.array([[90.0, 30.0], [30.0, 40.0]])


def test_points_far_from_an_object_may_be_left_out() -> None:
    points, weights, mixture = three_in_contact()
    affinity = np.random.default_rng(9).uniform(0.3, 1, (3, len(points)))
    distances = squared_distances(points, mixture)
    near = Coverage(0.06, affinity)
    pairs = np.nonzero(distances < (near.reach + 0.4) ** 2)
    assert len(pairs[0]) < 0.65 * distances.size
    some = silhouettes(
        points, mixture, pairs, likelihood=Coverage(0.06, affinity[pairs]), weights=weights
    )
    moved = mixture.means + np.array([[0.5, -1], [1, 0.5], [-0.5, 0.5]])
    whole = e_step(
        points,
        replace(mixture, means=moved),
        likelihood=near,
        weights=weights,
    )
    stats = some.e_step(moved)
    np.testing.assert_allclose(stats.mass, whole.mass, rtol=2e-3)
    np.testing.assert_allclose(stats.mean, whole.mean, atol=0.02)
    assert stats.log_likelihood == pytest.approx(whole.log_likelihood, rel=2e-3)
    assert stats.points == pytest.approx(whole.points)


def test_with_all_pairs_nothing_is_left_out() -> None:
    points, weights, mixture = three_in_contact()
    pairs = np.nonzero(np.ones((3, len(points))))
    some = silhouettes(points, mixture, pairs, likelihood=Coverage(0.06), weights=weights)
    whole = e_step(points, mixture, likelihood=Coverage(0.06), weights=weights)
    stats = some.e_step(mixture.means)
    np.testing.assert_allclose(stats.mass, whole.mass, rtol=1e-9)
    np.testing.assert_allclose(stats.mean, whole.mean, rtol=1e-9)
    assert stats.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-9)
    assert stats.points == pytest.approx(whole.points)


def test_the_scatter_is_that_of_what_each_covers() -> None:
    points, weights, mixture = three_in_contact()
    pairs = np.nonzero(np.ones((3, len(points))))
    affinity = np.random.default_rng(4).uniform(0.3, 1, len(pairs[0]))
    some = silhouettes(points, mixture, pairs, likelihood=Coverage(0.06, affinity), weights=weights)
    r, _ = Coverage(0.06).responsibilities(squared_distances(points, mixture))
    expected = collect(points, r * weights).scatter
    cover = Coverage(0.06).cover(some.distances(mixture.means))
    np.testing.assert_allclose(some.scatter(cover), expected, rtol=1e-9)


def test_of_what_hardly_shows_there_is_little_where_another_shows_all() -> None:
    points, _, mixture = three_in_contact()
    shares, clutter = np.array([1.0, 0.3, 1.0]), Coverage(0.06).clutter
    pairs = np.nonzero(np.ones((3, len(points))))
    some = silhouettes(points, mixture, pairs, likelihood=Coverage(0.06), shares=shares)
    distances = squared_distances(points, mixture)
    # Bayes: the probability that it covers and shows a point, given that something shows it.
    cover = Coverage(0.06).cover(distances)
    shown = shares[:, None] * cover
    bare = np.prod(1 - shown, axis=0)
    expected = collect(points, shown / (1 - (1 - clutter) * bare))
    stats = some.e_step(mixture.means)
    np.testing.assert_allclose(stats.mass, expected.mass)
    np.testing.assert_allclose(stats.mean, expected.mean)
    others = np.array([np.prod(np.delete(1 - shown, k, axis=0), axis=0) for k in range(3)])
    alone, log_likelihood = some.exposed(cover.ravel(), np.zeros(3, dtype=bool))
    np.testing.assert_allclose(alone, (cover * others).sum(axis=1))
    assert log_likelihood == pytest.approx(stats.log_likelihood)


def test_a_dark_object_beside_a_bright_one_stays_where_it_is() -> None:
    """Of a black car on a dark road few points are seen, and of a white one beside it all are."""
    means, shape = np.array([[60.0, 60.0], [84.0, 60.0]]), np.diag([64.0, 64.0])
    dark = filled_ellipse(means[0], shape)
    seen = dark[np.random.default_rng(5).random(len(dark)) < 0.3]
    points = np.unique(np.concatenate([seen, filled_ellipse(means[1], shape)]), axis=0)
    points = points.astype(float)
    pairs = np.nonzero(np.ones((2, len(points))))

    def strayed(shares: Array | None) -> float:
        mixture = Mixture(np.full(2, 0.5), means, np.array([shape, shape]))
        near = silhouettes(points, mixture, pairs, likelihood=Coverage(0.06), shares=shares)
        places = means
        for _ in range(60):
            places = near.e_step(places).mean
        return float(np.linalg.norm(places[0] - means[0]))

    assert strayed(None) > 4
    assert strayed(np.array([0.3, 1.0])) < 2


def test_missing_points_pull_the_mean_and_are_no_information() -> None:
    points, weights, mixture = three_in_contact()
    missing = points[:, 0] > 80
    pairs = np.nonzero(np.ones((3, len(points))))
    some = silhouettes(
        points, mixture, pairs, likelihood=Coverage(0.06), weights=weights, missing=missing
    ).e_step(mixture.means)
    seen = e_step(points[~missing], mixture, likelihood=Coverage(0.06), weights=weights[~missing])
    cover = Coverage(0.06).cover(squared_distances(points[missing], mixture))
    behind = collect(points[missing], cover * weights[missing])
    np.testing.assert_allclose(some.mass, seen.mass)
    np.testing.assert_allclose(some.mean, (seen + behind).mean)
    assert some.log_likelihood == pytest.approx(seen.log_likelihood)


def test_rows_of_neighbours_are_added_up_even_where_they_are_empty() -> None:
    values = np.arange(12.0).reshape(2, 6)
    starts = np.array([0, 0, 2, 2, 6, 6])
    expected = np.stack([values[:, a:b].sum(axis=1) for a, b in pairwise(starts)], axis=1)
    np.testing.assert_array_equal(totals(values, starts), expected)
    np.testing.assert_array_equal(totals(values[:, :0], starts * 0), np.zeros((2, 5)))


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_an_object_that_goes_a_share_of_its_way_arrives_in_two_steps(share: float) -> None:
    goal, place = np.array([[0.3, -0.1]]), np.zeros((1, 2))
    stride, way = np.ones(1), np.zeros((1, 2))
    for _ in range(2):
        before, way = way, share * (goal - place)
        stride = longer(stride, way, before)
        place = place + stride[:, None] * way
    np.testing.assert_allclose(place, goal)


# Priors -------------------------------------------------------------------------------------------


def prior_for(mixture: Mixture, precision: float, strength: float, most: float = np.inf) -> Prior:
    precisions = np.repeat(precision * np.eye(2)[None], len(mixture), axis=0)
    return Prior(mixture.means, precisions, mixture.covariances, strength, most)


def test_a_prior_binds_as_far_as_it_is_sure() -> None:
    points = sample(12)
    known = beginning(points, 3)
    stats = e_step(points, known, likelihood=Gaussian())
    likeliest = m_step(stats)

    sure = m_step(stats, prior_for(known, 1e14, np.inf))
    np.testing.assert_allclose(sure.means, known.means, rtol=1e-9)
    np.testing.assert_array_equal(sure.covariances, known.covariances)
    assert_same(m_step(stats, prior_for(known, 0.0, 0.0)), likeliest)

    between = m_step(stats, prior_for(known, 0.1, 100.0))
    towards = (between.means - known.means) * (likeliest.means - known.means)
    assert (towards >= 0).any(axis=1).all()
    way = np.linalg.norm(between.means - known.means, axis=1)
    assert (way < np.linalg.norm(likeliest.means - known.means, axis=1)).all()
    assert (np.linalg.eigvalsh(between.covariances) > 0).all()


def test_an_infinite_strength_freezes_the_shapes() -> None:
    points = sample(13)
    known = beginning(points, 3)
    stats = e_step(points, known, likelihood=Gaussian())
    frozen = m_step(stats, prior_for(known, 0.0, np.inf))
    assert frozen.covariances is known.covariances
    np.testing.assert_allclose(frozen.means, stats.mean, rtol=1e-9)


def test_pixels_beyond_the_effective_number_add_no_information() -> None:
    points = sample(14)
    known = beginning(points, 1)
    stats = collect(points, np.ones((1, len(points))))
    few = Stats(np.array([50.0]), stats.mean, stats.scatter)
    many = Stats(np.array([5e6]), stats.mean, stats.scatter)
    plain, tempered = prior_for(known, 0.2, 80.0), prior_for(known, 0.2, 80.0, 50.0)
    assert_same(m_step(many, tempered), m_step(few, plain))
    assert_same(m_step(few, tempered), m_step(few, plain))  # and fewer are left as they are


def test_the_mean_with_a_prior_is_a_kalman_update() -> None:
    rng = np.random.default_rng(15)
    known = Mixture(np.ones(1), np.array([[10.0, 20.0]]), np.array([[[9.0, 2.0], [2.0, 4.0]]]))
    uncertainty = np.array([[3.0, 1.0], [1.0, 2.0]])
    prior = Prior(known.means, np.linalg.inv(uncertainty)[None], known.covariances, np.inf)
    points = rng.multivariate_normal([12, 19], known.covariances[0], 40)
    stats = collect(points, np.ones((1, 40)))
    gain = uncertainty @ np.linalg.inv(uncertainty + known.covariances[0] / 40)
    expected = known.means[0] + gain @ (points.mean(axis=0) - known.means[0])
    np.testing.assert_allclose(m_step(stats, prior).means[0], expected, rtol=1e-10)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_closed_forms_are_those_of_linear_algebra(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stretch = rng.normal(size=(3, 5, 2, 2))
    matrices = stretch @ stretch.swapaxes(-1, -2) + 0.05 * np.eye(2)
    vectors = rng.normal(size=(3, 5, 2))
    inverse = np.linalg.inv(matrices)
    np.testing.assert_allclose(determinants(matrices), np.linalg.det(matrices), rtol=1e-9)
    np.testing.assert_allclose(inverses(matrices), inverse, rtol=1e-8, atol=1e-8)
    expected = np.einsum("abi,abij,abj->ab", vectors, inverse, vectors)
    np.testing.assert_allclose(quadratic(vectors, matrices), expected, rtol=1e-8)
    np.testing.assert_allclose(sides(matrices) ** 2, np.einsum("abii->abi", matrices), rtol=1e-12)
    lower, its_inverse = roots(matrices)
    np.testing.assert_allclose(lower, np.linalg.cholesky(matrices), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(its_inverse, np.linalg.inv(lower), rtol=1e-8, atol=1e-12)


def test_rounds_of_many_points_stay_in_their_thread() -> None:
    side = 150  # BLAS shares sums of more than 10,000 numbers out among threads
    points = np.stack(np.divmod(np.arange(side**2), side), axis=1).astype(np.float64)
    mixture = Mixture(np.ones(1), np.full((1, 2), side / 2), 1400 * np.eye(2)[None])
    pairs = (np.zeros(len(points), dtype=np.intp), np.arange(len(points)))
    near = silhouettes(points, mixture, pairs, likelihood=Coverage(0.05))
    shares = []
    for _ in range(5):
        whole, own = time.process_time(), time.thread_time()
        for _ in range(20):
            near.e_step(mixture.means)
        shares.append((time.process_time() - whole) / (time.thread_time() - own))
    assert min(shares) < 1.3
