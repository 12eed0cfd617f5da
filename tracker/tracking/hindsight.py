"""A second pass: the same points seen from the end, and what both passes know joined to one.

The step that follows objects forwards in time follows them backwards just as well, from the last
frame to the first. Both passes see the same points and err at different places: what one has not
found yet, has lost or takes for something else, the other may still, or already, know. Joining them
is the two-filter form of smoothing (Fraser & Potter 1969), with whole tracks instead of one state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.linalg import solveh_banded
from scipy.optimize import linear_sum_assignment

from tracker.config import TrackingOptions
from tracker.tracking.policy import step
from tracker.tracking.tracker import snapshot, start
from tracker.types import Array, Event, Points, Scene, Snapshot, Status, Track

_SAME = 1.5  # standard deviations of the extent within which two tracks are at the same place
_FEWEST = 5  # frames in which two tracks must agree for that to count
_PROOF = 10  # frames apart from others that prove an object which only one pass has seen
_LEAP = 3.0  # standard deviations of the extent that no object moves in a frame
_LAST_RESORT = 0.01  # how sure a leap is where the number of objects is known
_SHARP = 3.0  # times the typical bend of a path, where it becomes soft
_SOFTEST = 1e-3  # share of its stiffness that a path keeps anywhere
_STIFFNESS = 10.0 ** np.arange(-1, 3.1, 0.5)  # of paths, the largest that fits is taken

_Pair: TypeAlias = tuple[Track | None, Track | None]
_Rows: TypeAlias = dict[int, Track]


def look_back(
    frames: Iterable[tuple[Snapshot, Points]], options: TrackingOptions, scene: Scene
) -> Iterator[Snapshot]:
    """Follow the objects from the last frame to the first.

    Parameters
    ----------
    frames
        What the first pass knew after each frame, and its points, the last frame first.
    options
        The policy, as in the first pass.
    scene
        What is known of the place.

    Yields
    ------
    Snapshot
        What is known of each frame from those behind it; velocities point forwards in time.
    """
    state, last = start(options, scene), None
    for ahead, points in frames:
        last = ahead.time if last is None else last
        state, info = step(state, points, last - ahead.time, options)
        behind = snapshot(ahead.frame, ahead.time, state, info)
        tracks = tuple(replace(track, velocity=-track.velocity) for track in behind.tracks)
        yield replace(behind, tracks=tracks)


def combine(
    forward: Sequence[Snapshot], backward: Sequence[Snapshot], *, objects: int = 0
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
    pieces, links = _cut(_pairs(forward, backward))
    if objects:
        links = [link._replace(sure=max(link.sure, _LAST_RESORT)) for link in links]
    times = np.array([one.time for one in forward])
    tracks: list[dict[int, Track]] = [{} for _ in forward]
    names: list[dict[int, int]] = [{} for _ in forward]  # of the tracks of the forward pass
    found = [
        _Found(_smoothed(rows, times), own)
        for own in _objects(pieces, links)
        if (rows := _best_rows(own))
    ]
    found.sort(key=lambda one: min(one.rows))
    if objects:
        found = _no_more_than(objects, found)
    for name, one in enumerate(found, start=1):
        first = min(one.rows)
        for place, track in one.rows.items():
            tracks[place][name] = replace(track, id=name, age=place - first + 1)
        for place, pair in ((p, pair) for piece in one.pieces for p, pair in piece.rows.items()):
            if pair[0] is not None:
                names[place][pair[0].id] = name
    return _renamed(forward, tracks, names)


def _pairs(forward: Sequence[Snapshot], backward: Sequence[Snapshot]) -> list[list[_Pair]]:
    """Pair the tracks of the two passes that are at the same place in a frame.

    Where several are, those go together that do so in most frames.
    """
    near = [
        _nearness(ahead.tracks, behind.tracks)
        for ahead, behind in zip(forward, backward, strict=True)
    ]
    counts = Counter(
        (ahead.tracks[i].id, behind.tracks[j].id)
        for ahead, behind, close in zip(forward, backward, near, strict=True)
        for i, j in _assigned(close)
    )
    pairs: list[list[_Pair]] = []
    for ahead, behind, close in zip(forward, backward, near, strict=True):
        often = np.array([[counts[a.id, b.id] for b in behind.tracks] for a in ahead.tracks])
        often = often.reshape(close.shape) * (close > 0)
        together = _assigned(np.where(often < _FEWEST, 0, often))
        first, second = {i for i, _ in together}, {j for _, j in together}
        pairs.append(
            [
                *((ahead.tracks[i], behind.tracks[j]) for i, j in together),
                *((t, None) for i, t in enumerate(ahead.tracks) if i not in first),
                *((None, t) for j, t in enumerate(behind.tracks) if j not in second),
            ]
        )
    return pairs


def _nearness(ahead: Sequence[Track], behind: Sequence[Track]) -> Array:
    """Return how near the first are to the second: 1 at the same place, 0 where they are apart."""
    if not ahead or not behind:
        return np.zeros((len(ahead), len(behind)))
    means, extents = (np.array([getattr(t, k) for t in ahead]) for k in ("mean", "covariance"))
    others, shapes = (np.array([getattr(t, k) for t in behind]) for k in ("mean", "covariance"))
    apart = means[:, None] - others[None]
    both = 0.5 * (extents[:, None] + shapes[None])
    distance = np.einsum("abi,abij,abj->ab", apart, np.linalg.inv(both), apart)
    near: Array = np.maximum(1 - distance / _SAME**2, 0.0)
    return near


def _assigned(gain: Array) -> list[tuple[int, int]]:
    """Return rows and columns that go together for the largest gain; those without any stay out."""
    rows, columns = linear_sum_assignment(-gain)
    return [(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if gain[i, j] > 0]


@dataclass(slots=True)
class _Piece:
    """A stretch of an object within which nobody disagrees.

    Parameters
    ----------
    rows
        By place in the sequence of frames, the tracks of both passes, or that of the only one.
    """

    rows: dict[int, _Pair] = field(default_factory=dict)

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


def _cut(pairs: Sequence[Sequence[_Pair]]) -> tuple[list[_Piece], list[_Link]]:
    """Cut the tracks of both passes where their partner changes, and link what each holds for one.

    Where the passes disagree about who is who, each proposes links of its own.
    """
    pieces: list[_Piece] = []
    course: dict[tuple[int, int], list[int]] = defaultdict(list)  # the pieces of a track, in order
    for place, found in enumerate(pairs):
        for pair in found:
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
            *pairwise(n for n in numbers if len(pieces[n].rows) >= _FEWEST),
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
    for link in sorted(links, key=lambda link: (-link.sure * link.frames, link)):
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
    claims: dict[int, list[_Pair]] = defaultdict(list)
    for piece in pieces:
        for place, pair in piece.rows.items():
            claims[place].append(pair)
    agreed = any(piece.agreed and len(piece.rows) >= _FEWEST for piece in pieces)
    if not agreed and _apart(claims) < _PROOF:
        return {}
    best = {place: min(claims[place], key=_doubt) for place in sorted(claims)}
    sure = [place for place, pair in best.items() if _certain(pair)]
    return {p: _joined(*pair) for p, pair in best.items() if sure and sure[0] <= p <= sure[-1]}


def _certain(pair: _Pair) -> bool:
    """Tell whether a row may begin or end an object: one pass alone must have seen it apart."""
    seen = [track.status for track in pair if track and track.status is not Status.COASTING]
    return len(seen) == 2 or seen == [Status.SEEN]


@dataclass(slots=True)
class _Found:
    """An object: its rows by place, and the pieces that it was joined of."""

    rows: _Rows
    pieces: list[_Piece]


def _no_more_than(count: int, found: Sequence[_Found]) -> list[_Found]:
    """Let who comes when all are known be one of those who are gone, the nearest.

    It may be each of them, so its name is worth a chance among them.
    """
    kept = list(found[:count])
    for one in found[count:]:
        common = [len(one.rows.keys() & other.rows.keys()) for other in kept]
        most = max(min(common), _FEWEST)
        gone = [other for other, frames in zip(kept, common, strict=True) if frames <= most]
        start = min(one.rows)
        nearest = min(gone, key=lambda other: _step_to(one.rows[start], start, other.rows))
        chance = 1 / len(gone)
        nearest.rows |= {
            place: replace(track, identity_confidence=chance * track.identity_confidence)
            for place, track in one.rows.items()
            if place not in nearest.rows
        }
        nearest.pieces += one.pieces
    return kept


def _step_to(track: Track, place: int, rows: _Rows) -> float:
    """Return how far a track is from the last row before it, px."""
    before = [other for other in rows if other < place]
    return float(np.linalg.norm(rows[max(before)].mean - track.mean)) if before else np.inf


def _apart(claims: dict[int, list[_Pair]]) -> int:
    """Return in how many frames somebody saw the object apart from others."""
    return sum(
        any(track is not None and track.status is Status.SEEN for pair in pairs for track in pair)
        for pairs in claims.values()
    )


_RANK = {Status.SEEN: 0, Status.CONTACT: 1, Status.COASTING: 2}


def _doubt(pair: _Pair) -> tuple[int, int, float]:
    tracks = [track for track in pair if track is not None]
    return (
        min(_RANK[track.status] for track in tracks),
        -len(tracks),
        min(float(np.trace(track.position_covariance)) for track in tracks),
    )


def _joined(ahead: Track | None, behind: Track | None) -> Track:
    """Join what the two passes know of an object in one frame.

    Both have used the frame itself, so their errors are correlated to an unknown degree: covariance
    intersection (Julier & Uhlmann 1997) never claims more certainty than there is.
    """
    if ahead is None or behind is None:
        only = ahead or behind
        assert only is not None, "an object has rows where some pass follows it"
        return only
    if (ahead.status is Status.COASTING) != (behind.status is Status.COASTING):
        return behind if ahead.status is Status.COASTING else ahead
    weights = np.linalg.inv(ahead.position_covariance), np.linalg.inv(behind.position_covariance)
    total = weights[0] + weights[1]
    weighted = weights[0] @ ahead.mean + weights[1] @ behind.mean
    mean = np.linalg.solve(total, weighted).astype(np.float64)
    corners = 0.5 * (ahead.box[:2] - ahead.mean + behind.box[:2] - behind.mean)
    return replace(
        ahead,
        mean=mean,
        covariance=0.5 * (ahead.covariance + behind.covariance),
        position_covariance=2 * np.linalg.inv(total),
        box=np.concatenate([mean + corners, 0.5 * (ahead.box[2:] + behind.box[2:])]),
        status=min(ahead.status, behind.status, key=_RANK.__getitem__),
        confidence=max(ahead.confidence, behind.confidence),
        identity_confidence=min(ahead.identity_confidence, behind.identity_confidence),
    )


def _smoothed(rows: _Rows, times: Array) -> _Rows:
    """Lay the rows of an object on the stiffest path that the uncertainty of their places allows.

    The path x minimises Σ w (y − x)² + λ Σ (x″)², which is the mean of a forward-backward smoother
    whose velocity is a random walk; λ is lowered where the path turns sharply, and otherwise the
    largest at which the places y are off by no more than their position covariance claims
    (Morozov's discrepancy principle).
    """
    places = np.array(list(rows)) - min(rows)
    tracks = list(rows.values())
    if len(tracks) < 3:
        return rows
    means = np.array([track.mean for track in tracks])
    variances = np.array([np.trace(track.position_covariance) / 2 for track in tracks])
    precision, seen = np.zeros(places[-1] + 1), np.zeros((places[-1] + 1, 2))
    precision[places], seen[places] = np.median(variances) / variances, means
    smooth: Array = means
    whole = _path(seen, precision, np.full(len(seen) - 2, _STIFFNESS[0]))
    for stiffness in _STIFFNESS:
        whole = _path(seen, precision, stiffness * _bending(whole))
        path = whole[places]
        error = precision[places] @ ((path - means) ** 2).sum(axis=1)
        if error > 2 * len(places) * np.median(variances):
            break
        smooth = path
    velocities = np.gradient(smooth, times[list(rows)], axis=0)
    return {
        place: replace(
            track,
            mean=mean,
            velocity=velocity,
            box=track.box + np.concatenate([mean - track.mean, [0.0, 0.0]]),
        )
        for place, track, mean, velocity in zip(rows, tracks, smooth, velocities, strict=True)
    }


def _bending(path: Array) -> Array:
    """Return how stiff each inner place of a path is, shape (n - 2,): less where it turns sharply.

    These are the weights of a Cauchy error on x″, whose scale is the typical |x″| of the path.
    """
    bends = np.linalg.norm(np.diff(path, 2, axis=0), axis=1)
    weights = 1 / (1 + (bends / (_SHARP * np.median(bends) + 1e-9)) ** 2)
    softened: Array = np.maximum(weights, _SOFTEST)  # gaps in the path hang on it
    return softened


def _path(places: Array, precision: Array, stiffness: Array) -> Array:
    """Solve (W + Dᵀ Λ D) x = W y, D being second differences: shapes (n, 2), (n,), (n - 2,)."""
    bands = np.zeros((3, len(places)))
    bands[2] = precision
    bands[2, :-2] += stiffness
    bands[2, 1:-1] += 4 * stiffness
    bands[2, 2:] += stiffness
    bands[1, 1:-1] -= 2 * stiffness
    bands[1, 2:] -= 2 * stiffness
    bands[0, 2:] += stiffness
    path: Array = solveh_banded(bands, precision[:, None] * places)
    return path


def _renamed(
    forward: Sequence[Snapshot], tracks: Sequence[_Rows], names: Sequence[dict[int, int]]
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
        for event in before.diagnostics.events:
            if event.kind in ("birth", "death") or not name.keys() >= set(event.tracks):
                continue
            if len(told := {name[one] for one in event.tracks}) == len(event.tracks):
                events.append(replace(event, tracks=tuple(sorted(told))))
        contacts = tuple(
            replace(contact, tracks=(min(told), max(told)))
            for contact in before.diagnostics.contacts
            if len(told := {name[one] for one in contact.tracks if one in name}) == 2
        )
        known |= here.keys()
        diagnostics = replace(before.diagnostics, events=tuple(events), contacts=contacts)
        snapshots.append(
            replace(
                before, tracks=tuple(here[one] for one in sorted(here)), diagnostics=diagnostics
            )
        )
    return snapshots
