"""The nouns that travel between the rooms.

Coordinates are x, y in pixels of the original image: the centre of the top-left pixel is (0, 0),
x grows to the right and y downwards. Times are seconds. Nothing here knows of a file, a window or a
library other than numpy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Image: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a stream.

    Parameters
    ----------
    index
        Position in the stream, from 0. Frames that were lost leave a gap in the numbering.
    time
        Presentation time in seconds, strictly increasing within a stream.
    image
        Shape (height, width, 3), BGR, read-only. Copy it before drawing on it.
    """

    index: int
    time: float
    image: Image

    @classmethod
    def unseen(cls, index: int, time: float) -> Frame:
        """Return a frame with an empty picture, for those who do not look at it."""
        return cls(index, time, np.zeros((0, 0, 3), np.uint8))


@dataclass(frozen=True, slots=True)
class Points:
    """Foreground pixel coordinates of one frame.

    Parameters
    ----------
    coordinates
        Shape (n, 2), columns x, y, in pixels of the original image.
    weights
        Shape (n,), how many original pixels each point stands for; None means those of its cell.
    colors
        Shape (n,), the index of each point's colour in a palette of `COLOR_BINS` bins, or None
        where the stream has no colour.
    spacing
        Distance in pixels between neighbouring points (above 1 where a processing scale is used).
    flood
        True where the picture changed as a whole (a light was switched): points, if there are any,
        say nothing about single objects.
    drift
        Speed at which the picture as a whole moves, px per second; 0 where the camera stands.
    scene
        What a look back at the first seconds of a live source has told of the place, in the frame
        in which it did.
    """

    coordinates: Array
    weights: Array | None = None
    colors: NDArray[np.uint8] | None = None
    spacing: float = 1.0
    flood: bool = False
    drift: float = 0.0
    scene: Scene | None = None

    def __len__(self) -> int:
        return len(self.coordinates)

    @property
    def masses(self) -> Array:
        """Shape (n,), the weights, px², also where there are none."""
        if self.weights is None:
            return np.full(len(self), self.spacing**2)
        return self.weights


@dataclass(frozen=True, slots=True)
class Blob:
    """Moments of one connected patch of foreground.

    Parameters
    ----------
    mean
        Shape (2,), px.
    covariance
        Shape (2, 2), px².
    area
        Original pixels that it covers, px².
    border
        True where it touches the border of the picture.
    sample
        Which of the frames that were looked at beforehand shows it, from 0.
    stands
        True where something stands in all of these.
    """

    mean: Array
    covariance: Array
    area: float
    border: bool
    sample: int = 0
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known of the place before the first frame; every part may be missing.

    Parameters
    ----------
    size
        Width and height of the picture, px, or None where it is unknown.
    blobs
        Patches of foreground in frames that were looked at beforehand: they teach the size model,
        and whether the number of objects ever changes.
    bodies
        The same patches, their thin parts (tails, legs) counting as little as they do in the points
        of a frame where objects are seen from above; none where that makes no difference.
    samples
        How many frames these were.
    occluders
        Shape (height / step, width / step), True where a fixed thing hides objects, or None.
    step
        Pixels of the picture for each cell of `occluders`.
    """

    size: tuple[int, int] | None = None
    blobs: tuple[Blob, ...] = ()
    bodies: tuple[Blob, ...] = ()
    samples: int = 0
    occluders: NDArray[np.bool_] | None = None
    step: float = 1.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the tracker tells the foreground: where its objects are, and of what kind.

    A background model must not learn from these ellipses.

    Parameters
    ----------
    means
        Shape (k, 2), px.
    covariances
        Shape (k, 2, 2), px².
    flat
        True where the objects are seen from above, as animals are: then a thin part is a tail or a
        leg and says little of where the body is. What stands upright stands on it.
    """

    means: Array
    covariances: Array
    flat: bool = False


COLOR_BINS = 64
"""How many colours the palette of `Points.colors` has."""

WALKER_AREA = 0.35
"""Share of the area of a typical vehicle below which something among vehicles may walk."""


