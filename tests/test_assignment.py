"""Who goes with whom: nothing is cheaper than what is found."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest

from tracker.tracking.assignment import assigned


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
