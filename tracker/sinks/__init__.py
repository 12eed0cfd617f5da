"""Everything that leaves the program: tables, the overlay video, the run record, a live window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tracker.config import Config
from tracker.sinks.base import Sink
from tracker.sinks.files import make_folder
from tracker.sinks.health import Health
from tracker.sinks.record import RunRecord
from tracker.sinks.tables import ContactsTable, FramesTable, MotTable, Table, TracksTable
from tracker.sources.base import SourceFacts
from tracker.types import Frame, Snapshot

if TYPE_CHECKING:
    from tracker.sinks.video import OverlayVideo

__all__ = [
    "ContactsTable",
    "FramesTable",
    "Health",
    "MotTable",
    "RunRecord",
    "Sink",
    "Sinks",
    "TracksTable",
    "open_overlay",
    "open_sinks",
]


class Sinks:
    """Several sinks as one: entered in their order, left in the opposite one.

    Parameters
    ----------
    sinks
        The sinks; each belongs to this one from now on.
    """

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._stack = ExitStack()

    def write(self, frame: Frame, snapshot: Snapshot) -> None:
        """Hand one frame to each."""
        for sink in self._sinks:
            sink.write(frame, snapshot)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.enter_context(sink)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def open_sinks(
    folder: Path | str,
    config: Config,
    facts: Callable[[], SourceFacts],
    *,
    seconds: Mapping[str, float] | None = None,
    health: Health | None = None,
    show: bool = False,
    figures: str = "causal",
    overlay: bool = True,
) -> Sinks:
    """Return the sinks of a run; results of an earlier run are replaced when the new are whole.

    Parameters
    ----------
    folder
        Where the results go; it is made where it is missing.
    config
        All settings of the run.
    facts
        Returns what is known of the source by now.
    seconds
        Time in seconds by stage, for the run record; grows while the run goes on.
    health
        What is to be told of each frame, to warn at the end.
    show
        Open a live window as well.
    figures
        What they rest on: "causal", "delayed" or "refined".
    overlay
        Write the overlay video, where the settings want one; False: `open_overlay` does so later.

    Raises
    ------
    OutputError
        Where the folder cannot be made; entering raises it where a file cannot be opened.
    """
    folder = Path(folder)
    make_folder(folder)
    results: list[Table] = [
        TracksTable(folder / "tracks.csv"),
        ContactsTable(folder / "contacts.csv"),
        FramesTable(folder / "frames.csv"),
        MotTable(folder / "mot.txt"),
    ]
    videos = [open_overlay(folder, config, facts())] if config.output.video else []
    written: list[Table | OverlayVideo] = [*results, *videos]
    names = tuple(result.path.name for result in written)
    stages = {} if seconds is None else seconds  # an empty mapping may still grow
    record = RunRecord(
        folder / "run.json",
        config,
        facts,
        seconds=stages,
        results=names,
        health=health,
        figures=figures,
    )
    window: list[Sink] = []
    if show:
        from tracker.sinks.viewer import Viewer  # draws, for which there must be OpenCV

        window = [Viewer(config.overlay)]
    # The record comes first, to be finished last: it then knows how the others ended.
    return Sinks([record, *results, *(videos if overlay else []), *window])


def open_overlay(folder: Path | str, config: Config, facts: SourceFacts) -> OverlayVideo:
    """Return the overlay video of a run alone; see `open_sinks`."""
    from tracker.sinks.video import OverlayVideo  # draws, for which there must be OpenCV

    return OverlayVideo(Path(folder) / "overlay.mp4", config.overlay, facts.fps)
