"""Tables of numbers from files and from standard input, checked before anybody computes with them.

CSV and other delimited text, NPY, NPZ, and Parquet where pyarrow is installed. The first bytes tell
what a file is, so standard input may carry any of them. Nothing is ever unpickled.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ConfigError, SourceError
from tracker.fitting.options import TableOptions
from tracker.types import Array

STANDARD_INPUT = "-"

Numbers: TypeAlias = NDArray[Any]
"""Real numbers of any type."""

_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".npy", ".npz", ".parquet")
_HEADS = {b"\x93NUMPY": "npy", b"PK\x03\x04": "npz", b"PK\x05\x06": "npz", b"PAR1": "parquet"}
_DELIMITERS = (",", ";", "\t")
_LISTED = 8  # names that one sentence lists


@dataclass(frozen=True, slots=True)
class Table:
    """Points, one a row.

    Parameters
    ----------
    points
        Shape (n, d), finite; integers and float32 are kept as such.
    names
        What the d columns are called: their numbers from 1 where the file has no names.
    named
        True where the names come from the file.
    weights
        Shape (n,), how often each row counts, or None for once each.
    """

    points: Numbers
    names: tuple[str, ...]
    named: bool
    weights: Array | None = None


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of an open file, of which only those that are wanted are read.

    Parameters
    ----------
    shown
        What messages call the file.
    names
        All columns in order.
    named
        True where the names come from the file.
    load
        Returns the columns with these indices, shape (n, d), all of them numbers.
    place
        Returns where a row stands, as a person would look for it.
    """

    shown: str
    names: Sequence[str]
    named: bool
    load: Callable[[Sequence[int]], Numbers]
    place: Callable[[int], str] = lambda row: f"row {row + 1}"


def is_table(spec: str) -> bool:
    """Tell whether `spec` names a table and not a source of frames."""
    if spec == STANDARD_INPUT or Path(spec).suffix.lower() in _SUFFIXES:
        return True
    if not Path(spec).is_file():
        return False
    with _opened(spec) as file:
        return _kind(file) != "text"


def read_table(spec: str, options: TableOptions, wanted: Sequence[str] = ()) -> Table:
    """Read a table and check that there is nothing in it but finite numbers.

    Parameters
    ----------
    spec
        Path of a file, or "-" for standard input.
    options
        What to take from it.
    wanted
        The columns to take where `options` name none and the file has names.

    Raises
    ------
    SourceError
        Where the file is missing, or holds something other than finite numbers.
    ConfigError
        Where a column or an array that is asked for is not there.
    """
    shown = "standard input" if spec == STANDARD_INPUT else spec
    with _opened(spec) as file:
        kind = _kind(file)
        if options.array and kind != "npz":
            raise ConfigError(
                f"--array {options.array} picks an array out of an NPZ file, which {shown} is not; "
                "leave it out"
            )
        columns = {"npy": _npy, "npz": _npz, "parquet": _parquet, "text": _text}[kind](
            file, shown, options
        )
        chosen, weights = _choose(columns, options, wanted)
        indices = chosen if weights is None else [*chosen, weights]
        values = columns.load(indices)
        if not len(values):
            raise SourceError(f"{shown} holds no rows of numbers; give a table with at least one")
        _check_finite(values, columns, indices)
        names = tuple(columns.names[index] for index in chosen)
        if weights is None:
            return Table(values, names, columns.named)
        counts = _checked_weights(values[:, -1], columns, columns.names[weights])
        return Table(values[:, :-1], names, columns.named, counts)


# What all kinds of files have in common -----------------------------------------------------------


