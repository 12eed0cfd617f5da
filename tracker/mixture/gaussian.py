"""Gaussian mixtures: one E-step, one M-step.

Letters, as in the equations: points x_i, i = 1..N; components k = 1..K with weight π_k, mean μ_k
and covariance Σ_k; responsibilities r_ik. Arrays over components and points are laid out [K, N], so
that sums over points run along the long contiguous axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from tracker.types import Array

_BLOCK = 8192  # points at once: every temporary of a block stays in the second-level cache
_LOWEST_EXPONENT = -60.0  # exp() below it is nothing beside 1, and subnormal numbers are slow


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of K Gaussians in d dimensions.

    Parameters
    ----------
    weights
        Shape (K,), π.
    means
        Shape (K, d), μ.
    covariances
        Shape (K, d, d), Σ, symmetric and positive definite.
    """

    weights: Array
    means: Array
    covariances: Array

    def __len__(self) -> int:
        return len(self.weights)


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
        Shape (K, d, d), S_k = Σ_i r_ik (x_i − x̄_k)(x_i − x̄_k)ᵀ / n_k.
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
        across = apart[:, :, None] * apart[:, None, :]
        rest, part = (1 - share)[:, None, None], share[:, None, None]
        return Stats(
            mass,
            self.mean + share[:, None] * apart,
            rest * self.scatter + part * other.scatter + rest * part * across,
            self.log_likelihood + other.log_likelihood,
            self.points + other.points,
        )


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of the components before the points are seen, for a MAP M-step.

    Parameters
    ----------
    means
        Shape (K, d), m⁻: μ ~ N(m⁻, P⁻).
    precisions
        Shape (K, d, d), the inverse of P⁻.
    covariances
        Shape (K, d, d), Σ⁻: Σ ~ inverse Wishart with mode near Σ⁻.
    strength
        ν, in points: how many points Σ⁻ is worth; infinite freezes the shape.
    effective_points
        Pixels of one object are not independent draws: at most this many of them count.
    """

    means: Array
    precisions: Array
    covariances: Array
    strength: float
    effective_points: float = np.inf

    def tempering(self, mass: Array) -> Array:
        """Return τ = min(1, n_eff / n) of each component, shape (K,)."""
        return np.minimum(1.0, self.effective_points / np.maximum(mass, 1e-12))


class Likelihood(Protocol):
    """How points choose among components."""

    def responsibilities(self, distances: Array, mixture: Mixture) -> tuple[Array, Array]:
        """Return r and the log-likelihood of each point.

        Parameters
        ----------
        distances
            Shape (K, N), squared Mahalanobis distances.
        mixture
            The components.

        Returns
        -------
        r, log_likelihood
            Shapes (K, N) and (N,).
        """


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The mixture density Σ_k π_k N(x; μ_k, Σ_k), with a uniform clutter component beside it.

    Parameters
    ----------
    clutter
        Log-density of the clutter times its weight; −inf for none.
    """

    clutter: float = -np.inf

    def responsibilities(self, distances: Array, mixture: Mixture) -> tuple[Array, Array]:
        """Share each point among the components by Bayes' rule: Σ_k r_ik ≤ 1."""
        dimensions = mixture.means.shape[1]
        _, log_determinants = np.linalg.slogdet(mixture.covariances)
        with np.errstate(divide="ignore"):  # a weight of zero is a log-weight of −inf
            log_weights = np.log(mixture.weights)
        constants = log_weights - 0.5 * (log_determinants + dimensions * np.log(2 * np.pi))
        log_density = constants[:, None] - 0.5 * distances
        top = np.maximum(log_density.max(axis=0, initial=-np.inf), self.clutter)
        r = np.exp(np.maximum(log_density - top, _LOWEST_EXPONENT))
        total = r.sum(axis=0) + np.exp(np.maximum(self.clutter - top, _LOWEST_EXPONENT))
        r /= total
        return r, np.log(total) + top


@dataclass(frozen=True, slots=True)
class Coverage:
    """The probability that a pixel is covered by at least one object (a noisy OR).

    A pixel that two objects cover appears once in a mask; here it counts fully for both:
    a_k = sigmoid((1 − d_k)/δ) with d_k the Mahalanobis distance in units of the outline at two
    standard deviations, P(foreground) = 1 − Π_j (1 − a_j), r_k = a_k / P(foreground).

    Parameters
    ----------
    softness
        δ, relative to the radius of the object.
    affinity
        Shape (K, N), factors on a_k from other evidence such as colour, or None.
    clutter
        Probability of foreground where there is no object.
    """

    softness: float
    affinity: Array | None = None
    clutter: float = 0.01

    @property
    def reach(self) -> float:
        """Distance in standard deviations beyond which a_k is below 1e-3, so hardly anything."""
        return 2.0 * (1.0 + 7.0 * self.softness)

    def cover(self, distances: Array) -> Array:
        """Return a_k at each point, shape (K, N)."""
        # A soft rim centred on the outline would lengthen the first moment by π²δ²; drawn in by a
        # third of that, a covered side weighs as much as one that ends in background.
        outline = 1.0 - (np.pi * self.softness) ** 2 / 3
        exponent = (np.sqrt(distances) * 0.5 - outline) / self.softness
        a: Array = 1.0 / (1.0 + np.exp(np.minimum(exponent, -_LOWEST_EXPONENT)))
        return a

    def responsibilities(self, distances: Array, mixture: Mixture) -> tuple[Array, Array]:
        """Give each point to every object that covers it: Σ_k r_ik may exceed 1."""
        a = self.cover(distances)
        foreground = 1.0 - (1.0 - self.clutter) * np.prod(1.0 - a, axis=0)
        if self.affinity is not None:
            a = np.minimum(a * self.affinity, 1.0)
        return a / foreground, np.log(foreground)


