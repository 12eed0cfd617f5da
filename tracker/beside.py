"""Parts of the program that run in processes of their own, and the memory that they share."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import tracker


def launch(
    module: str, log: IO[bytes], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `module.main` in a process of its own, with pipes to its standard input and output.

    It does not get the user's Ctrl-C, which is the program's business.

    Parameters
    ----------
    module
        Full name of a module of this package.
    log
        Where its standard error goes.
    environment
        Variables that it gets beside those of the program.
    """
    group: dict[str, Any] = (
        {"start_new_session": True}
        if os.name == "posix"
        else {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    )
    begin = f"import sys; sys.path.append(sys.argv[1]); from {module} import main; main()"
    return subprocess.Popen(
        # -P: a file in the working directory must not stand in for a module.
        [sys.executable, "-P", "-c", begin, str(Path(tracker.__file__).parent.parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=os.environ | (environment or {}),
        **group,
    )


def obituary(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Wait for the end of a process and say how it died, with the last line that it wrote."""
    code = process.wait()
    how = f"exit code {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-code).name
    lines = lines_of(log)
    return f"{how}: {lines[-1]}" if lines else how


def lines_of(log: IO[bytes]) -> list[str]:
    """Return the lines of a log that say something; of a long one, those at its end."""
    log.seek(0)
    lines = log.read()[-4096:].decode(errors="replace").split("\n")
    return [line.strip() for line in lines if line.strip()]


def reserve(size: int) -> str:
    """Make a file of `size` bytes to share, in memory where there is room, and return its path.

    Raises
    ------
    OSError
        There is no room; the message says where.
    """
    folders = [folder for folder in ("/dev/shm", tempfile.gettempdir()) if os.path.isdir(folder)]
    for folder in folders:
        handle, path = tempfile.mkstemp(prefix="tracker-", dir=folder)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size)
            else:
                os.truncate(handle, size)
        except OSError as error:
            os.unlink(path)
            shortage = error
        else:
            return path
        finally:
            os.close(handle)
    places = " or ".join(folders)
    raise OSError(shortage.errno, f"{shortage.strerror} for {size >> 20} MiB in {places}")
