"""What the benchmarks print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured on one clip, a row for each way to do it."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def plain(self) -> str:
        """Return aligned columns for a terminal."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        aligned = (
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )
        return "\n".join([self.title, *("  " + line.rstrip() for line in aligned)])

    def markdown(self) -> str:
        """Return a table for the README."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        return "\n".join([f"**{self.title}**", "", *("| " + " | ".join(x) + " |" for x in lines)])

    def print(self, *, markdown: bool) -> None:
        """Print the table and an empty line, at once."""
        print(self.markdown() if markdown else self.plain(), end="\n\n", flush=True)
