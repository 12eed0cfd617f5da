"""What can go wrong, each with the exit code that the command ends with.

Every message is one sentence that says what was wrong, the value seen, and what to do next.
"""

from __future__ import annotations


class TrackerError(Exception):
    """Base of all errors that the program raises on purpose."""

    exit_code = 1


class ConfigError(TrackerError, ValueError):
    """A setting, option or argument is not usable."""

    exit_code = 2


class SourceError(TrackerError):
    """A source cannot be opened or is not what it claims to be."""

    exit_code = 3


class OutputError(TrackerError):
    """A result cannot be written."""

    exit_code = 5
