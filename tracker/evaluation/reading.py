"""Truth and results from files: MOT text, our own table, or any table of points."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.errors import SourceError
from tracker.evaluation.trajectories import Trajectories
from tracker.types import Array

_ID_COLUMNS = ("particle", "id", "track_id", "track")  # the first one that a table has
_BOX_COLUMNS = ("left", "top", "width", "height")
_WANTED = (
    "give MOT text (frame, id, left, top, width, height, ...) or a table whose header names frame, "
    "particle, x, y"
)
_FLAG = 6  # column of MOT text that is 0 where a row of the truth does not count


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence of a folder: its name, and where its truth and its result are."""

    name: str
    truth: Path
    predicted: Path


def read_rows(path: Path) -> Trajectories:
    """Read a result.

    MOT text has no header, and counts frames from 1. A table has one, and counts frames from 0; it
    names frame, particle (or id, track_id, track), and x, y or left, top, width, height or all of
    these. Rows with an empty cell or NaN are left out.

    Raises
    ------
    SourceError
        Where the file cannot be read as either.
    """
    return _read(path, truth=False)


def read_truth(path: Path) -> Trajectories:
    """Read truth, as `read_rows`; rows of MOT text whose seventh column is 0 do not count."""
    return _read(path, truth=True)


def find_sequences(truth: Path, predicted: Path) -> list[Sequence]:
    """Return the sequences in two folders, or the one that two files are.

    The truth of the sequence NAME is NAME.txt, NAME.csv, NAME/gt/gt.txt or NAME/gt.txt in its
    folder, and its result NAME.txt, NAME.csv, NAME/tracks.csv or NAME/mot.txt in the other. A
    folder that holds gt/gt.txt, gt.txt, tracks.csv or mot.txt itself stands for this file.

    Raises
    ------
    SourceError
        Where there is no truth, or a sequence has no result.
    """
    name = truth.name if truth.is_dir() else truth.stem
    truth, predicted = _inside(truth), _inside(predicted)
    if truth.is_file():
        if predicted.is_dir():
            raise SourceError(
                f"{truth} is the truth of one sequence, and {predicted} is a folder without "
                "tracks.csv or mot.txt; name the file of this sequence"
            )
        return [Sequence(name, truth, predicted)]
    if not truth.is_dir():
        raise SourceError(f"cannot read {truth}: there is no such file or folder; check the name")
    named = {
        name: path
        for name in sorted(
            {entry.stem if entry.is_file() else entry.name for entry in truth.iterdir()}
        )
        if (path := _of_sequence(truth, name)) is not None
    }
    if not named:
        raise SourceError(
            f"there is no truth in {truth}; put NAME.txt, NAME.csv or NAME/gt/gt.txt there"
        )
    found = []
    for name, path in named.items():
        result = _of_sequence(predicted, name)
        if result is None:
            raise SourceError(
                f"the sequence {name} has no result in {predicted}; put {name}.txt, {name}.csv or "
                f"{name}/tracks.csv there"
            )
        found.append(Sequence(name, path, result))
    return found


def _of_sequence(folder: Path, name: str) -> Path | None:
    """Return the file of a sequence in a folder, if there is one."""
    for candidate in (folder / f"{name}.txt", folder / f"{name}.csv", _inside(folder / name)):
        if candidate.is_file():
            return candidate
    return None


def _inside(path: Path) -> Path:
    """Return the file that a folder of one sequence stands for, else the path itself."""
    for name in ("gt/gt.txt", "gt.txt", "tracks.csv", "mot.txt"):
        if (path / name).is_file():
            return path / name
    return path


def _read(path: Path, *, truth: bool) -> Trajectories:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; check the name") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not text; {_WANTED}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        return Trajectories.of_boxes([], [], [])
    headed = any(letter.isalpha() for letter in lines[0][1].lower().replace("nan", ""))
    try:
        return _of_table(lines) if headed else _of_mot(lines, truth=truth)
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error


def _of_table(lines: list[tuple[int, str]]) -> Trajectories:
    header = next(csv.reader([lines[0][1]], skipinitialspace=True))
    names = [name.strip().lower() for name in header]
    boxed = set(names) >= set(_BOX_COLUMNS)
    ids = [name for name in _ID_COLUMNS if name in names]
    needed = ["frame", *(ids[:1] or ["particle"])]
    place = ["x", "y"] if {"x", "y"} <= set(names) or not boxed else []
    wanted = [*needed, *place, *(_BOX_COLUMNS if boxed else ())]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(
            f"the table has no column {missing[0]!r}, only {', '.join(names)}; {_WANTED}"
        )
    values = _numbers(lines[1:], [names.index(name) for name in wanted])
    frames, objects = _whole(values[:, 0], "frame"), _whole(values[:, 1], ids[0])
    if not boxed:
        return Trajectories.of_points(frames, objects, values[:, 2:])
    of_boxes = Trajectories.of_boxes(frames, objects, values[:, -4:])
    if not place:
        return of_boxes
    return Trajectories(of_boxes.frames, of_boxes.ids, of_boxes.boxes, values[:, 2:4])


def _of_mot(lines: list[tuple[int, str]], *, truth: bool) -> Trajectories:
    columns = len(lines[0][1].split(","))
    if columns < _FLAG:
        raise ValueError(f"rows of MOT text have at least 6 columns, not {columns}; {_WANTED}")
    values = _numbers(lines, list(range(min(columns, _FLAG + 1))))
    if truth and columns > _FLAG:
        values = values[values[:, _FLAG] != 0]
    frames, ids = _whole(values[:, 0], "frame"), _whole(values[:, 1], "id")
    return Trajectories.of_boxes(frames - 1, ids, values[:, 2:6])


def _numbers(lines: list[tuple[int, str]], columns: list[int]) -> Array:
    """Return the given columns of those lines that are numbers; an empty cell is none."""
    rows: list[list[float]] = []
    for number, line in lines:
        cells = next(csv.reader([line]))
        try:
            rows.append([float(cells[i].strip() or "nan") for i in columns])
        except (IndexError, ValueError) as error:
            raise ValueError(
                f"line {number} is {line.strip()!r}, with too few columns or no number where one "
                f"should be; {_WANTED}"
            ) from error
    values = np.array(rows).reshape(-1, len(columns))
    known: Array = values[np.isfinite(values).all(axis=1)]
    return known


def _whole(values: Array, name: str) -> Array:
    """Return values that are whole numbers."""
    odd = values[values != np.round(values)]
    if len(odd):
        raise ValueError(f"{name} is {odd[0]:g} in some row; give whole numbers there")
    return values
