"""Tables: one row for each object and frame, one for each contact, and one for each frame."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tracker.errors import OutputError
from tracker.sinks.files import ended_cleanly, partial_name, writing
from tracker.types import Array, Contact, ContactStage, Frame, Snapshot, Status, Track


class Table(ABC):
    """A text file that gets the rows of each frame; a sink.

    The rows of a frame reach the operating system together, so a crash loses none of them.

    Parameters
    ----------
    path
        The file's final name.
    """

    header: ClassVar[str] = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    @abstractmethod
    def rows(self, snapshot: Snapshot) -> Iterable[str]:
        """Return the rows of one frame, with their line ends."""

    def last_rows(self) -> Iterable[str]:
        """Return what is to be written at the end of a run."""
        return ()

    def write(self, frame: Frame, snapshot: Snapshot) -> None:
        """Append the rows of one frame."""
        self._append("".join(self.rows(snapshot)))

    def __enter__(self) -> Self:
        with writing(self.path):
            # Without a buffer nothing is left to fail when the file is closed.
            self._file = partial_name(self.path).open("wb", buffering=0)
        try:
            self._append(self.header)
        except OutputError:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None, "exit follows enter"
        try:
            if ended_cleanly(kind):
                self._append("".join(self.last_rows()))
        finally:
            self._file.close()
        if ended_cleanly(kind):
            with writing(self.path):
                partial_name(self.path).replace(self.path)

    def _append(self, text: str) -> None:
        assert self._file is not None, "write within the context"
        content = text.encode("ascii")
        with writing(self.path):
            while content:
                content = content[self._file.write(content) :]


class TracksTable(Table):
    """Writes tracks.csv, a tidy table as trackpy and pandas expect it.

    | column | meaning |
    |---|---|
    | frame | index of the frame, from 0 |
    | particle | id of the object, from 1, never used twice |
    | x, y | centre, px; (0, 0) is the centre of the top-left pixel, y grows downwards |
    | time | time of the frame, s |
    | major, minor | semi-axes of the outline at 2 standard deviations, px |
    | angle | direction of the major axis, degrees from the x axis towards the y axis (clockwise as seen), 0 to below 180 |
    | left, top, width, height | box around the object, px |
    | vx, vy | velocity, px/s |
    | status | seen, contact (touches another object) or coasting (not seen, on the motion model) |
    | confidence | probability that there is an object here |
    | identity_confidence | probability that it is still the object that got the id first |
    | x_sd, y_sd | standard deviations of x and y, px |
    | mass | foreground pixels of the object in this frame, px² |
    | age | frames since it was first seen, this one included |
    """  # noqa: E501

    header = (
        "frame,particle,x,y,time,major,minor,angle,left,top,width,height,vx,vy,status,"
        "confidence,identity_confidence,x_sd,y_sd,mass,age\n"
    )

    def rows(self, snapshot: Snapshot) -> Iterable[str]:
        """Return a row for each object."""
        return [self._row(snapshot, track) for track in snapshot.tracks]

    def _row(self, snapshot: Snapshot, track: Track) -> str:
        x, y = track.mean.tolist()
        major, minor, angle = axes(track.covariance)
        left, top, width, height = track.box.tolist()
        vx, vy = track.velocity.tolist()
        (x_variance, _), (_, y_variance) = track.position_covariance.tolist()
        return (
            f"{snapshot.frame},{track.id},{x:.3f},{y:.3f},{snapshot.time:.6f},"
            f"{major:.3f},{minor:.3f},{angle:.2f},"
            f"{left:.2f},{top:.2f},{width:.2f},{height:.2f},{vx:.3f},{vy:.3f},"
            f"{track.status.value},{track.confidence:.4f},{track.identity_confidence:.4f},"
            f"{math.sqrt(x_variance):.3f},{math.sqrt(y_variance):.3f},{track.mass:.1f},{track.age}\n"
        )


class MotTable(Table):
    """Writes mot.txt, rows of the MOTChallenge.

    The columns are frame (from 1), id, left, top, width, height, confidence, -1, -1, -1.
    """

    def rows(self, snapshot: Snapshot) -> Iterable[str]:
        """Return a row for each object."""
        return [self._row(snapshot, track) for track in snapshot.tracks]

    def _row(self, snapshot: Snapshot, track: Track) -> str:
        left, top, width, height = track.box.tolist()
        return (
            f"{snapshot.frame + 1},{track.id},{left:.2f},{top:.2f},{width:.2f},{height:.2f},"
            f"{track.confidence:.4f},-1,-1,-1\n"
        )


@dataclass(frozen=True, slots=True)
class _Episode:
    """A contact as far as it is known, with the frames and times in which the two touched."""

    number: int
    from_frame: int
    from_time: float
    to_frame: int
    to_time: float
    contact: Contact

    def row(self) -> str:
        first, second = self.contact.tracks
        return (
            f"{self.number},{first},{second},{self.from_frame},{self.to_frame},"
            f"{self.from_time:.6f},{self.to_time:.6f},{self.contact.depth:.3f},"
            f"{self.contact.swap:.4f},{self.contact.decided_by},{self.contact.stage.value}\n"
        )


class ContactsTable(Table):
    """Writes contacts.csv, a row for each contact of two objects once it is judged.

    Contacts that are still open at the end of a run follow there.

    | column | meaning |
    |---|---|
    | episode | number of the contact, from 1, by its first frame |
    | first, second | ids of the two objects |
    | from_frame, to_frame | first and last frame in which they touched |
    | from_time, to_time | the times of these, s |
    | depth | how deep they were in one another at most, 0 (outlines touch) to 1 (same centre) |
    | p_swap | probability that each has the id of the other since |
    | decided_by | motion or appearance, whichever told them apart, or neither |
    | stage | parted, lost (one of them was lost in the contact) or open (at the end of the run) |
    """

    header = (
        "episode,first,second,from_frame,to_frame,from_time,to_time,depth,p_swap,decided_by,stage\n"
    )

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: dict[tuple[int, int], _Episode] = {}
        self._count = 0

    def rows(self, snapshot: Snapshot) -> Iterable[str]:
        """Return a row for each contact that is judged in this frame."""
        frame, time = snapshot.frame, snapshot.time
        for contact in snapshot.diagnostics.contacts:
            episode = self._open.pop(contact.tracks, None)
            if episode is None:
                self._count += 1
                episode = _Episode(self._count, frame, time, frame, time, contact)
            elif contact.touching:
                episode = replace(episode, to_frame=frame, to_time=time)
            episode = replace(episode, contact=contact)
            if contact.stage is ContactStage.OPEN:
                self._open[contact.tracks] = episode
            else:
                yield episode.row()

    def last_rows(self) -> Iterable[str]:
        """Return a row for each contact that is still open."""
        return [episode.row() for episode in self._open.values()]


class FramesTable(Table):
    """Writes frames.csv, how each frame went: it tells a bad foreground from bad tracking.

    | column | meaning |
    |---|---|
    | frame | index of the frame, from 0 |
    | time | time of the frame, s |
    | tracks | objects that are followed |
    | starved | those of them that this frame does not show |
    | points | foreground points |
    | unexplained | share, 0 to 1, of the foreground that no track explains |
    | log_likelihood | mean log-density of the points under tracks and clutter, nats a point |
    | iterations | rounds of E-step and M-step |
    | flood | 1 where the picture changed as a whole and the tracks were held, else 0 |
    | drift | speed at which the picture as a whole moves, px/s; 0 where the camera stands still |
    """

    header = "frame,time,tracks,starved,points,unexplained,log_likelihood,iterations,flood,drift\n"

    def rows(self, snapshot: Snapshot) -> Iterable[str]:
        """Return the row of the frame."""
        how = snapshot.diagnostics
        starved = sum(track.status is Status.COASTING for track in snapshot.tracks)
        yield (
            f"{snapshot.frame},{snapshot.time:.6f},{len(snapshot.tracks)},{starved},{how.points},"
            f"{how.unexplained:.4f},{how.log_likelihood:.4f},{how.iterations},{how.flood:d},"
            f"{how.drift:.1f}\n"
        )


def axes(covariance: Array) -> tuple[float, float, float]:
    """Return the semi-axes at 2 standard deviations and the direction of the longer one.

    Parameters
    ----------
    covariance
        Shape (2, 2), px².

    Returns
    -------
    major, minor, angle
        px, px, and degrees from the x axis towards the y axis, 0 to below 180 at two decimals.
    """
    (a, b), (_, c) = covariance.tolist()
    middle, spread = (a + c) / 2, math.hypot((a - c) / 2, b)
    angle = round(math.degrees(math.atan2(2 * b, a - c) / 2), 2) % 180
    return 2 * math.sqrt(middle + spread), 2 * math.sqrt(max(middle - spread, 0.0)), angle
