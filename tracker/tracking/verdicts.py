"""The contacts of a refined run: what the surer one of two passes says of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tracker.types import Contact, ContactStage, Snapshot, Track

_SAME = 5  # frames by which the two passes may differ about when a contact was

Names = Sequence[Mapping[int, int]]
"""By place in the sequence of frames, the final name of each track of a pass."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A contact of two objects under their final names.

    Parameters
    ----------
    contact
        What is known of it at its end.
    begin, end
        Places of the first and the last frame in which they touched.
    """

    contact: Contact
    begin: int
    end: int

    @property
    def names(self) -> tuple[int, int]:
        """Of the two objects."""
        return self.contact.tracks

    def doubted(self, track: Track) -> Track:
        """Return a track of one of them, from its begin on, with the doubt that it leaves."""
        sure = track.identity_confidence * (1 - self.contact.swap)
        return replace(track, identity_confidence=sure)


def verdicts(
    forward: Sequence[Snapshot], backward: Sequence[Snapshot], names: tuple[Names, Names]
) -> list[Verdict]:
    """Return what both passes say of the contacts, by their begins; names as in either pass.

    Both rest on the same frames, so what one says does not make the other surer: where both have
    judged a contact, the one with less doubt counts.
    """
    last = len(forward) - 1
    found = _told(forward, names[0])
    mirrored = _told(backward[::-1], names[1][::-1])
    found += [replace(one, begin=last - one.end, end=last - one.begin) for one in mirrored]
    best: dict[tuple[int, int], list[Verdict]] = defaultdict(list)
    for one in sorted(found, key=_doubt):
        same = [other for other in best[one.contact.tracks] if _together(one, other)]
        if not same:
            best[one.contact.tracks].append(one)
    return sorted((v for of_pair in best.values() for v in of_pair), key=lambda v: v.begin)


def _doubt(verdict: Verdict) -> tuple[bool, float]:
    return verdict.contact.stage is not ContactStage.PARTED, verdict.contact.swap


def _together(one: Verdict, other: Verdict) -> bool:
    return one.begin <= other.end + _SAME and other.begin <= one.end + _SAME


def _told(snapshots: Sequence[Snapshot], names: Names) -> list[Verdict]:
    """Return the contacts of one pass, in its own order of the frames."""
    touched: dict[tuple[int, int], list[int]] = {}  # first and last place of those that are open
    newest: dict[tuple[int, int], Contact] = {}
    found: list[Verdict] = []
    for place, here in enumerate(snapshots):
        for contact in here.diagnostics.contacts:
            pair = contact.tracks
            span = touched.setdefault(pair, [place, place])
            if contact.touching:
                span[1] = place
            newest[pair] = contact
            if contact.stage is not ContactStage.OPEN:
                begin, end = touched.pop(pair)
                found += _named(newest.pop(pair), names[begin], names[place], begin, end)
    for pair, contact in newest.items():
        begin, end = touched[pair]
        found += _named(contact, names[begin], names[end], begin, end)
    return found


def _named(
    contact: Contact, before: Mapping[int, int], after: Mapping[int, int], begin: int, end: int
) -> Iterable[Verdict]:
    """Yield the contact under the final names, if both are known.

    Where these change places in it, the run was refined against what this pass says, so that at
    best both histories are as likely.
    """
    pair = [before.get(one) for one in contact.tracks]
    first, second = pair
    if first is None or second is None or first == second:
        return
    swap = contact.swap
    if [after.get(one) for one in contact.tracks] == [second, first]:
        swap = 0.5
    tracks = (min(first, second), max(first, second))
    yield Verdict(replace(contact, tracks=tracks, swap=swap, exchanged=False), begin, end)


def as_contacts(found: Iterable[Verdict], frames: int) -> list[list[Contact]]:
    """Return what is said of the verdicts in each frame, as a pass would have said it."""
    told: list[list[Contact]] = [[] for _ in range(frames)]
    for one in found:
        for place in range(one.begin, one.end):
            told[place].append(replace(one.contact, stage=ContactStage.OPEN, touching=True))
        told[one.end].append(replace(one.contact, touching=True))
    return told
