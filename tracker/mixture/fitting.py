"""How an estimator's parameters become a problem for EM, and the ways to solve it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import layouts
from tracker.mixture.contract import as_random
from tracker.mixture.data import Chunks, Moments, Sample
from tracker.mixture.em import (
    NO_CLUTTER,
    Climb,
    Clutter,
    CollapseError,
    Iteration,
    Problem,
    Stopping,
    Watch,
    climb,
    mended,
)
from tracker.mixture.family import SHAPES, Family, as_prior
from tracker.mixture.gaussian import m_step
from tracker.mixture.nouns import Mixture, Stats
from tracker.mixture.split_merge import refined
from tracker.mixture.starts import STARTS, begin
from tracker.types import Array

if TYPE_CHECKING:
    from tracker.mixture.estimator import GaussianMixture

_CHOICES = {
    "covariance_type": SHAPES,
    "init_params": STARTS,
    "weights": ("learned", "fixed"),
    "on_collapse": ("reseed", "raise"),
    "schedule": ("exact", "coarse"),
}
# Least values; None may stand for those that are optional.
_COUNTS = {"n_components": 1, "max_iter": 0, "n_init": 1, "verbose_interval": 1, "split_merge": 0}
_NUMBERS = {"tol": 0.0, "reg_covar": 0.0, "step_offset": 0.0}


def check(model: GaussianMixture) -> None:
    """Raise ValueError, with the parameter and what it may be, where one is out of range."""
    for name, choices in _CHOICES.items():
        if getattr(model, name) not in choices:
            _refuse(model, name, f"one of {', '.join(map(repr, choices))}")
    for name, least in _COUNTS.items():
        value = getattr(model, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
            _refuse(model, name, f"a whole number of at least {least}")
    for name, low in _NUMBERS.items():
        value = getattr(model, name)
        if not isinstance(value, Real) or not float(value) >= low:
            _refuse(model, name, f"a number of at least {low:g}")
    if model.param_tol is not None and not float(model.param_tol) >= 0:
        _refuse(model, "param_tol", "a number of at least 0, or None")
    if not 0.5 < model.step_decay <= 1:
        _refuse(model, "step_decay", "above 0.5 and at most 1")
    if model.noise is not None and not 0 < model.noise < 1:
        _refuse(model, "noise", "above 0 and below 1, or None")
    if model.covariance_bounds is not None:
        bounds = tuple(model.covariance_bounds)
        if len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1] or bounds[1] == 0:
            _refuse(model, "covariance_bounds", "two numbers, 0 ≤ low ≤ high and 0 < high, or None")


def _refuse(model: GaussianMixture, name: str, wanted: str) -> None:
    raise ValueError(
        f"The {name!r} parameter of {type(model).__name__} must be {wanted}. Got "
        f"{getattr(model, name)!r} instead."
    )


@dataclass(frozen=True, slots=True)
class Result:
    """The best fit, and the box of the uniform component where there is one."""

    best: Climb
    box: Array | None


def fit(
    model: GaussianMixture,
    data: Sample | Chunks,
    moments: Moments,
    former: Mixture | None,
    callback: Watch | None,
) -> Result:
    """Solve the problem that the model's parameters pose.

    Parameters
    ----------
    model
        Its parameters say what is wanted.
    data, moments
        Points, and what they are as a whole.
    former
        Where to go on from, or None for new starts.
    callback
        Called after each round.
    """
    random = as_random(model.random_state)
    corners = None if model.noise is None else data.box()
    problem = Problem(
        data,
        family(model, moments),
        Stopping(model.max_iter, model.tol, model.param_tol),
        NO_CLUTTER if corners is None else Clutter(-log_volume(*corners)),
        reseed=model.on_collapse == "reseed",
    )
    watch = _watcher(model, callback)
    rough = replace(problem, data=data.coarse()) if model.schedule == "coarse" else None
    best: Climb | None = None
    failure: CollapseError | None = None
    for number in range(1 if former is not None else model.n_init):
        last = -np.inf
        if former is not None:
            mixture, last = former, model.lower_bound_
            if mixture.means.shape != (model.n_components, len(moments.mean)):
                raise ValueError(
                    f"The fitted means have the shape {mixture.means.shape}, the data and "
                    f"n_components ask for {(model.n_components, len(moments.mean))}; a warm start "
                    "needs the same."
                )
        else:
            _say(model, f"Initialization {number}")
            mixture = start(model, data, problem.family, moments, random)
        try:
            if rough is not None:
                found = climb(rough, mixture, random, watch=watch, start=number)
                mixture, last = found.mixture, -np.inf
            if rough is None or not found.stopped:
                found = climb(problem, mixture, random, watch=watch, start=number, last=last)
        except CollapseError as error:  # another start may do better
            failure = error
            continue
        _say(model, f"Initialization {'converged' if found.converged else 'did not converge'}.")
        if best is None or found.bound > best.bound:
            best = found
        if found.stopped:
            break
    if best is None:
        assert failure is not None
        raise failure
    if model.split_merge and not best.stopped:
        best = refined(problem, best, random, model.split_merge, watch)
    return Result(best, corners)


def family(model: GaussianMixture, moments: Moments) -> Family:
    """Return the mixtures that the model may choose from."""
    prior, k = as_prior(model.prior), model.n_components
    weights = None
    if model.weights == "fixed":
        weights = np.full(k, (1 - (model.noise or 0.0)) / k)
        if model.weights_init is not None:
            weights = _first_weights(model)
    return Family(
        model.covariance_type,
        float(model.reg_covar),
        _bounds(model),
        weights,
        model.noise is not None,
        None if prior is None else prior.filled(k, moments.mean, moments.covariance),
    )


def _bounds(model: GaussianMixture) -> tuple[float, float]:
    if model.covariance_bounds is None:
        return 0.0, np.inf
    low, high = model.covariance_bounds
    return float(low), float(high)


def start(
    model: GaussianMixture,
    data: Sample | Chunks,
    family: Family,
    moments: Moments,
    random: np.random.Generator,
) -> Mixture:
    """Return a first mixture: the user's own where it is given, else as `init_params` says."""
    k, d = model.n_components, len(moments.mean)
    kind = model.covariance_type
    weights = means = covariances = None
    if model.weights_init is not None:
        weights = _first_weights(model)
    if model.means_init is not None:
        means = layouts.checked_means(model.means_init, k, d)
    if model.precisions_init is not None:
        given = layouts.checked_precisions(model.precisions_init, kind, k, d)
        covariances = layouts.inside(layouts.from_precisions(given, kind), kind, np.zeros((k, d)))
    if weights is None or means is None or covariances is None:
        found = begin(
            model.init_params, data.draw(), moments, family, k, random, clutter=model.noise or 0.0
        )
        share = found.weights / found.weights.sum() * (1 - (model.noise or 0.0))
        weights = share if weights is None else weights
        means = found.means if means is None else means
        covariances = found.covariances if covariances is None else covariances
    return Mixture(weights, means, covariances)


