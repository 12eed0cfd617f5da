"""Signs that a run cannot be trusted, in plain words: nothing to track, or nothing that keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tracker.types import Array, ContactStage, Snapshot, Status, Track

_FEW_TRACKS = 5  # fewer say nothing
_FEW_FRAMES = 25  # likewise, as an object is reported some frames after its first sight
_FLOODS = 0.1  # share of frames in which the picture changed as a whole
_UNEXPLAINED = 0.4  # share of the foreground that no track explains
_UNSEEN = 0.28  # share of rows in which a track is not seen
_STILL = 2 / 3  # share of the tracks that go nowhere, of which at least half also end
_DRIFTING = 0.4  # share of frames in which the picture as a whole moves
_FAR = 8.0  # lengths (standard deviations of its extent) that a thing on its way covers
_ENTANGLED = 1 / 2  # share of the tracks that are not seen by themselves most of the time,
_PARTED = 0.25  # where a smaller share of the contacts ends with the two apart
_FEW_CONTACTS = 5  # fewer say nothing


@dataclass(slots=True)
class _Life:
    """What has become of a track so far.

    Parameters
    ----------
    begin
        Shape (2,), where it was seen first, px.
    farthest
        How far from there it has been, lengths.
    rows
        In how many frames it is there.
    alone
        In how many of them it is seen, and in contact with no other.
    """

    begin: Array
    farthest: float = 0.0
    rows: int = 0
    alone: int = 0

    def add(self, track: Track) -> None:
        """Take one more row."""
        (xx, xy), (_, yy) = track.covariance.tolist()
        length = max(xx * yy - xy * xy, 0.0) ** 0.25 + 1e-9
        self.farthest = max(self.farthest, math.dist(track.mean, self.begin) / length)
        self.rows += 1
        self.alone += track.status is Status.SEEN

    @property
    def still(self) -> bool:
        """True where it goes nowhere."""
        return self.farthest < _FAR

    @property
    def entangled(self) -> bool:
        """True where it is seen by itself in fewer than half of its rows."""
        return 2 * self.alone < self.rows


class Health:
    """Adds up what the snapshots of a run say of it; its size does not grow with the run.

    Parameters
    ----------
    objects
        How many objects there are, where the user said so, else 0.
    """

    def __init__(self, objects: int = 0) -> None:
        self._objects = objects
        self._most = 0  # tracks in one frame
        self._frames = self._floods = self._rows = self._unseen = 0
        self._drifting = 0
        self._drift = 0.0
        self._points = self._unexplained = 0.0
        self._tracks = self._still = self._entangled = 0  # of the tracks that have ended
        self._lives: dict[int, _Life] = {}  # of those that go on, by id
        self._judged = self._parted = self._open = 0  # contacts

    def add(self, snapshot: Snapshot) -> None:
        """Take one more frame."""
        diagnostics = snapshot.diagnostics
        self._frames += 1
        self._floods += diagnostics.flood
        self._drifting += diagnostics.drift > 0
        self._drift += diagnostics.drift
        self._points += diagnostics.points
        self._unexplained += diagnostics.unexplained * diagnostics.points
        self._most = max(self._most, len(snapshot.tracks))
        stages = [contact.stage for contact in diagnostics.contacts]
        self._open = stages.count(ContactStage.OPEN)
        self._judged += len(stages) - self._open
        self._parted += stages.count(ContactStage.PARTED)
        lives = {}
        for track in snapshot.tracks:
            self._rows += 1
            self._unseen += track.status is Status.COASTING
            lives[track.id] = life = self._lives.pop(track.id, None) or _Life(track.mean)
            life.add(track)
        self._tracks += len(self._lives)
        self._still += sum(life.still for life in self._lives.values())
        self._entangled += sum(life.entangled for life in self._lives.values())
        self._lives = lives

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for each sign that the results are not to be trusted."""
        found = []
        if self._frames and self._floods > _FLOODS * self._frames:
            found.append(
                f"the picture changed as a whole in {self._floods} of {self._frames} frames, in "
                "which nothing could be followed; keep the light and the camera's exposure steady"
            )
        if self._drifting > _DRIFTING * self._frames:
            speed = self._drift / self._drifting
            found.append(
                f"the picture as a whole moved, by about {speed:.0f} px a second, in "
                f"{self._drifting} of {self._frames} frames, as when the camera turns; do not "
                "trust these results, and fix the camera"
            )
        if self._frames and not self._rows:
            found.append(
                f"nothing was tracked in {self._frames} frames, as nothing stood out from the "
                "background for long enough; look at the tint of `--set overlay.tint=true`, and "
                "try another foreground.model"
            )
        long = self._frames >= _FEW_FRAMES
        if long and self._rows and self._unexplained > _UNEXPLAINED * self._points:
            share = self._unexplained / self._points
            found.append(
                f"{share:.0%} of the foreground belongs to no track, so most of it is noise or "
                "moves as a whole; name where to look with --roi, or fix the camera"
            )
        tracks = self._tracks + len(self._lives)
        if tracks >= _FEW_TRACKS and self._unseen > _UNSEEN * self._rows:
            found.append(
                f"{self._unseen / self._rows:.0%} of the rows are guesses without a sight, as with "
                "a moving camera, swaying plants or noise; do not trust these results, fix the "
                "camera or name where to look with --roi"
            )
        still = self._still + sum(life.still for life in self._lives.values())
        # What rests stays: an animal that sleeps through a film does not come and go.
        if tracks >= _FEW_TRACKS and still > _STILL * tracks and self._still >= still / 2:
            found.append(
                f"{still} of {tracks} tracks went nowhere, and {self._still} of them came and went "
                "like swaying plants, reflections and ghosts; see whether they are objects, and "
                "name where to look with --roi"
            )
        entangled = self._entangled + sum(life.entangled for life in self._lives.values())
        contacts = self._judged + self._open
        many = tracks >= _FEW_TRACKS and contacts >= _FEW_CONTACTS
        # Objects that meet part again, pieces of one do not.
        if many and entangled > _ENTANGLED * tracks and self._parted < _PARTED * contacts:
            found.append(
                f"{entangled} of {tracks} tracks touched others or were unseen most of the time, "
                f"and only {self._parted} of {contacts} contacts ended with both seen apart, as "
                "with pieces of one object, a patterned ground or a moving camera; do not trust "
                "these results, and say with --objects how many there are, fix the camera or name "
                "where to look with --roi"
            )
        if self._rows and self._most < self._objects:
            found.append(
                f"never more than {self._most} of the {self._objects} objects that there should be "
                "were found; look at the tint of `--set overlay.tint=true`"
            )
        return tuple(found)
