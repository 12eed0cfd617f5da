"""The search for the best mixture: several numbers of components, several starts each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from numpy.typing import NDArray

from tracker.errors import SourceError
from tracker.fitting.options import ModelOptions
from tracker.interrupts import Interrupts
from tracker.mixture.em import Iteration
from tracker.mixture.estimator import GaussianMixture
from tracker.mixture.selection import Candidate, judge
from tracker.types import Array

Watch: TypeAlias = Callable[[str], None]
"""Gets one line that says how far a fit is."""

_FIRST_NOISE = 0.05  # weight that the uniform component starts with


class Ear:
    """Hears of every iteration: shows progress, and ends the fit when Ctrl-C asks for it."""

    def __init__(self, interrupts: Interrupts, watch: Watch | None) -> None:
        self.interrupts = interrupts
        self.stopped = False
        self._watch = watch

    def say(self, line: str) -> None:
        """Show how far the work is."""
        if self._watch:
            self._watch(line)

    def asked_to_stop(self) -> bool:
        """Tell whether Ctrl-C came by now."""
        try:
            with self.interrupts.allowed():
                return self.stopped
        except KeyboardInterrupt:
            self.stopped = True
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is wanted of a search.

    Parameters
    ----------
    data
        What messages call the points.
    counts
        The numbers of components to try.
    model
        How each is fitted, and what chooses one.
    trace
        Keep every iteration.
    """

    data: str
    counts: Sequence[int]
    model: ModelOptions
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """The fits for a range of numbers of components.

    Parameters
    ----------
    best
        The one that the criterion chose.
    table
        All that were finished, or the only one that was begun.
    steps
        Each iteration of the best one's best start.
    """

    best: Candidate[GaussianMixture]
    table: list[Candidate[GaussianMixture]]
    steps: list[Iteration]


def search(points: NDArray[Any], weights: Array | None, request: Request, ear: Ear) -> Search:
    """Fit every number of components and choose one.

    Parameters
    ----------
    points, weights
        Shapes (n, d) and (n,), or None for one each.
    request
        What is wanted.
    ear
        Hears of every iteration, and may end the search.

    Raises
    ------
    SourceError
        Where EM finds no mixture.
    """
    options = request.model
    table: list[Candidate[GaussianMixture]] = []
    steps: dict[int, list[Iteration]] = {}
    for count in request.counts:
        heard: list[Iteration] = []
        model = _model(options, count)

        def hear(now: Iteration, count: int = count, heard: list[Iteration] = heard) -> bool:
            if request.trace:
                heard.append(now)
            ear.say(
                f"components {count}, start {now.start + 1} of {options.starts}, iteration "
                f"{now.number}, log-likelihood per point {now.lower_bound:.6f}"
            )
            return ear.asked_to_stop()

        try:
            model.fit(points, sample_weight=weights, callback=hear)
        except ValueError as error:
            raise SourceError(
                f"{request.data} cannot be fitted with {count} components; take fewer, or another "
                f"--covariance ({_first_sentence(error)})"
            ) from error
        if ear.stopped and table:
            break  # what was begun cannot be compared with what was finished
        table.append(judge(model, points, weights))
        steps[count] = heard
        if ear.stopped:
            break
    best = min(table, key=lambda candidate: float(getattr(candidate, options.criterion)))
    return Search(best, table, _best_start(steps[best.n_components]))


def _first_sentence(error: Exception) -> str:
    return str(error).partition(". ")[0].rstrip(".")


def _best_start(heard: list[Iteration]) -> list[Iteration]:
    """Return the iterations of the start that ended highest."""
    last = {now.start: now.lower_bound for now in heard}
    return [now for now in heard if now.start == max(last, key=lambda start: last[start])]


def _model(options: ModelOptions, count: int) -> GaussianMixture:
    weights = options.fixed(count)
    by_parameters = options.parameter_tolerance is not None
    return GaussianMixture(
        count,
        covariance_type=options.covariance,
        tol=0.0 if by_parameters else options.tolerance,
        param_tol=options.parameter_tolerance,
        max_iter=options.iterations,
        n_init=options.starts,
        init_params=options.init,
        random_state=options.seed,
        weights="learned" if weights is None else "fixed",
        weights_init=weights,
        split_merge=options.split_merge,
        noise=_FIRST_NOISE if options.noise else None,
    )
