"""Measure whether memory grows with the length of a clip.

`python benchmarks/memory.py` draws a short clip, strings it together to 50,000 frames without
decoding it, tracks that, and prints the resident memory of the program and of its decoder every
10,000 frames, and the slope from a fifth of the clip on. Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import av
import numpy as np
from drawn import Herd
from table import Table

from tracker import Config, Job, Snapshot, run
from tracker.config import OutputOptions
from tracker.sources.base import SourceFacts

SIZE = (320, 240)
OBJECTS = 5
LENGTH = 500  # frames that are drawn
EVERY = 1000  # frames from one look at the memory to the next
SHOWN = 10_000


def looped(short: Path, long: Path, times: int) -> None:
    """Write the packets of a clip one after the other, so many times."""
    with av.open(str(long), "w", format="mp4") as target:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(str(short)) as source:
                video = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(video)
                assert video.duration is not None, "the clip was drawn here"
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue  # the one that ends the stream
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    target.mux(packet)
                offset += video.duration


def resident() -> dict[int, float]:
    """Return the resident memory of this process and of its children, MB, by process."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text(encoding="ascii").split()
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    return {
        number: page * int(Path(f"/proc/{number}/statm").read_text(encoding="ascii").split()[1])
        for number in (me, *map(int, children))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--video", action="store_true", help="write the overlay, too")
    parser.add_argument("--markdown", action="store_true", help="print a table for the docs")
    arguments = parser.parse_args()
    looks: list[tuple[int, float, float]] = []  # frames, MB of the program, MB of the decoder

    def watch(snapshot: Snapshot, facts: SourceFacts) -> None:
        if facts.decoded_frames % EVERY == 0:
            own, *others = resident().values()
            looks.append((facts.decoded_frames, own, sum(others)))

    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder) / "drawn.mp4", Path(folder) / "long.mp4"
        Herd(*SIZE, OBJECTS, LENGTH, share=0.005).write(short)
        looped(short, long, -(-arguments.frames // LENGTH))  # rounded up
        config = Config(output=OutputOptions(video=arguments.video))
        job = Job(spec=str(long), out=Path(folder) / "out", config=config)
        run(job, watch=watch)
    table = np.array(looks)
    # The decoder may end before its last frames are tracked.
    late = table[(table[:, 0] >= arguments.frames / 5) & (table[:, 2] > 0)]
    slope = 1e4 * np.polyfit(late[:, 0], late[:, 1] + late[:, 2], 1)[0]
    rows = [
        (f"{frames}", f"{own:.0f} MB", f"{other:.0f} MB")
        for frames, own, other in looks
        if frames % SHOWN == 0
    ]
    title = f"Resident memory, {slope:+.2f} MB in 10,000 frames"
    Table(title, ("frames", "program", "decoder"), rows).print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
