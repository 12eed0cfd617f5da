"""Look at the errors of a prediction: a contact sheet of frames and a list of error runs.

`python benchmarks/overlay_sheet.py CLIP PREDICTION --truth TRUTH --out sheet.png`

Colours: green = truth that is matched, red = truth that is missed, white = prediction that is
matched, yellow = prediction with no truth (false), magenta = prediction that just took over a truth
from another id. Labels: T = truth id, P = predicted id. A missed truth also names the prediction
nearest to it and their overlap, which tells a wrong size from an absent track.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tracker.evaluation import (
    Integers,
    Matching,
    Measure,
    Trajectories,
    compare,
    match,
    read_rows,
    read_truth,
)
from tracker.types import Array

GREEN, RED, WHITE = (80, 200, 80), (60, 60, 255), (255, 255, 255)
YELLOW, MAGENTA = (0, 230, 255), (255, 60, 255)
NEAR = 0.1  # overlap from which an unmatched prediction is called a near miss, not an absence


def runs(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Join consecutive frames into (first, last)."""
    joined: list[tuple[int, int]] = []
    for frame in sorted(frames):
        if joined and frame == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], frame)
        else:
            joined.append((frame, frame))
    return joined


def report(matching: Matching, shortest: int = 1) -> str:
    """List, per id, the runs of frames that went wrong, the longest totals first."""
    truth, predicted = matching.truth, matching.predicted
    lines = [
        f"{len(truth)} truth rows, {len(matching.rows)} matched, {len(matching.missed)} missed; "
        f"{len(predicted)} predicted rows, {len(matching.false)} false; "
        f"{len(matching.switches)} switches",
        "",
        *_bias(truth, predicted),
        "",
        "switches (frame: truth, prediction before -> after)",
    ]
    lines += [f"  {s.frame:5d}: T{s.truth}  P{s.before} -> P{s.after}" for s in matching.switches]
    lines.append("")
    lines.append(
        f"misses (truth; frames missed / present; of these near, overlap >= {NEAR}; "
        "runs first-last@x,y of the first)"
    )
    missed = _by_id(truth, matching.missed, matching.nearest_of_truth, shortest)
    lines += [f"  T{line}" for line in missed]
    lines.append("")
    lines.append("false (prediction; frames false / present; of these near; runs)")
    false = _by_id(predicted, matching.false, matching.nearest_of_predicted, shortest)
    lines += [f"  P{line}" for line in false]
    lines.append("")
    lines.append("followers (truth: prediction x frames, in order of appearance)")
    lines += [
        f"  T{one}: " + "  ".join(f"P{other} x {count}" for other, count in counts.items())
        for one, counts in sorted(matching.followers().items())
    ]
    return "\n".join(lines)


def _bias(truth: Trajectories, predicted: Trajectories) -> list[str]:
    """Say how predicted boxes differ from their truth, over pairs that overlap a little (0.2)."""
    if not (truth.boxed and predicted.boxed):
        return ["box bias: some rows have no box"]
    pairs = match(compare(truth, predicted, Measure("box", overlap=0.2)))
    first, second = pairs.rows, pairs.columns
    if len(first) == 0:
        return ["box bias: no pairs of overlapping boxes"]
    size = truth.boxes[first, 2:]
    shift = (predicted.points[second] - truth.points[first]) / size
    ratio = predicted.boxes[second, 2:] / size
    values = np.column_stack([ratio, shift])
    ids = truth.ids[first]
    lines = [
        "box bias, medians (and quartiles): width and height as shares of the truth's, centre's "
        "shift x, y as shares of its width and height",
        "  all: " + _quartiles(values),
    ]
    return lines + [f"  T{one}: " + _quartiles(values[ids == one]) for one in np.unique(ids)]


def _quartiles(values: Array) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75], axis=0)
    return "  ".join(
        f"{name} {m:+.2f} ({a:+.2f} {b:+.2f})"
        for name, m, a, b in zip(("width", "height", "x", "y"), middle, low, high, strict=True)
    )


