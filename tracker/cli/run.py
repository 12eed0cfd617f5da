"""`tracker run`: track one source and write the results."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tracker.cli.exits import Exit

EXAMPLE = "tracker run videos/demo.mp4 --out out"


def command(
    source: str,
    /,
    *,
    out: Path = Path("out"),
    config: str | None = None,
    set_: Annotated[
        list[str] | None, Parameter(name="--set", negative="", negative_none="")
    ] = None,
    objects: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    roi: Path | None = None,
    fps: float | None = None,
    video: Annotated[bool, Parameter(negative="--no-video")] = True,
    show: Annotated[bool, Parameter(negative="")] = False,
    max_frames: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    refine: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Track the objects of one source and write tables and an overlay video.

    Exit codes: 0 complete, 2 usage or settings, 3 the source cannot be opened, 4 the source was
    damaged or cut short (results kept), 5 output failed, 130 stopped by Ctrl-C (results kept).

    Parameters
    ----------
    source
        A video file; a camera number such as 0; an rtsp or http(s) address; a folder of images, a
        pattern such as `frames/*.png` or `frames/%06d.png`; a TIFF file, of which each page is a
        frame; or `demo`, a built-in scene.
    out
        Folder of the results; those of an earlier run in it are replaced.
    config
        A TOML file of settings, or a bundled one by name: webcam, pedestrians, traffic, arena.
    set_
        One setting as `section.key=value`; may be given several times;
        `tracker settings` lists them.
    objects
        How many objects there are, where that is known.
    roi
        An image whose bright pixels are where to look.
    fps
        Frames per second, instead of what the source says of itself.
    video
        Write overlay.mp4.
    show
        Open a live window.
    max_frames
        Stop after so many frames.
    refine
        After the last frame look back over all of them: objects are followed from their first
        sight to their last, paths are smooth, and doubts are decided by what came later. Takes
        about twice the time; not for live sources.
    """
    # Numpy's library of linear algebra starts threads as it is loaded, here and in every process
    # of the run, which has other work for the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from tracker.cli.progress import watching
    from tracker.pipeline import Job, run
    from tracker.settings import load_config
    from tracker.sources.base import Verdict

    overrides = list(set_ or ())
    if objects is not None:
        overrides.append(f"tracking.objects={objects}")
    if roi is not None:
        overrides.append(f"foreground.region={json.dumps(str(roi))}")
    if fps is not None:
        overrides.append(f"source.fps={fps}")
    if not video:
        overrides.append("output.video=false")
    job = Job(
        spec=source,
        out=out,
        config=load_config(config, overrides),
        max_frames=max_frames,
        show=show,
        refine=refine,
    )
    begin = time.monotonic()
    with watching(max_frames) as watch:
        outcome = run(job, watch=watch)
    elapsed = time.monotonic() - begin
    if outcome.frames:
        print(
            f"{outcome.frames} frames in {elapsed:.1f} s, {outcome.objects} objects, "
            f"results in {out}"
        )
    for warning in outcome.warnings:
        print(f"tracker: {warning}", file=sys.stderr)
    if outcome.interrupted:
        return Exit.INTERRUPTED
    if outcome.verdict in (Verdict.DAMAGED, Verdict.CUT_SHORT):
        print(f"tracker: {outcome.reason}", file=sys.stderr)
        return Exit.DAMAGED
    return Exit.COMPLETE
