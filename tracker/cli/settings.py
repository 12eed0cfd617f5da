"""`tracker settings`: print settings as TOML."""

from __future__ import annotations

EXAMPLE = "tracker settings > my.toml"


def command() -> None:
    """Print every setting with its default, its unit and its range, as TOML.

    A file of your own needs to hold only what differs from this.
    """
    from tracker.settings import default_toml

    print(default_toml(), end="")
