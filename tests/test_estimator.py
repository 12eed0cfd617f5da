"""The estimator: scikit-learn's contract, and what it promises beyond that."""

from __future__ import annotations

import warnings

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


def test_the_estimator_passes_every_check_of_scikit_learn() -> None:
    from sklearn.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks fit what cannot converge
        results = check_estimator(GaussianMixture(), on_skip=None, on_fail=None)
    assert len(results) > 40
    assert [r for r in results if r["status"] == "failed"] == []


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
