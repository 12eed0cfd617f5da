"""Who goes with whom: nothing is cheaper than what is found."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest

from tracker.tracking.assignment import assigned, certainty


@pytest.mark.parametrize("shape", [(1, 4), (3, 5), (4, 4), (5, 3), (4, 1), (0, 3), (3, 0), (0, 0)])
def test_no_other_assignment_is_cheaper(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        cost = rng.normal(size=shape)
        rows, columns = assigned(cost)
        tall = cost.T if shape[0] > shape[1] else cost
        few, many = tall.shape
        cheapest = min(
            sum(tall[i, j] for i, j in enumerate(others))
            for others in permutations(range(many), few)
        )
        assert len(rows) == len(set(rows.tolist())) == len(set(columns.tolist())) == few
        assert cost[rows, columns].sum() == pytest.approx(cheapest)


def test_tracking_loads_no_optimiser() -> None:
    code = "import sys, tracker.tracking; print('scipy.optimize' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_assignment_is_as_sure_as_its_rivals_are_far() -> None:
    alone = np.array([[400.0]])
    assert certainty(alone, (np.array([0]), np.array([0]))) == pytest.approx(1.0)
    pairs = np.array([0, 1]), np.array([0, 1])
    alike, apart = np.full((2, 2), 9.0), np.array([[9.0, 900.0], [900.0, 9.0]])
    np.testing.assert_allclose(certainty(alike, pairs), 0.5)
    np.testing.assert_allclose(certainty(apart, pairs), 1.0, atol=1e-9)
    one_of_two = np.array([[9.0, 9.0]])  # it may be the other patch as well
    np.testing.assert_allclose(certainty(one_of_two, (np.array([0]), np.array([1]))), 0.5)