@contextmanager
def _opened(spec: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input as if it were one, to be read more than once."""
    if spec == STANDARD_INPUT:
        yield io.BytesIO(sys.stdin.buffer.read())
        return
    path = Path(spec)
    if not path.exists():
        raise SourceError(
            f"cannot open {spec!r}: there is no such file; check the path and the spelling"
        )
    if path.is_dir():
        raise SourceError(f"cannot open {spec!r}: it is a folder; name a file in it")
    try:
        file = path.open("rb")
    except OSError as error:
        raise SourceError(
            f"cannot open {spec!r}: it cannot be read ({error.strerror}); "
            "ask for permission to read it"
        ) from error
    with file:
        yield file


def _kind(file: BinaryIO) -> str:
    head = file.read(8)
    file.seek(0)
    return next((kind for start, kind in _HEADS.items() if head.startswith(start)), "text")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def _choose(
    columns: _Columns, options: TableOptions, wanted: Sequence[str]
) -> tuple[list[int], int | None]:
    """Return the indices of the columns of coordinates and of the one of weights."""
    weights = _index(options.weights, columns, "--weights") if options.weights else None
    if options.columns:
        chosen = [_index(name.strip(), columns, "--columns") for name in options.columns.split(",")]
        twice = next((index for index in chosen if chosen.count(index) > 1), None)
        if twice is not None:
            raise ConfigError(
                f"--columns names {columns.names[twice]!r} twice; name every column once"
            )
        return chosen, weights
    rest = [index for index in range(len(columns.names)) if index != weights]
    if not rest:
        raise ConfigError(
            f"{columns.shown} has no column beside that of the weights; add the coordinates"
        )
    if not wanted or not columns.named:
        return rest, weights
    missing = next((name for name in wanted if name not in columns.names), None)
    if missing is not None:
        raise ConfigError(
            f"{columns.shown} has no column {missing!r}, to which the mixture was fitted; give "
            f"--columns {len(wanted)} out of {_listed(columns.names)}"
        )
    return [_index(name, columns, "--columns") for name in wanted], weights


def _index(name: str, columns: _Columns, option: str) -> int:
    """Return which column a name, or a number from 1, stands for."""
    count = columns.names.count(name)
    if count > 1:
        raise ConfigError(
            f"{columns.shown} has {count} columns {name!r}; give {option} their numbers, from 1"
        )
    if count:
        return columns.names.index(name)
    if name.isdecimal() and 1 <= int(name) <= len(columns.names):
        return int(name) - 1
    raise ConfigError(
        f"{columns.shown} has no column {name!r}; give {option} names out of "
        f"{_listed(columns.names)}, or numbers from 1 to {len(columns.names)}"
    )


def _check_finite(values: Numbers, columns: _Columns, chosen: Sequence[int]) -> None:
    if values.dtype.kind != "f":
        return
    fine = np.isfinite(values)
    if not fine.all():
        row, column = (int(index) for index in np.argwhere(~fine)[0])
        value = float(values[row, column])
        raise _not_finite(
            value, f"{columns.place(row)}, column {columns.names[chosen[column]]!r}", columns.shown
        )


def _not_finite(value: float, place: str, shown: str) -> SourceError:
    return SourceError(
        f"{shown} holds {'NaN' if math.isnan(value) else 'an infinite value'} in {place}; "
        "take such rows out or fill them in"
    )


def _checked_weights(values: Numbers, columns: _Columns, name: str) -> Array:
    weights = np.asarray(values, np.float64)
    negative = np.flatnonzero(weights < 0)
    if len(negative):
        row = int(negative[0])
        raise SourceError(
            f"{columns.shown} holds the weight {weights[row]:g} in {columns.place(row)}, column "
            f"{name!r}; a weight says how often a row counts, so let it be 0 or more"
        )
    if not weights.any():
        raise SourceError(
            f"{columns.shown} holds no weight above 0 in column {name!r}; "
            "leave --weights out to count every row once"
        )
    return weights


# Arrays -------------------------------------------------------------------------------------------


def _numbers(values: Numbers, shown: str, where: str) -> Numbers:
    """Return the values where they are real numbers."""
    if values.dtype.kind not in "biuf":
        what = {"U": "text", "S": "text", "O": "Python objects", "c": "complex numbers"}.get(
            values.dtype.kind, f"values of type {values.dtype}"
        )
        raise SourceError(
            f"{shown} holds {what} in {where} where real numbers are needed; "
            "save it with array.astype(float), or leave that column out with --columns"
        )
    return values.astype(np.uint8) if values.dtype.kind == "b" else values


def _columns_of(arrays: dict[str, Numbers], shown: str) -> _Columns:
    """Return columns that are at hand as arrays of shape (n,)."""
    names = list(arrays)

    def load(chosen: Sequence[int]) -> Numbers:
        wanted = [names[index] for index in chosen]
        return np.stack([_numbers(arrays[i], shown, f"column {i!r}") for i in wanted], axis=1)

    return _Columns(shown, names, True, load)


def _columns_of_array(array: Numbers, shown: str) -> _Columns:
    """Return the columns of one array of shape (n,) or (n, d), or of one with named fields."""
    if array.dtype.names is not None:
        return _columns_of({name: array[name].ravel() for name in array.dtype.names}, shown)
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise SourceError(
            f"{shown} holds an array of shape {array.shape} where points are needed; "
            "save one of shape (n, d), a point a row"
        )
    points = _numbers(array, shown, "its array").reshape(len(array), *(array.shape[1:] or (1,)))
    width = points.shape[1]

    def load(chosen: Sequence[int]) -> Numbers:
        return points if list(chosen) == list(range(width)) else points[:, chosen]

    return _Columns(shown, [str(number + 1) for number in range(width)], False, load)


@contextmanager
def _loading(shown: str) -> Iterator[None]:
    """Say in one sentence why numpy cannot load a file."""
    try:
        yield
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise SourceError(
                f"{shown} holds Python objects, which are never unpickled; "
                "save it as numbers with array.astype(float)"
            ) from error
        raise SourceError(f"{shown} is damaged or cut short; save or copy it again") from error


def _npy(file: BinaryIO, shown: str, options: TableOptions) -> _Columns:
    with _loading(shown):
        array = np.load(file, allow_pickle=False)
    return _columns_of_array(array, shown)


def _npz(file: BinaryIO, shown: str, options: TableOptions) -> _Columns:
    with _loading(shown):
        archive = np.load(file, allow_pickle=False)
        names = list(archive)
        wanted = [name for name in names if options.array in ("", name)]
        arrays = {name: archive[name] for name in wanted}
    if options.array and not wanted:
        raise ConfigError(
            f"{shown} has no array {options.array!r}; give --array one out of {_listed(names)}"
        )
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise SourceError(
            f"{shown} is an archive of other things than arrays; save it as CSV or NPY"
        )
    if not arrays:
        raise SourceError(f"{shown} holds no array; save one of shape (n, d), a point a row")
    if len(arrays) == 1:
        return _columns_of_array(next(iter(arrays.values())), shown)
    if len({array.shape for array in arrays.values()}) == 1 and arrays[names[0]].ndim == 1:
        return _columns_of(arrays, shown)
    raise ConfigError(
        f"{shown} holds several arrays; pick one out of {_listed(names)} with --array"
    )


def _parquet(file: BinaryIO, shown: str, options: TableOptions) -> _Columns:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ConfigError(
            f"{shown} is a Parquet file, which takes pyarrow to read; install it with "
            "pip install pyarrow, or give a CSV, NPY or NPZ file"
        ) from error
    try:
        parquet = ParquetFile(file)
    except (ArrowException, OSError) as error:
        raise SourceError(f"{shown} is damaged or cut short; save or copy it again") from error
    names = list(parquet.schema_arrow.names)

    def load(chosen: Sequence[int]) -> Numbers:
        wanted = [names[index] for index in chosen]
        table = parquet.read(columns=wanted)
        parts = []
        for name in wanted:
            column = table.column(name)
            if column.null_count:
                row = next(i for i, value in enumerate(column) if not value.is_valid)
                raise SourceError(
                    f"{shown} holds no value in row {row + 1}, column {name!r}; "
                    "take such rows out or fill them in"
                )
            parts.append(_numbers(column.to_numpy(), shown, f"column {name!r}"))
        return np.stack(parts, axis=1)

    return _Columns(shown, names, True, load)


# Text ---------------------------------------------------------------------------------------------


def _text(file: BinaryIO, shown: str, options: TableOptions) -> _Columns:
    """Return the columns of delimited text, with or without a line of names.

    Values stand between commas, semicolons, tabs or blanks. Lines that begin with # are comments.
    """
    with _reading_text(file, shown) as text:
        _, line = next(_lines(text), (0, ""))
    if not line:
        raise SourceError(f"{shown} is empty; give a table with at least one row of numbers")
    delimiter = max(_DELIMITERS, key=line.count)
    text_of = _Text(file, shown, delimiter if delimiter in line else None)
    return text_of.columns(text_of.split(line))


@contextmanager
def _reading_text(file: BinaryIO, shown: str) -> Iterator[TextIO]:
    """Read a file as text from its beginning, and say in one sentence where it is none."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield text
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{shown} is neither UTF-8 text nor an NPY, NPZ or Parquet file; save it as one"
        ) from error
    finally:
        text.detach()  # else it would close the file


