"""Choosing the number of components."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from tracker.mixture.chunks import is_chunked, reading

if TYPE_CHECKING:
    from tracker.mixture.estimator import GaussianMixture

M = TypeVar("M", bound="GaussianMixture")

CRITERIA = ("bic", "aic", "icl")


@dataclass(frozen=True, slots=True)
class Candidate(Generic[M]):
    """One model of a selection.

    Parameters
    ----------
    n_components, covariance_type
        What was asked for.
    log_likelihood
        Sum over the points.
    n_parameters
        Number of free parameters.
    bic, aic, icl
        The criteria; the lower the better.
    model
        The fitted model.
    """

    n_components: int
    covariance_type: str
    log_likelihood: float
    n_parameters: int
    bic: float
    aic: float
    icl: float
    model: M


class Selection(NamedTuple, Generic[M]):
    """The best model, and the table of all that were tried."""

    best: M
    table: tuple[Candidate[M], ...]


def select(
    kind: type[M],
    X: Any,
    n_components: Iterable[int],
    criterion: str,
    sample_weight: Any,
    parameters: dict[str, Any],
) -> Selection[M]:
    """Fit a model of each size and type, and judge them.

    Raises
    ------
    ValueError
        The criterion is not known, or there is no size to try.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"The criterion {criterion!r} is not known; use bic, aic or icl.")
    types = parameters.pop("covariance_type", "full")
    types = [types] if isinstance(types, str) else list(types)
    models = [
        kind(k, covariance_type=covariance_type, **parameters)
        for k in n_components
        for covariance_type in types
    ]
    with reading(X) if is_chunked(X) else nullcontext(X) as points:
        table = [
            judge(model.fit(points, sample_weight=sample_weight), points, sample_weight)
            for model in models
        ]
    if not table:
        raise ValueError("There is no number of components to try; give such as range(1, 10).")
    best = min(table, key=lambda candidate: float(getattr(candidate, criterion)))
    return Selection(best.model, tuple(table))


def judge(model: M, X: Any, sample_weight: Any = None) -> Candidate[M]:
    """Return a fitted model with its criteria."""
    bic = model.bic(X, sample_weight)
    aic = model.aic(X, sample_weight)
    parameters = model.n_parameters()
    return Candidate(
        model.n_components,
        model.covariance_type,
        parameters - aic / 2,
        parameters,
        bic,
        aic,
        model.icl(X, sample_weight),
        model,
    )
