"""How a result comes to stand under its final name only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracker.errors import OutputError


def partial_name(path: Path) -> Path:
    """Return the name under which a result grows."""
    return path.with_name(path.name + ".partial")


def ended_cleanly(kind: type[BaseException] | None) -> bool:
    """Tell whether a context that ends with `kind` leaves whole results: an interrupt does."""
    return kind is None or issubclass(kind, KeyboardInterrupt)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's errors in the block into an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OutputError(
            f"cannot write {path}: {reason}; make room there or name another folder with --out"
        ) from error


def make_folder(path: Path) -> None:
    """Make the folder of the results and those above it, where they are missing.

    Raises
    ------
    OutputError
        Where that is impossible, for instance because a file has this name.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"cannot write into {path}: it is a file; name a folder with --out")
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
