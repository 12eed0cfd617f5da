"""A pytest plugin: scikit-learn's own tests of its mixture, run against ours.

    pytest -p contract --pyargs sklearn.mixture.tests.test_gaussian_mixture ...

The class is put in the place of theirs before the tests are collected, from the installed package.
Left out is what looks behind the contract: private functions and methods, arrays of other
libraries, and the Bayesian mixture.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = ("sklearn.mixture.tests.test_gaussian_mixture", "sklearn.mixture.tests.test_mixture")

BEHIND_THE_CONTRACT = (
    "suffstat",
    "compute_log_det_cholesky",
    "gaussian_mixture_log_probabilities",
    "test_gaussian_mixture_precisions_init[",
    "does_not_estimate_gaussian_parameters",
    "array_api",
    "[estimator1]",  # BayesianGaussianMixture
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many of scikit-learn's tests passed and failed, and the report."""

    passed: int
    failed: int
    report: str


def run(seed: int = 0) -> Verdict:
    """Run the tests in a process of their own.

    Parameters
    ----------
    seed
        Of the tests that take one.
    """
    here = Path(__file__).parent
    paths = [str(here), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "SKLEARN_TESTS_GLOBAL_RANDOM_SEED": str(seed),
        "SKLEARN_RUN_FLOAT32_TESTS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "contract", "-p", "no:cacheprovider"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "--tb=short", "--pyargs", *MODULES],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    counts = {
        word: int(number)
        for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)
    }
    broken = counts.get("failed", 0) + counts.get("error", 0)
    return Verdict(counts.get("passed", 0), broken, done.stdout + done.stderr)


def pytest_configure() -> None:
    """Put our class in the place of theirs."""
    import sklearn.mixture

    from tracker import GaussianMixture

    sklearn.mixture.GaussianMixture = GaussianMixture


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what looks behind the contract."""
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        behind = any(part in item.name for part in BEHIND_THE_CONTRACT)
        (left if behind else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


def main(seeds: Sequence[int] = range(5)) -> None:
    """Print what passes for some seeds."""
    for seed in seeds:
        verdict = run(seed)
        print(f"seed {seed}: {verdict.passed} passed, {verdict.failed} failed", flush=True)
        if verdict.failed:
            print(verdict.report)


if __name__ == "__main__":
    main()
