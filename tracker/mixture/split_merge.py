"""Leaving a poor optimum by joining two components and splitting a third.

Split-and-merge EM (Ueda, Nakano, Ghahramani & Hinton 2000): two components that share their points
are one too many, and a component whose points do not look Gaussian is one too few.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from tracker.mixture.em import Climb, CollapseError, Problem, Watch, climb
from tracker.mixture.features import Kernel, prepare
from tracker.mixture.gaussian import Gaussian
from tracker.mixture.nouns import Mixture
from tracker.types import Array

Triple = tuple[int, int, int]

# A component is split along its longest axis, by this many standard deviations to each side.
_HALF = 0.8


def refined(
    problem: Problem,
    best: Climb,
    random: np.random.Generator,
    attempts: int,
    watch: Watch | None = None,
) -> Climb:
    """Return the best fit after a number of moves were tried.

    Parameters
    ----------
    problem
        What is fitted to what.
    best
        Where EM has ended.
    random
        Chooses where a component goes that has collapsed.
    attempts
        Moves to try at most after each one that was better.
    watch
        Called after each round.

    Notes
    -----
    A move is kept only where the bound gains by more than EM's own tolerance, so the result is
    never worse than what it started from.
    """
    gain = max(problem.stopping.tol, 1e-9)
    improved = len(best.mixture) > 2
    while improved and not best.stopped:
        improved = False
        for triple in candidates(problem, best.mixture)[:attempts]:
            first = moved(best.mixture, triple)
            try:
                found = climb(problem, first, random, watch=watch)
            except CollapseError:  # no move in this direction
                continue
            if found.bound > best.bound + gain:
                best, improved = found, True
                break
            if found.stopped:
                return replace(best, stopped=True)
    return best


def candidates(problem: Problem, mixture: Mixture) -> list[Triple]:
    """Return (i, j, k), most promising first: join i and j, and split k."""
    points, weights = problem.data.draw()
    r, own = posteriors(points, mixture, problem.clutter.beside(mixture))
    w = np.ones(len(points)) if weights is None else weights
    weighted = r * w
    mass = np.maximum(weighted.sum(axis=1), 1e-300)
    overlap = (weighted @ r.T) / np.sqrt(np.outer((weighted * r).sum(1), (weighted * r).sum(1)))
    # The divergence of the points of a component, taken as a density, from its Gaussian.
    local = weighted / mass[:, None]
    misfit = (local * (np.log(np.maximum(local / w, 1e-300)) - own)).sum(axis=1)
    pairs = sorted(combinations(range(len(mixture)), 2), key=lambda pair: -overlap[pair])
    order = np.argsort(-misfit)
    return [(i, j, int(k)) for i, j in pairs for k in order if k not in (i, j)]


def posteriors(points: Array, mixture: Mixture, likelihood: Gaussian) -> tuple[Array, Array]:
    """Return responsibilities and the log-density of each component, both of shape (K, N)."""
    prepared = prepare(points, None, diagonal=mixture.diagonal, around=mixture)
    kernel = Kernel(mixture, prepared)
    own = kernel.levels(prepared.features(points)) + kernel.peak
    own -= np.log(np.maximum(mixture.weights, 1e-300))[:, None]
    r = np.concatenate([r for r, _ in likelihood.posteriors(points, mixture)], axis=1)
    return r.astype(np.float64), own.astype(np.float64)


def moved(mixture: Mixture, triple: Triple) -> Mixture:
    """Return a mixture with i and j joined in the place of i, and k split into j and k."""
    i, j, k = triple
    weights, means = mixture.weights.copy(), mixture.means.copy()
    covariances = mixture.covariances.copy()
    share = weights[[i, j]] / max(weights[i] + weights[j], 1e-300)
    means[i] = share @ mixture.means[[i, j]]
    apart = mixture.means[[i, j]] - means[i]
    if mixture.diagonal:
        covariances[i] = share @ (mixture.covariances[[i, j]] + apart * apart)
        axis = mixture.covariances[k].argmax()
        half = _HALF * np.sqrt(mixture.covariances[k, axis]) * np.eye(means.shape[1])[axis]
        parted = mixture.covariances[k] - half * half
    else:
        spread = mixture.covariances[[i, j]] + apart[:, :, None] * apart[:, None, :]
        covariances[i] = np.einsum("p,pde->de", share, spread)
        values, vectors = np.linalg.eigh(mixture.covariances[k])
        half = _HALF * np.sqrt(values[-1]) * vectors[:, -1]
        parted = mixture.covariances[k] - np.outer(half, half)
    weights[i] += weights[j]
    weights[[j, k]] = mixture.weights[k] / 2
    means[j], means[k] = mixture.means[k] - half, mixture.means[k] + half
    covariances[j] = covariances[k] = parted
    return Mixture(weights, means, covariances)