class Status(StrEnum):
    """What the newest frame says of a track."""

    SEEN = "seen"
    CONTACT = "contact"
    COASTING = "coasting"


@dataclass(frozen=True, slots=True)
class Track:
    """One object, now.

    Parameters
    ----------
    id
        A positive number, never used again within a run.
    mean
        Shape (2,), position of the centre, px.
    covariance
        Shape (2, 2), px², extent of the object: its outline is the 2 standard deviation ellipse.
    position_covariance
        Shape (2, 2), how uncertain `mean` is, px².
    velocity
        Shape (2,), px per second.
    box
        Shape (4,), left, top, width, height of the box around the object, px.
    mass
        Foreground pixels that belong to the object in this frame, px².
    age
        Frames since the object was first seen, this one included.
    status
        SEEN alone, in CONTACT with another object, or COASTING on the motion model alone.
    confidence
        Probability, 0 to 1, that there is an object at this place, from the evidence so far.
    identity_confidence
        Probability, 0 to 1, that this is still the object to which the id was first given.
    """

    id: int
    mean: Array
    covariance: Array
    position_covariance: Array
    velocity: Array
    box: Array
    mass: float
    age: int
    status: Status
    confidence: float
    identity_confidence: float = 1.0

    def moved(self, mean: Array, velocity: Array, box: Array) -> Track:
        """Return the object at another place; as `dataclasses.replace`, but faster."""
        return Track(
            self.id,
            mean,
            self.covariance,
            self.position_covariance,
            velocity,
            box,
            self.mass,
            self.age,
            self.status,
            self.confidence,
            self.identity_confidence,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a line in the run record.

    Parameters
    ----------
    kind
        "birth", "death", "contact", "parting", "return": back after an absence, or "group": objects
        counted in one patch.
    tracks
        The ids concerned.
    message
        One sentence for a person, or empty.
    """

    kind: str
    tracks: tuple[int, ...] = ()
    message: str = ""


class ContactStage(StrEnum):
    """How far a contact has come."""

    OPEN = "open"
    PARTED = "parted"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Contact:
    """What is known by now of two objects that touch, or did so just before.

    Parameters
    ----------
    tracks
        Their ids.
    stage
        OPEN until they are judged; then PARTED, or LOST where one of them was lost in the contact.
    touching
        True where they touch in this frame.
    depth
        How deep they were in one another at most: 0 where the outlines touch, 1 where the centres
        coincide.
    swap
        Probability, 0 to 1/2, that each has the id of the other.
    decided_by
        "motion" or "appearance", whichever tells the two histories apart; "neither" where both
        leave them as likely as that.
    exchanged
        True where the names were exchanged in this frame, as the tracks had followed the wrong ones
        since the contact.
    """

    tracks: tuple[int, int]
    stage: ContactStage
    touching: bool
    depth: float
    swap: float
    decided_by: str
    exchanged: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How well the tracks explain the frame.

    Parameters
    ----------
    points
        Number of foreground points.
    log_likelihood
        Mean log-density of the points under the tracks and the clutter, nats per point.
    unexplained
        Share, 0 to 1, of the foreground's weight that no track explains.
    iterations
        Rounds of E-step and M-step that the frame took.
    flood
        True where the picture changed as a whole and the tracks were held.
    drift
        See `Points`.
    events
        What happened in this frame.
    contacts
        The contacts that are open, or were judged in this frame.
    """

    points: int = 0
    log_likelihood: float = 0.0
    unexplained: float = 0.0
    iterations: int = 0
    flood: bool = False
    drift: float = 0.0
    events: tuple[Event, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is known after one frame; all that sinks, the overlay and viewers ever see.

    Parameters
    ----------
    frame
        Index of the frame.
    time
        Its time in seconds.
    tracks
        The objects, by ascending id.
    diagnostics
        How the frame went.
    foreground
        The points that the tracks explain, where somebody wants to see them, else None.
    candidates
        Objects that are not sure enough yet to be among the tracks, and have their later ids.
    """

    frame: int
    time: float
    tracks: tuple[Track, ...]
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    foreground: Points | None = None
    candidates: tuple[Track, ...] = ()
