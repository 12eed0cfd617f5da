"""Points that come in chunks, so that they need not fit in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from tracker.mixture.contract import as_points, as_weights
from tracker.mixture.data import Chunk


def is_chunked(points: Any) -> bool:
    """Return whether this is a source of chunks rather than an array, table or nested sequence."""
    if isinstance(points, (list, tuple)):
        first = points[0] if points else None
        first = first[0] if isinstance(first, tuple) and first else first
        return isinstance(first, np.ndarray) and first.ndim == 2
    if hasattr(points, "__array__") or hasattr(points, "__len__"):
        return False
    return callable(points) or isinstance(points, Iterable)


@contextmanager
def reading(source: Any) -> Iterator[Callable[[], Iterator[Chunk]]]:
    """Give a function that begins a new pass over checked chunks.

    Parameters
    ----------
    source
        Chunks of shape (n, d), or pairs of a chunk and its weights: a function that returns a new
        iterator over them, or an iterable. What can be gone through only once is first written to a
        temporary file.
    """
    if not callable(source) and iter(source) is source:
        with tempfile.TemporaryFile() as file:
            yield _passes(_spooled(source, file))
    else:
        yield _passes(source if callable(source) else source.__iter__)


def _passes(begin: Callable[[], Iterable[Any]]) -> Callable[[], Iterator[Chunk]]:
    """Return a function that checks the chunks of a pass."""

    def read() -> Iterator[Chunk]:
        width: int | None = None
        dtype: Any = None
        for chunk in begin():
            points, weights = _checked(chunk)
            if width is None:
                width, dtype = points.shape[1], points.dtype
            if points.shape[1] != width:
                raise ValueError(
                    f"A chunk has {points.shape[1]} columns, but the first one had {width}; all "
                    "chunks need the same columns."
                )
            yield points.astype(dtype, copy=False), weights

    return read


def _checked(chunk: Any) -> Chunk:
    if not isinstance(chunk, tuple):
        return as_points(chunk), None
    points = as_points(chunk[0])
    return points, as_weights(chunk[1], points)


def _spooled(source: Iterator[Any], file: IO[bytes]) -> Callable[[], Iterator[Any]]:
    """Write chunks to a file and return a function that reads them again."""
    kinds = []
    for chunk in source:
        points, weights = _checked(chunk)
        kinds.append(weights is not None)
        for array in (points,) if weights is None else (points, weights):
            np.save(file, array, allow_pickle=False)

    def again() -> Iterator[Any]:
        file.seek(0)
        for weighted in kinds:
            points = np.load(file)
            yield (points, np.load(file)) if weighted else points

    return again
