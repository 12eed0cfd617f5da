"""Gaussian mixtures: one E-step, one M-step.

The letters are those of `tracker.mixture.nouns`. Batch fits, stepwise fits and the streaming
tracker differ in where they start, how often they iterate, which likelihood shares out the points
and which prior enters the M-step; the two steps are these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from tracker.mixture.features import BLOCK, Kernel, Prepared, gather, parts, prepare
from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

Points: TypeAlias = Array | Prepared

_LOWEST_EXPONENT = -60.0  # exp() below it is nothing beside 1, and subnormal numbers are slow
# Of π²δ², by which the outline is drawn in: 1/3 is right where masks end sharply, 5/6 where their
# rims are as soft as δ, so that their scatter is that of a larger ellipse.
_DRAWN_IN = 0.5


class Maximiser(Protocol):
    """What is known of a mixture beside the points, which the M-step has to respect."""

    def maximum(self, stats: Stats) -> Mixture:
        """Return the best mixture, given the statistics and that knowledge."""


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

    def maximum(self, stats: Stats) -> Mixture:
        """Return the maximum a posteriori (Koch 2008; Feldmann, Fränken & Koch 2011), as
        μ = (P⁻⁻¹ + τ n Σ⁻¹)⁻¹ (P⁻⁻¹ m⁻ + τ n Σ⁻¹ x̄)
        Σ = (ν Σ⁻ + τ n [S + (x̄ − μ)(x̄ − μ)ᵀ]) / (ν + τ n), with τ = min(1, n_eff / n).
        """
        counted = np.minimum(stats.mass, self.effective_points)  # τ n
        # The same as m⁻ + (Σ P⁻⁻¹ + τ n I)⁻¹ τ n (x̄ − m⁻), which inverts once.
        balance = self.covariances @ self.precisions
        balance += counted[:, None, None] * np.eye(balance.shape[1])
        pull = counted[:, None] * (stats.mean - self.means)
        means = self.means + np.linalg.solve(balance, pull[:, :, None])[:, :, 0]
        weights = shares(stats.mass)
        if np.isinf(self.strength):
            return Mixture(weights, means, self.covariances)
        apart = stats.mean - means
        spread = stats.scatter + apart[:, :, None] * apart[:, None, :]
        share = (counted / (self.strength + counted))[:, None, None]
        return Mixture(weights, means, (1 - share) * self.covariances + share * spread)


class Likelihood(Protocol):
    """How points choose among components."""

    def gather(self, points: Points, mixture: Mixture, weights: Array | None) -> Stats:
        """Share points of shape (N, d) among the components and sum their statistics."""


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The mixture density Σ_k π_k N(x; μ_k, Σ_k), with a uniform clutter component beside it.

    Parameters
    ----------
    clutter
        Log-density of the clutter times its weight; −inf for none.
    """

    clutter: float = -np.inf

    def gather(self, points: Points, mixture: Mixture, weights: Array | None = None) -> Stats:
        """Share each point among the components by Bayes' rule: Σ_k r_ik ≤ 1."""
        if not isinstance(points, Prepared):
            points = prepare(points, weights, diagonal=mixture.diagonal, around=mixture)
        return gather(points, mixture, self.clutter)

    def posteriors(self, points: Array, mixture: Mixture) -> Iterator[tuple[Array, Array]]:
        """Yield r and the log-likelihood of each point, block by block, shapes (K, n) and (n,)."""
        prepared = prepare(points, None, diagonal=mixture.diagonal, around=mixture)
        kernel, room = Kernel(mixture, prepared, self.clutter), prepared.room(len(mixture))
        for part in parts(len(points)):
            e, total, logs = kernel.share(prepared.features(points[part]), room)
            yield e / total, logs + kernel.peak


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
        outline = 1.0 - _DRAWN_IN * (np.pi * self.softness) ** 2
        a: Array = np.sqrt(distances)  # all else in its place: the arrays are large, and many
        a *= 0.5 / self.softness
        a -= outline / self.softness
        np.minimum(a, -_LOWEST_EXPONENT, out=a)
        np.exp(a, out=a)
        a += 1.0
        return np.divide(1.0, a, out=a)

    def responsibilities(self, distances: Array) -> tuple[Array, Array]:
        """Give each point to every object that covers it: Σ_k r_ik may exceed 1.

        Parameters
        ----------
        distances
            Shape (K, N), squared Mahalanobis distances.

        Returns
        -------
        r, log_likelihood
            Shapes (K, N) and (N,).
        """
        a = self.cover(distances)
        foreground = 1.0 - (1.0 - self.clutter) * np.prod(1.0 - a, axis=0)
        if self.affinity is not None:
            a = np.minimum(a * self.affinity, 1.0)
        return a / foreground, np.log(foreground)

    def gather(self, points: Points, mixture: Mixture, weights: Array | None = None) -> Stats:
        """Sum the statistics of the pixels that each object covers."""
        if isinstance(points, Prepared):
            return self.gather(points.points, mixture, points.weights)
        result: Stats | None = None
        for start in range(0, max(len(points), 1), BLOCK):
            block = slice(start, start + BLOCK)
            part, here = points[block], self
            if self.affinity is not None:
                here = replace(self, affinity=self.affinity[:, block])
            r, logs = here.responsibilities(squared_distances(part, mixture))
            if weights is not None:
                r, logs = r * weights[block], logs * weights[block]
            total = float(len(part) if weights is None else weights[block].sum())
            stats = collect(part, r, float(logs.sum()), total)
            result = stats if result is None else result + stats
        assert result is not None
        return result


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
    points: Points,
    mixture: Mixture,
    *,
    likelihood: Likelihood,
    weights: Array | None = None,
) -> Stats:
    """Share the points among the components and sum their statistics.

    Parameters
    ----------
    points
        Shape (N, d), or `Prepared` with their weights for many E-steps.
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
    return likelihood.gather(points, mixture, weights)


def m_step(stats: Stats, prior: Maximiser | None = None) -> Mixture:
    """Return the mixture that fits the statistics best.

    Without a prior these are the maximum-likelihood means and covariances; with one, the maximum
    a posteriori: that of a tracked object's `Prior`, or of the `Family` of a batch fit.
    """
    if prior is not None:
        return prior.maximum(stats)
    return Mixture(shares(stats.mass), stats.mean, stats.scatter)


def shares(mass: Array) -> Array:
    """Return n_k / Σ_j n_j, shape (K,)."""
    return mass / max(float(mass.sum()), 1e-300)
