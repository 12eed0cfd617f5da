"""`tracker score`: what a fitted mixture says of other points."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracker.fitting.options import TableOptions

EXAMPLE = "tracker score out/mixture.json new.csv --out scores.csv"

_TABLE = TableOptions()


def command(
    mixture: Path,
    data: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    table: Annotated[TableOptions, Parameter(name="*")] = _TABLE,
    posteriors: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
) -> None:
    """Write the label, its posterior and the log-density of each point of a table as CSV.

    The mean log-density comes last, on standard error where the table goes to standard output.

    Parameters
    ----------
    mixture
        The mixture.json that `tracker fit` wrote.
    data
        A CSV, NPY, NPZ or Parquet file, or `-` for standard input. Columns are found by the names
        that they had in the fit.
    posteriors
        Write the posterior of every component.
    out
        The file to write; standard output where left out.
    """
    from tracker.fitting.apply import score

    found = score(mixture, data, table, posteriors=posteriors, out=out)
    print(
        f"{found.points:g} points, log-density {found.log_density:.6f} on average",
        file=sys.stderr if out is None else sys.stdout,
    )
