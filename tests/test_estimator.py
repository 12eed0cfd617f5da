"""The estimator: scikit-learn's contract, and what it promises beyond that."""

from __future__ import annotations

import warnings

import contract
import numpy as np
import pytest

from tracker import GaussianMixture
from tracker.types import Array

KINDS = ("full", "tied", "diag", "spherical")


def clusters(seed: int, count: int = 600, components: int = 3, dimensions: int = 2) -> Array:
    """Return points of well separated Gaussians, shape (count, dimensions)."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-40, 40, (components, dimensions))
    return means[rng.integers(components, size=count)] + rng.normal(size=(count, dimensions))


@pytest.mark.peers
def test_the_estimator_passes_every_check_of_scikit_learn() -> None:
    from sklearn.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks fit what cannot converge
        results = check_estimator(GaussianMixture(), on_skip=None, on_fail=None)
    assert len(results) > 40
    assert [r for r in results if r["status"] == "failed"] == []


@pytest.mark.peers
def test_scikit_learns_own_tests_of_its_mixture_pass() -> None:
    verdict = contract.run(seed=0)
    assert verdict.passed >= 60, verdict.report
    assert verdict.failed == 0, verdict.report


@pytest.mark.parametrize("kind", KINDS)
def test_rounds_equal_those_of_scikit_learn(kind: str) -> None:
    from sklearn.mixture import GaussianMixture as Oracle

    points = clusters(1, dimensions=3)
    precisions = {
        "full": np.repeat(0.1 * np.eye(3)[None], 3, axis=0),
        "tied": 0.1 * np.eye(3),
        "diag": np.full((3, 3), 0.1),
        "spherical": np.full(3, 0.1),
    }[kind]
    start = {
        "covariance_type": kind,
        "weights_init": np.full(3, 1 / 3),
        "means_init": points[:3],
        "precisions_init": precisions,
        "max_iter": 500,
        "tol": 1e-7,
    }
    theirs, ours = Oracle(3, **start).fit(points), GaussianMixture(3, **start).fit(points)
    assert ours.n_iter_ == theirs.n_iter_
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-10, err_msg=name
        )
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(ours.score_samples(points), theirs.score_samples(points), rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(points), theirs.predict(points))
    assert ours.bic(points) == pytest.approx(theirs.bic(points), rel=1e-12)
    assert ours.aic(points) == pytest.approx(theirs.aic(points), rel=1e-12)


def assert_same_mixture(first: GaussianMixture, second: GaussianMixture, rtol: float) -> None:
    """Two models are the same but for the order of their components."""
    order, other = (np.lexsort(model.means_.T) for model in (first, second))
    np.testing.assert_allclose(first.weights_[order], second.weights_[other], rtol=rtol)
    np.testing.assert_allclose(first.means_[order], second.means_[other], rtol=rtol, atol=rtol)
    if first.covariance_type != "tied":
        np.testing.assert_allclose(
            first.covariances_[order], second.covariances_[other], rtol=rtol, atol=rtol
        )


# Data ---------------------------------------------------------------------------------------------


def test_a_vector_is_one_dimensional_data() -> None:
    x = clusters(2, dimensions=1)
    column = GaussianMixture(3, random_state=0).fit(x)
    vector = GaussianMixture(3, random_state=0).fit(x[:, 0].tolist())
    assert_same_mixture(column, vector, 0)
    np.testing.assert_array_equal(column.predict(x), vector.predict(x[:, 0]))
    with pytest.raises(ValueError, match="column_stack"):
        GaussianMixture(3).fit(x[:, 0], x[:, 0])


@pytest.mark.parametrize("how", ["kmeans", "k-means++", "random_from_data", "random_sample"])
@pytest.mark.parametrize("kind", KINDS)
def test_whole_weights_equal_repeated_rows(how: str, kind: str) -> None:
    x = clusters(3, count=200)
    counts = np.random.default_rng(3).integers(0, 4, len(x))
    many = np.repeat(x, counts, axis=0)
    settings = {"init_params": how, "covariance_type": kind, "random_state": 5, "tol": 1e-6}
    weighted = GaussianMixture(3, **settings).fit(x, sample_weight=counts)
    repeated = GaussianMixture(3, **settings).fit(many)
    assert weighted.n_iter_ == repeated.n_iter_
    assert_same_mixture(weighted, repeated, 1e-9)
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-10)
    for criterion in ("bic", "aic", "icl"):
        assert getattr(weighted, criterion)(x, counts) == pytest.approx(
            getattr(repeated, criterion)(many), rel=1e-10
        )
    assert weighted.score(x, sample_weight=counts) == pytest.approx(repeated.score(many))
    first = GaussianMixture(3, **settings).partial_fit(x, sample_weight=counts)
    assert_same_mixture(first, GaussianMixture(3, **settings).partial_fit(many), 1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint8])
def test_whole_numbers_are_joined_without_a_trace(dtype: type) -> None:
    x = np.rint(clusters(4, count=4000) / 4 + 60)
    start = {"means_init": x[:3], "weights_init": np.full(3, 1 / 3), "tol": 1e-6}
    start["precisions_init"] = np.repeat(np.eye(2)[None], 3, axis=0)
    joined = GaussianMixture(3, **start).fit(x.astype(dtype))
    apart = GaussianMixture(3, **{**start, "means_init": x[:3] + 0.3}).fit(x + 0.3)
    assert joined.n_iter_ == apart.n_iter_
    np.testing.assert_allclose(joined.means_, apart.means_ - 0.3, rtol=1e-9)
    np.testing.assert_allclose(joined.covariances_, apart.covariances_, rtol=1e-7)
    np.testing.assert_allclose(joined.lower_bounds_, apart.lower_bounds_, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_chunks_equal_the_whole(dtype: type) -> None:
    x = clusters(5, count=3000).astype(dtype)
    weights = np.random.default_rng(5).uniform(0.5, 2, len(x))
    start = {"means_init": x[:3], "weights_init": np.full(3, 1 / 3), "tol": 1e-5}
    start["precisions_init"] = np.repeat(np.eye(2)[None], 3, axis=0)
    whole = GaussianMixture(3, **start).fit(x, sample_weight=weights)
    cuts = [slice(0, 100), slice(100, 101), slice(101, 2000), slice(2000, None)]
    pairs = [(x[cut], weights[cut]) for cut in cuts]
    for chunks in (pairs, lambda: iter(pairs), (pair for pair in pairs)):
        model = GaussianMixture(3, **start).fit(chunks)
        assert model.means_.dtype == dtype
        assert_same_mixture(model, whole, 1e-9 if dtype is np.float64 else 1e-3)


def test_chunks_find_a_start_of_their_own() -> None:
    x = clusters(6, count=3000)
    whole = GaussianMixture(3, random_state=0, n_init=3, tol=1e-9).fit(x)
    cuts = np.array_split(x, 7)
    for schedule in ("exact", "coarse"):
        model = GaussianMixture(3, random_state=0, n_init=3, tol=1e-9, schedule=schedule)
        assert_same_mixture(model.fit(cuts), whole, 1e-3)
    for criterion in ("score", "bic", "aic", "icl"):
        expected = getattr(whole, criterion)(x)
        assert getattr(whole, criterion)(iter(cuts)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((0, 2)), r"0 sample\(s\)"),
        ([[1.0, np.nan], [2.0, 3.0]], r"NaN \(row 0, column 1\)"),
        ([[1.0, 2.0], [np.inf, 3.0]], r"infinity \(row 1, column 0\)"),
        ([["a", "b"], ["c", "d"]], "'a'.*must be a number"),
        ([[1.0, 2.0]], "minimum of 2"),
        ([[1.0, 2.0], [2.0, 3.0]], "n_samples >= n_components"),
        (np.zeros((3, 2, 2)), "dim 3"),
        (np.zeros((9, 2)) + 1j, "Complex"),
        ([], r"0 sample\(s\)"),
        (iter([]), r"0 sample\(s\)"),
        (iter([np.zeros((4, 2)), np.zeros((4, 3))]), "3 columns, but the first one had 2"),
    ],
)
def test_bad_points_are_told_apart(points: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture(3).fit(points)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0),
        ("covariance_type", "round"),
        ("init_params", "magic"),
        ("tol", -1),
        ("weights", "free"),
        ("noise", 1.5),
        ("covariance_bounds", (2, 1)),
        ("step_decay", 0.3),
        ("prior", {"alpha": 1}),
        ("prior", {"concentration": 0.5}),
        ("prior", {"covariances": [[1.0, 2.0], [2.0, 1.0]]}),
    ],
)
def test_bad_parameters_are_named_with_what_they_may_be(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name.rstrip("s")) as caught:
        GaussianMixture(**{name: value}).fit(clusters(7))
    assert str(caught.value).endswith((".", "instead."))


def test_columns_of_data_frames_are_remembered() -> None:
    class Frame:
        def __init__(self, values: Array, columns: list[str]) -> None:
            self.values, self.columns = values, columns

        def __array__(self, dtype: object = None, copy: object = None) -> Array:
            return self.values

    x = clusters(8)
    model = GaussianMixture(3, random_state=0).fit(Frame(x, ["east", "north"]))
    assert model.feature_names_in_.tolist() == ["east", "north"]
    model.predict(Frame(x, ["east", "north"]))
    model.icl(Frame(x, ["east", "north"]))
    with pytest.raises(ValueError, match="east, north, in this order; got north, east"):
        model.predict(Frame(x, ["north", "east"]))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(x)
    with pytest.raises(ValueError, match="1 features, but GaussianMixture is expecting 2"):
        model.predict(x[:, :1])


# What EM does -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"noise": 0.1},
        {"weights": "fixed"},
        {"covariance_bounds": (0.5, 2.0)},
        {"prior": {"concentration": 3, "mean_strength": 2, "covariance_strength": 10}},
        {"noise": 0.2, "prior": {"covariance_strength": 5.0}},
        {"weights": "fixed", "noise": 0.1, "weights_init": [0.2, 0.3, 0.5]},
    ],
    ids=str,
)
def test_the_bound_never_falls(kind: str, extra: dict[str, object]) -> None:
    rng = np.random.default_rng(9)
    x = np.vstack([rng.normal(size=(300, 2)) * [3, 1], rng.uniform(-9, 9, (100, 2))])
    model = GaussianMixture(
        3, covariance_type=kind, reg_covar=0, tol=1e-9, max_iter=60, random_state=0, **extra
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Best performing")
        model.fit(x)
    rises = np.diff(model.lower_bounds_)
    assert len(rises) > 3
    assert (rises > -1e-10).all(), rises.min()
    total = model.weights_.sum() + (model.noise_weight_ if "noise" in extra else 0)
    assert total == pytest.approx(1)


def test_random_sample_starts_as_the_textbook_does() -> None:
    x = clusters(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(
            4, init_params="random_sample", max_iter=0, reg_covar=0, random_state=1
        ).fit(np.repeat(x, 3, axis=0))
    assert len({tuple(mean) for mean in model.means_} & {tuple(row) for row in x}) == 4
    np.testing.assert_allclose(model.weights_, 0.25)
    np.testing.assert_allclose(
        model.covariances_, np.repeat(np.cov(x.T, bias=True)[None], 4, axis=0)
    )


def test_param_tol_ends_when_no_parameter_moves() -> None:
    x = clusters(11)
    start = {"random_state": 0, "max_iter": 1000}
    model = GaussianMixture(3, tol=0, param_tol=1e-6, **start).fit(x)
    assert model.converged_
    again = GaussianMixture(
        3,
        tol=0,
        param_tol=1e-6,
        weights_init=model.weights_,
        means_init=model.means_,
        precisions_init=model.precisions_,
    ).fit(x)
    assert again.n_iter_ == 1
    assert np.abs(again.means_ - model.means_).max() <= 1e-6


def test_fixed_weights_stay() -> None:
    x = clusters(12)
    shares = [0.6, 0.3, 0.1]
    model = GaussianMixture(3, weights="fixed", weights_init=shares, random_state=0).fit(x)
    np.testing.assert_allclose(model.weights_, shares)
    free = GaussianMixture(3, random_state=0).fit(x)
    assert model.n_parameters() == free.n_parameters() - 2
    uniform = GaussianMixture(3, weights="fixed", random_state=0).fit(x)
    np.testing.assert_allclose(uniform.weights_, 1 / 3)


def test_a_prior_is_worth_its_points() -> None:
    x = clusters(13, components=1)
    n, mean, covariance = len(x), x.mean(axis=0), np.cov(x.T, bias=True)
    prior = {
        "means": [0.0, 0.0],
        "mean_strength": 50.0,
        "covariances": 9 * np.eye(2),
        "covariance_strength": 200.0,
    }
    model = GaussianMixture(1, prior=prior, reg_covar=0).fit(x)
    np.testing.assert_allclose(model.means_[0], n * mean / (n + 50))
    across = n * 50 / (n + 50) * np.outer(mean, mean)
    expected = (200 * 9 * np.eye(2) + n * covariance + across) / (n + 200)
    np.testing.assert_allclose(model.covariances_[0], expected)
    shares = GaussianMixture(3, prior={"concentration": 1e9}, random_state=0).fit(clusters(13))
    np.testing.assert_allclose(shares.weights_, 1 / 3, rtol=1e-6)


def test_noise_takes_what_belongs_to_no_component() -> None:
    rng = np.random.default_rng(14)
    x = np.vstack([clusters(14, count=900), rng.uniform(-100, 100, (300, 2))])
    model = GaussianMixture(3, noise=0.1, n_init=10, random_state=0, tol=1e-6).fit(x)
    assert model.noise_weight_ == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(model.covariances_, np.repeat(np.eye(2)[None], 3, 0), atol=0.3)
    label = model.predict(x)
    assert (label[:900] == -1).mean() < 0.02
    assert (label[900:] == -1).mean() > 0.95
    assert model.predict_proba(x).sum(axis=1).max() <= 1 + 1e-9
    drawn, origin = model.sample(4000)
    assert (origin == -1).mean() == pytest.approx(0.25, abs=0.03)
    assert (drawn[origin == -1] >= model.noise_bounds_[0]).all()
    assert model.score(x) == pytest.approx(model.score_samples(x).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_eigenvalues_stay_within_their_bounds(kind: str) -> None:
    x = clusters(15) * [5, 0.2]
    model = GaussianMixture(
        3, covariance_type=kind, covariance_bounds=(0.5, 4.0), reg_covar=0, random_state=0
    ).fit(x)
    values = (
        np.linalg.eigvalsh(model.covariances_) if kind in ("full", "tied") else model.covariances_
    )
    assert values.min() >= 0.5 - 1e-12
    assert values.max() <= 4 + 1e-12


def test_a_component_that_collapses_is_put_elsewhere_or_reported() -> None:
    x = np.vstack([clusters(16, components=2), np.full((30, 2), 1000.0)])
    start = {"reg_covar": 0, "random_state": 0, "means_init": [[1000, 1000], x[0], x[1]]}
    model = GaussianMixture(3, **start).fit(x[:-30].tolist() + [[1000.0, 1000.0]] * 30)
    assert model.n_reseeded_ >= 1
    assert np.isfinite(model.score(x))
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        GaussianMixture(3, on_collapse="raise", **start).fit(x)
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        GaussianMixture(2, reg_covar=0).fit(np.ones((20, 2)))


def test_a_start_that_fails_leaves_the_others() -> None:
    x = np.vstack([clusters(28, components=2), np.full((3, 2), 100.0)])
    single = {"reg_covar": 0, "on_collapse": "raise", "init_params": "random_sample"}
    failed = 0
    for seed in range(20):
        try:
            GaussianMixture(2, random_state=seed, **single).fit(x)
        except ValueError:
            failed += 1
    assert 0 < failed < 20
    model = GaussianMixture(2, random_state=0, n_init=20, **single).fit(x)
    assert np.isfinite(model.score(x))


def test_narrow_components_far_apart_keep_their_digits() -> None:
    rng = np.random.default_rng(17)
    far = np.array([[0.0, 0.0], [1e6, 0.0], [0.0, 1e6]])
    x = far[np.arange(900) % 3] + 1e-3 * rng.normal(size=(900, 2))
    model = GaussianMixture(3, reg_covar=0, random_state=0, n_init=3).fit(x)
    for k, mean in enumerate(model.means_):
        own = x[model.predict(x) == k]
        np.testing.assert_allclose(mean, own.mean(axis=0), rtol=1e-12, atol=1e-10)
        np.testing.assert_allclose(model.covariances_[k], np.cov(own.T, bias=True), rtol=1e-6)


@pytest.mark.parametrize("dimensions", [1, 2, 10, 33])
@pytest.mark.parametrize("kind", KINDS)
def test_densities_are_those_of_scipy(kind: str, dimensions: int) -> None:
    from scipy.stats import multivariate_normal

    x = clusters(18, dimensions=dimensions)
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    inside = model.covariances_
    if kind == "tied":
        inside = np.repeat(inside[None], 3, axis=0)
    elif kind != "full":
        inside = np.reshape(inside, (3, -1, 1)) * np.eye(dimensions)
    density = sum(
        weight * multivariate_normal(mean, covariance).pdf(x)
        for weight, mean, covariance in zip(model.weights_, model.means_, inside, strict=True)
    )
    np.testing.assert_allclose(model.score_samples(x), np.log(density), rtol=1e-8)


def test_stepwise_em_finds_what_the_batch_finds() -> None:
    x = clusters(19, count=20_000)
    rng = np.random.default_rng(19)
    model = GaussianMixture(3, random_state=0, init_params="kmeans", step_decay=0.7)
    for batch in np.array_split(rng.permutation(x), 100):
        model.partial_fit(batch)
    assert_same_mixture(model, GaussianMixture(3, random_state=0, n_init=3).fit(x), 0.1)
    known = GaussianMixture.from_parameters(model.means_, model.covariances_, model.weights_)
    known.partial_fit(x)
    assert_same_mixture(known, model, 0.1)


def test_a_coarse_beginning_ends_at_the_same_optimum() -> None:
    rng = np.random.default_rng(20)
    means = rng.uniform(-12, 12, (6, 2))
    x = means[rng.integers(6, size=20_000)] + rng.normal(size=(20_000, 2))
    start = {"means_init": means + rng.normal(size=(6, 2)), "tol": 1e-10, "max_iter": 2000}
    exact = GaussianMixture(6, random_state=0, **start).fit(x)
    coarse = GaussianMixture(6, random_state=0, schedule="coarse", **start).fit(x)
    assert coarse.n_iter_ < exact.n_iter_
    assert coarse.lower_bound_ == pytest.approx(exact.lower_bound_, abs=1e-8)
    assert_same_mixture(coarse, exact, 1e-3)


def test_split_and_merge_leaves_a_poor_optimum() -> None:
    rng = np.random.default_rng(21)
    means = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 3.0], [40.0, 0.0]])
    x = means[np.arange(2000) % 4] + 0.5 * rng.normal(size=(2000, 2))
    # Two means in the lonely cluster, and one for both of the close ones.
    start = {"means_init": [[0.0, 0.0], [10.0, 1.5], [39.8, 0.0], [40.2, 0.0]], "random_state": 0}
    stuck = GaussianMixture(4, **start).fit(x)
    moved = GaussianMixture(4, split_merge=5, **start).fit(x)
    assert moved.lower_bound_ > stuck.lower_bound_ + 0.1
    np.testing.assert_allclose(moved.means_[np.lexsort(moved.means_.T[::-1])], means, atol=0.1)


# Around the fit -----------------------------------------------------------------------------------


def test_a_callback_sees_each_round_and_can_end_the_fit() -> None:
    x = clusters(22)
    seen = []

    def watch(iteration: object) -> bool:
        seen.append(iteration)
        return len(seen) == 4

    model = GaussianMixture(3, init_params="random", tol=0, n_init=5, random_state=0)
    model.fit(x, callback=watch)
    assert [(i.start, i.number) for i in seen] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert [i.lower_bound for i in seen] == model.lower_bounds_
    np.testing.assert_array_equal(seen[-1].mixture.means, model.means_)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_model_comes_back_from_json_to_the_last_bit(kind: str, dtype: type) -> None:
    x = clusters(23).astype(dtype)
    prior = {"covariance_strength": 1.0}
    model = GaussianMixture(
        3, covariance_type=kind, noise=0.05, prior=prior, random_state=7, means_init=x[:3]
    ).fit(x)
    again = GaussianMixture.from_json(model.to_json())
    assert again.to_json() == model.to_json()
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
        assert getattr(again, name).dtype == dtype
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    np.testing.assert_array_equal(again.sample(9)[0], model.sample(9)[0])


@pytest.mark.parametrize("text", ["", "[1]", '{"format": "other"}'])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="to_json"):
        GaussianMixture.from_json(text)


def test_a_model_may_be_stated_rather_than_fitted() -> None:
    from scipy.integrate import trapezoid

    model = GaussianMixture.from_parameters([0.0, 4.0], [1.0, 4.0], [0.3, 0.7])
    grid = np.linspace(-20, 40, 60_001)
    assert trapezoid(np.exp(model.score_samples(grid)), grid) == pytest.approx(1, abs=1e-9)
    assert model.predict([0.0, 9.0]).tolist() == [0, 1]
    with pytest.raises(ValueError, match="should be normalized"):
        GaussianMixture.from_parameters([0.0, 4.0], [[[1.0]], [[4.0]]], [0.3, 0.3])
    with pytest.raises(ValueError, match="positive-definite"):
        GaussianMixture.from_parameters([0.0, 4.0], [[[1.0]], [[-4.0]]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_model_may_be_stated_again(kind: str) -> None:
    x = clusters(27)
    model = GaussianMixture(3, covariance_type=kind, noise=0.1, random_state=0).fit(x)
    again = GaussianMixture.from_parameters(
        model.means_,
        model.covariances_,
        model.weights_ / model.weights_.sum(),
        covariance_type=kind,
        noise=model.noise_weight_,
        noise_bounds=model.noise_bounds_,
    )
    np.testing.assert_allclose(again.score_samples(x), model.score_samples(x), rtol=1e-12)


def test_a_selection_finds_the_number_of_components() -> None:
    x = clusters(24)
    best, table = GaussianMixture.select(
        x, range(1, 6), covariance_type=["spherical", "full"], random_state=0, n_init=2
    )
    assert best.n_components == 3
    assert best.covariance_type == "spherical"
    assert len(table) == 10
    for row in table:
        assert row.bic == pytest.approx(row.model.bic(x))
        assert row.aic == pytest.approx(2 * row.n_parameters - 2 * row.log_likelihood)
        assert row.icl >= row.bic - 1e-6
    chunked, _ = GaussianMixture.select(iter(np.array_split(x, 3)), range(2, 5), random_state=0)
    assert chunked.n_components == 3
    with pytest.raises(ValueError, match="use bic, aic or icl"):
        GaussianMixture.select(x, criterion="dic")


def test_samples_follow_the_density() -> None:
    from scipy.stats import kstest, norm

    model = GaussianMixture.from_parameters(
        [0.0, 4.0], [[[1.0]], [[4.0]]], [0.3, 0.7], random_state=25
    )
    x, label = model.sample(20_000)

    def distribution(value: Array) -> Array:
        return 0.3 * norm.cdf(value) + 0.7 * norm.cdf(value, 4, 2)

    assert kstest(x[:, 0], distribution).pvalue > 1e-3
    assert label.mean() == pytest.approx(0.7, abs=0.02)


def test_errors_are_scikit_learns_where_it_is_loaded() -> None:
    import pickle

    import sklearn.exceptions

    from tracker import ConvergenceWarning, NotFittedError

    with pytest.raises(NotFittedError) as caught:
        GaussianMixture().predict([1.0])
    assert isinstance(caught.value, sklearn.exceptions.NotFittedError)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), NotFittedError)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning) as warned:
        GaussianMixture(3, max_iter=1).fit(clusters(26))
    assert issubclass(warned[0].category, ConvergenceWarning)
