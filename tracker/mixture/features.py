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
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

BLOCK = 8192  # points at once: every temporary of a block stays in the second-level cache
_LOWEST_EXPONENT = -60.0  # exp() below it is nothing beside 1, and subnormal numbers are slow
# Least exponent of a normal number, and least sum of densities beside which it is nothing, by the
# size of a number.
_EXPONENTS = {8: (-690.0, np.exp(-620.0)), 4: (-85.0, np.exp(-60.0))}
_MOST_DIMENSIONS = 32  # above it the products need more memory than they save time
_NOTHING = 1e-300  # stands for a weight of zero, whose logarithm is finite
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


class Room:
    """Memory for what an E-step computes of one block of n points.

    Parameters
    ----------
    components, rows, most
        K, P and the greatest n.
    dtype
        Precision of the E-step.
    """

    def __init__(self, components: int, rows: int, most: int, dtype: np.dtype[np.float64]) -> None:
        self.levels: Array = np.empty((components, most), dtype)
        self.features: Array = np.empty((rows, most), dtype)
        self.lowest: Array = np.full(most, _EXPONENTS[dtype.itemsize][0], dtype)


@dataclass(frozen=True)
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
    _rooms: dict[int, Room] = field(default_factory=dict, repr=False)

    @cached_property
    def total(self) -> float:
        """Sum of the points' weights."""
        return float(len(self.points) if self.weights is None else self.weights.sum())

    @cached_property
    def rows(self) -> int:
        """P, the number of features of a point."""
        d = int(self.points.shape[1])
        if self.diagonal:
            return 1 + 2 * d
        return 1 + d + (d * (d + 1) // 2 if d <= _MOST_DIMENSIONS else 0)

    @cached_property
    def squares(self) -> Array:
        """What covariances are divided by, shape (d, d) or, if they are diagonal, (d,)."""
        squares: Array = self.scale * (self.scale if self.diagonal else self.scale[:, None])
        return squares

    @cached_property
    def log_unit(self) -> float:
        """Logarithm of one over the peak of the Gaussian that has the scale as its deviations."""
        return float(np.log(self.scale * np.sqrt(2 * np.pi)).sum())

    @cached_property
    def dtype(self) -> np.dtype[np.float64]:
        """Precision of the E-step."""
        return self.points.dtype

    def blocks(self) -> Iterator[Block]:
        """Yield the points block by block."""
        if self._kept:
            yield from self._kept
            return
        keep = self.keep and len(self.points) * self.rows * self.dtype.itemsize <= _CACHE
        made = []
        for part in parts(len(self.points)):
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
        blocks = [
            Block(np.ascontiguousarray(means[:, part]), weights[part]) for part in parts(cells)
        ]
        centres = means[1 : 1 + self.points.shape[1]].T * self.scale + self.origin
        points = centres.astype(self.dtype)
        return replace(self, points=points, weights=weights, _kept=blocks, _rooms={})

    def room(self, components: int) -> Room:
        """Return room for what an E-step computes of one block.

        It is the same room every time, because finding new memory costs more than filling it.
        """
        if components not in self._rooms:
            most = max((part.stop - part.start for part in parts(len(self.points))), default=0)
            self._rooms[components] = Room(components, self.rows, most, self.dtype)
        return self._rooms[components]

    def features(self, points: Array) -> Array:
        """Return the features of points, shape (P, n)."""
        n, d = points.shape
        f: Array = np.empty((self.rows, n), self.dtype)
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


def parts(count: int) -> list[slice]:
    """Return slices of even size that cut so many points into blocks."""
    blocks = max(-(-count // BLOCK), 1)
    edges = [count * i // blocks for i in range(blocks + 1)]
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


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
        Centre and scale by this mixture rather than by some of the points, so that what is computed
        of a point does not depend on its company.
    """
    if around is None:
        some = points[:: max(len(points) // BLOCK, 1)].astype(np.float64)
        origin, scale = some.mean(axis=0), some.std(axis=0)
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
        k, d = mixture.means.shape
        self.dtype = prepared.dtype
        self.means = (mixture.means - prepared.origin) / prepared.scale
        constants = np.log(np.maximum(mixture.weights, _NOTHING)) - prepared.log_unit
        coefficients = np.empty((k, prepared.rows))
        if mixture.diagonal:
            self.whitening = prepared.scale / np.sqrt(mixture.covariances)
            constants += np.log(self.whitening).sum(axis=1)
            precisions = self.whitening**2
            linear = precisions * self.means
            coefficients[:, 1 + d :] = -0.5 * precisions
        else:
            covariances = mixture.covariances / prepared.squares
            self.whitening = np.linalg.inv(np.linalg.cholesky(covariances))
            constants += np.log(np.einsum("kdd->kd", self.whitening)).sum(axis=1)
            precisions = self.whitening.transpose(0, 2, 1) @ self.whitening
            linear = (precisions @ self.means[:, :, None])[:, :, 0]
            if d <= _MOST_DIMENSIONS:
                above, right, factors = _products(d)
                coefficients[:, 1 + d :] = precisions[:, above, right] * factors
        depth = (linear * self.means).sum(axis=1)
        self.narrow = depth > _NARROW[self.dtype.itemsize]
        if narrow is not None:
            self.narrow |= narrow
        if not mixture.diagonal and d > _MOST_DIMENSIONS:
            self.narrow[:] = True
        self.which = np.flatnonzero(self.narrow).tolist()
        # Levels are counted from the highest peak, so that exp() seldom needs to look for the
        # largest level of each point first.
        self.peak = max(float(constants.max()), clutter)
        self.constants = constants - self.peak
        self.clutter = clutter - self.peak
        coefficients[:, 0] = self.constants - 0.5 * depth
        coefficients[:, 1 : 1 + d] = linear
        self.coefficients = coefficients.astype(self.dtype)
        self.ones = np.ones(k, self.dtype)

    def levels(self, features: Array, out: Array | None = None) -> Array:
        """Return log π_k N(x; μ_k, Σ_k) below the peak, shape (K, n)."""
        levels: Array = np.matmul(self.coefficients, features, out=out)
        for k in self.which:
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

    def share(self, features: Array, room: Room) -> tuple[Array, Array, Array]:
        """Share points among the components by Bayes' rule.

        Returns
        -------
        e, total, logs
            Shapes (K, n), (n,) and (n,): the responsibilities are e / total, the log-likelihoods
            logs + peak. They are in the room until it is used again.
        """
        n = features.shape[1]
        lowest, least = _EXPONENTS[self.dtype.itemsize]
        e = self.levels(features, room.levels[:, :n])
        np.maximum(e, room.lowest[:n], out=e)  # a row is compared faster than a single number
        np.exp(e, out=e)
        total = self.ones @ e
        if self.clutter > -np.inf:
            total += np.exp(max(self.clutter, lowest))
        logs = np.log(total)
        if total.min(initial=np.inf) < least:  # so far from all components that densities underflow
            far = np.flatnonzero(total < least)
            e[:, far], total[far], logs[far] = self._share_far(features[:, far])
        return e, total, logs

    def _share_far(self, features: Array) -> tuple[Array, Array, Array]:
        """Share points of which only the ratios of their densities can be represented."""
        e = self.levels(features)
        top = np.maximum(e.max(axis=0), self.clutter)
        e -= top
        np.maximum(e, _LOWEST_EXPONENT, out=e)
        np.exp(e, out=e)
        total = self.ones @ e
        if self.clutter > -np.inf:
            total += np.exp(np.maximum(self.clutter - top, _LOWEST_EXPONENT))
        return e, total, np.log(total) + top


def gather(
    prepared: Prepared,
    mixture: Mixture,
    clutter: float = -np.inf,
    narrow: NDArray[np.bool_] | None = None,
) -> Stats:
    """Return the statistics of all points under Gaussian densities: the E-step."""
    kernel = Kernel(mixture, prepared, clutter, narrow)
    k, d = mixture.means.shape
    sums = np.zeros(kernel.coefficients.shape)
    exact: dict[int, Stats] = {}
    log_likelihood = 0.0
    room = prepared.room(k)
    for block in prepared.blocks():
        f = block.features
        e, total, logs = kernel.share(f, room)
        factor = np.divide(1 if block.weights is None else block.weights, total, dtype=kernel.dtype)
        if k <= len(f):
            e *= factor
            sums += e @ f.T
        else:
            sums += e @ np.multiply(f, factor, out=room.features[:, : f.shape[1]]).T
        for j in kernel.which:
            r = e[j] if k <= len(f) else e[j] * factor
            part = centred(kernel.apart(f, j), r, prepared.diagonal)
            exact[j] = exact[j] + part if j in exact else part
        if block.weights is None:
            log_likelihood += float(logs.sum(dtype=np.float64))
        else:
            log_likelihood += float(block.weights @ logs)
    mass = sums[:, 0].copy()
    mean, scatter = _moments(sums, d, prepared.diagonal)
    if narrow is None:
        variances = scatter if prepared.diagonal else np.einsum("kdd->kd", scatter)
        lost = (mean * mean > _NARROW[kernel.dtype.itemsize] * variances).any(axis=1)
        lost &= ~kernel.narrow & (mass > 0)
        if lost.any():  # a component narrowed at once: its sums need more digits than they had
            return gather(prepared, mixture, clutter, lost)
    for j, part in exact.items():
        mass[j], mean[j], scatter[j] = part.mass[0], part.mean[0] + kernel.means[j], part.scatter[0]
    return Stats(
        mass,
        mean * prepared.scale + prepared.origin,
        scatter * prepared.squares,
        log_likelihood + kernel.peak * prepared.total,
        prepared.total,
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
        above, right, _ = _products(d)
        scatter[:, above, right] = seconds
        scatter[:, right, above] = seconds
    return mean, scatter - mean[:, :, None] * mean[:, None, :]


def centred(apart: Array, r: Array, diagonal: bool) -> Stats:
    """Return the statistics of one component, summed about its own mean."""
    mass = float(r.sum(dtype=np.float64))
    safe = max(mass, 1e-300)
    mean = (apart @ r).astype(np.float64) / safe
    apart = apart - mean.astype(apart.dtype)[:, None]
    spread = apart * r
    scatter = np.einsum("dn,dn->d", spread, apart) if diagonal else spread @ apart.T
    return Stats(np.array([mass]), mean[None], scatter[None].astype(np.float64) / safe)


@cache
def _products(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Return row and column of the products in the order of the features, and −½ or −1."""
    above, right = np.triu_indices(d)
    return above, right, np.where(above == right, -0.5, -1.0)
