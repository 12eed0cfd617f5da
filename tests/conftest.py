"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the real clips, which are not part of the repository; see CONTRIBUTING.md."""
    folder = os.environ.get("TRACKER_DATA")
    if not folder:
        pytest.skip("TRACKER_DATA names no folder of real clips")
    return Path(folder)
