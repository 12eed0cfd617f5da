"""One list of laws over every kind of source, then what each kind promises by itself."""

from __future__ import annotations

import contextlib
import functools
import gc
import http.server
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tracker.cli import main
from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.sources import ArraySource, Source, Verdict, open_source
from tracker.sources.container import Container, TimedFrame
from tracker.sources.readers import FileSampler
from tracker.sources.specs import resolve
from tracker.types import Image

COUNT, RATE = 40, 20
WIDTH, HEIGHT = 64, 48


def picture(index: int) -> Image:
    """A flat grey picture whose level tells its index, with a dark left half."""
    image = np.full((HEIGHT, WIDTH, 3), 40 + 5 * index, np.uint8)
    image[:, : WIDTH // 2] = 16
    return image


def number_of(image: Image) -> int:
    """Read the index back from a picture."""
    return round((float(np.mean(image[8:-8, WIDTH // 2 + 8 : -8])) - 40) / 5)


def write_video(path: Path, *, count: int = COUNT, sound_only: bool = False, gop: int = 12) -> Path:
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        if sound_only:
            sound = container.add_stream("aac", rate=44100, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), "fltp", "mono")
            frame.rate = 44100
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
            return path
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", gop
        stream.bit_rate = 400_000
        for index in range(count):
            grey = picture(index % COUNT)[:, :, 0]
            planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            planes[:HEIGHT] = np.round(16 + grey * (219 / 255))
            shown = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return path


def write_image(path: Path, image: Image) -> None:
    """Write an uncompressed image: a bitmap by hand, so that no reader is tested by its writer."""
    height, width = image.shape[:2]
    header = f"P6 {width} {height} 255\n".encode()
    path.write_bytes(header + np.ascontiguousarray(image[:, :, ::-1]).tobytes())


Pixels = np.ndarray[Any, Any]
TAGS = 11  # of each page


def write_deep(path: Path, image: Pixels) -> None:
    """Write a grey image of 16 bits."""
    height, width = image.shape
    path.write_bytes(f"P5 {width} {height} 65535\n".encode() + image.astype(">u2").tobytes())


def write_stack(
    path: Path,
    images: Sequence[Pixels],
    *,
    order: str = "<",
    big: bool = False,
    small: bool = False,
) -> Path:
    """Write grey images as pages of a TIFF file, or of a BigTIFF; after each a `small` copy."""
    number, entry, place, kind = ("Q", "HHQQ", "Q", 16) if big else ("H", "HHII", "I", 4)
    head = struct.pack(order + "HHH", 43, 8, 0) if big else struct.pack(order + "H", 42)
    content = bytearray({"<": b"II", ">": b"MM"}[order] + head + bytes(struct.calcsize(place)))
    link = len(content) - struct.calcsize(place)
    sizes = range(1 + small)
    pages = [(image[:: 1 + size, :: 1 + size], size) for image in images for size in sizes]
    for image, reduced in pages:
        struct.pack_into(order + place, content, link, len(content))
        link = len(content) + struct.calcsize(order + number + TAGS * entry)
        lists = link + struct.calcsize(place)
        pixels = lists + 4 * struct.calcsize(place)
        height, width = image.shape
        half = height // 2 * width * image.itemsize
        tags = {254: reduced, 256: width, 257: height, 258: 8 * image.itemsize, 259: 1, 262: 1}
        tags |= {273: lists, 277: 1, 278: height // 2, 279: lists + 2 * struct.calcsize(place)}
        tags[339] = {"u": 1, "f": 3}[image.dtype.kind]
        content += struct.pack(order + number, TAGS)
        for tag, value in tags.items():  # two strips: where they lie, and how long they are
            content += struct.pack(order + entry, tag, kind, 2 if tag in (273, 279) else 1, value)
        content += struct.pack(order + place, 0)
        content += struct.pack(order + 4 * place, pixels, pixels + half, half, image.nbytes - half)
        content += image.astype(image.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for suffix in ("mp4", "avi", "mkv"):
        write_video(folder / f"clip.{suffix}")
    (folder / "images").mkdir()
    for index in range(COUNT):
        write_image(folder / "images" / f"frame{index + 1}.ppm", picture(index))
    write_stack(folder / "stack.tif", [picture(index)[:, :, 0] for index in range(COUNT)])
    return folder


SPECS = ("clip.mp4", "clip.avi", "images", "stack.tif")


@pytest.fixture(params=[*SPECS, "arrays"])
def source(request: pytest.FixtureRequest, files: Path) -> Iterator[Source]:
    if request.param == "arrays":
        opened: Source = ArraySource([picture(index) for index in range(COUNT)], fps=RATE)
    else:
        opened = open_source(str(files / request.param))
    with opened:
        yield opened


def test_every_frame_comes_once_in_order(source: Source) -> None:
    frames = [(frame.index, frame.time, number_of(frame.image)) for frame in source]
    assert [index for index, _, _ in frames] == list(range(COUNT))
    assert [number for _, _, number in frames] == list(range(COUNT))
    times = np.array([moment for _, moment, _ in frames])
    rate = source.facts.fps
    np.testing.assert_allclose(times, np.arange(COUNT) / rate, atol=0.002)
    facts = source.facts
    assert (facts.verdict, facts.decoded_frames, facts.missing_frames, facts.reason) == (
        Verdict.COMPLETE,
        COUNT,
        0,
        "",
    )
    assert facts.claimed_frames == COUNT


def test_pictures_are_read_only_and_stay_as_they_were(source: Source) -> None:
    kept = [frame.image for frame in source]
    assert all(not image.flags.writeable for image in kept)
    assert {image.shape for image in kept} == {(HEIGHT, WIDTH, 3)}
    assert [number_of(image) for image in kept] == list(range(COUNT))


def test_samples_are_spread_and_do_not_disturb_the_reading(source: Source) -> None:
    frames = iter(source)
    assert next(frames).index == 0
    numbers = [number_of(image) for image in source.sample(8)]
    assert numbers == [2, 7, 12, 17, 22, 27, 32, 37]
    assert len(list(source.sample(1000))) == COUNT
    assert next(frames).index == 1


def test_samples_of_many_frames_may_be_neighbours_of_the_wanted_ones(tmp_path: Path) -> None:
    path = write_video(tmp_path / "many.mp4", count=5 * COUNT, gop=50)
    with open_source(str(path)) as source:
        numbers = [number_of(image) for image in source.sample(COUNT)]
    wanted = [(5 * place + 2) % COUNT for place in range(COUNT)]
    assert len(numbers) == COUNT
    assert all((have - want) % COUNT <= 3 for have, want in zip(numbers, wanted, strict=True))
    assert numbers != wanted  # frames that no other one refers to are passed over


class CountingContainer(Container):
    """Counts the frames that are decoded."""

    decoded = 0

    def frames(self, *, since: float | None = None, skim: bool = False) -> Iterator[TimedFrame]:
        for frame in super().frames(since=since, skim=skim):
            CountingContainer.decoded += 1
            yield frame


def repeated(path: Path, short: Path, *, frames: int, turns: int) -> Path:
    """Write a video that shows the `frames` of a short one so many times."""
    with av.open(str(path), "w") as long, av.open(str(short)) as once:
        stream = long.add_stream_from_template(once.streams.video[0])
        packets = [packet for packet in once.demux(video=0) if packet.dts is not None]
        assert stream.time_base is not None
        shift = round(frames / RATE / packets[0].time_base)
        for turn in range(turns):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts = packet.pts + turn * shift, packet.dts + turn * shift
                copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                copy.stream = stream
                long.mux(copy)
    return path


@pytest.mark.parametrize(
    ("turns", "count", "affordable", "unevenness"), [(100, 20, 100, 60), (8, 96, 400, 40)]
)
def test_a_long_file_is_searched_and_not_decoded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
    count: int,
    affordable: int,
    unevenness: int,
) -> None:
    short = write_video(tmp_path / "short.mp4", count=250, gop=50)
    path = repeated(tmp_path / "long.mp4", short, frames=250, turns=turns)
    monkeypatch.setattr("tracker.sources.readers.DECODED_PIXELS", affordable * WIDTH * HEIGHT)
    monkeypatch.setattr("tracker.sources.readers.Container", CountingContainer)
    monkeypatch.setattr(CountingContainer, "decoded", 0)
    sampler = FileSampler(str(path), count)
    places, numbers = [], []
    while (reading := sampler.read(None)) is not None:
        places.append(reading.index)
        numbers.append(number_of(reading.image))
    assert len(places) == count
    assert np.all(np.diff(places) > 0)
    assert [place % 250 % COUNT for place in places] == numbers
    even = (np.arange(count) + 0.5) * 250 * turns / count
    assert np.all(np.abs(places - even) < unevenness)
    assert CountingContainer.decoded < affordable + 2 * count


@pytest.mark.clips
def test_samples_are_pictures_of_the_film_wherever_a_decoder_begins(data: Path) -> None:
    path = str(data / "robustness" / "mouse_openfield.mp4")  # 4:4:4 by an old x264
    sampler = FileSampler(path, 24)
    samples = [image[::8, ::8] for image in sampler.images(lambda image: image)]
    capture, film = cv2.VideoCapture(path), set()
    while (read := capture.read())[0]:
        film.add(np.ascontiguousarray(read[1][::8, ::8]).tobytes())
    assert len(samples) == 24
    assert all(np.ascontiguousarray(sample).tobytes() in film for sample in samples)


@pytest.mark.parametrize("gop", [5, COUNT])
def test_samples_depend_neither_on_the_cores_nor_on_how_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gop: int
) -> None:
    path = str(write_video(tmp_path / "clip.mp4", count=COUNT, gop=gop))
    sampler = FileSampler(path, 12)
    one_by_one = []
    while (reading := sampler.read(None)) is not None:
        one_by_one.append(number_of(reading.image))
    for cores in (1, 2, 3):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        made = FileSampler(path, 12).images(lambda image: image[:, ::-1])
        assert [number_of(image[:, ::-1]) for image in made] == one_by_one
    assert one_by_one == [int((place + 0.5) * COUNT / 12) for place in range(12)]


def test_a_source_left_early_says_stopped(source: Source) -> None:
    for frame in source:
        if frame.index == 3:
            break
    source.__exit__(None, None, None)
    assert source.facts.verdict is Verdict.STOPPED
    assert source.facts.decoded_frames == 4
    assert list(source) == []


def test_a_frame_outlives_its_source(files: Path) -> None:
    with open_source(str(files / "clip.mp4")) as opened:
        frame = next(iter(opened))
    del opened
    gc.collect()
    assert number_of(frame.image) == 0


def test_nothing_is_left_behind(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Others that run at the same time make files of such names in the same folders.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    made, mkstemp = [], tempfile.mkstemp

    def kept(**how: str) -> tuple[int, str]:
        handle, path = mkstemp(**how)
        made.append(path)
        return handle, path

    monkeypatch.setattr(tempfile, "mkstemp", kept)
    for _ in range(2):
        with open_source(str(files / "clip.mp4")) as opened:
            next(iter(opened))
            decoder = opened._decoder._process  # type: ignore[attr-defined]
        assert decoder.returncode is not None
    forgotten = open_source(str(files / "clip.mp4"))
    decoder = forgotten._decoder._process  # type: ignore[attr-defined]
    del forgotten
    gc.collect()
    assert decoder.returncode is not None
    assert len(made) == 3
    assert not any(os.path.exists(path) for path in made)
    assert not any(tmp_path.iterdir())


def test_the_frame_rate_can_be_overridden(files: Path) -> None:
    for spec in ("clip.mp4", "images", "stack.tif"):
        with open_source(str(files / spec), SourceOptions(fps=4)) as opened:
            assert [frame.time for frame in opened] == [index / 4 for index in range(COUNT)]
        assert opened.facts.time_base == "fps"


def test_time_base_says_where_times_come_from(files: Path) -> None:
    with (
        open_source(str(files / "clip.mp4")) as video,
        open_source(str(files / "images")) as images,
    ):
        assert (video.facts.kind, video.facts.time_base) == ("file", "container")
        assert (images.facts.kind, images.facts.time_base) == ("images", "fps")


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv"])
def test_a_file_cut_in_half_is_cut_short(files: Path, tmp_path: Path, suffix: str) -> None:
    clip = files / f"clip.{suffix}"
    with av.open(str(clip)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
    assert positions[24] is not None
    short = tmp_path / f"short.{suffix}"
    short.write_bytes(clip.read_bytes()[: positions[24] + 5])
    with open_source(str(short)) as opened:
        numbers = [number_of(frame.image) for frame in opened]
    assert opened.facts.verdict is Verdict.CUT_SHORT
    assert "header claims" in opened.facts.reason
    assert 0 < len(numbers) < COUNT


def test_lost_frames_leave_a_gap(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", count=COUNT, gop=5)
    with av.open(str(clip)) as container:
        packets = [(packet.pts, packet.pos, packet.size) for packet in container.demux(video=0)]
    content = bytearray(clip.read_bytes())
    _, position, size = packets[20]  # a key frame: its group cannot be decoded
    assert position is not None
    content[position : position + size] = b"\xff" * size
    clip.write_bytes(content)
    with open_source(str(clip)) as opened:
        seen = [(frame.index, number_of(frame.image)) for frame in opened]
    assert opened.facts.verdict is Verdict.DAMAGED
    assert opened.facts.missing_frames == COUNT - len(seen) > 0
    assert all(index == number for index, number in seen if not 18 <= index <= 25)


def test_an_image_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    for index in range(5):
        write_image(tmp_path / f"{index}.ppm", picture(index))
    (tmp_path / "2.ppm").write_bytes(b"P6 broken")
    write_image(tmp_path / "3.ppm", picture(3)[:20])
    with open_source(str(tmp_path)) as opened:
        assert [frame.index for frame in opened] == [0, 1, 4]
    assert (opened.facts.verdict, opened.facts.missing_frames) == (Verdict.DAMAGED, 2)


def test_grey_and_sixteen_bit_images_become_three_channels(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 4 3 255\n" + bytes([100] * 12))
    (tmp_path / "b.pgm").write_bytes(b"P5 4 3 65535\n" + bytes([100, 0] * 12))
    with open_source(str(tmp_path)) as opened:
        for frame in opened:
            assert frame.image.shape == (3, 4, 3)
            assert set(frame.image.ravel().tolist()) == {100}


def deep(index: int, offset: int) -> Pixels:
    """The picture as a camera of 12 bits shows it, whose levels begin at `offset`."""
    levels: Pixels = offset + 16 * picture(index)[:, :, 0].astype(np.uint16)
    return levels


def pictures_of(spec: Path) -> list[Image]:
    with open_source(str(spec)) as opened:
        images = [frame.image for frame in opened]
    assert opened.facts.verdict is Verdict.COMPLETE
    return images


@pytest.mark.parametrize("offset", [0, 100, 32768])
@pytest.mark.parametrize("kind", ["images", "stack"])
def test_deep_images_keep_their_range_and_do_not_flicker(
    tmp_path: Path, offset: int, kind: str
) -> None:
    images = [deep(index, offset) for index in range(COUNT)]
    spec = tmp_path / "stack.tif"
    if kind == "stack":
        write_stack(spec, images)
    else:
        spec = tmp_path
        for index, image in enumerate(images):
            write_deep(tmp_path / f"{index}.pgm", image)
    shown = pictures_of(spec)
    assert {int(image[0, 0, 0]) for image in shown} == {int(shown[0][0, 0, 0])}
    bright = [int(image[0, -1, 0]) for image in shown]
    assert np.all(np.diff(bright) > 0)
    assert bright[-1] - int(shown[0][0, 0, 0]) > 200
    np.testing.assert_allclose(bright, np.linspace(bright[0], bright[-1], COUNT), atol=1)


def test_samples_of_deep_images_have_the_levels_of_the_frames(tmp_path: Path) -> None:
    for index in range(COUNT):
        write_deep(tmp_path / f"{index}.pgm", deep(index, 1000))
    with open_source(str(tmp_path)) as opened:
        frames = [frame.image for frame in opened]
        for count in (1, 3, 8):
            places = [int((place + 0.5) * COUNT / count) for place in range(count)]
            samples = list(opened.sample(count))
            np.testing.assert_array_equal(samples, [frames[place] for place in places])


def test_hot_pixels_and_shut_shutters_do_not_squeeze_the_range_and_small_objects_fit_in(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(3)
    for index in range(6):
        image = rng.normal(400, 10, (HEIGHT, WIDTH)).astype(np.uint16)
        image[5:8, 5:8], image[25:28, 40:43] = 1400, 2400
        image[15, [12, 20, 40]], image[30, 30] = 65535, 0
        write_deep(tmp_path / f"{index}.pgm", image if index != 2 else 0 * image)
    shown = pictures_of(tmp_path)[0][:, :, 0].astype(float)
    ground, half, full = np.median(shown), shown[6, 6], shown[26, 41]
    assert full - ground > 150
    assert full < 255
    assert abs((half - ground) / (full - ground) - 0.5) < 0.02


def test_images_of_numbers_with_a_point_are_shown(tmp_path: Path) -> None:
    images = [picture(index)[:, :, 0].astype(np.float32) / 1000 - 0.1 for index in range(COUNT)]
    images[0][20, 20], images[0][20, 30] = np.nan, np.inf
    shown = pictures_of(write_stack(tmp_path / "stack.tif", images))
    bright = [int(image[0, -1, 0]) for image in shown]
    assert np.all(np.diff(bright) > 0)
    assert bright[-1] - bright[0] > 150
    assert (int(shown[0][20, 20, 0]), int(shown[0][20, 30, 0])) == (0, 255)


@pytest.mark.parametrize("suffix", [".bmp", ".jpg", ".png", ".tif", ".webp"])
def test_images_of_eight_bits_stay_as_they_are(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(5)
    for channels in (1, 3, 4):
        image = rng.integers(0, 256, (HEIGHT, WIDTH, channels), np.uint8)
        path = tmp_path / f"{channels}{suffix}"
        cv2.imwrite(str(path), image)
        np.testing.assert_array_equal(pictures_of(path)[0], cv2.imread(str(path)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("small", [False, True])
def test_pages_are_frames_and_small_copies_of_them_are_not(
    tmp_path: Path, order: str, big: bool, small: bool
) -> None:
    images = [deep(index, 7) for index in range(COUNT)]
    path = write_stack(tmp_path / "stack.tif", images, order=order, big=big, small=small)
    bright = [int(image[0, -1, 0]) for image in pictures_of(path)]
    assert len(bright) == COUNT
    assert np.all(np.diff(bright) > 0)


def test_pages_lie_anywhere_in_a_large_file(tmp_path: Path) -> None:
    path = write_stack(tmp_path / "stack.tif", [deep(0, 0), deep(1, 0)])
    content = bytearray(path.read_bytes())
    (second,) = struct.unpack_from("<I", content, 8 + 2 + TAGS * 12)
    far = 3 << 30  # beyond what fits into memory that OpenCV decodes from
    moved = content[second:]
    for entry in (6, 9):  # the lists of strips, whose values move, too
        at = 2 + 12 * entry + 8
        struct.pack_into("<I", moved, at, struct.unpack_from("<I", moved, at)[0] - second + far)
    at = 2 + TAGS * 12 + 4
    strips = [place - second + far for place in struct.unpack_from("<II", moved, at)]
    struct.pack_into("<II", moved, at, *strips)
    struct.pack_into("<I", content, 8 + 2 + TAGS * 12, far)
    with path.open("wb") as file:  # sparse: it takes no room
        file.write(content[:second])
        file.seek(far)
        file.write(moved)
    shown = pictures_of(path)
    assert [int(image[0, 0, 0]) for image in shown] == [int(shown[0][0, 0, 0])] * 2
    assert int(shown[0][0, -1, 0]) < int(shown[1][0, -1, 0])


def test_a_page_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    images = [deep(index, 0) for index in range(6)]
    images[3] = images[3][:20]
    path = write_stack(tmp_path / "stack.tif", images)
    whole = path.read_bytes()
    for cut in (10, images[0].nbytes + 100):  # in the last page's pixels, in its directory
        path.write_bytes(whole[:-cut])
        with open_source(str(path)) as opened:
            assert [frame.index for frame in opened] == [0, 1, 2, 4]
        facts = opened.facts
        assert (facts.verdict, facts.missing_frames) == (Verdict.DAMAGED, 2)
        assert "page 4 of" in facts.reason


def test_a_tiff_of_one_page_is_an_image_and_several_with_pages_are_refused(tmp_path: Path) -> None:
    for index in range(3):
        write_stack(tmp_path / f"{index}.tif", [deep(index, 0)])
    assert len(pictures_of(tmp_path / "0.tif")) == 1
    assert len(pictures_of(tmp_path)) == 3
    write_stack(tmp_path / "1.tif", [deep(index, 0) for index in range(5)])
    with pytest.raises(SourceError, match=r"1\.tif holds 5 pages and is one of 3 files; name"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("offset", [0, 32768])
def test_a_run_finds_what_moves_in_a_deep_stack(tmp_path: Path, offset: int) -> None:
    rng = np.random.default_rng(11)
    images = []
    for index in range(30):
        image = rng.normal(300, 8, (120, 160))
        cv2.circle(image, (20 + 4 * index, 30), 7, 900, -1)
        cv2.circle(image, (140 - 4 * index, 90), 7, 700, -1)
        images.append((offset + cv2.GaussianBlur(image, (0, 0), 1)).astype(np.uint16))
    path = write_stack(tmp_path / "stack.tif", images)
    out = tmp_path / "out"
    assert main(["run", str(path), "--out", str(out), "--no-video"]) == 0
    rows = np.genfromtxt(out / "tracks.csv", delimiter=",", names=True)
    for start, step, y in ((20, 4, 30), (140, -4, 90)):
        near = np.hypot(rows["x"] - start - step * rows["frame"], rows["y"] - y) < 3
        assert len(set(rows["frame"][near])) > 25
        assert len(set(rows["particle"][near])) == 1
    assert len(set(rows["particle"])) == 2


@dataclass(frozen=True)
class Refusal:
    """A spec that is not a source, its content or None where there is none, words of the error."""

    name: str
    content: bytes | None
    words: str


REFUSALS = (
    Refusal("missing.mp4", None, "no such file"),
    Refusal("empty.mp4", b"", "empty"),
    Refusal("text.mp4", "Grüße, this is no video\n".encode() * 400, "text file"),
    Refusal("list.m3u8", b"#EXTM3U\nclip.mp4\n", "playlist"),
    Refusal("list.mp4", b"#EXTM3U\nclip.mp4\n", "text file"),
    Refusal("noise.mp4", bytes(range(256)) * 20, "no decoder knows"),
    Refusal("%06d.png", None, "no image matches"),
    Refusal("*.png", None, "no image matches"),
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_what_is_no_source_is_refused_in_one_sentence(tmp_path: Path, refusal: Refusal) -> None:
    path = tmp_path / refusal.name
    if refusal.content is not None:
        path.write_bytes(refusal.content)
    with pytest.raises(SourceError, match=refusal.words) as caught:
        open_source(str(path))
    assert repr(str(path)) in str(caught.value)
    assert ";" in str(caught.value)  # the remedy
    assert "\n" not in str(caught.value)


def test_folders_without_images_and_sound_without_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        open_source(str(tmp_path))
    (tmp_path / "inner").mkdir()
    write_image(tmp_path / "inner" / "1.ppm", picture(0))
    with pytest.raises(SourceError, match=r"inside it that has some: .*inner"):
        open_source(str(tmp_path))
    sound = write_video(tmp_path / "sound.mp4", sound_only=True)
    with pytest.raises(SourceError, match="no video"):
        open_source(str(sound))
    with pytest.raises(SourceError, match="no such camera"):
        open_source("97")


@pytest.mark.parametrize("prefix", ["concat:", "file:", "data:", "subfile:", "pipe:", "ftp://"])
def test_protocol_prefixes_are_refused(files: Path, prefix: str) -> None:
    with pytest.raises(SourceError, match="no kind of address"):
        open_source(f"{prefix}{files / 'clip.mp4'}")


def test_a_file_may_have_a_name_like_a_protocol(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:clip.mp4").write_bytes((files / "clip.mp4").read_bytes())
    (tmp_path / "types.py").write_text("raise SystemExit('a module of the working directory ran')")
    with open_source("concat:clip.mp4") as opened:
        assert sum(1 for _ in opened) == COUNT


@pytest.fixture
def address(files: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def copyfile(self, source: object, outputfile: object) -> None:
            with contextlib.suppress(ConnectionError):
                super().copyfile(source, outputfile)  # type: ignore[type-var]

    handler = functools.partial(Quiet, directory=str(files))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://user:secret@127.0.0.1:{server.server_port}/clip.mkv"
        server.shutdown()
        thread.join()


def test_a_stream_hands_over_the_newest_frame(address: str) -> None:
    with open_source(address) as opened:
        assert opened.facts.live
        assert "secret" not in opened.facts.spec
        assert list(opened.sample(8)) == []
        seen, ages = [], []
        for frame in opened:
            age = opened.facts.age(frame.time)
            assert age is not None
            ages.append(age)
            seen.append((frame.index, frame.time, number_of(frame.image)))
            time.sleep(0.2)
    facts = opened.facts
    assert (facts.verdict, facts.time_base) == (Verdict.CUT_SHORT, "clock")
    assert "stream stopped" in facts.reason
    assert facts.dropped_frames == COUNT - len(seen) > 10
    assert all(index == number for index, _, number in seen)
    # Of frames that come every 0.05 s the newest is handed over; in a queue the age would grow.
    assert 0 <= np.median(ages) < 0.1
    lateness = np.diff([moment for _, moment, _ in seen])
    assert np.all(lateness > 0)


def test_interrupt_is_answered_at_once(address: str) -> None:
    program = (
        "import signal, sys\n"
        "from tracker.sources import open_source\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's job may ignore it
        "with open_source(sys.argv[1]) as source:\n"
        "    print('open', flush=True)\n"
        "    for frame in source: pass\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        start = time.monotonic()
        child.send_signal(2)
        _, errors = child.communicate(timeout=5)
    assert "KeyboardInterrupt" in errors
    assert time.monotonic() - start < 1.0


def test_a_killed_decoder_ends_a_stream_and_not_a_file(files: Path, address: str) -> None:
    with open_source(address) as stream:
        frames = iter(stream)
        next(frames)
        stream._decoder._process.kill()  # type: ignore[attr-defined]
        for _ in frames:
            pass
    assert stream.facts.verdict is Verdict.CUT_SHORT
    assert "SIGKILL" in stream.facts.reason
    with open_source(str(files / "clip.mp4")) as video:
        numbers = []
        for frame in video:
            numbers.append((frame.index, number_of(frame.image)))
            if frame.index == 1:  # before it has decoded all of them ahead
                video._decoder._process.kill()  # type: ignore[attr-defined]
    assert numbers == [(index, index) for index in range(COUNT)]
    assert video.facts.verdict is Verdict.COMPLETE
    assert "SIGKILL" in video.facts.reason


def test_images_are_found_in_natural_order(files: Path) -> None:
    names = [f"frame{index + 1}.ppm" for index in range(COUNT)]
    for spec in ("images", "images/*.ppm", "images/frame%d.ppm", "images/frame%06d.ppm"):
        target = resolve(str(files / spec)).target
        assert isinstance(target, tuple)
        assert [Path(path).name for path in target] == names


def test_arrays_of_other_sizes_are_refused() -> None:
    with pytest.raises(SourceError, match="holds no image"):
        ArraySource([])
    with (
        ArraySource([picture(0), picture(1)[:20]]) as opened,
        pytest.raises(SourceError, match="one size"),
    ):
        list(opened)
    with ArraySource([picture(0)[:, :, 0]]) as grey:
        assert next(iter(grey)).image.shape == (HEIGHT, WIDTH, 3)


def test_importing_the_sources_loads_no_opencv() -> None:
    program = "import sys, tracker.sources; sys.exit('cv2' in sys.modules or 'av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.clips
@pytest.mark.parametrize(
    ("clip", "frames", "verdict", "words"),
    [
        ("pets09_s2l1/vtest.avi", 795, Verdict.COMPLETE, ""),
        ("robustness/plaza_lying_header.avi", 341, Verdict.COMPLETE, "claims 682"),
        ("robustness/tree.avi", 68, Verdict.COMPLETE, "claims 444"),
        ("robustness/video02.avi", 748, Verdict.COMPLETE, "claims 750"),
        ("truck_counts/video10.mp4", 168, Verdict.COMPLETE, "claims 274"),
        ("tud_campus/img1", 71, Verdict.COMPLETE, ""),
    ],
)
def test_real_clips(data: Path, clip: str, frames: int, verdict: Verdict, words: str) -> None:
    with open_source(str(data / clip)) as opened:
        seen = [(frame.index, frame.time) for frame in opened]
        assert len(list(opened.sample(12))) == 12
    assert [index for index, _ in seen] == list(range(frames))
    assert np.all(np.diff([moment for _, moment in seen]) > 0)
    assert opened.facts.verdict is verdict
    assert words in opened.facts.reason
    assert bool(words) == bool(opened.facts.reason)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell less of their memory")
def test_what_sampling_took_is_handed_back() -> None:
    code = """
import numpy as np
from tracker.sources.decoder import hand_back
held = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
pictures = [np.ones(60_000) for _ in range(300)]
last = pictures[-1]  # lies behind the others, which the heap therefore keeps
before = held()
del pictures
hand_back()
assert held() < before - 100, (before, held())
"""
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "100000000"},
    )


@pytest.mark.clips
def test_a_clip_that_crashes_opencv_is_read_whole(data: Path) -> None:
    """OpenCV writes beyond its memory at the end of this clip, which as a rule ends its process."""
    with open_source(str(data / "robustness" / "demo_rawvideo_48x48.avi")) as opened:
        assert [frame.index for frame in opened] == list(range(51))
        assert len(list(opened.sample(12))) == 12
    assert opened.facts.verdict is Verdict.COMPLETE
    assert opened.facts.reason == "" or "the decoder died" in opened.facts.reason
