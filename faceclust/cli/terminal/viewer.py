"""Open a photo in the system's default program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.files.library_roots import LibraryRoots, as_roots, photo_path
from faceclust.scan.crawl import is_photo_file
from faceclust.scan.listing import may_be_photo
from faceclust.text.visible import make_visible

_OPENER_TIMEOUT = 2.0  # seconds; an opener fails at once, or runs as long as the viewer


def find_viewable_photo(root: Path | LibraryRoots, photo: str) -> Path:
    """Return the path of a photo of the library at `root`, or with these roots, that can be handed to another program.

    Raises UsageError if the file is anything but a photo, by its name and its first bytes, or lies
    behind a symlink: the system would run a program or open a private file.
    """
    if as_roots(root).is_away(photo):
        raise UsageError(f"{make_visible(photo)} is on a disk that is away", hint="connect the disk, then try again")
    try:
        path = photo_path(root, photo)
        is_photo = may_be_photo(path.name) and is_photo_file(path)
    except OSError as error:
        raise UsageError(f"{make_visible(photo)} cannot be opened: {error.strerror or error}") from error
    if not is_photo:
        raise UsageError(f"{make_visible(photo)} is not opened: it is no photo any more", hint="faceclust scan")
    return path


def open_photo(photo: Path) -> bool:
    """Open a path from `find_viewable_photo`, and return whether a program did.

    The program's output is discarded, to keep the screen.
    """
    if sys.platform == "win32":
        try:
            os.startfile(photo)
        except OSError:
            return False
        return True
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        started = subprocess.Popen(
            [opener, str(photo)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return started.wait(_OPENER_TIMEOUT) == 0
    except subprocess.TimeoutExpired:
        return True
    except OSError:
        return False
