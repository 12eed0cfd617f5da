"""Covariances as scikit-learn lays them out, and as the two steps want them.

| type | outside | inside |
|---|---|---|
| full | (K, d, d) | (K, d, d) |
| tied | (d, d) | (K, d, d), all the same |
| diag | (K, d) | (K, d) |
| spherical | (K,) | (K, d), all the same in a row |
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from tracker.types import Array


def outside(covariances: Array, kind: str) -> Array:
    """Return covariances as scikit-learn lays them out."""
    if kind == "tied":
        first: Array = covariances[0]
        return first
    return covariances[:, 0] if kind == "spherical" else covariances


def inside(covariances: Array, kind: str, means: Array) -> Array:
    """Return covariances as the two steps want them; means are those of their components."""
    if kind == "tied":
        return np.repeat(covariances[None], len(means), axis=0)
    if kind == "spherical":
        return np.repeat(covariances[:, None], means.shape[1], axis=1)
    return covariances


def shape_of(kind: str, components: int, dimensions: int) -> tuple[int, ...]:
    """Return the shape of covariances or precisions from outside."""
    return {
        "full": (components, dimensions, dimensions),
        "tied": (dimensions, dimensions),
        "diag": (components, dimensions),
        "spherical": (components,),
    }[kind]


def precision_factors(covariances: Array, kind: str) -> Array:
    """Return the Cholesky factors of the precisions, U with Σ⁻¹ = U Uᵀ, from outside."""
    if kind in ("diag", "spherical"):
        factors: Array = 1 / np.sqrt(covariances)
        return factors
    lower = np.linalg.cholesky(covariances)
    eye = np.eye(lower.shape[-1], dtype=lower.dtype)
    stack = lower[None] if kind == "tied" else lower
    inverse = np.array([solve_triangular(one, eye, lower=True).T for one in stack])
    return inverse[0] if kind == "tied" else inverse


def precisions(factors: Array, kind: str) -> Array:
    """Return the precisions from their Cholesky factors."""
    if kind in ("diag", "spherical"):
        return factors**2
    product: Array = factors @ np.swapaxes(factors, -1, -2)
    return product


def from_precisions(precisions: Array, kind: str) -> Array:
    """Return the covariances from outside, given the precisions."""
    if kind in ("diag", "spherical"):
        covariances: Array = 1 / precisions
        return covariances
    inverse = np.linalg.inv(precisions)
    return np.asarray(0.5 * (inverse + np.swapaxes(inverse, -1, -2)), dtype=np.float64)


def checked_weights(weights: object, components: int, *, most: float = 1.0) -> Array:
    """Return weights that the user gave, or say what is wrong with them.

    Parameters
    ----------
    weights
        Shape (K,).
    components
        K.
    most
        What they have to add up to.
    """
    array = np.array(weights, dtype=np.float64)
    _check_shape(array, (components,), "weights")
    if (array < 0).any() or (array > 1).any() or not np.isfinite(array).all():
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got "
            f"max value {array.min():.5f}, min value {array.max():.5f}: {array.tolist()}"
        )
    if abs(array.sum() - 1) > 1e-6:
        raise ValueError(
            "The parameter 'weights' should be normalized, "
            f"but got sum(weights) = {array.sum():.5f}"
        )
    scaled: Array = array * (most / array.sum())
    return scaled


def checked_means(means: object, components: int, dimensions: int) -> Array:
    """Return means that the user gave, or say what is wrong with them."""
    array = np.array(means, dtype=np.float64)
    if array.shape == (components,) and dimensions == 1:
        array = array[:, None]
    _check_shape(array, (components, dimensions), "means")
    if not np.isfinite(array).all():
        raise ValueError("The parameter 'means' holds NaN or infinity; give finite numbers.")
    return array


def checked_precisions(
    precisions: object, kind: str, components: int, dimensions: int, *, name: str = "precision"
) -> Array:
    """Return precisions or covariances that the user gave, or say what is wrong with them."""
    array = np.array(precisions, dtype=np.float64)
    shape = shape_of(kind, components, dimensions)
    if dimensions == 1 and array.size == np.prod(shape):
        array = array.reshape(shape)  # in one dimension, variances need no brackets
    _check_shape(array, shape, f"{kind} {name}")
    if kind in ("diag", "spherical"):
        if not (array > 0).all():
            raise ValueError(f"'{kind} {name}' should be positive")
    elif not (
        np.allclose(array, np.swapaxes(array, -1, -2)) and (np.linalg.eigvalsh(array) > 0).all()
    ):
        raise ValueError(f"'{kind} {name}' should be symmetric, positive-definite")
    return array


def _check_shape(array: Array, shape: tuple[int, ...], name: str) -> None:
    if array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}"
        )
