"""`tracker sample`: draw points from a fitted mixture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

EXAMPLE = "tracker sample out/mixture.json -n 1000 --out points.csv"


def command(
    mixture: Path,
    /,
    *,
    count: Annotated[int, Parameter(name=["--count", "-n"])] = 1000,
    seed: int = 0,
    labels: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
) -> None:
    """Draw random points from a fitted mixture and write them as CSV.

    Parameters
    ----------
    mixture
        The mixture.json that `tracker fit` wrote.
    count
        How many points.
    seed
        Of the random numbers: the same seed draws the same points.
    labels
        Add a column with the component that each point comes from.
    out
        The file to write; standard output where left out.
    """
    from tracker.fitting.apply import sample

    sample(mixture, count, seed=seed, labels=labels, out=out)
