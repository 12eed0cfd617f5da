"""Gaussian mixtures; plain numbers in, plain numbers out."""

from tracker.mixture.gaussian import (
    Coverage,
    Gaussian,
    Likelihood,
    Mixture,
    Prior,
    Stats,
    collect,
    e_step,
    m_step,
    squared_distances,
)

__all__ = [
    "Coverage",
    "Gaussian",
    "Likelihood",
    "Mixture",
    "Prior",
    "Stats",
    "collect",
    "e_step",
    "m_step",
    "squared_distances",
]
