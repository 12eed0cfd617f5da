"""`python -m tracker` does what the command `tracker` does."""

from __future__ import annotations

import sys

from tracker.cli import main

sys.exit(main())
