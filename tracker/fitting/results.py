"""Results of fits, samples and scores as files that appear only when they are whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from tracker.errors import OutputError
from tracker.sinks.files import partial_name, writing

_BLOCK = 50_000  # rows that are formatted at once


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name to write under, and rename that file when the block has ended well.

    Raises
    ------
    OutputError
        Where the operating system does not let it be written.
    """
    partial = partial_name(path)
    with writing(path):
        yield partial
        partial.replace(path)


@contextmanager
def text_output(path: Path | None) -> Iterator[TextIO]:
    """Open a text file that appears when it is whole, or standard output where `path` is None."""
    if path is not None:
        with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # whoever reads has seen enough, which is no fault of the output
    except OSError as error:
        raise OutputError(
            f"cannot write to standard output: {error.strerror}; name a file with --out"
        ) from error


class CsvWriter:
    """Writes columns of numbers as rows of text.

    Parameters
    ----------
    file
        Where to write.
    formats
        The name of each column and how its values are written: "%d", "%.6f", or "%r" for all
        digits that it takes to read the same number again.
    """

    def __init__(self, file: TextIO, formats: Mapping[str, str]) -> None:
        self._file = file
        self._row = ",".join(formats.values()) + "\n"
        file.write(",".join(map(_quoted, formats)) + "\n")

    def write(self, *columns: NDArray[Any] | list[Any]) -> None:
        """Append rows, one array of shape (n,) for each column."""
        arrays = [np.asarray(column) for column in columns]
        for start in range(0, len(arrays[0]), _BLOCK):
            block = [array[start : start + _BLOCK].tolist() for array in arrays]
            values = tuple(chain.from_iterable(zip(*block, strict=True)))
            self._file.write(self._row * len(block[0]) % values)


def exact_format(values: NDArray[Any]) -> str:
    """Return the shortest format that keeps all digits of an array's numbers, none of them NaN."""
    if values.dtype.kind != "f" or not np.any(values % 1):
        return "%d"
    return "%r" if values.dtype.itemsize >= 8 else "%.9g"


def _quoted(name: str) -> str:
    if any(sign in name for sign in ',"\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