def _by_id(rows: Trajectories, wrong: Integers, nearest: Array, shortest: int) -> Iterator[str]:
    """Yield a line for each object that has unmatched rows, those with most of them first."""
    ids, counts = np.unique(rows.ids[wrong], return_counts=True)
    for one in ids[np.argsort(-counts, kind="stable")].tolist():
        own = wrong[rows.ids[wrong] == one]
        place = dict(zip(rows.frames[own].tolist(), rows.points[own].tolist(), strict=True))
        near = int((nearest[own] >= NEAR).sum())
        listed = [
            f"{first}-{last}@{place[first][0]:.0f},{place[first][1]:.0f}"
            for first, last in runs(place)
            if last - first + 1 >= shortest
        ]
        present = int((rows.ids == one).sum())
        yield f"{one}: {len(own)} / {present}, near {near}: {' '.join(listed)}"


def worst_frames(matching: Matching, count: int, spacing: int) -> list[int]:
    """Frames with most errors, at least `spacing` apart; a switch counts as three errors."""
    wrong = [matching.truth.frames[matching.missed], matching.predicted.frames[matching.false]]
    errors = Counter(np.concatenate(wrong).tolist())
    for switch in matching.switches:
        errors[switch.frame] += 3
    chosen: list[int] = []
    for frame in sorted(errors, key=lambda frame: (-errors[frame], frame)):
        if all(abs(frame - other) >= spacing for other in chosen):
            chosen.append(frame)
        if len(chosen) == count:
            break
    return sorted(chosen)


def surroundings(
    truth: Trajectories, predicted: Trajectories, frames: list[int]
) -> tuple[int, ...]:
    """Return left, top, width, height of where anything is in the chosen frames, and a margin."""
    both = [rows.select(np.isin(rows.frames, frames)) for rows in (truth, predicted)]
    points = [np.hstack([rows.points, np.zeros_like(rows.points)]) for rows in both]
    every = np.vstack([*(rows.boxes for rows in both), *points])
    start = np.maximum(np.nanmin(every[:, :2], axis=0) - 20, 0)
    end = np.nanmax(every[:, :2] + every[:, 2:], axis=0) + 30
    return tuple(int(value) for value in (*start, *(end - start)))


def draw(
    image: Any,
    frame: int,
    region: tuple[int, ...],
    matching: Matching,
) -> Any:
    """Return an enlarged copy of the region with the truth and the prediction of `frame` on it."""
    scale = 2 if region[2] <= 1000 else 1
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    canvas = (canvas * 0.8).astype(np.uint8)
    switched = {(s.frame, s.after): s.before for s in matching.switches}
    truth, predicted = matching.truth, matching.predicted
    missed, false = set(matching.missed.tolist()), set(matching.false.tolist())
    for row in np.flatnonzero(truth.frames == frame).tolist():
        color, label = GREEN, f"T{truth.ids[row]}"
        if row in missed:
            color, label = RED, f"{label} {matching.nearest_of_truth[row]:.2f}"
        _mark(canvas, truth, row, scale, color, label, below=True)
    for row in np.flatnonzero(predicted.frames == frame).tolist():
        one = int(predicted.ids[row])
        color, label = WHITE, f"P{one}"
        if row in false:
            color, label = YELLOW, f"P{one} {matching.nearest_of_predicted[row]:.2f}"
        elif (frame, one) in switched:
            color, label = MAGENTA, f"P{one} was P{switched[frame, one]}"
        _mark(canvas, predicted, row, scale, color, label, below=False)
    left, top, width, height = (scale * value for value in region)
    part = np.ascontiguousarray(canvas[top : top + height, left : left + width])
    _text(part, f"frame {frame}", (8, 26), WHITE, 0.9)
    return part


def _mark(
    canvas: Any,
    rows: Trajectories,
    row: int,
    scale: int,
    color: tuple[int, int, int],
    label: str,
    *,
    below: bool,
) -> None:
    point = (int(scale * rows.points[row][0]), int(scale * rows.points[row][1]))
    if np.isfinite(rows.boxes[row]).all():
        left, top, width, height = (int(scale * value) for value in rows.boxes[row])
        cv2.rectangle(canvas, (left, top), (left + width, top + height), color, 2)
        corner = (left, top + height + 16) if below else (left, top - 4)
    else:
        cv2.drawMarker(canvas, point, color, cv2.MARKER_CROSS, 14, 2)
        corner = (point[0] + 6, point[1] + (18 if below else -6))
    _text(canvas, label, corner, color, 0.55)


