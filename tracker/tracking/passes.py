"""Two passes over the same points: the one that looks back, and what both know of a frame.

The step that follows objects forwards in time follows them backwards just as well, from the last
frame to the first. Both passes see the same points and err at different places: what one has not
found yet, has lost or takes for something else, the other may still, or already, know. Joining them
is the two-filter form of smoothing (Fraser & Potter 1969), with whole tracks instead of one state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from tracker.config import TrackingOptions
from tracker.tracking.assignment import assigned
from tracker.tracking.policy import step
from tracker.tracking.tracker import snapshot, start
from tracker.types import Array, ContactStage, Points, Scene, Snapshot, Status, Track

FEWEST = 5  # frames in which two tracks must agree for that to count
RANK = {Status.SEEN: 0, Status.CONTACT: 1, Status.COASTING: 2}
_SAME = 1.5  # standard deviations of the extent within which two tracks are at the same place

Pair: TypeAlias = tuple[Track | None, Track | None]
"""What the two passes know of an object in a frame; one of them may not know it."""


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


def settled(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return what a pass knew, with its decisions of who is who taking effect where they belong.

    Names are exchanged some frames after a contact; with what is known then, they belong exchanged
    since the two objects were most alike.
    """
    found = list(snapshots)
    alike: dict[tuple[int, int], tuple[float, int]] = {}  # greatest doubt of a contact, and where
    for place, here in enumerate(snapshots):
        for contact in here.diagnostics.contacts:
            doubt, since = alike.pop(contact.tracks, (-1.0, place))
            if contact.exchanged:
                for earlier in range(since, place):
                    found[earlier] = _exchanged(found[earlier], *contact.tracks)
            elif contact.stage is ContactStage.OPEN:
                newest = (contact.swap, place)
                alike[contact.tracks] = newest if contact.swap > doubt else (doubt, since)
    return found


def _exchanged(here: Snapshot, first: int, second: int) -> Snapshot:
    """Give each of two tracks the place of the other; the names keep what belongs to them."""
    tracks = {track.id: track for track in here.tracks}
    if not tracks.keys() >= {first, second}:
        return here
    one, other = tracks[first], tracks[second]
    tracks[first], tracks[second] = _at(one, other), _at(other, one)
    return replace(here, tracks=tuple(tracks.values()))


def _at(track: Track, place: Track) -> Track:
    return replace(
        place,
        id=track.id,
        age=track.age,
        confidence=track.confidence,
        identity_confidence=track.identity_confidence,
    )


def pairs(forward: Sequence[Snapshot], backward: Sequence[Snapshot]) -> list[list[Pair]]:
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
    found: list[list[Pair]] = []
    for ahead, behind, close in zip(forward, backward, near, strict=True):
        often = np.array([[counts[a.id, b.id] for b in behind.tracks] for a in ahead.tracks])
        often = often.reshape(close.shape) * (close > 0)
        together = _assigned(np.where(often < FEWEST, 0, often))
        first, second = {i for i, _ in together}, {j for _, j in together}
        found.append(
            [
                *((ahead.tracks[i], behind.tracks[j]) for i, j in together),
                *((t, None) for i, t in enumerate(ahead.tracks) if i not in first),
                *((None, t) for j, t in enumerate(behind.tracks) if j not in second),
            ]
        )
    return found


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
    rows, columns = assigned(-gain)
    return [(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if gain[i, j] > 0]


def joined(ahead: Track | None, behind: Track | None) -> Track:
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
        status=min(ahead.status, behind.status, key=RANK.__getitem__),
        confidence=max(ahead.confidence, behind.confidence),
        identity_confidence=min(ahead.identity_confidence, behind.identity_confidence),
    )


def certain(pair: Pair) -> bool:
    """Tell whether a row may begin or end an object: one pass alone must have seen it apart."""
    seen = [track.status for track in pair if track and track.status is not Status.COASTING]
    return len(seen) == 2 or seen == [Status.SEEN]
