"""Fits, samples and scores of Gaussian mixtures, from files to files."""
