"""What travels between the two steps: mixtures and sufficient statistics.

Letters, as in the equations: points x_i, i = 1..N; components k = 1..K with weight π_k, mean μ_k
and covariance Σ_k; responsibilities r_ik. Arrays over components and points are laid out [K, N], so
that sums over points run along the long contiguous axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tracker.types import Array


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of K Gaussians in d dimensions.

    Parameters
    ----------
    weights
        Shape (K,), π. Where they add up to less than one, the rest belongs to clutter.
    means
        Shape (K, d), μ.
    covariances
        Shape (K, d, d), Σ, symmetric and positive definite; or (K, d), the variances, where all
        covariances are diagonal.
    """

    weights: Array
    means: Array
    covariances: Array

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def diagonal(self) -> bool:
        """Whether the covariances are given by their diagonals."""
        return self.covariances.ndim == 2

    @property
    def matrices(self) -> Array:
        """The covariances as matrices, shape (K, d, d), whether they are diagonal or not."""
        if not self.diagonal:
            return self.covariances
        return self.covariances[:, :, None] * np.eye(self.covariances.shape[1])


@dataclass(frozen=True, slots=True)
class Stats:
    """What the E-step hands to the M-step: centred sufficient statistics of each component.

    Parameters
    ----------
    mass
        Shape (K,), n_k = Σ_i r_ik.
    mean
        Shape (K, d), x̄_k = Σ_i r_ik x_i / n_k.
    scatter
        Shape (K, d, d), S_k = Σ_i r_ik (x_i − x̄_k)(x_i − x̄_k)ᵀ / n_k; or (K, d), its diagonal.
    log_likelihood
        Sum over the points.
    points
        Sum of the points' weights.
    """

    mass: Array
    mean: Array
    scatter: Array
    log_likelihood: float = 0.0
    points: float = 0.0

    def __add__(self, other: Self) -> Stats:
        """Join the statistics of two sets of points, exactly (Chan, Golub & LeVeque 1983)."""
        mass = self.mass + other.mass
        share = np.divide(other.mass, mass, out=np.zeros_like(mass), where=mass > 0)
        apart = other.mean - self.mean
        part = share[:, None]
        mean = self.mean + part * apart
        across = apart * apart
        if self.scatter.ndim == 3:
            part, across = part[:, None], apart[:, :, None] * apart[:, None, :]
        return Stats(
            mass,
            mean,
            (1 - part) * (self.scatter + part * across) + part * other.scatter,
            self.log_likelihood + other.log_likelihood,
            self.points + other.points,
        )

    def __mul__(self, factor: float) -> Stats:
        """Let every point count `factor` times."""
        return Stats(
            self.mass * factor,
            self.mean,
            self.scatter,
            self.log_likelihood * factor,
            self.points * factor,
        )
