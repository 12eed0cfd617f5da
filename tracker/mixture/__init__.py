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
from tracker.mixture.planar import (
    determinants,
    inverses,
    lengths,
    outline_areas,
    quadratic,
    roots,
    sides,
)

__all__ = [
    "Coverage",
    "Gaussian",
    "Likelihood",
    "Mixture",
    "Prior",
    "Silhouettes",
    "Stats",
    "collect",
    "determinants",
    "e_step",
    "inverses",
    "lengths",
    "longer",
    "m_step",
    "outline_areas",
    "quadratic",
    "roots",
    "sides",
    "silhouettes",
    "squared_distances",
    "sums",
    "totals",
]
