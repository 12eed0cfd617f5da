"""From what the user names to what is read, with the errors that need no decoder."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from tracker.errors import SourceError
from tracker.sources.process import Address

IMAGES = (".bmp", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
PLAYLISTS = (".asx", ".ffconcat", ".m3u", ".m3u8", ".mpd", ".pls", ".sdp", ".smil", ".xspf")
STREAMS = ("http", "https", "rtsp", "rtsps")

_COUNTER = re.compile(r"%0?\d*d")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.,-]+:")
_HEAD = 4096  # bytes that show whether a file is text


def resolve(spec: str) -> Address:
    """Find out what `spec` stands for.

    Parameters
    ----------
    spec
        Path of a video or an image, number of a camera, address of a stream, or a folder, glob or
        %06d pattern of images.

    Raises
    ------
    SourceError
        Where nothing readable stands behind it.
    """
    if not spec:
        raise SourceError(
            "cannot open '': no source is named; give a video file, a camera number, an address, "
            "a folder of images or 'demo'"
        )
    if re.fullmatch(r"[0-9]{1,4}", spec) and not os.path.exists(spec):
        return Address(spec, "camera", int(spec))
    if not os.path.exists(spec):
        if "://" in spec and urlsplit(spec).scheme.lower() in STREAMS:
            return Address(_without_password(spec), "stream", spec)
        if _COUNTER.search(os.path.basename(spec)):
            return _images(spec, _numbered(spec), "no image matches the pattern")
        if glob.has_magic(spec):
            return _images(spec, glob.glob(spec), "no image matches the pattern")
        if _SCHEME.match(spec) and not re.match(r"^[A-Za-z]:[\\/]", spec):
            raise _error(
                spec,
                f"{spec.split(':')[0] + ':'!r} is no kind of address that is read",
                "give a file's plain path, or an rtsp, http or https address",
            )
        raise _error(spec, "there is no such file or folder", "check the path and the spelling")
    if os.path.isdir(spec):
        return _folder(spec)
    return _file(spec)


def _error(spec: str, reason: str, remedy: str) -> SourceError:
    return SourceError(f"cannot open {spec!r}: {reason}; {remedy}")


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    if parts.password is None:
        return address
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:***@{host}").geturl()


def _natural(path: str) -> list[tuple[int, int, str]]:
    """Sort key by which image 10 comes after image 9."""
    parts = re.split(r"(\d+)", path)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _pictures(paths: Iterable[str]) -> list[str]:
    found = (path for path in paths if Path(path).suffix.lower() in IMAGES)
    return sorted((path for path in found if not Path(path).name.startswith(".")), key=_natural)


def _images(spec: str, paths: Iterable[str], absence: str) -> Address:
    pictures = _pictures(paths)
    if not pictures:
        raise _error(spec, absence, f"images end in one of {', '.join(IMAGES)}")
    return Address(spec, "images", tuple(os.path.abspath(path) for path in pictures))


def _numbered(pattern: str) -> list[str]:
    """Return the files whose names a printf pattern such as frame%06d.png produces."""
    folder, name = os.path.split(pattern)
    before, after = _COUNTER.split(name, maxsplit=1)
    expression = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if expression.fullmatch(name)]


def _folder(spec: str) -> Address:
    try:
        names = os.listdir(spec)
    except OSError as error:
        raise _error(
            spec, f"the folder cannot be read ({error.strerror})", "ask for permission to read it"
        ) from error
    if not _pictures(names):
        inner = next(
            (
                name
                for name in sorted(names)
                if os.path.isdir(os.path.join(spec, name))
                and os.access(os.path.join(spec, name), os.R_OK)
                and _pictures(os.listdir(os.path.join(spec, name)))
            ),
            None,
        )
        remedy = (
            f"name the folder inside it that has some: {os.path.join(spec, inner)}"
            if inner
            else "name a folder with images, or a video file inside it"
        )
        raise _error(spec, "the folder holds no images", remedy)
    return _images(spec, (os.path.join(spec, name) for name in names), "")


def _file(spec: str) -> Address:
    path = os.path.abspath(spec)  # an absolute path cannot be taken for a protocol
    suffix = Path(spec).suffix.lower()
    if not os.path.isfile(path):
        raise _error(spec, "it is neither a file nor a folder", "name a video file")
    if suffix in PLAYLISTS:
        raise _error(spec, "it is a playlist, not a video", "name one of the videos that it lists")
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise _error(
            spec, f"it cannot be read ({error.strerror})", "ask for permission to read it"
        ) from error
    if not head:
        raise _error(spec, "the file is empty", "copy or record it again")
    if _is_text(head):
        raise _error(spec, "it is a text file, not a video", "name a video file")
    if suffix in IMAGES:
        return Address(spec, "images", (path,))
    return Address(spec, "file", path)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else a character cut in two by the end of the head
            return False
        text = head[: error.start].decode("utf-8-sig")
    return all(character.isprintable() or character in "\t\n\r\f" for character in text)
