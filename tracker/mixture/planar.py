"""Symmetric 2 x 2 matrices, many at once, in closed form: general solvers cost more a call."""

from __future__ import annotations

import numpy as np

from tracker.types import Array


def determinants(matrices: Array) -> Array:
    """Return the determinants of matrices of shape (..., 2, 2)."""
    xx, xy, yy = _entries(matrices)
    determinants: Array = xx * yy - xy * xy
    return determinants


def inverses(matrices: Array) -> Array:
    """Return the inverses of matrices of shape (..., 2, 2)."""
    xx, xy, yy = _entries(matrices)
    inverses = np.empty_like(matrices)
    inverses[..., 0, 0], inverses[..., 1, 1] = yy, xx
    inverses[..., 0, 1] = inverses[..., 1, 0] = -xy
    inverses /= determinants(matrices)[..., None, None]
    return inverses


def roots(matrices: Array) -> tuple[Array, Array]:
    """Return L, lower triangular with M = LLᵀ, and L⁻¹ of matrices of shape (..., 2, 2)."""
    xx, xy, yy = _entries(matrices)
    lower, inverse = np.zeros_like(matrices), np.zeros_like(matrices)
    first = np.sqrt(xx)
    across = xy / first
    second = np.sqrt(yy - across * across)
    lower[..., 0, 0], lower[..., 1, 0], lower[..., 1, 1] = first, across, second
    inverse[..., 0, 0], inverse[..., 1, 1] = 1 / first, 1 / second
    inverse[..., 1, 0] = -across / (first * second)
    return lower, inverse


def quadratic(vectors: Array, matrices: Array) -> Array:
    """Return vᵀ M⁻¹ v for vectors of shape (..., 2) and as many matrices, (..., 2, 2)."""
    x, y = vectors[..., 0], vectors[..., 1]
    xx, xy, yy = _entries(matrices)
    values: Array = (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy)
    return values


def sides(matrices: Array) -> Array:
    """Return the roots of the diagonals of matrices of shape (..., 2, 2): standard deviations."""
    sides: Array = np.sqrt(matrices.diagonal(axis1=-2, axis2=-1))
    return sides


def lengths(matrices: Array) -> Array:
    """Return the geometric means of both standard deviations of matrices of shape (..., 2, 2)."""
    lengths: Array = determinants(matrices) ** 0.25
    return lengths


def outline_areas(matrices: Array) -> Array:
    """Return the areas of the ellipses at two standard deviations, of shape (..., 2, 2): 4π√|M|."""
    outline_areas: Array = 4 * np.pi * np.sqrt(determinants(matrices))
    return outline_areas


def _entries(matrices: Array) -> tuple[Array, Array, Array]:
    return matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
