"""Draws what is known of a frame over its picture; opens no window and no file."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.config import OverlayOptions
from tracker.types import Array, Image, Points, Snapshot, Status, Track

Color: TypeAlias = tuple[int, int, int]
Polygon: TypeAlias = NDArray[np.int32]

# The colours of Okabe and Ito, which people with any kind of colour vision tell apart, without
# black, with a lighter blue that reads on dark pictures, and with a pale lime. Neighbouring ids get
# colours far from one another. Blue, green, red, as OpenCV wants them.
PALETTE: tuple[Color, ...] = (
    (0, 159, 230),  # orange
    (233, 180, 86),  # sky blue
    (66, 228, 240),  # yellow
    (187, 141, 224),  # reddish purple
    (135, 190, 20),  # bluish green
    (20, 108, 232),  # vermilion
    (255, 144, 64),  # blue
    (140, 235, 200),  # lime
)
_DARK: Color = (24, 24, 24)
_WHITE: Color = (255, 255, 255)

_SUBPIXEL = 4  # fractional bits of the coordinates that OpenCV draws with
_CORNERS = 32  # of an outline; large ones have twice as many
_LARGE = 60.0  # px, half the sum of the semi-axes
_KNOTS = 24  # corners of a trail: enough to look smooth, few enough to draw many
_PLACES = 8  # where a label may stand around its outline
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def color_of(identity: int) -> Color:
    """Return the colour (blue, green, red; 0 to 255) in which an id is always drawn."""
    return PALETTE[(identity - 1) % len(PALETTE)]


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom edge."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    def overlap(self, others: Array) -> float:
        """Return the area in px² that it shares with others, rows of edges, shape (n, 4)."""
        left, top, right, bottom = self.edges
        width = np.minimum(others[:, 2], right) - np.maximum(others[:, 0], left)
        height = np.minimum(others[:, 3], bottom) - np.maximum(others[:, 1], top)
        return float(np.maximum(width, 0) @ np.maximum(height, 0))

    def inside(self, width: int, height: int) -> _Box:
        """Return the box moved into a picture of this size."""
        return _Box(
            max(min(self.left, width - self.width), 0),
            max(min(self.top, height - self.height), 0),
            self.width,
            self.height,
        )


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes in px that fit a picture."""

    line: int
    halo: int
    small_text: int
    text: int
    margin: int

    @classmethod
    def of(cls, image: Image) -> _Style:
        height, width = image.shape[:2]
        unit = math.sqrt(width * height) / 665  # 1 at 768 x 576
        line = max(1, round(2.2 * unit))
        return cls(
            line=line,
            halo=line + max(1, 2 * round(unit)),
            small_text=max(7, round(9 * unit)),
            text=max(8, round(12 * unit)),
            margin=max(2, round(4 * unit)),
        )


