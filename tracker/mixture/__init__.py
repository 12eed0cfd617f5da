"""Gaussian mixtures; plain numbers in, plain numbers out."""

from tracker.mixture.coverage import Silhouettes, longer, silhouettes, sums, totals
from tracker.mixture.gaussian import (
    Coverage,
    Gaussian,
    Likelihood,
    Prior,
    collect,
    e_step,
    m_step,
    squared_distances,
)
from tracker.mixture.nouns import Mixture, Stats

__all__ = [
    "Coverage",
    "Gaussian",
    "Likelihood",
    "Mixture",
    "Prior",
    "Silhouettes",
    "Stats",
    "collect",
    "e_step",
    "longer",
    "m_step",
    "silhouettes",
    "squared_distances",
    "sums",
    "totals",
]
