"""A streaming online-EM video tracker for static cameras.

The names below are the public surface; each is imported when it is first asked for, so that
`import tracker` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.config import Config as Config
    from tracker.errors import ConfigError as ConfigError
    from tracker.errors import OutputError as OutputError
    from tracker.errors import SourceError as SourceError
    from tracker.errors import TrackerError as TrackerError
    from tracker.foreground import make_foreground as make_foreground
    from tracker.mixture.contract import ConvergenceWarning as ConvergenceWarning
    from tracker.mixture.contract import NotFittedError as NotFittedError
    from tracker.mixture.estimator import GaussianMixture as GaussianMixture
    from tracker.mixture.family import ConjugatePrior as ConjugatePrior
    from tracker.pipeline import Job as Job
    from tracker.pipeline import run as run
    from tracker.pipeline import track as track
    from tracker.settings import load_config as load_config
    from tracker.sources import open_source as open_source
    from tracker.tracking import Tracker as Tracker
    from tracker.types import Frame as Frame
    from tracker.types import Points as Points
    from tracker.types import Scene as Scene
    from tracker.types import Snapshot as Snapshot
    from tracker.types import Status as Status
    from tracker.types import Track as Track

__version__ = "0.1.0"

_HOMES = {
    "Config": "tracker.config",
    "ConfigError": "tracker.errors",
    "ConjugatePrior": "tracker.mixture.family",
    "ConvergenceWarning": "tracker.mixture.contract",
    "Frame": "tracker.types",
    "GaussianMixture": "tracker.mixture.estimator",
    "Job": "tracker.pipeline",
    "NotFittedError": "tracker.mixture.contract",
    "OutputError": "tracker.errors",
    "Points": "tracker.types",
    "Scene": "tracker.types",
    "Snapshot": "tracker.types",
    "SourceError": "tracker.errors",
    "Status": "tracker.types",
    "Track": "tracker.types",
    "Tracker": "tracker.tracking",
    "TrackerError": "tracker.errors",
    "load_config": "tracker.settings",
    "make_foreground": "tracker.foreground",
    "open_source": "tracker.sources",
    "run": "tracker.pipeline",
    "track": "tracker.pipeline",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tracker' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
