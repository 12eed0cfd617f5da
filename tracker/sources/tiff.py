"""The pages of a TIFF file, each made a TIFF file of one page.

OpenCV goes through all pages before the one that it is asked for: of a thousand that takes longer
than to decode the page.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import BinaryIO, NamedTuple

REDUCED = 254  # tag of pages; its lowest bit marks a small copy of another page
PIECES = {273: 279, 324: 325}  # tags: where strips and tiles lie, and how long they are
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8}  # bytes of a value of each kind
WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}  # kinds of whole numbers


class Layout(NamedTuple):
    """How a file is written.

    Parameters
    ----------
    order
        "<" or ">", of bytes.
    head
        Bytes of the file's head, the last of which tell where the first directory lies.
    length
        The number of entries in a page's directory.
    entry
        Tag, kind, number of values, and these or where they lie.
    place
        A place in the file.
    kind
        Kind of values that are places.
    """

    order: str
    head: int
    length: struct.Struct
    entry: struct.Struct
    place: struct.Struct
    kind: int


Entry = tuple[int, int, int, bytes]
"""Tag, kind, number of values, and these or where they lie, as bytes."""


class Stack:
    """The pages of a TIFF file but for small copies of others; none of what is no TIFF file.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._pages: list[int] = []  # where their directories lie; the last may be beyond the end
        with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:
            self._head = _read(file, 0, 8)
            self._layout = _layout(self._head)
            self._head = _read(file, 0, self._layout.head)
            self._find(file)

    def __len__(self) -> int:
        return len(self._pages)

    def page(self, number: int) -> bytes:
        """Return page `number`, counted from 0, as a file of its own.

        Raises
        ------
        OSError, ValueError
            Where the file cannot be read, or ends before the page does.
        """
        layout = self._layout
        with open(self._path, "rb") as file:
            entries, _ = self._directory(file, self._pages[number])
            values = {entry[0]: (entry[1], self._value(file, entry)) for entry in entries}
            written = bytearray(self._head[: -layout.place.size])
            written += layout.place.pack(layout.head) + layout.length.pack(len(values))
            directory = len(written)
            written += bytes(len(values) * layout.entry.size + layout.place.size)
            for tag in PIECES.keys() & values.keys():
                places = bytearray()
                lengths = self._numbers(*values.get(PIECES[tag], (1, b"")))
                for place, length in zip(self._numbers(*values[tag]), lengths, strict=True):
                    places += layout.place.pack(len(written))
                    written += _read(file, place, length)
                values[tag] = layout.kind, bytes(places)
        for index, (tag, (kind, value)) in enumerate(values.items()):
            count = len(value) // SIZES[kind]
            if len(value) > layout.place.size:
                written += value
                value = layout.place.pack(len(written) - len(value))
            at = directory + index * layout.entry.size
            layout.entry.pack_into(written, at, tag, kind, count, value)
        return bytes(written)

    def _find(self, file: BinaryIO) -> None:
        """Find the pages, up to the first directory that cannot be read."""
        (place,) = self._layout.place.unpack(self._head[-self._layout.place.size :])
        seen = {0}
        while place not in seen:  # a damaged file may lead in a circle
            seen.add(place)
            self._pages.append(place)
            entries, place = self._directory(file, place)
            marks = [entry for entry in entries if entry[0] == REDUCED]
            if any(sum(self._numbers(mark[1], self._value(file, mark))) & 1 for mark in marks):
                self._pages.pop()

    def _directory(self, file: BinaryIO, place: int) -> tuple[list[Entry], int]:
        """Return a page's entries of known kinds, and where the next page's lie, 0 after the last.

        Each directory begins with their number.
        """
        length, entry, after = self._layout.length, self._layout.entry, self._layout.place
        (number,) = length.unpack(_read(file, place, length.size))
        data = _read(file, place + length.size, number * entry.size + after.size)
        entries = [item for item in entry.iter_unpack(data[: -after.size]) if item[1] in SIZES]
        return entries, after.unpack(data[-after.size :])[0]

    def _value(self, file: BinaryIO, entry: Entry) -> bytes:
        _, kind, count, value = entry
        size = SIZES[kind] * count
        if size <= len(value):
            return value[:size]
        return _read(file, self._layout.place.unpack(value)[0], size)

    def _numbers(self, kind: int, value: bytes) -> tuple[int, ...]:
        if kind not in WHOLE:
            raise ValueError("no whole numbers stand where they should")
        return struct.unpack(f"{self._layout.order}{len(value) // SIZES[kind]}{WHOLE[kind]}", value)


def _layout(head: bytes) -> Layout:
    for order, mark in (("<", b"II"), (">", b"MM")):
        # A place has 32 bits, and 64 in a BigTIFF.
        for version, size, forms, kind in ((42, 8, "H HHI4s I", 4), (43, 16, "Q HHQ8s Q", 16)):
            if head.startswith(mark + struct.pack(f"{order}H", version)):
                length, entry, place = (struct.Struct(order + form) for form in forms.split())
                return Layout(order, size, length, entry, place, kind)
    raise ValueError("it is no TIFF file")


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    """Return so many bytes from a place on.

    Raises
    ------
    ValueError
        Where the file ends before.
    """
    if place + size > os.fstat(file.fileno()).st_size:
        raise ValueError("the file ends before its page does")
    file.seek(place)
    return file.read(size)