class Overlay:
    """Draws snapshots; remembers where the objects were, for their trails.

    Takes the snapshots of one run in their order. Objects that are seen have a solid outline at 2
    standard deviations, objects in contact a double outline, and objects that coast a dashed
    one.

    Parameters
    ----------
    options
        What to draw.
    """

    def __init__(self, options: OverlayOptions | None = None) -> None:
        self._options = options or OverlayOptions()
        self._trails: dict[int, deque[tuple[float, float, float]]] = {}
        self._times: deque[float] = deque(maxlen=26)
        self._slots: dict[int, int] = {}

    def remember(self, snapshot: Snapshot) -> None:
        """Take note of a snapshot that is not drawn, so that the trails have no gap."""
        self._times.append(snapshot.time)
        length = self._options.trail_seconds
        for track in snapshot.tracks:
            trail = self._trails.setdefault(track.id, deque())
            # Strictly more than the spacing, with a hair's breadth for rounding.
            if not trail or snapshot.time - trail[-1][0] > length / _KNOTS * 0.999:
                trail.append((snapshot.time, float(track.mean[0]), float(track.mean[1])))
        for identity, trail in list(self._trails.items()):
            while trail and snapshot.time - trail[0][0] > length:
                trail.popleft()
            if not trail:
                del self._trails[identity]
        present = {track.id for track in snapshot.tracks}
        self._slots = {key: slot for key, slot in self._slots.items() if key in present}

    def draw(self, image: Image, snapshot: Snapshot) -> Image:
        """Return a copy of the picture with the snapshot drawn over it.

        Parameters
        ----------
        image
            Shape (height, width, 3), BGR; it is not changed.
        snapshot
            What is known after this picture.

        Returns
        -------
        Image
            Shape (height, width, 3), BGR, a new array.
        """
        canvas = image.copy()
        self.draw_over(canvas, snapshot)
        return canvas

    def draw_over(self, canvas: Image, snapshot: Snapshot) -> None:
        """Draw a snapshot over the picture itself.

        Parameters
        ----------
        canvas
            Shape (height, width, 3), BGR.
        snapshot
            What is known after this picture.
        """
        self.remember(snapshot)
        style = _Style.of(canvas)
        if self._options.tint and snapshot.foreground is not None:
            _tint(canvas, snapshot.foreground)
        self._draw_trails(canvas, snapshot, style)
        _draw_outlines(canvas, snapshot.tracks, style)
        if self._options.uncertainty:
            for track in snapshot.tracks:
                core = ellipse(track.mean, track.position_covariance)
                thin = max(1, style.line // 2)
                cv2.polylines(
                    canvas, [_fixed_point(core)], True, _WHITE, thin, cv2.LINE_AA, _SUBPIXEL
                )
        if self._options.velocity:
            for track in snapshot.tracks:
                _draw_velocity(canvas, track, style)
        banner = self._draw_banner(canvas, snapshot, style)
        self._draw_labels(canvas, snapshot.tracks, style, banner)

    def _draw_trails(self, canvas: Image, snapshot: Snapshot, style: _Style) -> None:
        length = self._options.trail_seconds
        if length == 0:
            return
        trails = {identity: list(trail) for identity, trail in self._trails.items()}
        for track in snapshot.tracks:
            head = (snapshot.time, float(track.mean[0]), float(track.mean[1]))
            trails.setdefault(track.id, []).append(head)
        counts = [len(trail) for trail in trails.values()]
        if sum(counts) < 2:
            return
        knots = np.concatenate(list(trails.values()))
        inks = np.repeat([color_of(identity) for identity in trails], counts, axis=0)
        starts, ends = knots[:-1, 1:], knots[1:, 1:]
        ways = ends - starts
        lengths = np.hypot(*ways.T)
        lengths[np.cumsum(counts)[:-1] - 1] = 0  # from one trail to the next
        pieces = np.flatnonzero(lengths)
        starts, ends = starts[pieces], ends[pieces]
        # Each piece blends its colour with the picture below its middle: a fading trail without a
        # second picture to blend with.
        opacity = 0.9 * np.clip(1 - (snapshot.time - knots[1 + pieces, 0]) / length, 0, 1)[:, None]
        middles = np.rint((starts + ends) / 2)
        x, y = np.clip(middles, 0, np.array(canvas.shape[1::-1]) - 1).astype(np.intp).T
        colors = (opacity * inks[1 + pieces] + (1 - opacity) * canvas[y, x]).tolist()
        # Filled rectangles that overlap a little take a third of the time of thick lines.
        along = ways[pieces] * (style.line / 2 / lengths[pieces, None])
        across = along[:, ::-1] * (-1, 1)
        starts, ends = starts - along / 2, ends + along / 2
        corners = (starts + across, ends + across, ends - across, starts - across)
        for corner, color in zip(_fixed_point(np.stack(corners, axis=1)), colors, strict=True):
            cv2.fillConvexPoly(canvas, corner, color, cv2.LINE_AA, _SUBPIXEL)

    def _draw_banner(self, canvas: Image, snapshot: Snapshot, style: _Style) -> _Box:
        """Draw as many of the facts as fit and return the place that they take."""
        count = len(snapshot.tracks)
        facts = [
            f"{count} object{'' if count == 1 else 's'}",
            f"frame {snapshot.frame}",
            f"{snapshot.time:.2f} s",
        ]
        if len(self._times) > 1 and self._times[-1] > self._times[0]:
            rate = (len(self._times) - 1) / (self._times[-1] - self._times[0])
            facts.append(f"{rate:.1f} fps")
        if snapshot.diagnostics.flood:
            facts.insert(0, "light change")
        height, width = canvas.shape[:2]
        while facts:
            stamp = _stamp("   ".join(facts), style.small_text, _WHITE)
            box = _Box(0, 0, stamp.width + 2 * style.margin, stamp.height + 2 * style.margin)
            if box.width <= width and 3 * box.height <= height:
                place = canvas[: box.height, : box.width]
                place >>= 2  # a dark strip below the text
                _print(canvas, stamp, style.margin, style.margin)
                return box
            facts.pop()
        return _Box(0, 0, 0, 0)

    def _draw_labels(
        self, canvas: Image, tracks: Sequence[Track], style: _Style, banner: _Box
    ) -> None:
        height, width = canvas.shape[:2]
        taken = np.zeros((len(tracks) + 1, 4))  # the places, of which the first `count` are known
        taken[0] = banner.edges
        for count, track in enumerate(tracks, 1):
            stamp = _stamp(str(track.id), style.text, color_of(track.id))
            places = _label_places(track, stamp, style, (width, height))
            # The place of the last frame comes first: a label that jumps cannot be read.
            slot = self._slots.get(track.id, 0)
            if places(slot).overlap(taken[:count]):
                slot = _freest(places, taken[:count])
            self._slots[track.id] = slot
            place = places(slot)
            taken[count] = place.edges
            _print(canvas, stamp, place.left, place.top)


def ellipse(mean: Array, covariance: Array) -> Array:
    """Return the outline at 2 standard deviations.

    Parameters
    ----------
    mean
        Shape (2,), px.
    covariance
        Shape (2, 2), px², symmetric and not negative.

    Returns
    -------
    Array
        Shape (n, 2), corners of the outline, px; n is a multiple of 4.
    """
    root = _root(covariance)
    corners: Array = (2 * root @ _circle(_corners(root))).T + mean
    return corners


def _root(covariance: Array) -> Array:
    """Return the symmetric square root, shape (2, 2), px."""
    # That of a 2 x 2 matrix A is (A + s I) / t with s = sqrt(det A) and t = sqrt(trace A + 2 s).
    (a, b), (_, c) = covariance.tolist()
    s = math.sqrt(max(a * c - b * b, 0.0))
    t = math.sqrt(a + c + 2 * s)
    return np.array([[a + s, b], [b, c + s]]) / t if t > 0 else np.zeros((2, 2))


def _corners(roots: Array) -> int:
    """Return how many corners suit the largest of the outlines, roots of shape (..., 2, 2)."""
    # The trace of a root is half the sum of the semi-axes.
    largest = float((roots[..., 0, 0] + roots[..., 1, 1]).max())
    return _CORNERS if largest < _LARGE else 2 * _CORNERS


@lru_cache(maxsize=2)
def _circle(corners: int) -> Array:
    """Return the corners of a regular polygon on the unit circle, shape (2, corners)."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)])


def _fixed_point(points: Array) -> Polygon:
    return np.rint(points * (1 << _SUBPIXEL)).astype(np.int32)


def _draw_outlines(canvas: Image, tracks: Sequence[Track], style: _Style) -> None:
    """Draw the outlines as filled rings, which takes a fifth of the time of thick lines."""
    if not tracks:
        return
    widths = (style.halo, style.line, max(1, style.halo // 3))
    outer, inner = _rings(tracks, widths)
    coats: tuple[tuple[int, Color], ...]
    for track, outside, inside in zip(tracks, outer, inner, strict=True):
        color = color_of(track.id)
        if track.status is Status.CONTACT:
            coats = ((0, _DARK), (0, color), (2, _DARK))
        else:
            coats = ((0, _DARK), (1, color))
        for width, paint in coats:
            ring = [outside[width], inside[width]]
            if track.status is Status.COASTING:
                ring = _dashes(*ring)
            cv2.fillPoly(canvas, ring, paint, cv2.LINE_AA, _SUBPIXEL)


def _rings(tracks: Sequence[Track], widths: Sequence[float]) -> tuple[Polygon, Polygon]:
    """Return both rims of each track's outline, drawn in each of the widths.

    Returns
    -------
    outer, inner
        Shape (tracks, widths, corners, 2), fixed-point.
    """
    roots = np.stack([_root(track.covariance) for track in tracks])
    means = np.stack([track.mean for track in tracks])
    circle = _circle(_corners(roots))

    def rim(offsets: Array) -> Polygon:
        # Semi-axes that are longer by the offset; where none is left, the rim is a point.
        axes = 2 * roots[:, None] + offsets[:, None, None] * np.eye(2)
        determinant = axes[..., 0, 0] * axes[..., 1, 1] - axes[..., 0, 1] ** 2
        axes[(determinant <= 0) | (axes[..., 0, 0] <= 0)] = 0
        return _fixed_point((axes @ circle).swapaxes(2, 3) + means[:, None, None])

    half = np.array(widths) / 2
    return rim(half), rim(-half)


def _dashes(outer: Polygon, inner: Polygon) -> list[Polygon]:
    """Return the first two of every four sides of a ring."""
    return [
        np.concatenate([outer[start : start + 3], inner[start : start + 3][::-1]])
        for start in range(0, len(outer), 4)
    ]


def _draw_velocity(canvas: Image, track: Track, style: _Style) -> None:
    """Draw where the object would be in half a second."""
    start, end = _fixed_point(np.stack([track.mean, track.mean + track.velocity / 2])).tolist()
    for color, width in ((_DARK, style.halo), (color_of(track.id), style.line)):
        cv2.arrowedLine(canvas, start, end, color, width, cv2.LINE_AA, _SUBPIXEL, 0.2)


def _tint(canvas: Image, points: Points) -> None:
    """Mix sky blue into the foreground pixels of the canvas."""
    height, width = canvas.shape[:2]
    spacing = points.spacing
    cells = np.zeros((math.ceil(height / spacing), math.ceil(width / spacing)), np.uint8)
    # The centre of the first cell lies at (spacing - 1) / 2, since pixel centres are whole numbers.
    x, y = np.floor((points.coordinates + 0.5) / spacing).astype(np.intp).T
    inside = (x >= 0) & (y >= 0) & (x < cells.shape[1]) & (y < cells.shape[0])
    cells[y[inside], x[inside]] = 1
    if spacing != 1:
        down = np.floor((np.arange(height) + 0.5) / spacing).astype(np.intp)
        across = np.floor((np.arange(width) + 0.5) / spacing).astype(np.intp)
        cells = cells[down[:, None], across]
    rows, columns = np.nonzero(cells)
    canvas[rows, columns] = canvas[rows, columns] // 2 + np.array(PALETTE[1], np.uint8) // 2


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A line of text with a dark rim, ready to be printed.

    Parameters
    ----------
    ink
        Shape (height, width, 3), the text in its colour, times 256.
    keep
        Shape (height, width, 3), share of the picture that stays beside it, 0 to 256.
    """

    ink: NDArray[np.uint16]
    keep: NDArray[np.uint16]

    @property
    def width(self) -> int:
        return int(self.ink.shape[1])

    @property
    def height(self) -> int:
        return int(self.ink.shape[0])


def _letters(text: str, scale: float, thickness: int) -> NDArray[np.uint8]:
    """Return the text in white on black, cut to its width and to the height of a digit."""
    line = round(40 * scale) + 4
    room = np.zeros((3 * line, line * (len(text) + 1)), np.uint8)
    cv2.putText(room, text, (line // 2, 2 * line), _FONT, scale, 255, thickness, cv2.LINE_AA)
    columns = np.flatnonzero(room.max(axis=0))
    rows = np.flatnonzero(room.max(axis=1))
    return room[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@lru_cache(maxsize=8)
def _scale(height: int) -> float:
    """Return the scale at which digits are `height` px high: OpenCV 4 and 5 differ in it."""
    return height / float(_letters("0", 4.0, 1).shape[0]) * 4.0


@lru_cache(maxsize=512)
def _stamp(text: str, height: int, color: Color) -> _Stamp:
    rim = max(1, round(height / 9))
    thickness = max(1, round(height / 6))
    letters = np.pad(_letters(text, _scale(height), thickness), rim + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    # Three equal channels: numpy is several times slower where it has to stretch one to three.
    text_share, rimmed_share = (
        np.repeat((share + (share >> 7))[:, :, None], 3, axis=2)  # 0..255 becomes 0..256
        for share in (letters.astype(np.uint16), cv2.dilate(letters, kernel).astype(np.uint16))
    )
    return _Stamp(text_share * np.array(color, np.uint16), 256 - rimmed_share)


def _print(canvas: Image, stamp: _Stamp, left: int, top: int) -> None:
    place = canvas[top : top + stamp.height, left : left + stamp.width]
    rows, columns = place.shape[:2]  # less than the stamp where the picture is very small
    place[:] = (place * stamp.keep[:rows, :columns] + stamp.ink[:rows, :columns]) >> 8


def _freest(places: Callable[[int], _Box], taken: Array) -> int:
    """Return the first free place, or else the one that is covered least."""
    covered = []
    for slot in range(_PLACES):
        covered.append(places(slot).overlap(taken))
        if covered[-1] == 0:
            return slot
    return covered.index(min(covered))


def _label_places(
    track: Track, stamp: _Stamp, style: _Style, size: tuple[int, int]
) -> Callable[[int], _Box]:
    """Return the places for a label around the outline and within the picture, the best first."""
    x, y = track.mean.tolist()
    half_width = 2 * math.sqrt(max(float(track.covariance[0, 0]), 0.0))
    half_height = 2 * math.sqrt(max(float(track.covariance[1, 1]), 0.0))
    width, height = stamp.width, stamp.height
    above, below = y - half_height - style.line - height, y + half_height + style.line
    left, right = x - half_width - style.line - width, x + half_width + style.line
    corners = (
        (x - width / 2, above),
        (right, y - height / 2),
        (left, y - height / 2),
        (x - width / 2, below),
        (right - width / 2, above + height / 2),
        (left + width / 2, above + height / 2),
        (x - width / 2, above - height),
        (x - width / 2, below + height),
    )

    def place(slot: int) -> _Box:
        corner_left, corner_top = corners[slot]
        return _Box(round(corner_left), round(corner_top), width, height).inside(*size)

    return place
