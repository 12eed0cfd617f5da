"""Identity over time: predict, refine, retire, spawn."""

from tracker.tracking.hindsight import combine
from tracker.tracking.info import Info
from tracker.tracking.lag import delayed
from tracker.tracking.passes import look_back
from tracker.tracking.policy import step
from tracker.tracking.state import State
from tracker.tracking.tracker import Tracker, snapshot, start

__all__ = [
    "Info",
    "State",
    "Tracker",
    "combine",
    "delayed",
    "look_back",
    "snapshot",
    "start",
    "step",
]
