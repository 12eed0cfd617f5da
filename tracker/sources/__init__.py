"""Sources of frames: video files, cameras, streams, images, the built-in scene.

Whatever OpenCV decodes, it decodes in a process of its own (`tracker.sources.decoder`), so that
reading and tracking overlap and a file that makes the decoder abort ends the reading alone.
"""

from __future__ import annotations

from tracker.config import SourceOptions
from tracker.sources.base import Source, SourceFacts, Verdict
from tracker.sources.errand import Errand
from tracker.sources.memory import ArraySource, Renderings
from tracker.sources.process import ProcessSource
from tracker.sources.specs import resolve

__all__ = [
    "ArraySource",
    "Errand",
    "ProcessSource",
    "Source",
    "SourceFacts",
    "Verdict",
    "open_source",
]


def open_source(
    spec: str | int, options: SourceOptions | None = None, *, errand: Errand | None = None
) -> Source:
    """Open a source of frames.

    Parameters
    ----------
    spec
        Path of a video file; number of a camera; rtsp, http or https address; folder, glob or
        %06d pattern of images; path of an image, or of a TIFF file, whose pages are the frames; or
        "demo" for the built-in synthetic scene.
    options
        How to read it.
    errand
        What to do with each picture where it is decoded. A source that is live or decodes nothing
        leaves it undone; another one is a `ProcessSource` with this `errand`.

    Returns
    -------
    Source
        A context manager that is iterated once.

    Raises
    ------
    SourceError
        Where the source is missing, unreadable or not what it claims to be.
    """
    options = options or SourceOptions()
    if spec == "demo":
        from tracker.synthetic import demo_scene

        scene = demo_scene()
        fps = options.fps or scene.fps
        return ArraySource(Renderings(scene), fps=fps, spec="demo", kind="demo")
    return ProcessSource(resolve(str(spec)), options, errand)