def _first_weights(model: GaussianMixture) -> Array:
    most = 1 - (model.noise or 0.0)
    return layouts.checked_weights(model.weights_init, model.n_components, most=most)


def log_volume(low: Array, high: Array) -> float:
    """Return the logarithm of the volume of a box; a side without length counts as one."""
    sides = high - low
    return float(np.log(np.where(sides > 0, sides, 1.0)).sum())


def _say(model: GaussianMixture, text: str) -> None:
    if model.verbose:
        print(text)


def _watcher(model: GaussianMixture, callback: Watch | None) -> Watch | None:
    """Return what is called after each round, or None if nobody wants to know."""
    if not model.verbose:
        return callback

    def watch(iteration: Iteration) -> object:
        if iteration.number % model.verbose_interval == 0:
            bound = f"\t log-likelihood {iteration.lower_bound:.5f}" if model.verbose > 1 else ""
            print(f"  Iteration {iteration.number}{bound}")
        return None if callback is None else callback(iteration)

    return watch


@dataclass(frozen=True, slots=True)
class Stream:
    """A stepwise fit between two batches.

    Parameters
    ----------
    family
        The mixtures to choose from.
    running
        Statistics of the stream, for one point; None before the first batch.
    mixture
        The mixture that explains the next batch.
    box
        Corners of the uniform component, or None.
    batches, seen
        How many batches and points there have been.
    bound
        Mean log-likelihood of the last batch, before it was learned from.
    """

    family: Family
    running: Stats | None
    mixture: Mixture
    box: Array | None
    batches: int = 0
    seen: float = 0.0
    bound: float = -np.inf

    def after(self, model: GaussianMixture, sample: Sample) -> Stream:
        """Return the fit after one more batch."""
        clutter = NO_CLUTTER if self.box is None else Clutter(-log_volume(*self.box))
        stats = sample.e_step(self.mixture, clutter.beside(self.mixture))
        seen, batches = self.seen + stats.points, self.batches + 1
        stats = stats * (1 / stats.points)
        running = stats
        if self.running is not None:
            step = (batches + model.step_offset) ** -model.step_decay
            running = self.running * (1 - step) + stats * step
        reseed = model.on_collapse == "reseed"
        problem = Problem(sample, self.family, Stopping(1, 0.0), clutter, reseed)
        mixture = m_step(running * seen, self.family)
        mixture, lost = mended(problem, mixture, as_random(model.random_state))
        return replace(
            self,
            running=stated(mixture) if lost else running,
            mixture=mixture,
            batches=batches,
            seen=seen,
            bound=stats.log_likelihood,
        )


def stated(mixture: Mixture) -> Stats:
    """Return the statistics, for one point, of which a mixture is the maximum."""
    return Stats(mixture.weights, mixture.means, mixture.covariances, points=1.0)


def draw(
    mixture: Mixture, count: int, random: np.random.Generator, box: Array | None
) -> tuple[Array, NDArray[np.intp]]:
    """Draw points and the components that they come from.

    Parameters
    ----------
    mixture
        K components in d dimensions.
    count
        How many points.
    random
        Where chance comes from.
    box
        Shape (2, d), where the points of the clutter are; None if there is no clutter.

    Returns
    -------
    points, label
        Shapes (count, d) and (count,); −1 is the clutter.
    """
    k, d = mixture.means.shape
    shares = mixture.weights / mixture.weights.sum()
    if box is not None:
        shares = np.append(mixture.weights, max(1 - mixture.weights.sum(), 0.0))
        shares /= shares.sum()
    counts = random.multinomial(count, shares)
    label = np.repeat([*range(k), -1][: len(counts)], counts)
    points = random.standard_normal((count, d))
    for j in range(k):
        own = label == j
        if mixture.diagonal:
            points[own] *= np.sqrt(mixture.covariances[j])
        else:
            points[own] = points[own] @ np.linalg.cholesky(mixture.covariances[j]).T
        points[own] += mixture.means[j]
    if box is not None:
        noise = label == -1
        points[noise] = random.uniform(box[0], box[1], (int(noise.sum()), d))
    return points, label
