"""Open a photo in the system's default program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_OPENER_TIMEOUT = 2.0  # seconds; an opener fails at once, or runs as long as the viewer


def open_photo(photo: Path) -> bool:
    """Open the photo, and return whether a program did. The program's output is discarded, to keep the screen."""
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
