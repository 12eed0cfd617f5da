"""Results that wait a while: each frame in the light of those that follow it soon.

Whenever frames have waited for the lag, the older half of them is told: so each knows what comes
after it for half of the lag to the whole of it. What has happened by then takes effect: names are
those that a contact turned out to leave, an object is there from its first sight to its last, and
its path is a smooth one, through what was told before and what still waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import inf

import numpy as np

from tracker.tracking.passes import settled
from tracker.tracking.paths import smoothed
from tracker.types import Frame, Snapshot, Status, Track

_MISSED = 0.75  # of its odds of being there, less than which are left to who is not seen any more


def delayed(
    stream: Iterable[tuple[Frame, Snapshot]],
    lag: float,
    *,
    lasting: bool = False,
    working: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[tuple[Frame, Snapshot]]:
    """Yield what is known of each frame some time later; without a lag, at once.

    At the end, and where the user interrupts the stream, what still waits comes out.

    Parameters
    ----------
    stream
        Each frame with what is known after it.
    lag
        How long, s.
    lasting
        Whether objects are there for good, as their number is known.
    working
        Makes the context in which the work is done, so that it can be timed.

    Yields
    ------
    Frame, Snapshot
        The frames as they came, with what was known of them then, under the names of the stream.
    """
    if not lag:
        yield from stream
        return
    waiting = _Waiting(lag, lasting)
    try:
        for frame, result in stream:
            waiting.add(frame, result)
            if result.time - waiting.oldest >= lag:
                with working():
                    told = waiting.told(result.time - lag / 2)
                yield from told
    except KeyboardInterrupt:
        yield from waiting.told(inf)
        raise
    with working():
        told = waiting.told(inf)
    yield from told


class _Waiting:
    """Frames that are not told yet, behind a few that are."""

    def __init__(self, lag: float, lasting: bool) -> None:
        self._lag = lag
        self._lasting = lasting
        self._window: list[Snapshot] = []
        self._frames: list[Frame] = []  # of the end of the window, those not told
        self._names: set[int] = set()  # of all objects that were told of

    @property
    def oldest(self) -> float:
        """Time of the first frame that waits, s."""
        return self._frames[0].time

    def add(self, frame: Frame, result: Snapshot) -> None:
        """Take one more."""
        self._frames.append(frame)
        self._window.append(result)

    def told(self, until: float) -> list[tuple[Frame, Snapshot]]:
        """Return what waits and is not later than a time, s, and keep what the next ones need."""
        if not self._frames:
            return []
        begin = len(self._window) - len(self._frames)
        out = [frame for frame in self._frames if frame.time <= until]
        wanted = range(begin, begin + len(out))
        tracks = _tracks(self._window, wanted, self._names, self._lasting)
        told = []
        for frame, known, here in zip(out, self._window[begin:], tracks, strict=False):
            self._names |= {track.id for track in here}
            told.append((frame, _about(replace(known, tracks=tuple(here)), self._names)))
        self._frames = self._frames[len(out) :]
        self._window = [one for one in self._window if one.time > out[-1].time - self._lag / 2]
        return told


def _tracks(
    window: Sequence[Snapshot], wanted: range, known: Container[int], lasting: bool
) -> list[list[Track]]:
    """Return the tracks in some frames of a window, in the light of the whole of it."""
    paths: dict[int, dict[int, Track]] = defaultdict(dict)  # by name and place
    for place, here in enumerate(settled(window)):
        for track in (*here.tracks, *here.candidates):
            paths[track.id][place] = track
    alive = {track.id for track in window[-1].tracks if lasting or not _gone(paths[track.id])}
    ended = {track.id for here in window for track in here.tracks} - alive
    kept = []
    for name in sorted(alive | ended):
        rows = paths[name]
        if name in ended:
            sights = [place for place in rows if _shown(rows, place, name in known)]
            last = max(sights, default=-1)
            rows = {place: track for place, track in rows.items() if place <= last}
        kept.append(rows)
    smooth = smoothed(kept, np.array([one.time for one in window]), wanted)
    return [[rows[place] for rows in smooth if place in rows] for place in wanted]


def _gone(rows: Mapping[int, Track]) -> bool:
    """Tell whether an object has not been seen of late where it should have been."""
    *_, last = rows.values()
    if last.status is not Status.COASTING:
        return False
    seen = [track for track in rows.values() if track.status is not Status.COASTING]
    before = seen[-1] if seen else next(iter(rows.values()))
    return _odds(last) < _MISSED * _odds(before)


def _odds(track: Track) -> float:
    return track.confidence / max(1 - track.confidence, 1e-9)


def _shown(rows: Mapping[int, Track], place: int, known: bool) -> bool:
    """Tell whether a frame showed an object: alone, or, of one that is known, a part of its own.

    What no other object covers of it makes its existence surer.
    """
    here, before = rows[place], rows.get(place - 1)
    if here.status is Status.CONTACT and known and before is not None:
        return here.confidence >= before.confidence
    return here.status is Status.SEEN


def _about(result: Snapshot, names: set[int]) -> Snapshot:
    """Leave out what is told of objects that never were."""
    told = result.diagnostics
    events = tuple(event for event in told.events if names.issuperset(event.tracks))
    contacts = tuple(contact for contact in told.contacts if names.issuperset(contact.tracks))
    return replace(
        result, candidates=(), diagnostics=replace(told, events=events, contacts=contacts)
    )
