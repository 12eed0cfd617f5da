"""The command `tracker`: arguments in, exit code out; the work is done elsewhere.

A command is one module of this package: a function whose docstring is its help, and an EXAMPLE.
It imports at its top only what costs nothing, and the rest inside the function, so that
`tracker --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType

from cyclopts import App, CycloptsError

from tracker import __version__
from tracker.cli import eval as evaluate
from tracker.cli import fit, run, sample, score, settings
from tracker.cli.exits import Exit
from tracker.errors import TrackerError

COMMANDS: tuple[ModuleType, ...] = (run, fit, sample, score, evaluate, settings)


def build() -> App:
    """Return the command line with all its commands."""
    app = App(
        name="tracker",
        help="Track what moves before a static camera: positions, identities, extents.",
        version=__version__,
        help_format="markdown",
        suppress_keyboard_interrupt=False,
        help_epilogue="Example: `tracker run demo --out out`",
    )
    for module in COMMANDS:
        app.command(
            module.command,
            name=module.__name__.rpartition(".")[2],
            help_epilogue=f"Example: `{module.EXAMPLE}`",
        )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code."""
    app = build()
    try:
        code = app(
            sys.argv[1:] if arguments is None else arguments,
            exit_on_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except CycloptsError:  # already printed
        return Exit.USAGE
    except TrackerError as error:
        print(f"tracker: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever reads has seen enough, as `head` does; Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.COMPLETE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.COMPLETE if code is None else int(code)
