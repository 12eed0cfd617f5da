"""The tracker with an ingredient taken out, or with a setting changed: what is each worth?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from tracker import Config, Points, Scene, tracking
from tracker.config import TrackingOptions
from tracker.mixture import Stats
from tracker.mixture.coverage import Silhouettes, sums
from tracker.tracking import births, contact, lag, policy, surveyed
from tracker.tracking.blobs import Blobs, find_blobs
from tracker.tracking.sightings import Sightings
from tracker.tracking.sizes import SizeModel
from tracker.tracking.state import NO_SCENE, State
from tracker.types import Array

SWEEP = 0.3  # how far each setting is moved, as a share of its default
SWEPT = (
    "foreground.threshold",
    "foreground.samples",
    "tracking.motion_noise",
    "tracking.effective_points",
    "tracking.softness",
    "tracking.rounds",
    "tracking.birth_area",
    "tracking.birth_frames",
    "tracking.birth_limit",
    "tracking.coast_seconds",
)


@dataclass(frozen=True, slots=True)
class Variation:
    """A way to run the tracker that is not the default one.

    Parameters
    ----------
    name
        What is different.
    settings
        Settings as `section.key=value`.
    patches
        Object, attribute and replacement of what no setting reaches.
    """

    name: str
    settings: tuple[str, ...] = ()
    patches: tuple[tuple[Any, str, Any], ...] = ()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Replace what the patches name while the block runs."""
        with ExitStack() as stack:
            for owner, name, value in self.patches:
                stack.enter_context(patch.object(owner, name, value))
            yield


def _colorless(points: Points) -> Blobs:
    return find_blobs(replace(points, colors=None))


_E_STEP = Silhouettes.e_step


def _shared(self: Silhouettes, means: Array, *, scored: bool = True) -> Stats:
    """Share each pixel among the objects that cover it, as a mixture does: Σ_k r_k = 1."""
    a, bare = self.shown(self.likelihood.cover(self.distances(means)))
    covered = 1 - (1 - self.likelihood.clutter) * bare
    share = (covered / np.maximum(sums(self.point, a, len(self.weights)), 1e-300))[self.point]
    if self.likelihood.affinity is not None:
        share = share * self.likelihood.affinity
    sharing = replace(self, likelihood=replace(self.likelihood, affinity=share))
    return _E_STEP(sharing, means, scored=scored)


_RESHAPE, _START = policy._reshape, tracking.start


def _followed(
    prior: State,
    means: Array,
    look: Sightings,
    which: NDArray[np.bool_],
    options: TrackingOptions,
) -> tuple[Array, NDArray[np.int64]]:
    """Let the shapes of objects in contact follow what they are given of the points, too."""
    shown = look.mass > 0.5 * prior.objects.areas
    return _RESHAPE(prior, means, look, which | shown, options)


def _without_occluders(options: TrackingOptions, scene: Scene = NO_SCENE) -> State:
    return _START(options, replace(scene, occluders=None))


ABLATION = (
    Variation("nothing"),
    Variation("shadow test", ("foreground.shadows=false",)),
    Variation("median background (MOG2 instead)", ("foreground.model=mog2",)),
    Variation("processing scale (whole pictures)", ("foreground.scale=1",)),
    Variation("occluder map", patches=((tracking, "start", _without_occluders),)),
    Variation("motion model (motion_noise 5)", ("tracking.motion_noise=5",)),
    Variation("tempering (effective_points 1e6)", ("tracking.effective_points=1e6",)),
    Variation("coasting (0.1 s)", ("tracking.coast_seconds=0.1",)),
    Variation(
        "size model",
        patches=(
            (policy, "fit_sizes", lambda _: None),
            (surveyed, "fit_sizes", lambda _: None),
        ),
    ),
    Variation(
        "limit of shapes",
        patches=((SizeModel, "clamp", lambda _self, matrices, *_: matrices),),
    ),
    Variation("colour", patches=((policy, "find_blobs", _colorless),)),
    Variation("coverage likelihood (mixture instead)", patches=((Silhouettes, "e_step", _shared),)),
    Variation(
        "shapes frozen in contact (followed instead)",
        patches=((policy, "_reshape", _followed),),
    ),
    Variation("births of several from one group", patches=((births, "_GROUP", np.inf),)),
    Variation("return of lost objects", patches=((policy, "recover", lambda *both: both[:2]),)),
    Variation(
        "who is who after a contact",
        patches=((contact._Verdict, "exchanged", property(lambda _: False)),),
    ),
    Variation("lag (told at once)", ("tracking.lag_seconds=0",)),
    Variation("smoothing", patches=((lag, "smoothed", lambda paths, *_: paths),)),
)


def sweep() -> Iterator[Variation]:
    """Yield the default, and each of ten settings made smaller and larger."""
    yield Variation("nothing")
    for key in SWEPT:
        default = reduce(getattr, key.split("."), Config())
        for factor in (1 - SWEEP, 1 + SWEEP):
            value = default * factor
            changed = round(value) if isinstance(default, int) else round(value, 6)
            yield Variation(f"{key} {default} → {changed}", (f"{key}={changed}",))
