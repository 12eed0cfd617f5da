"""Every setting, its default, its unit and its range; defaults live here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Metadata = Mapping[str, Any]


def _about(
    text: str, *, unit: str = "", minimum: float | None = None, maximum: float | None = None
) -> Metadata:
    """Describe a setting: a line of help, its unit, the closed range of its values."""
    return MappingProxyType({"help": text, "unit": unit, "minimum": minimum, "maximum": maximum})


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How frames are read."""

    fps: float = field(
        default=0.0,
        metadata=_about(
            "frame rate that overrides the source's own; 0 keeps the source's",
            unit="1/s",
            minimum=0,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForegroundOptions:
    """How the foreground is told from the background."""

    model: Literal["auto", "median", "running", "mog2", "knn", "threshold"] = field(
        default="auto",
        metadata=_about("background model; auto: median for files, running for live sources"),
    )
    scale: float = field(
        default=0.0,
        metadata=_about(
            "processing scale; 0 chooses it from the sizes of picture and objects",
            minimum=0,
            maximum=1,
        ),
    )
    threshold: float = field(
        default=5.5,
        metadata=_about("colour distance that makes a foreground pixel", unit="sd", minimum=1),
    )
    shadows: bool = field(default=True, metadata=_about("leave cast shadows out of the foreground"))
    samples: int = field(
        default=96,
        metadata=_about("frames sampled over a file for its background", minimum=3, maximum=500),
    )
    learning_seconds: float = field(
        default=10.0,
        metadata=_about("time in which the running model learns a change", unit="s", minimum=0.1),
    )
    polarity: Literal["auto", "dark", "bright"] = field(
        default="auto",
        metadata=_about("threshold model: objects darker or brighter than their background"),
    )
    adaptive: bool = field(
        default=False,
        metadata=_about("threshold model: compare with the local mean, not one global level"),
    )
    flood_share: float = field(
        default=0.5,
        metadata=_about(
            "share of the picture whose change at once counts as a light being switched",
            minimum=0.05,
            maximum=1,
        ),
    )
    region: str = field(
        default="",
        metadata=_about("image file whose bright pixels are where to look; empty: everywhere"),
    )
    include: tuple[tuple[tuple[float, float], ...], ...] = field(
        default=(), metadata=_about("polygons of x, y corners in which to look", unit="px")
    )
    exclude: tuple[tuple[tuple[float, float], ...], ...] = field(
        default=(), metadata=_about("polygons of x, y corners in which not to look", unit="px")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingOptions:
    """How identity is kept over time."""

    objects: int = field(
        default=0,
        metadata=_about("number of objects, where it is known; 0: unknown", minimum=0),
    )
    motion_noise: float = field(
        default=0.15,
        metadata=_about(
            "standard deviation of the acceleration, in lengths of the object per frame²",
            minimum=0.001,
        ),
    )
    effective_points: float = field(
        default=200.0,
        metadata=_about("most points of one object that count as independent", minimum=10),
    )
    softness: float = field(
        default=0.05,
        metadata=_about(
            "width of an object's rim, relative to its radius", minimum=0.01, maximum=1
        ),
    )
    rounds: int = field(
        default=8,
        metadata=_about("rounds of E-step and M-step for objects in contact", minimum=1),
    )
    birth_area: float = field(
        default=0.6,
        metadata=_about("share of the typical area that makes a new object", minimum=0.05),
    )
    birth_frames: int = field(
        default=3,
        metadata=_about("frames in which a new object must be seen to be reported", minimum=1),
    )
    birth_limit: int = field(
        default=64,
        metadata=_about(
            "new objects on trial at a time, beside as many as are followed; more are noise",
            minimum=1,
        ),
    )
    coast_seconds: float = field(
        default=1.5,
        metadata=_about("how long an unseen object is followed", unit="s", minimum=0),
    )
    lag_seconds: float = field(
        default=-1.0,
        metadata=_about(
            "how long results wait for what follows, to be better for it; "
            "-1: a second for files (less where pictures are large), not at all for live sources",
            unit="s",
            minimum=-1,
            maximum=10,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayOptions:
    """What is drawn over the picture."""

    trail_seconds: float = field(
        default=2.0, metadata=_about("length of the fading trail", unit="s", minimum=0)
    )
    tint: bool = field(default=False, metadata=_about("tint the foreground pixels"))
    uncertainty: bool = field(
        default=False, metadata=_about("draw the ellipse of the position's uncertainty")
    )
    velocity: bool = field(default=False, metadata=_about("draw an arrow of the velocity"))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is written."""

    video: bool = field(default=True, metadata=_about("write overlay.mp4"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of a run."""

    source: SourceOptions = field(default_factory=SourceOptions)
    foreground: ForegroundOptions = field(default_factory=ForegroundOptions)
    tracking: TrackingOptions = field(default_factory=TrackingOptions)
    overlay: OverlayOptions = field(default_factory=OverlayOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
