"""Identity over time: predict, refine, retire, spawn."""

from tracker.tracking.state import State
from tracker.tracking.step import Info, step
from tracker.tracking.tracker import Tracker, snapshot, start

__all__ = ["Info", "State", "Tracker", "snapshot", "start", "step"]
