"""What the exit code of a command says."""

from __future__ import annotations

from enum import IntEnum

from tracker.errors import ConfigError, OutputError, SourceError


class Exit(IntEnum):
    """Every exit code there is."""

    COMPLETE = 0
    USAGE = ConfigError.exit_code
    NO_SOURCE = SourceError.exit_code
    DAMAGED = 4  # the source was damaged or cut short; the results up to there are kept
    NO_OUTPUT = OutputError.exit_code
    INTERRUPTED = 130  # Ctrl-C or a termination signal; the results up to there are kept
