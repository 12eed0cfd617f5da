"""The program's end of a source whose frames are decoded in a process of its own."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import subprocess
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from tracker.beside import launch, obituary, reserve
from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.sources import wire
from tracker.sources.base import SourceFacts, Verdict
from tracker.sources.errand import Errand
from tracker.types import Frame, Image

SLOTS = 36  # only those are touched that the pictures in use need
FEWEST_SLOTS = 4  # one being decoded, one waiting, two with the program
SHARED_BYTES = 48 << 20  # beyond this there are fewer slots; containers often share only 64 MiB
GRACE = 2.0  # seconds that a closed decoder gets before it is killed


@dataclass(frozen=True, slots=True)
class Address:
    """What a spec stands for.

    Parameters
    ----------
    spec
        The source as it may be shown: without a password.
    kind
        "file", "camera", "stream" or "images".
    target
        Path, number of the camera, address, or the image files in order.
    """

    spec: str
    kind: str
    target: str | int | tuple[str, ...]

    def request(
        self,
        options: SourceOptions,
        *,
        samples: int = 0,
        skip: int = 0,
        plain: bool = False,
        errand: Errand | None = None,
    ) -> dict[str, Any]:
        """Return what the decoder is asked for.

        Parameters
        ----------
        options
            How to read.
        samples
            Above 0 asks for so many frames, spread out.
        skip
            Index of the first frame wanted.
        plain
            True asks to decode without OpenCV.
        errand
            What to do beside decoding.
        """
        request: dict[str, Any] = {"kind": self.kind, "fps": options.fps, "samples": samples}
        request |= {"skip": skip, "plain": plain, "errand": None}
        if errand is not None:
            request |= {"errand": errand.start, "settings": dict(errand.settings)}
        if isinstance(self.target, tuple):
            request["paths"] = self.target
        else:
            request["address"] = self.target
        return request


class DecoderDied(SourceError):
    """The decoder's process ended before it said what the source is."""

    def __init__(self, spec: str, obituary: str) -> None:
        super().__init__(f"cannot open {spec!r}: {obituary}; try to convert it with ffmpeg")
        self.obituary = obituary


