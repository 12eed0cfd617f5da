"""The E-step of Gaussian densities as two matrix products.

The log-density of a Gaussian is linear in the features f(x) = (1, x, x xᵀ) of a point, and so are
the sufficient statistics. With the features of a block of points as columns of F, shape (P, n), and
the coefficients of the components as rows of C, shape (K, P), the log-densities are C F and the
statistics R Fᵀ. Points are centred and scaled first, because C F subtracts numbers of the size of
(μ/σ)². A component so narrow that this would cost digits, and every component in many dimensions,
is whitened by its Cholesky factor instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

BLOCK = 8192  # points at once: every temporary of a block stays in the second-level cache
_LOWEST_EXPONENT = -60.0  # exp() below it is nothing beside 1, and subnormal numbers are slow
_MOST_DIMENSIONS = 10  # above it there are more products than a Cholesky factor costs
_CACHE = 2**28  # bytes of features that are kept from one iteration to the next

# (μ/σ)² in scaled coordinates above which C F loses too many digits, by the size of a number.
_NARROW = {8: 1e6, 4: 4096.0}


@dataclass(frozen=True, slots=True)
class Block:
    """Some points, ready for an E-step.

    Parameters
    ----------
    features
        Shape (P, n): a row of ones, d rows of coordinates, and their products.
    weights
        Shape (n,), how often each point counts; None means once.
    """

    features: Array
    weights: Array | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Points made ready for many E-steps under Gaussian densities.

    Parameters
    ----------
    points
        Shape (N, d), float64 or float32, in whose precision the E-step computes.
    weights
        Shape (N,), how often each point counts; None means once.
    origin, scale
        Shape (d,), the coordinates x become (x − origin) / scale.
    diagonal
        Whether the covariances to come are diagonal, so that no mixed products are needed.
    keep
        Whether features that fit in memory are kept from one E-step to the next.
    """

    points: Array
    weights: Array | None
    origin: Array
    scale: Array
    diagonal: bool
    keep: bool = True
    _kept: list[Block] = field(default_factory=list, repr=False)

    @property
    def total(self) -> float:
        """Sum of the points' weights."""
        return float(len(self.points) if self.weights is None else self.weights.sum())

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """Precision of the E-step."""
        return self.points.dtype

    def blocks(self) -> Iterator[Block]:
        """Yield the points block by block."""
        if self._kept:
            yield from self._kept
            return
        rows = _rows(self.points.shape[1], self.diagonal)
        keep = self.keep and len(self.points) * rows * self.dtype.itemsize <= _CACHE
        made = []
        for start in range(0, len(self.points), BLOCK):
            part = slice(start, start + BLOCK)
            weights = None if self.weights is None else self.weights[part]
            block = Block(self.features(self.points[part]), weights)
            if keep:
                made.append(block)
            yield block
        self._kept.extend(made)

    def joined(self, label: NDArray[np.intp], cells: int) -> Prepared:
        """Return the points joined into cells, each with the mean features of its points.

        The likelihood of the cells is a lower bound of that of the points, because all points of a
        cell have to share the same responsibilities.

        Parameters
        ----------
        label
            Shape (N,), the cell of each point.
        cells
            How many cells there are; none is empty.
        """
        f = self.features(self.points)
        weights = np.bincount(label, self.weights, cells).astype(np.float64)
        rows = [
            np.bincount(label, row if self.weights is None else row * self.weights, cells)
            for row in f
        ]
        means = (np.array(rows) / weights).astype(self.dtype)
        parts = [slice(i, i + BLOCK) for i in range(0, cells, BLOCK)]
        blocks = [Block(np.ascontiguousarray(means[:, part]), weights[part]) for part in parts]
        centres = means[1 : 1 + self.points.shape[1]].T * self.scale + self.origin
        return replace(self, points=centres.astype(self.dtype), weights=weights, _kept=blocks)

    def features(self, points: Array) -> Array:
        """Return the features of points, shape (P, n)."""
        n, d = points.shape
        f: Array = np.empty((_rows(d, self.diagonal), n), self.dtype)
        f[0] = 1
        x = f[1 : 1 + d]
        x[:] = ((points - self.origin) / self.scale).T
        if self.diagonal:
            np.multiply(x, x, out=f[1 + d :])
        elif d <= _MOST_DIMENSIONS:
            row = 1 + d
            for i in range(d):
                np.multiply(x[i], x[i:], out=f[row : row + d - i])
                row += d - i
        return f