def _lines(text: TextIO) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither blank nor comments, each with its number from 1."""
    for number, line in enumerate(text, 1):
        content = line.strip()
        if content and not content.startswith("#"):
            yield number, line


@dataclass(frozen=True, slots=True)
class _Text:
    """Delimited text: the file, what messages call it, and what stands between two values."""

    file: BinaryIO
    shown: str
    delimiter: str | None

    def split(self, line: str) -> list[str]:
        """Return the values of a line."""
        if self.delimiter is None:
            return line.split()
        try:
            fields = next(csv.reader([line], delimiter=self.delimiter, skipinitialspace=True))
        except csv.Error as error:
            raise SourceError(
                f"{self.shown} is no table of text ({error}); save it anew"
            ) from error
        return [field.strip() for field in fields]

    def columns(self, first: Sequence[str]) -> _Columns:
        """Return the columns of a table of which `first` are the values of the first line."""
        named = not any(_is_number(field) for field in first)
        names = [field if named and field else str(number) for number, field in enumerate(first, 1)]

        def load(chosen: Sequence[int]) -> Numbers:
            every = list(chosen) == list(range(len(names)))
            with _reading_text(self.file, self.shown) as text:
                lines = (line for _, line in islice(_lines(text), int(named), None))
                start = next(lines, None)
                if start is None:
                    return np.empty((0, len(chosen)))
                try:
                    return np.loadtxt(
                        chain([start], lines),
                        delimiter=self.delimiter,
                        comments=None,
                        quotechar='"',
                        usecols=None if every else chosen,
                        ndmin=2,
                    )
                except ValueError as error:
                    unread = error
            raise self._fault(names, chosen, named) or SourceError(
                f"{self.shown} is no table of numbers; mend or leave out what numpy names: {unread}"
            ) from unread

        return _Columns(self.shown, names, named, load, lambda row: self._place(row + int(named)))

    def _place(self, row: int) -> str:
        with _reading_text(self.file, self.shown) as text:
            number, _ = next(islice(_lines(text), row, None))
        return f"line {number}"

    def _fault(
        self, names: Sequence[str], chosen: Sequence[int], named: bool
    ) -> SourceError | None:
        """Return what is wrong in the first line in which something is."""
        with _reading_text(self.file, self.shown) as text:
            for number, line in islice(_lines(text), int(named), None):
                fields = self.split(line)
                if len(fields) != len(names):
                    return SourceError(
                        f"{self.shown} has {_counted(len(fields))} in line {number} where the "
                        f"first has {len(names)}; give every line as many"
                    )
                index = next((index for index in chosen if not _is_number(fields[index])), None)
                if index is None:
                    continue
                place = f"line {number}, column {names[index]!r}"
                if not fields[index]:
                    return SourceError(
                        f"{self.shown} holds no value in {place}; "
                        "take such rows out or fill them in"
                    )
                fine = [
                    name for name, field in zip(names, fields, strict=True) if _is_number(field)
                ]
                remedy = f"--columns {','.join(fine)}" if fine else "a table of numbers"
                return SourceError(
                    f"{self.shown} holds {fields[index]!r} in {place}, which is no number; "
                    f"mend it, or give {remedy}"
                )
        return None


def _counted(values: int) -> str:
    return "1 value" if values == 1 else f"{values} values"


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
