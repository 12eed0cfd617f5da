"""The points of a run, kept so that they can be read again from either end."""

from __future__ import annotations

import pickle
import tempfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tracker.sinks.files import writing
from tracker.types import Points

_IN_MEMORY = 64 << 20  # bytes; what is more goes to a temporary file


class Tape:
    """Keeps the points of frames, packed; those of a long run in a temporary file.

    A context manager; the file is gone after it.
    """

    def __init__(self) -> None:
        self._places: list[tuple[int, int]] = []
        self._file: IO[bytes] | None = None

    def append(self, points: Points) -> None:
        """Keep the points of one more frame."""
        assert self._file is not None, "append within the context"
        content = zlib.compress(pickle.dumps(points, pickle.HIGHEST_PROTOCOL), level=1)
        with writing(Path(tempfile.gettempdir())):
            self._places.append((self._file.seek(0, 2), len(content)))
            self._file.write(content)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int) -> Points:
        assert self._file is not None, "read within the context"
        begin, length = self._places[place]
        self._file.seek(begin)
        points: Points = pickle.loads(zlib.decompress(self._file.read(length)))
        return points

    def __enter__(self) -> Self:
        with writing(Path(tempfile.gettempdir())):
            self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="tracker-")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None, "exit follows enter"
        self._file.close()
