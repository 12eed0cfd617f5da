"""The loop of EM: E-step, M-step, until nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tracker.mixture.family import Family
from tracker.mixture.gaussian import Gaussian, m_step
from tracker.mixture.nouns import Mixture, Stats
from tracker.types import Array

# A fall of the bound that is more than rounding, relative to it, by the size of a number.
_ROUNDING = {8: 1e-9, 4: 1e-4}
# Least variance of a component that is not a point, beside that of the data, and of one that is not
# a line, beside its own greatest; by the size of a number.
_POINT = {8: 1e-26, 4: 1e-13}
_LINE = {8: 1e-13, 4: 1e-7}
# The same for one that may be a line: beside its greatest variance the least one is rounding.
_SINGULAR = 1e-15
_PATIENCE = 3  # times that each component may collapse, on average


class CollapseError(ValueError):
    """Components have shrunk to points or lines, and could not be put elsewhere."""


class Data(Protocol):
    """Points that can be gone through as often as EM needs."""

    dtype: np.dtype[np.float64]
    scale: Array

    def e_step(self, mixture: Mixture, likelihood: Gaussian) -> Stats:
        """Return the statistics of all points."""

    def draw(self) -> tuple[Array, Array | None]:
        """Return points, some or all, and their weights."""


@dataclass(frozen=True, slots=True)
class Iteration:
    """EM after one round.

    Parameters
    ----------
    start
        Which of the starts, from 0.
    number
        Which round, from 1.
    lower_bound
        Mean log-likelihood of a point (with a prior: mean log-posterior) before the round.
    mixture
        The mixture after the round.
    """

    start: int
    number: int
    lower_bound: float
    mixture: Mixture


Watch = Callable[[Iteration], object]


@dataclass(frozen=True, slots=True)
class Stopping:
    """When EM ends.

    Parameters
    ----------
    rounds
        At most so many.
    tol
        The mean log-likelihood changes by less than this.
    param_tol
        No parameter changes by more than this; None does not look at parameters.
    """

    rounds: int
    tol: float
    param_tol: float | None = None


@dataclass(frozen=True, slots=True)
class Climb:
    """One run of EM from one start.

    Parameters
    ----------
    mixture
        After the last round.
    bounds
        The lower bound of each round.
    converged
        Whether it ended before the rounds did.
    stopped
        Whether the watcher ended it.
    reseeded
        How many components collapsed and were put elsewhere.
    fallen
        The greatest fall of the bound that no rounding, regularisation or collapse explains.
    """

    mixture: Mixture
    bounds: Sequence[float] = ()
    converged: bool = False
    stopped: bool = False
    reseeded: int = 0
    fallen: float = 0.0

    @property
    def bound(self) -> float:
        """The last lower bound."""
        return self.bounds[-1] if self.bounds else -np.inf


@dataclass(frozen=True, slots=True)
class Clutter:
    """A uniform component over a box.

    Parameters
    ----------
    log_density
        Logarithm of one over the volume of the box.
    """

    log_density: float

    def beside(self, mixture: Mixture) -> Gaussian:
        """Return the likelihood in which the clutter has what the weights leave over."""
        rest = max(1.0 - float(mixture.weights.sum()), 0.0)
        return Gaussian(np.log(rest) + self.log_density if rest > 0 else -np.inf)


NO_CLUTTER = Clutter(-np.inf)


@dataclass(frozen=True, slots=True)
class Problem:
    """Data, the mixtures that may explain it, and when the search ends."""

    data: Data
    family: Family
    stopping: Stopping
    clutter: Clutter = NO_CLUTTER
    reseed: bool = True


def climb(
    problem: Problem,
    mixture: Mixture,
    random: np.random.Generator,
    *,
    watch: Watch | None = None,
    start: int = 0,
    last: float = -np.inf,
) -> Climb:
    """Run EM from one start.

    Parameters
    ----------
    problem
        What is fitted to what.
    mixture
        Where to start.
    random
        Chooses where a component goes that has collapsed.
    watch
        Called after each round; EM ends where it returns True.
    start
        Told to the watcher.
    last
        The lower bound of the round before the first, where this goes on from an earlier run.

    Raises
    ------
    CollapseError
        A component collapsed and could not be put elsewhere.
    """
    data, family, stopping = problem.data, problem.family, problem.stopping
    bounds: list[float] = []
    converged = stopped = False
    fallen = 0.0
    mixture, reseeded = mended(problem, mixture, random)
    for number in range(1, stopping.rounds + 1):
        stats = data.e_step(mixture, problem.clutter.beside(mixture))
        bound = (stats.log_likelihood + family.log_prior(mixture)) / stats.points
        bounds.append(bound)
        fall = last - bound - _ROUNDING[data.dtype.itemsize] * max(abs(bound), 1.0)
        if fall > fallen:
            fallen = max(fallen, fall - _regularised(family, mixture))
        before, mixture = mixture, _kept(m_step(stats, family), mixture, stats)
        mixture, lost = mended(problem, mixture, random, reseeded)
        reseeded += lost
        stopped = watch is not None and watch(Iteration(start, number, bound, mixture)) is True
        converged = not lost and (
            abs(bound - last) < stopping.tol
            or (stopping.param_tol is not None and _moved(before, mixture) <= stopping.param_tol)
        )
        if converged or stopped:
            break
        last = -np.inf if lost else bound
    return Climb(mixture, tuple(bounds), converged, stopped, reseeded, fallen)


def _regularised(family: Family, mixture: Mixture) -> float:
    """Return by how much the bound may fall because of what regularisation adds."""
    if family.regularisation == 0:
        return 0.0
    if mixture.diagonal:
        traces = (1 / mixture.covariances).sum(axis=1)
    else:
        traces = np.trace(np.linalg.inv(mixture.covariances), axis1=1, axis2=2)
    return family.regularisation * float(mixture.weights @ traces)


def _kept(mixture: Mixture, before: Mixture, stats: Stats) -> Mixture:
    """Leave a component that explains nothing where it was."""
    idle = stats.mass < 1e-12
    if not idle.any():
        return mixture
    means = np.where(idle[:, None], before.means, mixture.means)
    wide = idle.reshape(-1, *[1] * (mixture.covariances.ndim - 1))
    return Mixture(mixture.weights, means, np.where(wide, before.covariances, mixture.covariances))


def mended(
    problem: Problem, mixture: Mixture, random: np.random.Generator, past: int = 0
) -> tuple[Mixture, int]:
    """Return the mixture with collapsed components elsewhere, and how many there were.

    Raises
    ------
    CollapseError
        There were too many by now, or there is no place for them.
    """
    lost = _collapsed(mixture, problem)
    count = int(lost.sum())
    if count == 0:
        return mixture, 0
    patience = _PATIENCE * len(mixture) if problem.reseed else 0
    if past + count > patience or lost.all() or problem.family.shape == "tied":
        raise CollapseError(_ILL_DEFINED)
    return _reseeded(mixture, lost, random, problem.family), count


def _collapsed(mixture: Mixture, problem: Problem) -> NDArray[np.bool_]:
    """Return which components have become points, lines or not a number, shape (K,)."""
    scale, size = problem.data.scale, problem.data.dtype.itemsize
    point, line = (0.0, _SINGULAR) if problem.family.regular else (_POINT[size], _LINE[size])
    if mixture.diagonal:
        regular = mixture.covariances > point * scale * scale
        return np.asarray(~regular.all(axis=1))
    scaled = mixture.covariances / (scale[:, None] * scale)
    lost = np.asarray(~np.isfinite(scaled).all(axis=(1, 2)))
    if lost.any():
        scaled = np.where(lost[:, None, None], np.eye(len(scale)), scaled)
    if scaled.shape[1] == 2:
        # λ₁ ≥ det/trace and λ₂ ≤ trace: where that suffices, nobody needs the eigenvalues.
        xx, yy, xy = scaled[:, 0, 0], scaled[:, 1, 1], scaled[:, 0, 1]
        trace = xx + yy
        if (xx * yy - xy * xy > trace * np.maximum(point, line * trace)).all():
            return lost
    values = np.linalg.eigvalsh(scaled)
    flat = np.asarray(values[:, 0] <= np.maximum(point, line * values[:, -1]))
    collapsed: NDArray[np.bool_] = lost | flat
    return collapsed


def _reseeded(
    mixture: Mixture, lost: NDArray[np.bool_], random: np.random.Generator, family: Family
) -> Mixture:
    """Put each lost component inside the heaviest of the others, which is split in two."""
    weights = np.where(lost, 0.0, mixture.weights)
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    for k in map(int, np.flatnonzero(lost)):
        j = int(weights.argmax())
        weights[[j, k]] = weights[j] / 2
        noise = random.standard_normal(means.shape[1])
        if mixture.diagonal:
            step = np.sqrt(covariances[j]) * noise
        else:
            step = np.linalg.cholesky(covariances[j]) @ noise
        means[k], covariances[k] = means[j] + step, covariances[j]
    weights = weights / weights.sum() * mixture.weights.sum()
    return Mixture(weights if family.weights is None else family.weights, means, covariances)


def _moved(before: Mixture, after: Mixture) -> float:
    """Return the greatest change of a parameter."""
    return max(
        float(np.abs(getattr(after, name) - getattr(before, name)).max())
        for name in ("weights", "means", "covariances")
    )


_ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical "
    "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
    "number of components, increase reg_covar, or scale the input data."
)
