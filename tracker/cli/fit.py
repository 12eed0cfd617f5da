"""`tracker fit`: fit a Gaussian mixture to points and write what it says of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tracker.cli.exits import Exit
from tracker.fitting.options import ModelOptions, TableOptions

EXAMPLE = "tracker fit points.csv --components 2:8 --out out"

_TABLE, _MODEL = TableOptions(), ModelOptions()


def command(
    data: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    components: str = "auto",
    out: Path = Path("out"),
    table: Annotated[TableOptions, Parameter(name="*")] = _TABLE,
    model: Annotated[ModelOptions, Parameter(name="*", negative="")] = _MODEL,
    frames: str = "0:",
    every: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    per_frame: Annotated[bool, Parameter(negative="")] = False,
    posteriors: Annotated[bool, Parameter(negative="")] = False,
    trace: Path | None = None,
    config: str | None = None,
    set_: Annotated[
        list[str] | None, Parameter(name="--set", negative="", negative_none="")
    ] = None,
) -> int:
    """Fit a Gaussian mixture by EM, and choose how many components it has.

    Writes mixture.json, labels.csv, selection.csv and, with matplotlib, fit.png and selection.png.
    Ctrl-C ends the fit and keeps the best one so far.

    Exit codes: 0 complete, 2 usage, 3 the data cannot be read or fitted, 4 the source was damaged
    or cut short (results kept), 5 output failed, 130 stopped by Ctrl-C (results kept).

    Parameters
    ----------
    data
        A CSV, NPY, NPZ or Parquet file; `-` for standard input; or a video or another source of
        `tracker run`, whose foreground pixels are the points.
    components
        How many: a number as `3`, a range to choose from as `2:8`, or `auto` for 1:9.
    out
        Folder of the results; those of an earlier fit in it are replaced.
    frames
        Of a video: the first frame and the last, both included, as `0:499`.
    every
        Of a video: take each so-many-th of these frames.
    per_frame
        Of a video: fit each frame by itself, instead of all together.
    posteriors
        Write the posterior of every component into labels.csv.
    trace
        Draw every iteration of EM: into a folder, or into a .gif or .mp4 file.
    config
        Of a video: a TOML file of settings, or a bundled one by name.
    set_
        Of a video: one setting as `section.key=value`; may be given several times.
    """
    from tracker.cli.progress import telling
    from tracker.fitting.job import FitJob, fit
    from tracker.fitting.options import Frames
    from tracker.settings import load_config

    job = FitJob(
        data=data,
        out=out,
        components=components,
        model=model,
        table=table,
        frames=Frames.parse(frames, every),
        per_frame=per_frame,
        posteriors=posteriors,
        trace=trace,
        config=load_config(config, list(set_ or ())),
    )
    with telling() as watch:
        outcome = fit(job, watch=watch)
    print("\n".join(outcome.lines))
    for note in outcome.notes:
        print(f"tracker: {note}", file=sys.stderr)
    if outcome.interrupted:
        return Exit.INTERRUPTED
    if outcome.damage:
        print(f"tracker: {outcome.damage}", file=sys.stderr)
        return Exit.DAMAGED
    return Exit.COMPLETE