def squared_distances(points: Array, mixture: Mixture) -> Array:
    """Return the squared Mahalanobis distances (x − μ_k)ᵀ Σ_k⁻¹ (x − μ_k).

    Parameters
    ----------
    points
        Shape (N, d).
    mixture
        K components.

    Returns
    -------
    distances
        Shape (K, N), not negative.
    """
    lower = np.linalg.inv(np.linalg.cholesky(mixture.covariances))
    offsets = np.einsum("kij,kj->ki", lower, mixture.means)
    whitened = lower @ points.T - offsets[:, :, None]
    distances: Array = np.einsum("kin,kin->kn", whitened, whitened)
    return distances


def collect(points: Array, r: Array, log_likelihood: float = 0.0, total: float = 0.0) -> Stats:
    """Sum the statistics of points shared out by r.

    Parameters
    ----------
    points
        Shape (N, d).
    r
        Shape (K, N), responsibilities times the points' weights.
    log_likelihood, total
        Carried into the result.
    """
    dimensions = points.shape[1]
    origin = points.mean(axis=0) if len(points) else np.zeros(dimensions)
    centred = points - origin
    products = (centred[:, :, None] * centred[:, None, :]).reshape(len(points), dimensions**2)
    mass = r.sum(axis=1)
    safe = np.maximum(mass, 1e-300)[:, None]
    mean = (r @ centred) / safe
    scatter = ((r @ products) / safe).reshape(-1, dimensions, dimensions)
    scatter -= mean[:, :, None] * mean[:, None, :]
    return Stats(mass, mean + origin, scatter, log_likelihood, total)


def e_step(
    points: Array, mixture: Mixture, *, likelihood: Likelihood, weights: Array | None = None
) -> Stats:
    """Share the points among the components and sum their statistics.

    Parameters
    ----------
    points
        Shape (N, d).
    mixture
        K components.
    likelihood
        `Gaussian` for points drawn from a density, `Coverage` for the pixels of a mask.
    weights
        Shape (N,), how often each point counts; None means once.

    Returns
    -------
    stats
        The statistics T_k of all points.
    """
    result: Stats | None = None
    for start in range(0, max(len(points), 1), _BLOCK):
        block = slice(start, start + _BLOCK)
        part = points[block]
        each = likelihood
        if isinstance(each, Coverage) and each.affinity is not None:
            each = replace(each, affinity=each.affinity[:, block])
        r, logs = each.responsibilities(squared_distances(part, mixture), mixture)
        if weights is not None:
            r, logs = r * weights[block], logs * weights[block]
        total = float(len(part) if weights is None else weights[block].sum())
        stats = collect(part, r, float(logs.sum()), total)
        result = stats if result is None else result + stats
    assert result is not None
    return result


def m_step(stats: Stats, prior: Prior | None = None) -> Mixture:
    """Return the mixture that fits the statistics best.

    Without a prior these are the maximum-likelihood means and covariances; with one, the maximum
    a posteriori (Koch 2008; Feldmann, Fränken & Koch 2011, with soft association):

        μ = (P⁻⁻¹ + τ n Σ⁻¹)⁻¹ (P⁻⁻¹ m⁻ + τ n Σ⁻¹ x̄)
        Σ = (ν Σ⁻ + τ n [S + (x̄ − μ)(x̄ − μ)ᵀ]) / (ν + τ n)
    """
    weights = stats.mass / max(float(stats.mass.sum()), 1e-300)
    if prior is None:
        return Mixture(weights, stats.mean, stats.scatter)
    counted = prior.tempering(stats.mass) * stats.mass
    information = counted[:, None, None] * np.linalg.inv(prior.covariances)
    pull = prior.precisions @ prior.means[:, :, None] + information @ stats.mean[:, :, None]
    means = np.linalg.solve(prior.precisions + information, pull)[:, :, 0].astype(np.float64)
    if np.isinf(prior.strength):
        return Mixture(weights, means, prior.covariances)
    apart = stats.mean - means
    spread = stats.scatter + apart[:, :, None] * apart[:, None, :]
    share = (counted / (prior.strength + counted))[:, None, None]
    return Mixture(weights, means, (1 - share) * prior.covariances + share * spread)