def prepare(
    points: Array, weights: Array | None, *, diagonal: bool, around: Mixture | None = None
) -> Prepared:
    """Make points ready for many E-steps.

    Parameters
    ----------
    points, weights
        Shapes (N, d) and (N,) or None.
    diagonal
        Whether the covariances to come are diagonal.
    around
        Centre and scale by this mixture rather than by the points, so that what is computed of a
        point does not depend on its company.
    """
    if around is None:
        origin = points.mean(axis=0, dtype=np.float64)
        scale = points.std(axis=0, dtype=np.float64)
    else:
        origin = around.means.mean(axis=0, dtype=np.float64)
        variances = around.covariances
        if not around.diagonal:
            variances = np.diagonal(variances, axis1=1, axis2=2)
        apart = around.means - origin
        scale = np.sqrt((variances + apart * apart).mean(axis=0, dtype=np.float64))
    scale = np.where((scale > 0) & np.isfinite(scale), scale, 1.0)
    return Prepared(points, weights, origin, scale, diagonal)


class Kernel:
    """The log-densities log π_k N(x; μ_k, Σ_k) of one mixture, for prepared points.

    Parameters
    ----------
    mixture
        K components.
    prepared
        What the points are centred and scaled by.
    clutter
        Log-density of the clutter times its weight; −inf for none.
    narrow
        Shape (K,), components to be whitened whatever their size; None for none.
    """

    def __init__(
        self,
        mixture: Mixture,
        prepared: Prepared,
        clutter: float = -np.inf,
        narrow: NDArray[np.bool_] | None = None,
    ) -> None:
        self.clutter = clutter
        k, d = mixture.means.shape
        self.dtype = prepared.dtype
        self.means = (mixture.means - prepared.origin) / prepared.scale
        with np.errstate(divide="ignore"):  # a weight of zero is a log-weight of −inf
            log_weights = np.log(mixture.weights)
        constants = log_weights - 0.5 * d * np.log(2 * np.pi) - np.log(prepared.scale).sum()
        if mixture.diagonal:
            self.whitening = prepared.scale / np.sqrt(mixture.covariances)
            precisions = self.whitening**2
            constants += np.log(self.whitening).sum(axis=1)
            linear = precisions * self.means
            products = -0.5 * precisions
        else:
            covariances = mixture.covariances / (prepared.scale[:, None] * prepared.scale)
            self.whitening = np.linalg.inv(np.linalg.cholesky(covariances))
            constants += np.log(np.diagonal(self.whitening, axis1=1, axis2=2)).sum(axis=1)
            precisions = np.swapaxes(self.whitening, 1, 2) @ self.whitening
            linear = (precisions @ self.means[:, :, None])[:, :, 0]
            above, right = _upper(d)
            factors = np.where(above == right, -0.5, -1.0)
            products = precisions[:, above, right] * factors
        depth = (linear * self.means).sum(axis=1)
        self.constants = constants
        self.narrow = depth > _NARROW[self.dtype.itemsize]
        if narrow is not None:
            self.narrow |= narrow
        if not mixture.diagonal and d > _MOST_DIMENSIONS:
            self.narrow[:] = True
            products = np.zeros((k, 0))
        coefficients = np.concatenate([(constants - 0.5 * depth)[:, None], linear, products], 1)
        self.coefficients = coefficients.astype(self.dtype)
        self.which = np.flatnonzero(self.narrow)

    def levels(self, features: Array, out: Array | None = None) -> Array:
        """Return log π_k N(x; μ_k, Σ_k), shape (K, n)."""
        levels: Array = np.matmul(self.coefficients, features, out=out)
        for k in map(int, self.which):
            apart = self.apart(features, k)
            whitening = self.whitening[k].astype(self.dtype)
            white = whitening @ apart if whitening.ndim == 2 else whitening[:, None] * apart
            levels[k] = self.constants[k] - 0.5 * np.einsum("dn,dn->n", white, white)
        return levels

    def apart(self, features: Array, k: int) -> Array:
        """Return x − μ_k in scaled coordinates, shape (d, n)."""
        d = self.means.shape[1]
        difference: Array = features[1 : 1 + d] - self.means[k][:, None].astype(self.dtype)
        return difference

    def share(self, levels: Array) -> tuple[Array, Array]:
        """Turn levels, in place, into responsibilities that still lack a factor for each point.

        Returns
        -------
        total, top
            Shape (n,): r = levels / total, and the log-likelihood of a point is log(total) + top.
        """
        top = np.maximum(levels.max(axis=0), self.clutter)
        levels -= top
        np.maximum(levels, levels.dtype.type(_LOWEST_EXPONENT), out=levels)
        np.exp(levels, out=levels)
        total = np.ones(len(levels), levels.dtype) @ levels
        if self.clutter > -np.inf:
            total += np.exp(np.maximum(self.clutter - top, _LOWEST_EXPONENT))
        return total, top


