"""`tracker eval`: score a result against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from tracker.evaluation import Measure, Scores

EXAMPLE = "tracker eval videos/demo_truth.csv out/tracks.csv"


def command(
    truth: Path,
    prediction: Path,
    /,
    *,
    by: Literal["box", "point"] | None = None,
    radius: Annotated[float, Parameter(validator=Number(gt=0))] = 25.0,
    iou: Annotated[float, Parameter(validator=Number(gt=0, lte=1))] = 0.5,
    per_sequence: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Score a result against the truth: HOTA, MOTA, IDF1, and the error of the centres.

    Both are MOT text (frames from 1) or tables such as tracks.csv (frames from 0) with the columns
    frame, particle, x, y or left, top, width, height. Folders hold several sequences, the truth as
    NAME.txt, NAME.csv or NAME/gt/gt.txt, the results as NAME.txt, NAME.csv or NAME/tracks.csv.

    Parameters
    ----------
    truth
        A file, or a folder of sequences.
    prediction
        A file, or a folder of sequences.
    by
        What is compared; left out: boxes where all rows have one, else points.
    radius
        Farthest distance of a matching point in px.
    iou
        Least overlap (intersection over union) of a matching box.
    per_sequence
        A row for each sequence, before the one for all.
    as_json
        Print JSON instead of a table.
    """
    from tracker.errors import ConfigError
    from tracker.evaluation import Measure, find_sequences, read_rows, read_truth, tally

    found = [
        (sequence.name, read_truth(sequence.truth), read_rows(sequence.predicted))
        for sequence in find_sequences(truth, prediction)
    ]
    boxed = all(true.boxed and predicted.boxed for _, true, predicted in found)
    if by == "box" and not boxed:
        raise ConfigError("--by box compares boxes, and some rows have none; use --by point")
    measure = Measure(by or ("box" if boxed else "point"), overlap=iou, radius=radius)
    tallies = {name: tally(true, predicted, measure) for name, true, predicted in found}
    whole, *others = tallies.values()
    for other in others:
        whole += other
    rows = {name: one.scores() for name, one in tallies.items()} if per_sequence else {}
    show = _print_json if as_json else _print_table
    show(measure, rows, whole.scores())


def _print_json(measure: Measure, rows: dict[str, Scores], whole: Scores) -> None:
    import json
    import math
    from dataclasses import asdict

    def plain(scores: Scores) -> dict[str, float | None]:
        return {
            name: None if math.isnan(value) else value for name, value in asdict(scores).items()
        }

    content = {
        "by": measure.by,
        "radius" if measure.by == "point" else "iou": (
            measure.radius if measure.by == "point" else measure.overlap
        ),
        "sequences": {name: plain(scores) for name, scores in rows.items()},
        "all": plain(whole),
    }
    print(json.dumps(content, indent=2))


def _print_table(measure: Measure, rows: dict[str, Scores], whole: Scores) -> None:
    from rich.console import Console
    from rich.table import Table

    matched = (
        f"boxes, overlap at least {measure.overlap:g}"
        if measure.by == "box"
        else f"points, at most {measure.radius:g} px apart"
    )
    table = Table(title=matched, title_justify="left", box=None)
    table.add_column()
    for heading in (
        "HOTA",
        "DetA",
        "AssA",
        "LocA",
        "MOTA",
        "MOTP",
        "IDF1",
        "error",
        "FP",
        "FN",
        "switches",
        "fragments",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, scores in [*rows.items(), ("all", whole)]:
        shares = (scores.hota, scores.deta, scores.assa, scores.loca, scores.mota, scores.motp)
        counts = (scores.false_positives, scores.misses, scores.switches, scores.fragments)
        table.add_row(
            name,
            *(f"{share:.1f}" for share in (*shares, scores.idf1)),
            f"{scores.centre_error:.2f} px",
            *(str(count) for count in counts),
        )
    # A row stays on one line, however narrow the terminal is.
    Console(width=160, highlight=False).print(table)
