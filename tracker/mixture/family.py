"""The mixtures that a batch fit may choose from: shapes, bounds, fixed weights and priors.

With n_k, x̄_k, S_k from the E-step, the M-step of every family is

    μ_k = (κ m + n_k x̄_k) / (κ + n_k)
    A_k = s Ψ + n_k S_k + κ n_k / (κ + n_k) (x̄_k − m)(x̄_k − m)ᵀ
    Σ_k = A_k / (s + n_k),   tied: Σ_k A_k / Σ_k (s + n_k)
    π_k = (n_k + α_k − 1) / Σ_j (n_j + α_j − 1)

(Fraley & Raftery 2007, with the inverse Wishart distribution given by its mode Ψ); without a prior
κ = s = 0 and α = 1. Diagonal and spherical shapes take the diagonal of A_k and its mean.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

SHAPES = ("full", "tied", "diag", "spherical")


@dataclass(frozen=True)
class ConjugatePrior:
    """What is known of each component before a fit: Dirichlet and normal-inverse-Wishart.

    Every value may be given once for all components, or once for each with a leading axis K.

    Parameters
    ----------
    concentration
        α of the Dirichlet distribution of the weights, at least 1; α − 1 is a number of points.
    means
        m, shape (d,) or (K, d); None takes the mean of the data.
    mean_strength
        κ, how many points m is worth.
    covariances
        Ψ, the most probable covariance, shape (d, d) or (K, d, d); None takes the covariance of
        the data, divided by K^(2/d) so that K components fill its volume.
    covariance_strength
        s, how many points Ψ is worth.
    """

    concentration: float | Array = 1.0
    means: Array | None = None
    mean_strength: float | Array = 0.0
    covariances: Array | None = None
    covariance_strength: float | Array = 0.0

    def filled(self, components: int, mean: Array, covariance: Array) -> FilledPrior:
        """Return the prior with every value given for each component.

        Parameters
        ----------
        components
            K.
        mean, covariance
            Shapes (d,) and (d, d), of the data.

        Raises
        ------
        ValueError
            A value has another shape, or is outside its range.
        """
        d = len(mean)
        means = mean if self.means is None else self.means
        if self.covariances is None:
            covariances = covariance / components ** (2 / d)
        else:
            covariances = self.covariances
        made = FilledPrior(
            _spread("concentration", self.concentration, (components,), least=1.0),
            _spread("means", means, (components, d)),
            _spread("mean_strength", self.mean_strength, (components,), least=0.0),
            _spread("covariances", covariances, (components, d, d)),
            _spread("covariance_strength", self.covariance_strength, (components,), least=0.0),
        )
        if self.covariances is not None and (np.linalg.eigvalsh(made.covariances) <= 0).any():
            raise ValueError(
                "The prior's covariances are not positive definite; give symmetric matrices with "
                "eigenvalues above zero."
            )
        return made


@dataclass(frozen=True)
class FilledPrior:
    """A prior with every value given for each component, as `ConjugatePrior` describes them.

    Shapes (K,), (K, d), (K,), (K, d, d) and (K,).
    """

    concentration: Array
    means: Array
    mean_strength: Array
    covariances: Array
    covariance_strength: Array


@dataclass(frozen=True)
class Family:
    """Which mixtures a fit may choose from.

    Parameters
    ----------
    shape
        One of `SHAPES`.
    regularisation
        Added to the diagonal of every covariance.
    bounds
        Least and greatest eigenvalue of a covariance.
    weights
        Shape (K,), weights that are held fixed; None learns them.
    clutter
        Whether points may belong to no component, so that the weights add up to less than one.
    prior
        A prior whose values are filled in, or None.
    """

    shape: str = "full"
    regularisation: float = 0.0
    bounds: tuple[float, float] = (0.0, np.inf)
    weights: Array | None = None
    clutter: bool = False
    prior: FilledPrior | None = None

    @property
    def diagonal(self) -> bool:
        """Whether covariances are kept as their diagonals."""
        return self.shape in ("diag", "spherical")

    @property
    def regular(self) -> bool:
        """Whether a component stays regular even if it explains a single point."""
        prior = self.prior
        strong = prior is not None and bool((prior.covariance_strength > 0).all())
        return self.regularisation > 0 or self.bounds[0] > 0 or strong

    def maximum(self, stats: Stats) -> Mixture:
        """Return the most probable mixture of the family, given the statistics."""
        means, matrices, points = stats.mean, stats.scatter, stats.mass
        if self.prior is not None:
            means, matrices, points = self._joined(stats, self.prior)
        if self.shape == "tied":
            share = points / max(float(points.sum()), 1e-300)
            matrices = np.repeat((share[:, None, None] * matrices).sum(axis=0)[None], len(means), 0)
        elif self.shape == "spherical":
            matrices = np.repeat(matrices.mean(axis=1)[:, None], means.shape[1], axis=1)
        return Mixture(self._weights(stats), means, self.bounded(matrices))

    def bounded(self, covariances: Array) -> Array:
        """Return covariances, regularised and with their eigenvalues within the bounds."""
        low, high = self.bounds
        if self.diagonal:
            return np.clip(covariances + self.regularisation, low, high)
        covariances = covariances + self.regularisation * np.eye(covariances.shape[1])
        if self.bounds == (0.0, np.inf):
            return covariances
        values, vectors = np.linalg.eigh(covariances)
        clipped: Array = (vectors * np.clip(values, low, high)[:, None, :]) @ vectors.swapaxes(1, 2)
        return clipped

    def log_prior(self, mixture: Mixture) -> float:
        """Return the logarithm of the prior density, up to a constant."""
        prior = self.prior
        if prior is None:
            return 0.0
        apart = mixture.means - prior.means
        psi = prior.covariances
        if mixture.diagonal:
            log_determinants = np.log(mixture.covariances).sum(axis=1)
            traces = (np.diagonal(psi, axis1=1, axis2=2) / mixture.covariances).sum(axis=1)
            distances = (apart * apart / mixture.covariances).sum(axis=1)
        else:
            _, log_determinants = np.linalg.slogdet(mixture.covariances)
            inverse = np.linalg.inv(mixture.covariances)
            traces = (psi * inverse).sum(axis=(1, 2))
            distances = np.einsum("kd,kde,ke->k", apart, inverse, apart)
        total = -0.5 * (prior.covariance_strength * (log_determinants + traces)).sum()
        total -= 0.5 * (prior.mean_strength * distances).sum()
        counted = prior.concentration > 1
        if self.weights is None and counted.any():
            extra = prior.concentration[counted] - 1
            total += (extra * np.log(mixture.weights[counted])).sum()
        return float(total)

    def parameters(self, components: int, dimensions: int) -> int:
        """Return the number of free parameters."""
        covariances = {
            "full": components * dimensions * (dimensions + 1) // 2,
            "tied": dimensions * (dimensions + 1) // 2,
            "diag": components * dimensions,
            "spherical": components,
        }[self.shape]
        weights = 0 if self.weights is not None else components - 1 + self.clutter
        return covariances + components * dimensions + weights

    def _joined(self, stats: Stats, prior: FilledPrior) -> tuple[Array, Array, Array]:
        """Return means, covariances and points worth, of the statistics with the prior."""
        kappa, mass = prior.mean_strength, stats.mass
        strength = prior.covariance_strength
        known = np.maximum(kappa + mass, 1e-300)
        apart = stats.mean - prior.means
        means = stats.mean - (kappa / known)[:, None] * apart
        psi = prior.covariances
        if self.diagonal:
            psi, across = np.diagonal(psi, axis1=1, axis2=2), apart * apart
        else:
            across = apart[:, :, None] * apart[:, None, :]
        points = strength + mass
        share = tuple(
            (part / np.maximum(points, 1e-300)).reshape(-1, *[1] * (stats.scatter.ndim - 1))
            for part in (strength, mass, kappa * mass / known)
        )
        return means, share[0] * psi + share[1] * stats.scatter + share[2] * across, points

    def _weights(self, stats: Stats) -> Array:
        if self.weights is not None:
            return self.weights
        mass = stats.mass
        outside = max(stats.points - float(mass.sum()), 0.0) if self.clutter else 0.0
        if self.prior is not None:
            mass = mass + (self.prior.concentration - 1)
        return mass / max(float(mass.sum()) + outside, 1e-300)


def as_prior(value: ConjugatePrior | dict[str, object] | None) -> ConjugatePrior | None:
    """Return a prior that was given as itself or as a dictionary of its values.

    Raises
    ------
    ValueError
        A key is not the name of a value.
    """
    if not isinstance(value, dict):
        return value
    known = {entry.name for entry in fields(ConjugatePrior)}
    if unknown := set(value) - known:
        raise ValueError(
            f"The prior has no value {sorted(unknown)[0]!r}; it has {', '.join(sorted(known))}."
        )
    return ConjugatePrior(**value)  # type: ignore[arg-type]


def _spread(
    name: str, value: float | Array, shape: tuple[int, ...], least: float = -np.inf
) -> Array:
    """Return a value of the prior for each component."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape not in (shape, shape[1:]):
        raise ValueError(
            f"The prior's {name} have the shape {array.shape}; give {shape[1:]} for all components "
            f"or {shape} for each."
        )
    if not (np.isfinite(array).all() and (array >= least).all()):
        raise ValueError(f"The prior's {name} hold {array.min()}; they must be at least {least}.")
    return np.broadcast_to(array, shape)