def gather(
    prepared: Prepared, mixture: Mixture, clutter: float, narrow: NDArray[np.bool_] | None = None
) -> Stats:
    """Return the statistics of all points under Gaussian densities: the E-step."""
    kernel = Kernel(mixture, prepared, clutter, narrow)
    k, d = mixture.means.shape
    sums = np.zeros(kernel.coefficients.shape)
    exact: dict[int, Stats] = {}
    log_likelihood = total_weight = 0.0
    room: Array = np.empty((k, BLOCK), kernel.dtype)
    for block in prepared.blocks():
        n = block.features.shape[1]
        levels = room if n == BLOCK else np.empty((k, n), kernel.dtype)
        e = kernel.levels(block.features, levels)
        total, top = kernel.share(e)
        factor = 1 / total if block.weights is None else block.weights / total
        sums += e @ (block.features * factor.astype(kernel.dtype)).T
        for j in map(int, kernel.which):
            part = centred(kernel.apart(block.features, j), e[j] * factor, prepared.diagonal)
            exact[j] = exact[j] + part if j in exact else part
        np.log(total, out=total)
        total += top
        if block.weights is None:
            log_likelihood += float(total.sum(dtype=np.float64))
            total_weight += n
        else:
            log_likelihood += float(block.weights @ total)
            total_weight += float(block.weights.sum())
    mass = sums[:, 0].copy()
    mean, scatter = _moments(sums, d, prepared.diagonal)
    if narrow is None:
        variances = scatter if prepared.diagonal else np.diagonal(scatter, axis1=1, axis2=2)
        lost = (mean * mean > _NARROW[kernel.dtype.itemsize] * variances).any(axis=1)
        lost &= ~kernel.narrow & (mass > 0)
        if lost.any():  # a component narrowed at once: its sums need more digits than they had
            return gather(prepared, mixture, clutter, lost)
    for j, part in exact.items():
        mass[j], mean[j], scatter[j] = part.mass[0], part.mean[0] + kernel.means[j], part.scatter[0]
    squares = prepared.scale if prepared.diagonal else prepared.scale[:, None]
    return Stats(
        mass,
        mean * prepared.scale + prepared.origin,
        scatter * (squares * prepared.scale),
        log_likelihood,
        total_weight,
    )


def _moments(sums: Array, d: int, diagonal: bool) -> tuple[Array, Array]:
    """Return means and scatters in scaled coordinates from the sums of features."""
    safe = np.maximum(sums[:, :1], 1e-300)
    mean = sums[:, 1 : 1 + d] / safe
    seconds = sums[:, 1 + d :] / safe
    if diagonal:
        return mean, seconds - mean * mean
    scatter = np.zeros((len(sums), d, d))
    if seconds.shape[1]:
        above, right = _upper(d)
        scatter[:, above, right] = seconds
        scatter[:, right, above] = seconds
    return mean, scatter - mean[:, :, None] * mean[:, None, :]


def centred(apart: Array, r: Array, diagonal: bool) -> Stats:
    """Return the statistics of one component, summed about its own mean."""
    r = r.astype(np.float64)
    mass = float(r.sum())
    safe = max(mass, 1e-300)
    mean = apart @ r / safe
    apart = apart - mean[:, None]
    spread = apart * r
    scatter = np.einsum("dn,dn->d", spread, apart) if diagonal else spread @ apart.T
    return Stats(np.array([mass]), mean[None], scatter[None] / safe)


def _rows(d: int, diagonal: bool) -> int:
    """Return P, the number of features of a point."""
    if diagonal:
        return 1 + 2 * d
    return 1 + d + (d * (d + 1) // 2 if d <= _MOST_DIMENSIONS else 0)


def _upper(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of the products, in the order of the features."""
    return np.triu_indices(d)