class Decoder:
    """A running decoder process, its pipes and the memory that it shares.

    Parameters
    ----------
    address, request
        What it reads.

    Raises
    ------
    SourceError
        Where the source is not what it claims to be; DecoderDied where that took the decoder down.
    """

    def __init__(self, address: Address, request: dict[str, Any]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_end`
        whitelist = "file" if address.kind == "file" else "http,https,tcp,tls,udp,rtp,rtsp,crypto"
        options = f"rtsp_transport;tcp|protocol_whitelist;{whitelist}"
        # One heap for all threads, where glibc has one for each and keeps what they gave back.
        settings = {wire.CAPTURE_OPTIONS: options, "MALLOC_ARENA_MAX": "1"}
        self._process = launch("tracker.sources.decoder", self._log, settings)
        # Runs once: at `close`, when the last reference goes, or at the program's end.
        self.close = weakref.finalize(self, _end, self._process, self._log)
        try:
            self.hello = self._open(address, request)
        except BaseException:
            self.close()
            raise

    def _open(self, address: Address, request: dict[str, Any]) -> dict[str, Any]:
        self._command(json.dumps(request).encode() + b"\n")
        hello = self._receive()
        if not isinstance(hello, dict):
            raise DecoderDied(address.spec, self.obituary())
        if "error" in hello:
            raise SourceError(f"cannot open {address.spec!r}: {hello['error']}")
        if "end" in hello:  # there was nothing left to read
            return hello
        self._shape = (int(hello["height"]), int(hello["width"]), 3)
        self._size = int(np.prod(self._shape))
        self._slots = min(SLOTS, max(FEWEST_SLOTS, SHARED_BYTES // self._size))
        self._held = 0
        try:
            path = reserve(self._size * self._slots)
        except OSError as error:
            raise SourceError(
                f"no memory to share decoded frames: {error.strerror}; free some space there"
            ) from error
        try:
            with open(path, "r+b") as file:
                self._memory = mmap.mmap(file.fileno(), self._size * self._slots)
            ring = {"path": path, "slots": self._slots}
            self._command(json.dumps(ring).encode() + b"\n")
            self._receive()  # the decoder has mapped it too, so its name may go
        finally:
            os.unlink(path)
        return hello

    def want(self) -> None:
        """Ask a live source for its newest frame."""
        self._command(bytes([wire.WANT]))

    def say(self, word: bytes) -> None:
        """Say something to the errand."""
        self._command(bytes([wire.WORD]) + wire.LENGTH.pack(len(word)) + word)

    def hear(self) -> bytes | None:
        """Wait for what the errand has to say, or None if the decoder died."""
        data = self._receive()
        assert data is None or isinstance(data, bytes), "an errand says bytes"
        return data

    def receive(self) -> tuple[wire.Message, Image] | dict[str, Any] | None:
        """Wait for a frame with its picture, for how the reading ended, or None if it died.

        A picture is a view of the shared memory as long as the consumer leaves slots free: its slot
        returns to the decoder when the last reference to the picture goes. A consumer that keeps
        many pictures gets copies.
        """
        message = self.hello if "end" in self.hello else self._receive()
        assert not isinstance(message, bytes), "what an errand says is heard"
        if not isinstance(message, wire.Message):
            return message
        place = message.slot * self._size
        pixels = np.frombuffer(self._memory, np.uint8, self._size, place)
        image: Image = pixels.reshape(self._shape)
        self._held += 1
        # Every picture made of these pixels keeps this array alive, so it goes with the last one.
        weakref.finalize(pixels, self._free, message.slot).atexit = False
        if self._held > self._slots - FEWEST_SLOTS + 2:
            image = image.copy()
        image.flags.writeable = False
        return message, image

    def obituary(self) -> str:
        """Say how the decoder died."""
        return f"the decoder died ({obituary(self._process, self._log)})"

    def _free(self, slot: int) -> None:
        self._held -= 1
        if self.close.alive:
            self._command(bytes([slot]))

    def _command(self, data: bytes) -> None:
        assert self._process.stdin is not None
        # A decoder that is gone is noticed when its messages end.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def _receive(self) -> wire.Message | dict[str, Any] | bytes | None:
        assert self._process.stdout is not None
        return wire.receive(self._process.stdout)


class ProcessSource:
    """A video file, camera, stream or images, decoded in a process of its own.

    Parameters
    ----------
    address
        What to read.
    options
        How to read it.
    errand
        What to do with each picture where it is decoded; left undone for a live source, which may
        drop pictures.

    Raises
    ------
    SourceError
        Where the source cannot be opened or is not what it claims to be.
    """

    def __init__(
        self, address: Address, options: SourceOptions, errand: Errand | None = None
    ) -> None:
        self._address, self._options = address, options
        live = address.kind in ("camera", "stream")
        self.errand = None if live else errand
        """What is done with each picture where it is decoded."""
        self._death = ""  # how a decoder ended before its time
        self._next = 0
        self._greeting: bytes | None = None
        self._answer = b""
        try:
            self._decoder = Decoder(address, address.request(options, errand=self.errand))
        except DecoderDied as death:
            if address.kind != "file":
                raise
            self._death = death.obituary
            request = address.request(options, plain=True, errand=self.errand)
            self._decoder = Decoder(address, request)
        hello = self._decoder.hello
        self._facts = SourceFacts(
            spec=address.spec,
            kind=address.kind,
            width=hello["width"],
            height=hello["height"],
            fps=hello["fps"],
            live=live,
            time_base=hello["base"],
            claimed_frames=hello["claimed"],
            begun=hello["begun"] if live else None,
        )

    @property
    def facts(self) -> SourceFacts:
        """What is known of the source by now."""
        return self._facts

    def greeting(self) -> bytes:
        """Wait for what the errand has to say before the first frame.

        Raises
        ------
        SourceError
            The decoder died before.
        """
        if self._greeting is None:
            self._greeting = self._decoder.hear()
        if self._greeting is None and not self._replace_decoder():
            raise DecoderDied(self._address.spec, self._death)
        assert self._greeting is not None, "a decoder that took over has greeted"
        return self._greeting

    def answer(self) -> bytes:
        """Return what the errand has to say of the newest frame."""
        return self._answer

    def say(self, word: bytes) -> None:
        """Say something to the errand."""
        self._decoder.say(word)

    def sample(self, count: int) -> Iterator[Image]:
        """Yield up to `count` frames spread evenly over the whole source; none of a live one."""
        if self._facts.live:
            return
        taken = 0
        for plain in (bool(self._death), True):
            request = self._address.request(self._options, samples=count, plain=plain)
            try:
                sampler = Decoder(self._address, request)
            except DecoderDied:
                continue
            except SourceError:
                return  # nothing decodes where the samples lie; reading on tells what is wrong
            try:
                place = 0
                while isinstance(received := sampler.receive(), tuple):
                    place += 1
                    if place > taken:  # where a decoder died, the next one goes on
                        yield received[1]
                taken = max(taken, place)
            finally:
                sampler.close()
            if received is not None:
                return

    def __iter__(self) -> Iterator[Frame]:
        if self.errand is not None:
            self.greeting()
        while self._decoder.close.alive:
            if self._facts.live:
                self._decoder.want()
            received = self._decoder.receive()
            if isinstance(received, tuple) and self.errand is not None:
                answer = self._decoder.hear()
                received = None if answer is None else received
                self._answer = answer or b""
            if received is None and self._replace_decoder():
                continue
            if not isinstance(received, tuple):
                self._finish(received)
                return
            message, image = received
            self._next = message.number + 1
            self._facts = replace(
                self._facts,
                decoded_frames=self._facts.decoded_frames + 1,
                dropped_frames=message.dropped,
                time_base=wire.TIME_BASES[message.base],
            )
            frame = Frame(message.number, message.time, image)
            # No name may keep the picture while the consumer works: its slot would stay taken.
            del received, image
            yield frame
            del frame

    def _replace_decoder(self) -> bool:
        """Let a decoder without OpenCV go on where one has died; False where that cannot help."""
        died_before = bool(self._death)
        self._death = f"{self._decoder.obituary()} after {self._facts.decoded_frames} frames"
        self._decoder.close()
        if self._facts.kind != "file" or died_before:
            return False
        request = self._address.request(
            self._options, skip=self._next, plain=True, errand=self.errand
        )
        try:
            self._decoder = Decoder(self._address, request)
        except SourceError:
            return False
        if self.errand is not None and "end" not in self._decoder.hello:
            self._greeting = self._decoder.hear()
            return self._greeting is not None
        return True

    def _finish(self, ending: dict[str, Any] | None) -> None:
        if ending is None:
            verdict, missing = Verdict.CUT_SHORT, self._facts.missing_frames
            reason = f"{self._death}; try to convert the source with ffmpeg"
        else:
            end = ending["end"]
            verdict, missing = Verdict(end["verdict"]), end["missing"]
            read_on = self._death and f"{self._death}, and another one read on"
            reason = "; ".join(part for part in (read_on, end["reason"]) if part)
        self._facts = replace(self._facts, verdict=verdict, reason=reason, missing_frames=missing)
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._decoder.close()


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """End a decoder process and let go of its pipes."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    log.close()