def _text(
    canvas: Any, text: str, at: tuple[int, int], color: tuple[int, int, int], size: float
) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)


def pictures(clip: str, frames: list[int]) -> dict[int, Any]:
    """Decode `frames` of a clip; by reading on, as seeking is not exact in every container."""
    capture = cv2.VideoCapture(clip)
    if not capture.isOpened():
        raise SystemExit(f"The clip {clip} cannot be opened; check its path.")
    wanted, found, index = set(frames), {}, 0
    while index <= max(wanted, default=-1) and capture.grab():
        if index in wanted:
            found[index] = capture.retrieve()[1]
        index += 1
    capture.release()
    return found


def sheet(images: list[Any], columns: int) -> Any:
    """Lay pictures of one size out in rows."""
    blank = np.zeros_like(images[0])
    padded = images + [blank] * (-len(images) % columns)
    return np.vstack(
        [np.hstack(padded[start : start + columns]) for start in range(0, len(padded), columns)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clip", help="video file or %%06d pattern of images")
    parser.add_argument("prediction", type=Path, help="mot.txt or tracks.csv")
    parser.add_argument("--truth", type=Path, required=True, help="MOT text or tracks.csv")
    parser.add_argument("--out", type=Path, help="contact sheet (png); without it, text only")
    parser.add_argument(
        "--frames", default="worst", help="worst, even, switches, 10,20,30 or 5:50:5"
    )
    parser.add_argument("--count", type=int, default=9, help="frames on the sheet")
    parser.add_argument("--columns", type=int, default=3, help="frames in a row of the sheet")
    parser.add_argument("--crop", help="left,top,width,height in px; default: where anything is")
    parser.add_argument("--iou", type=float, default=0.5, help="least overlap of a matching box")
    parser.add_argument("--radius", type=float, default=0, help="match points within, px; 0: boxes")
    parser.add_argument(
        "--shortest", type=int, default=1, help="list runs of at least these frames"
    )
    arguments = parser.parse_args()

    measure = (
        Measure("point", radius=arguments.radius)
        if arguments.radius
        else Measure("box", overlap=arguments.iou)
    )
    truth, predicted = read_truth(arguments.truth), read_rows(arguments.prediction)
    matching = match(compare(truth, predicted, measure))
    if arguments.out is not None:
        write_sheet(arguments, matching)
    print(report(matching, arguments.shortest))


def write_sheet(arguments: argparse.Namespace, matching: Matching) -> None:
    """Draw the chosen frames and write them as one picture."""
    truth, predicted = matching.truth, matching.predicted
    last = int(max(truth.frames.max(initial=0), predicted.frames.max(initial=0)))
    if arguments.frames == "worst":
        chosen = worst_frames(matching, arguments.count, spacing=max(1, last // 40))
    elif arguments.frames == "even":
        chosen = np.linspace(0, last, arguments.count).astype(int).tolist()
    elif arguments.frames == "switches":
        chosen = sorted({switch.frame for switch in matching.switches})[: arguments.count]
    elif ":" in arguments.frames:
        chosen = list(range(*(int(part) for part in arguments.frames.split(":"))))
    else:
        chosen = [int(part) for part in arguments.frames.split(",")]
    found = pictures(arguments.clip, chosen)
    if not found:
        raise SystemExit(f"None of the frames {chosen} is in {arguments.clip}; choose others.")
    region = (
        tuple(int(part) for part in arguments.crop.split(","))
        if arguments.crop
        else surroundings(truth, predicted, chosen)
    )
    drawn = [draw(image, frame, region, matching) for frame, image in sorted(found.items())]
    if not cv2.imwrite(str(arguments.out), sheet(drawn, arguments.columns)):
        raise SystemExit(f"The sheet {arguments.out} cannot be written; check its folder and name.")


if __name__ == "__main__":
    main()
