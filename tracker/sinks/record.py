"""The run record: what was tracked, how, and what happened."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tracker
from tracker.config import Config
from tracker.sinks.files import ended_cleanly, partial_name, writing
from tracker.sinks.health import Health
from tracker.sources.base import SourceFacts, Verdict
from tracker.types import Event, Frame, Snapshot

_EVENTS = 10_000  # events that are kept whole; all are counted
_REFRESH_SECONDS = 5.0


class RunRecord:
    """Writes run.json; a sink.

    Its partial file is there from the start and refreshed every few seconds.

    Parameters
    ----------
    path
        The file's final name.
    config
        The settings of the run.
    facts
        Returns what is known of the source by now.
    seconds
        Time in seconds by stage; grows while the run goes on.
    results
        Names of the other files that the run writes.
    health
        Told of each frame; its warnings are part of the record.
    figures
        What they rest on: "causal", "delayed" or "refined".
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        facts: Callable[[], SourceFacts],
        *,
        seconds: Mapping[str, float],
        results: tuple[str, ...] = (),
        health: Health | None = None,
        figures: str = "causal",
    ) -> None:
        self.path = path
        self._config = config
        self._facts = facts
        self._seconds = seconds
        self._results = results
        self._health = health or Health(config.tracking.objects)
        self._figures = figures
        self._frames = self._rows = self._floods = 0
        self._ids: set[int] = set()
        self._kinds: Counter[str] = Counter()
        self._events: list[tuple[int, Event]] = []
        self._ages = 0.0  # summed over the frames of a live source, s
        self._oldest = 0.0
        self._begun = datetime.now(UTC)
        self._begun_clock = self._next_refresh = time.monotonic()

    def write(self, frame: Frame, snapshot: Snapshot) -> None:
        """Count one frame and keep its events."""
        self._frames += 1
        self._health.add(snapshot)
        self._rows += len(snapshot.tracks)
        self._floods += snapshot.diagnostics.flood
        self._ids.update(track.id for track in snapshot.tracks)
        for event in snapshot.diagnostics.events:
            self._kinds[event.kind] += 1
            if len(self._events) < _EVENTS:
                self._events.append((snapshot.frame, event))
        age = self._facts().age(snapshot.time)
        if age is not None:
            self._ages += age
            self._oldest = max(self._oldest, age)
        if time.monotonic() >= self._next_refresh:
            self._refresh("running", "")

    def __enter__(self) -> Self:
        self._refresh("running", "")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._refresh("complete", "")
        elif ended_cleanly(kind):
            self._refresh("interrupted", "")
        else:
            self._refresh("failed", str(error) or kind.__name__)
            return
        with writing(self.path):
            partial_name(self.path).replace(self.path)

    def _refresh(self, state: str, error: str) -> None:
        """Replace the partial file in one go: a crash leaves either the old or the new text."""
        begin = time.monotonic()
        partial = partial_name(self.path)
        fresh = partial.with_name(partial.name + ".new")
        text = json.dumps(self._content(state, error), indent=2) + "\n"
        with writing(self.path):
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(partial)
        end = time.monotonic()
        # However long the text has become, this takes at most a hundredth of the time.
        self._next_refresh = end + max(_REFRESH_SECONDS, 100 * (end - begin))

    def _content(self, state: str, error: str) -> dict[str, Any]:
        facts = self._facts()
        damage = [facts.reason] if facts.verdict in (Verdict.DAMAGED, Verdict.CUT_SHORT) else []
        return {
            "version": tracker.__version__,
            "state": state,
            "error": error,
            "figures": self._figures,
            "started": self._begun.isoformat(timespec="seconds"),
            "elapsed_seconds": round(time.monotonic() - self._begun_clock, 3),
            "warnings": [*damage, *self._health.warnings()],
            "results": list(self._results),
            "source": asdict(facts),
            "counts": {
                "frames": self._frames,
                "objects": len(self._ids),
                "rows": self._rows,
                "floods": self._floods,
                "events": dict(self._kinds),
            },
            "age_seconds": self._age(),
            "stage_seconds": {name: round(value, 4) for name, value in self._seconds.items()},
            "config": asdict(self._config),
            "events_left_out": self._kinds.total() - len(self._events),
            "events": [{"frame": frame, **asdict(event)} for frame, event in self._events],
        }

    def _age(self) -> dict[str, float] | None:
        """Return how old the results of a live source were when they came to be written."""
        if self._facts().begun is None or not self._frames:
            return None
        return {
            "mean": round(self._ages / self._frames, 3),
            "largest": round(self._oldest, 3),
        }
