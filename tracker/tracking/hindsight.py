"""What two passes over a whole run know, joined to one.

Where they agree of whom they speak there is nothing to decide; where they do not, the surer one is
believed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from tracker.tracking.gaps import Recording, bridges
from tracker.tracking.passes import FEWEST, RANK, Pair, certain, joined, pairs, settled
from tracker.tracking.paths import smoothed
from tracker.tracking.state import NO_SCENE
from tracker.tracking.verdicts import as_contacts, verdicts
from tracker.types import Array, Contact, Event, Scene, Snapshot, Status, Track

_PROOF = 10  # frames apart from others that prove an object which only one pass has seen
_NEVER_SURER = 0.01  # chance that a pass is wrong, however sure it is
_LEAP = 3.0  # standard deviations of the extent that no object moves in a frame
_LAST_RESORT = 0.01  # how sure a leap is where the number of objects is known

_Rows: TypeAlias = dict[int, Track]


def combine(
    forward: Sequence[Snapshot],
    backward: Sequence[Snapshot],
    *,
    objects: int = 0,
    population: int = 0,
    scene: Scene = NO_SCENE,
    recording: Recording | None = None,
) -> list[Snapshot]:
    """Join what two passes over the same frames know.

    Parameters
    ----------
    forward
        What is known after each frame from those before it.
    backward
        For the same frames in the same order, what is known from those behind; see `look_back`.
    objects
        How many there are, where it is known; 0: unknown.
    population
        How many there always are but for guests; see `State.population`.
    scene
        What is known of the place.
    recording
        The points of the frames, where they show who comes back after an absence; else None.

    Returns
    -------
    snapshots
        As `forward`, with the tracks of both passes on smooth paths, named from 1 in the order of
        their first frames.

    Raises
    ------
    ValueError
        If the two are not of the same frames.
    """
    if [one.frame for one in forward] != [other.frame for other in backward]:
        raise ValueError(
            f"The passes are of {len(forward)} and {len(backward)} frames that are not the same; "
            "hand over both in the order of the frames."
        )
    both = settled(forward), settled(backward[::-1])[::-1]
    pieces, links = _cut(pairs(*both))
    if objects or population:
        links = [link._replace(sure=max(link.sure, _LAST_RESORT)) for link in links]
    times = np.array([one.time for one in forward])
    tracks: list[dict[int, Track]] = [{} for _ in forward]
    # The final names of the tracks of either pass.
    ahead, behind = ([dict[int, int]() for _ in forward] for _ in range(2))
    kept = [(own, rows) for own in _objects(pieces, links) if (rows := _best_rows(own))]
    smooth = smoothed([rows for _, rows in kept], times)
    found = [_Found(rows, own) for rows, (own, _) in zip(smooth, kept, strict=True)]
    found.sort(key=lambda one: min(one.rows))
    found = _bridged(found, times, scene, recording)
    if objects or population:
        found = _no_more_than(objects or population, found, guests=not objects)
    for name, one in enumerate(found, start=1):
        first = min(one.rows)
        for place, track in one.rows.items():
            tracks[place][name] = replace(track, id=name, age=place - first + 1)
        for place, pair in ((p, pair) for piece in one.pieces for p, pair in piece.rows.items()):
            for names, known in zip((ahead, behind), pair, strict=True):
                if known is not None:
                    names[place][known.id] = name
    contacts = verdicts(*both, (ahead, behind))
    for contact in contacts:
        for place, name in (
            (p, n) for p in range(contact.begin, len(tracks)) for n in contact.names
        ):
            if name in tracks[place]:
                tracks[place][name] = contact.doubted(tracks[place][name])
    returns = {
        (place, name): sure
        for name, one in enumerate(found, start=1)
        for place, sure in one.returns.items()
    }
    return _renamed(forward, tracks, ahead, as_contacts(contacts, len(forward)), returns)


@dataclass(slots=True)
class _Piece:
    """A stretch of an object within which nobody disagrees.

    Parameters
    ----------
    rows
        By place in the sequence of frames, the tracks of both passes, or that of the only one.
    """

    rows: dict[int, Pair] = field(default_factory=dict)

    @property
    def agreed(self) -> bool:
        """Whether both passes know it."""
        return all(track is not None for pair in self.rows.values() for track in pair)

    @property
    def seen(self) -> set[tuple[int, int]]:
        """Where it was seen: pass and place."""
        return {
            (side, place)
            for place, pair in self.rows.items()
            for side, track in enumerate(pair)
            if track is not None and track.status is not Status.COASTING
        }


class _Link(NamedTuple):
    """What a pass says of two pieces: that they are one object.

    Parameters
    ----------
    sure
        Probability that the pass kept the name from the one to the other.
    frames
        Length of the shorter one.
    first, second
        Numbers of the pieces.
    """

    sure: float
    frames: int
    first: int
    second: int

    @property
    def odds(self) -> float:
        """How much likelier it is that the pass kept the name than that it did not."""
        return self.sure / (1 - self.sure + _NEVER_SURER)


def _cut(found: Sequence[Sequence[Pair]]) -> tuple[list[_Piece], list[_Link]]:
    """Cut the tracks of both passes where their partner changes, and link what each holds for one.

    Where the passes disagree about who is who, each proposes links of its own.
    """
    pieces: list[_Piece] = []
    course: dict[tuple[int, int], list[int]] = defaultdict(list)  # the pieces of a track, in order
    for place, here in enumerate(found):
        for pair in here:
            keys = [(side, track.id) for side, track in enumerate(pair) if track is not None]
            newest = {course[key][-1] if course[key] else None for key in keys}
            number = newest.pop()
            if newest or number is None or pieces[number].agreed != (len(keys) == 2):
                number = len(pieces)
                pieces.append(_Piece())
                for key in keys:
                    course[key].append(number)
            pieces[number].rows[place] = pair
    links = [
        _link(pieces, side, first, second)
        for (side, _), numbers in course.items()
        # Where both agree before and after, it matters little what one saw in between; nor does
        # a brief piece.
        for first, second in {
            *pairwise(numbers),
            *pairwise(n for n in numbers if pieces[n].agreed),
            *pairwise(n for n in numbers if len(pieces[n].rows) >= FEWEST),
        }
    ]
    return pieces, links


def _link(pieces: Sequence[_Piece], side: int, first: int, second: int) -> _Link:
    rows = [
        [(place, track) for place, pair in pieces[number].rows.items() if (track := pair[side])]
        for number in (first, second)
    ]
    (end, before), (begin, after) = rows[0][-1], rows[1][0]
    leap = after.mean - before.mean
    far = leap @ np.linalg.solve(before.covariance, leap) > (_LEAP * (begin - end)) ** 2
    sure = [of_piece[len(of_piece) // 2][1].identity_confidence for of_piece in rows]
    kept = 0.0 if far else min(sure) / max(*sure, 1e-9)
    return _Link(kept, min(len(of_piece) for of_piece in rows), first, second)


def _objects(pieces: Sequence[_Piece], links: Iterable[_Link]) -> list[list[_Piece]]:
    """Join the pieces of one object, those links first on which most frames depend.

    What one pass saw at the same time are two objects.
    """
    group = {number: [number] for number in range(len(pieces))}
    seen = [piece.seen for piece in pieces]
    for link in sorted(links, key=lambda link: (-link.odds * link.frames, link)):
        one, other = group[link.first], group[link.second]
        if one is other or not link.sure or seen[one[0]] & seen[other[0]]:
            continue
        seen[one[0]] |= seen[other[0]]
        one += other
        group.update(dict.fromkeys(other, one))
    return [[pieces[n] for n in members] for n, members in group.items() if members[0] == n]


def _best_rows(pieces: Sequence[_Piece]) -> _Rows:
    """Return what is best known of an object in each frame from its first sight to its last.

    What neither both passes know nor one of them has proven is no object and has no rows.
    """
    claims: dict[int, list[Pair]] = defaultdict(list)
    for piece in pieces:
        for place, pair in piece.rows.items():
            claims[place].append(pair)
    agreed = any(piece.agreed and len(piece.rows) >= FEWEST for piece in pieces)
    if not agreed and _apart(claims) < _PROOF:
        return {}
    best = {place: min(claims[place], key=_doubt) for place in sorted(claims)}
    sure = [place for place, pair in best.items() if certain(pair)]
    return {
        place: replace(joined(*pair), identity_confidence=1.0)
        for place, pair in best.items()
        if sure and sure[0] <= place <= sure[-1]
    }


@dataclass(slots=True)
class _Found:
    """An object: its rows by place, the pieces that it was joined of, and where it came back.

    Each return has the probability that it is the one that was away.
    """

    rows: _Rows
    pieces: list[_Piece]
    returns: dict[int, float] = field(default_factory=dict)

    def back_as(self, other: _Found, sure: float) -> None:
        """Take another one for this one, as it is from there on with some probability."""
        self.rows |= {
            place: replace(track, identity_confidence=sure * track.identity_confidence)
            for place, track in other.rows.items()
            if place not in self.rows
        }
        self.pieces += other.pieces
        self.returns |= {min(other.rows): sure} | other.returns


def _bridged(
    found: Sequence[_Found], times: Array, scene: Scene, recording: Recording | None
) -> list[_Found]:
    """Take for one who ended and who came later, where the evidence is strong."""
    same = bridges([one.rows for one in found], times, scene, recording)
    for one, other, sure, rows in same:
        found[one].back_as(found[other], sure)
        found[one].rows |= {
            place: replace(track, identity_confidence=sure) for place, track in rows.items()
        }
    again = {bridge.second for bridge in same}
    return [one for number, one in enumerate(found) if number not in again]


def _no_more_than(count: int, found: Sequence[_Found], *, guests: bool) -> list[_Found]:
    """Let who comes when all are known be one of those who are gone, the nearest.

    It may be each of them, so its name is worth a chance among them. Who is there beside all of
    them is a guest, where there may be any.
    """
    kept = list(found[:count])
    for one in found[count:]:
        common = [len(one.rows.keys() & other.rows.keys()) for other in kept]
        if guests and min(common) > _PROOF:
            kept.append(one)
            continue
        most = max(min(common), FEWEST)
        gone = [other for other, frames in zip(kept, common, strict=True) if frames <= most]
        start = min(one.rows)
        nearest = min(gone, key=lambda other: _step_to(one.rows[start], start, other.rows))
        nearest.back_as(one, 1 / len(gone))
    return kept


def _step_to(track: Track, place: int, rows: _Rows) -> float:
    """Return how far a track is from the last row before it, px."""
    before = [other for other in rows if other < place]
    return float(np.linalg.norm(rows[max(before)].mean - track.mean)) if before else np.inf


def _apart(claims: dict[int, list[Pair]]) -> int:
    """Return in how many frames somebody saw the object apart from others."""
    return sum(
        any(track is not None and track.status is Status.SEEN for pair in pairs for track in pair)
        for pairs in claims.values()
    )


def _doubt(pair: Pair) -> tuple[int, int, float]:
    tracks = [track for track in pair if track is not None]
    return (
        min(RANK[track.status] for track in tracks),
        -len(tracks),
        min(float(np.trace(track.position_covariance)) for track in tracks),
    )


def _renamed(
    forward: Sequence[Snapshot],
    tracks: Sequence[_Rows],
    names: Sequence[dict[int, int]],
    contacts: Sequence[Sequence[Contact]],
    returns: Mapping[tuple[int, int], float],
) -> list[Snapshot]:
    """Return the snapshots with other tracks, and what happened told in their names."""
    snapshots: list[Snapshot] = []
    name: dict[int, int] = {}  # the newest of each track of the forward pass
    known: set[int] = set()
    last = {one: place for place, here in enumerate(tracks) for one in here}
    for place, (before, here) in enumerate(zip(forward, tracks, strict=True)):
        name |= names[place]
        events = [Event("birth", (one,)) for one in sorted(here.keys() - known)]
        events += [Event("death", (one,)) for one in sorted(known) if last[one] == place - 1]
        events += [
            Event("return", (one,), f"p = {returns[place, one]:.2f}")
            for one in sorted(here)
            if (place, one) in returns
        ]
        for event in before.diagnostics.events:
            if event.kind in ("birth", "death") or not name.keys() >= set(event.tracks):
                continue
            if len(told := {name[one] for one in event.tracks}) == len(event.tracks):
                events.append(replace(event, tracks=tuple(sorted(told))))
        known |= here.keys()
        diagnostics = replace(
            before.diagnostics, events=tuple(events), contacts=tuple(contacts[place])
        )
        snapshots.append(
            replace(
                before, tracks=tuple(here[one] for one in sorted(here)), diagnostics=diagnostics
            )
        )
    return snapshots
