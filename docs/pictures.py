"""Makes the samples of docs/em.md, runs its commands on them and keeps their pictures here.

python docs/pictures.py
"""

from __future__ import annotations

import re
import shlex
import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np
from PIL import Image

from tracker.cli import main
from tracker.synthetic import eruptions, heights

HERE = Path(__file__).resolve().parent


def make_samples(folder: Path) -> None:
    """Write heights.csv and eruptions.csv."""
    for name, points, columns in (
        ("heights", heights(), "height"),
        ("eruptions", eruptions(), "duration,rest"),
    ):
        path = folder / f"{name}.csv"
        np.savetxt(path, points, "%.2f", delimiter=",", header=columns, comments="")


def commands() -> list[str]:
    """Return the commands of docs/em.md."""
    text = (HERE / "em.md").read_text(encoding="utf-8")
    return re.findall(r"^tracker (.*)$", text, re.MULTILINE)


def keep(name: str) -> None:
    """Keep the picture em-FOLDER-NAME.png here, with few enough colours to be small."""
    _, folder, picture = name.split("-")
    Image.open(Path(folder) / picture).convert("RGB").quantize(96).save(HERE / name, optimize=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        make_samples(Path())
        for line in commands():
            print(f"tracker {line}")
            if main(shlex.split(line)):
                raise SystemExit(f"'tracker {line}' failed; mend docs/em.md")
        for name in re.findall(r"\((em-[^)]+\.png)\)", (HERE / "em.md").read_text("utf-8")):
            keep(name)
